"""The kinds of channels that are here, each with what it needs to be told."""

from typing import Any

from pydantic import ValidationError

from domain.channels import ChannelKind
from domain.errors import InvalidInput
from domain.languages import N_
from integrations.channel_settings import ChannelSettings
from integrations.chat.settings import ChatWidget
from integrations.mail.settings import Mailbox
from integrations.messenger.settings import MessengerPage
from integrations.phone.settings import PhoneLine

KINDS: dict[ChannelKind, type[ChannelSettings]] = {
    ChannelKind.EMAIL: Mailbox,
    ChannelKind.MESSENGER: MessengerPage,
    ChannelKind.CHAT: ChatWidget,
    ChannelKind.PHONE: PhoneLine,
}


def read_settings(kind: ChannelKind, values: dict[str, Any]) -> ChannelSettings:
    settings = KINDS.get(kind)
    if settings is None:
        raise InvalidInput(N_("Channels of this kind are not here yet."), field=["kind"])
    try:
        return settings.model_validate(values)
    except ValidationError as refusal:
        first = refusal.errors()[0]
        raise InvalidInput(
            N_("{name}: {problem}"),
            field=["settings"],
            name=".".join(map(str, first["loc"])) or kind.value,
            problem=first["msg"].removeprefix("Value error, "),
        ) from None

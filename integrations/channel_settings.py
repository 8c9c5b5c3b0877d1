"""What each kind of channel needs to be told."""

from typing import Any

from pydantic import ValidationError

from domain.channels import ChannelKind
from domain.errors import InvalidInput
from domain.languages import N_
from integrations.chat.widget import ChatWidget
from integrations.keeping import ChannelSettings
from integrations.mail.mailbox import Mailbox
from integrations.messenger.page import MessengerPage
from integrations.phone.line import PhoneLine
from integrations.sms.number import SmsNumber

KINDS: dict[ChannelKind, type[ChannelSettings]] = {
    ChannelKind.EMAIL: Mailbox,
    ChannelKind.MESSENGER: MessengerPage,
    ChannelKind.CHAT: ChatWidget,
    ChannelKind.PHONE: PhoneLine,
    ChannelKind.SMS: SmsNumber,
}


_PROBLEMS = {
    "extra_forbidden": "there is no such setting",
    "missing": "it is needed",
    "dict_type": "it is said by language, as `acknowledgement.es=…`",
}
"""In words of ours, by pydantic's type."""


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
            name=".".join(str(part) for part in first["loc"] if part != "[key]") or kind.value,
            problem=_PROBLEMS.get(first["type"]) or first["msg"].removeprefix("Value error, "),
        ) from None

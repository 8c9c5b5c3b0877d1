"""What each kind of channel needs to be told."""

from typing import Any

from pydantic import SecretStr, ValidationError, field_validator

from domain.channels import ChannelKind
from domain.contacts import IdentityKind, normalised
from domain.errors import InvalidInput
from domain.languages import N_
from integrations.keeping import ChannelSettings
from integrations.mail.mailbox import Mailbox

SHORTEST_KEY = 32
"""Characters of a key that signs: who guesses it can be anybody."""


class MessengerPage(ChannelSettings):
    page_id: str
    page_token: SecretStr
    app_secret: SecretStr
    verify_token: SecretStr

    def place(self) -> str:
        return self.page_id


class ChatWidget(ChannelSettings):
    identity_key: SecretStr = SecretStr("")
    """The shop signs who its visitor is with it (HS256); without one every visitor is anonymous."""
    origins: list[str] = []
    """The pages the widget may stand on, as `https://shop.example`; none: any."""

    @field_validator("identity_key")
    @classmethod
    def _long_enough(cls, key: SecretStr) -> SecretStr:
        if 0 < len(key.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"the key needs at least {SHORTEST_KEY} characters")
        return key


class PhoneLine(ChannelSettings):
    number: str
    region: str | None = None
    """Two letters, to read national numbers."""
    key: SecretStr
    """Signs the PBX's events, or is the token in their address."""

    def place(self) -> str:
        return normalised(IdentityKind.PHONE, self.number, region=self.region)


KINDS: dict[ChannelKind, type[ChannelSettings]] = {
    ChannelKind.EMAIL: Mailbox,
    ChannelKind.MESSENGER: MessengerPage,
    ChannelKind.CHAT: ChatWidget,
    ChannelKind.PHONE: PhoneLine,
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

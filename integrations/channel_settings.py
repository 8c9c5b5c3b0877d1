"""What each kind of channel needs to be told. A SecretStr is kept encrypted; the rest is plain."""

from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, field_validator, model_validator

from domain.channels import Channel, ChannelKind
from domain.contacts import IdentityKind, normalised
from domain.db import Json
from domain.errors import InvalidInput
from domain.keys import Keys
from domain.languages import N_
from integrations.mail.signing import check_key
from integrations.settings import smtp_address

SHORTEST_KEY = 32
"""Characters of a key that signs: who guesses it can be anybody."""


class ChannelSettings(BaseModel):
    model_config = ConfigDict(extra="forbid")

    @field_validator("*")
    @classmethod
    def _secret_can_be_sent(cls, value: Any) -> Any:
        if isinstance(value, SecretStr) and not (value.get_secret_value() or "-").isascii():
            raise ValueError("a token or key is made of plain letters, digits and signs")
        return value

    @classmethod
    def of(cls, channel: Channel, keys: Keys) -> Self:
        return cls.model_validate(channel.config | (keys.decrypt(channel.secrets) if channel.secrets else {}))

    def place(self) -> str | None:
        """What the world calls the channel."""
        return None

    def config(self) -> Json:
        return {name: value for name, value in self if not isinstance(value, SecretStr)}

    def secrets(self) -> dict[str, str]:
        return {name: value.get_secret_value() for name, value in self if isinstance(value, SecretStr)}


class Mailbox(ChannelSettings):
    address: str
    sender_name: str = ""
    authserv_id: str | None = None
    """The name our own receiving host writes into Authentication-Results; others' words do not count."""
    relays: list[str] = []
    """Addresses of the hosts that hand mail to us and whose Authentication-Results are believed."""
    language: Literal["", "en", "pl", "es", "ca"] = ""
    """Of its answers to who has told no language."""
    signature: str = ""
    """Below each answer. Several lines: `\\n` between them."""
    smtp_url: str = ""
    """The server that takes this mailbox's mail; without one, that of HEDDLE_SMTP_URL."""
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    signed_sender: bool = True
    """The envelope's sender is the signed reply address, so that a bounce finds its conversation. Some providers take no
    sender but the mailbox itself."""
    dkim_domain: str = ""
    dkim_selector: str = ""
    dkim_key: SecretStr = SecretStr("")
    """An RSA key, as PEM: its lines may be joined by `\\n`."""
    oauth_token_url: str = ""
    oauth_client_id: str = ""
    oauth_client_secret: SecretStr = SecretStr("")
    oauth_refresh_token: SecretStr = SecretStr("")
    oauth_scope: str = ""

    _server = field_validator("smtp_url")(smtp_address)

    @field_validator("signature", "dkim_key", mode="before")
    @classmethod
    def _lines(cls, value: Any) -> Any:
        """As they are typed on a command line."""
        return value.replace("\\n", "\n") if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if "@" in urlsplit(self.smtp_url).netloc:
            raise ValueError(
                "smtp_url: user and password have settings of their own, which are kept encrypted"
            )
        signs = [self.dkim_domain, self.dkim_selector, self.dkim_key.get_secret_value()]
        if any(signs) and not all(signs):
            raise ValueError("dkim_domain, dkim_selector and dkim_key go together")
        if all(signs):
            check_key(self.dkim_key.get_secret_value())
        return self

    def place(self) -> str:
        return normalised(IdentityKind.EMAIL, self.address)


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

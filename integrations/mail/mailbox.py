"""What a mailbox needs to be told: where its mail comes from, whose word counts, how its answers leave, and which it gives itself."""

import ipaddress
from collections.abc import Mapping
from typing import Any, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from sqlalchemy import and_

from domain.customers.contacts import IdentityKind, normalised
from domain.languages import N_
from domain.ways_in.channels import Channel, ChannelKind
from integrations.keeping import ChannelSettings, WrongSetting
from integrations.mail.sending.signing import check_key
from integrations.settings import smtp_address

SHORTEST_TOKEN = 16
"""Characters of a token that is shown as it is."""
MICROSOFT_365 = "microsoft365"

FETCHED = and_(Channel.kind == ChannelKind.EMAIL, Channel.config["imap_url"].astext.is_not(None))
"""Channels whose mail we have to go for."""


class Mailbox(ChannelSettings):
    OURS: ClassVar[frozenset[str]] = frozenset({"webhook_token"})
    SHOWN_AT: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "imap_url": ("imap_password", "oauth_refresh_token"),
        "smtp_url": ("smtp_password", "oauth_refresh_token"),
        "oauth_token_url": ("oauth_client_secret", "oauth_refresh_token"),
    }

    address: str
    """What customers write to. It stays: another address is another channel."""
    sender_name: str = ""
    """The shop, as the sender is shown; otherwise the name of the channel."""

    imap_url: str | None = None
    """Where its mail is fetched: `imaps://imap.shop.example`, `imap+starttls://…`; none: it is not."""
    imap_user: str = ""
    """Whoever signs in; otherwise the address."""
    imap_password: SecretStr = SecretStr("")
    """Of whoever signs in to fetch; or tokens: `oauth_token_url` and those below it."""
    imap_folder: str = "INBOX"
    """The one folder that is read."""
    imap_since_days: int = Field(0, ge=0, le=3650)
    """How many days of what lies there already are fetched at first; none: only what comes from then on."""
    imap_unencrypted: bool = False
    """Lets `imap://`, which tells everybody on the way the password, go to another machine than this."""

    webhook_token: SecretStr = SecretStr("")
    """Whoever posts mails shows it: as `Authorization: Bearer`, or as the password of basic authentication."""
    mailgun_key: SecretStr = SecretStr("")
    """The HTTP webhook signing key of Mailgun."""

    authserv_id: str | None = None
    """The name our own receiving host writes into Authentication-Results; others' words do not count. `microsoft365`: it writes none."""
    relays: list[str] = []
    """Addresses of the hosts that hand mail to us and whose Authentication-Results are believed."""

    signature: str = ""
    """Below each answer. Several lines: `\\n` between them."""
    smtp_url: str = ""
    """The server that takes this mailbox's mail; without one, that of HEDDLE_SMTP_URL."""
    smtp_user: str = ""
    """Whoever signs in there; none: nobody does."""
    smtp_password: SecretStr = SecretStr("")
    """Of whoever signs in to send."""
    signed_sender: bool = True
    """The envelope's sender is the signed reply address, so that a bounce finds its conversation. Some providers take no
    sender but the mailbox itself."""
    dkim_domain: str = ""
    """The domain in whose name mails are signed."""
    dkim_selector: str = ""
    """Under which the public key stands in that domain's DNS."""
    dkim_key: SecretStr = SecretStr("")
    """An RSA key, as PEM: its lines may be joined by `\\n`."""

    oauth_token_url: str = ""
    """Whoever signs in with tokens (XOAUTH2): where they are made from the refresh token."""
    oauth_client_id: str = ""
    """Of the application that is registered there."""
    oauth_client_secret: SecretStr = SecretStr("")
    """Of that application, where it has one."""
    oauth_refresh_token: SecretStr = SecretStr("")
    """What the provider gave when the mailbox's owner agreed; a newer one that comes is kept."""
    oauth_scope: str = ""
    """What is asked for, between spaces: to fetch, to send."""

    inbound_per_minute: int = Field(default=600, ge=0)

    def place(self) -> str:
        return normalised(IdentityKind.EMAIL, self.address)

    @property
    def box(self) -> str:
        """Which one is fetched."""
        return f"{self.imap_user} {self.imap_url} {self.imap_folder}"

    def doors(self, slug: str) -> dict[str, str]:
        raw = f"/hooks/mail/{slug}"
        return {
            "raw mail": raw,
            "Postmark": f"{raw}/postmark",
            "SendGrid": f"{raw}/sendgrid",
            "Mailgun": f"{raw}/mailgun/mime",
        }

    @field_validator("webhook_token")
    @classmethod
    def _cannot_be_guessed(cls, token: SecretStr) -> SecretStr:
        if 0 < len(token.get_secret_value()) < SHORTEST_TOKEN:
            raise WrongSetting(N_("the token needs at least {least} characters"), least=SHORTEST_TOKEN)
        return token

    @field_validator("oauth_token_url")
    @classmethod
    def _token_url(cls, url: str) -> str:
        server = urlsplit(url)
        if url and not (server.scheme == "https" or (server.scheme == "http" and _is_here(server.hostname))):
            raise WrongSetting(N_("should begin with https://"))
        return url

    @model_validator(mode="after")
    def _can_be_fetched(self) -> Self:
        if self.imap_url is None:
            return self
        server = urlsplit(self.imap_url)
        if server.scheme not in ("imaps", "imap", "imap+starttls") or not server.hostname or server.username:
            raise WrongSetting(
                N_("imap_url should be imaps://host, imaps://host:port or imap+starttls://host")
            )
        if server.scheme == "imap" and not (self.imap_unencrypted or _is_here(server.hostname)):
            raise WrongSetting(
                N_("imap:// shows everybody the password: use imaps://, or say imap_unencrypted=true")
            )
        if not (self.imap_password.get_secret_value() or self.signs_in_with_tokens):
            raise WrongSetting(N_("imap_url needs imap_password, or oauth_token_url and oauth_refresh_token"))
        self.imap_user = self.imap_user or self.address
        return self

    @property
    def signs_in_with_tokens(self) -> bool:
        return bool(self.oauth_token_url and self.oauth_refresh_token.get_secret_value())

    _server = field_validator("smtp_url")(smtp_address)

    @field_validator("signature", "dkim_key", mode="before")
    @classmethod
    def _lines(cls, value: Any) -> Any:
        """As they are typed on a command line."""
        return value.replace("\\n", "\n") if isinstance(value, str) else value

    @model_validator(mode="after")
    def _can_send(self) -> Self:
        if "@" in urlsplit(self.smtp_url).netloc:
            raise WrongSetting(
                N_("smtp_url: user and password have settings of their own, which are kept encrypted")
            )
        signs = [self.dkim_domain, self.dkim_selector, self.dkim_key.get_secret_value()]
        if any(signs) and not all(signs):
            raise WrongSetting(N_("dkim_domain, dkim_selector and dkim_key go together"))
        if all(signs):
            check_key(self.dkim_key.get_secret_value())
        return self


def _is_here(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False

"""What a number for text messages needs to be told."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from domain.answering.texting import MOST_SEGMENTS
from domain.customers.contacts import IdentityKind, normalised
from integrations.keeping import AccountSid, ChannelSettings, Region, check_needed, web_address

NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{1,11}")
"""Of a sender without a number, as networks show it; nobody can answer it."""

NOTHING = SecretStr("")


class SmsNumber(ChannelSettings):
    OURS: ClassVar[frozenset[str]] = frozenset({"token"})
    SHOWN_AT: ClassVar[Mapping[str, tuple[str, ...]]] = {"base_url": ("api_key",)}

    @classmethod
    def ours_of_a_new_one(cls, said: Mapping[str, Any]) -> frozenset[str]:
        signs = said.get("provider") == "twilio" or said.get("signature_secret")
        return frozenset() if signs else cls.OURS

    provider: Literal["twilio", "infobip", "vonage"]
    """Who carries the messages."""
    number: str
    """With its country, or the name that messages are sent under."""
    region: Region = None
    """Two letters, to read national numbers."""
    most_segments: int = Field(default=MOST_SEGMENTS, ge=1, le=10)
    """Longer messages of ours are refused: each segment is paid for."""

    inbound_per_minute: int = Field(default=600, ge=0)
    """More than these wait their turn; 0: as many as come."""

    account_sid: AccountSid = ""
    """Of Twilio."""
    auth_token: SecretStr = NOTHING
    """Of Twilio: signs what it tells us, too."""

    base_url: str = ""
    """Of Infobip, the account's own: https://….api.infobip.com"""
    api_key: SecretStr = NOTHING
    """Of Infobip, or of Vonage."""
    api_secret: SecretStr = NOTHING
    """Of Vonage."""
    signature_secret: SecretStr = NOTHING
    """Of Vonage: with it, what is not signed is refused."""
    signature_method: Literal["md5hash", "md5", "sha1", "sha256", "sha512"] = "sha256"
    """How Vonage signs."""

    token: SecretStr = NOTHING
    """In the address that Infobip calls, and Vonage where it does not sign; or as the password there."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str) -> str:
        return web_address(url).rstrip("/")

    @model_validator(mode="after")
    def _has_what_its_provider_needs(self) -> Self:
        signs = self.signature_secret.get_secret_value()
        needed: dict[str, dict[str, str | SecretStr]] = {
            "twilio": {"account_sid": self.account_sid, "auth_token": self.auth_token},
            "infobip": {"base_url": self.base_url, "api_key": self.api_key, "token": self.token},
            "vonage": {
                "api_key": self.api_key,
                "api_secret": self.api_secret,
                "signature_secret or token": signs or self.token,
            },
        }
        check_needed(self.provider, needed[self.provider])
        return self

    @property
    def is_name(self) -> bool:
        return NAME.fullmatch(self.number.strip()) is not None

    def doors(self, slug: str) -> dict[str, str]:
        if self.provider == "twilio":
            return {"messages": f"/hooks/twilio/{slug}/sms"}
        if self.provider == "vonage" and self.signature_secret.get_secret_value():
            return {"signed": f"/hooks/sms/{slug}"}
        return {"with the token": f"/hooks/sms/{slug}/{{token}}"}

    def place(self) -> str:
        if self.is_name:
            return self.number.strip()
        return normalised(IdentityKind.PHONE, self.number, region=self.region)

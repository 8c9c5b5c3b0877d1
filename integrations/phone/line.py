"""What a phone line needs to be told."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from sqlalchemy import and_

from domain.calling.call_backs import MINUTES, SHORT_SECONDS
from domain.customers.contacts import IdentityKind, normalised
from domain.languages import N_
from domain.ways_in.channels import Channel, ChannelKind
from integrations.keeping import ChannelSettings, Region, WrongSetting, check_needed, web_address
from integrations.phone.asterisk.exchange import Exchange
from integrations.phone.twilio.account import TwilioAccount, target

REJECT = "reject"

HEARD = and_(Channel.kind == ChannelKind.PHONE, Channel.config["provider"].astext == "asterisk")
"""Channels whose exchange we have to listen to."""

_DIALLED = re.compile(r"[+0-9A-Za-z@.:_*#-]{1,64}\Z")


class PhoneLine(TwilioAccount, Exchange, ChannelSettings):
    OURS: ClassVar[frozenset[str]] = frozenset({"key"})
    SHOWN_AT: ClassVar[Mapping[str, tuple[str, ...]]] = dict.fromkeys(
        ("ami_host", "ami_port"), ("ami_secret",)
    )

    @classmethod
    def ours_of_a_new_one(cls, said: Mapping[str, Any]) -> frozenset[str]:
        return cls.OURS if said.get("provider", "generic") == "generic" else frozenset()

    number: str
    """In E.164 or, by its region, as it is dialled there. It stays: another number is another channel."""
    region: Region = None
    """Two letters, to read national numbers."""
    key: SecretStr = SecretStr("")
    """Of a generic PBX: signs its events, or is the token in their address."""
    closed: str = ""
    """What becomes of calls outside the office hours: `reject`, or the number or extension they are connected with; "": as the
    PBX knows itself."""
    to_assignee: bool = False
    """Is a known caller connected with whoever has their only open ticket?"""
    callback_minutes: int = Field(default=MINUTES, ge=1, le=30 * 24 * 60)
    """Of open time, until a missed caller is to be called back."""
    short_seconds: int = Field(default=SHORT_SECONDS, ge=0, le=600)
    """Who hangs up sooner did not mean to call: nobody is asked to call back."""

    @field_validator("closed")
    @classmethod
    def _can_be_dialled(cls, value: str) -> str:
        if value and not _DIALLED.match(value):
            raise WrongSetting(N_("it is reject, a number or an extension"))
        return value

    provider: Literal["generic", "twilio", "asterisk"] = "generic"
    """Who tells of calls, and makes them."""
    dial_url: str = ""
    """Where a generic PBX is asked to make a call."""

    @property
    def can_dial(self) -> bool:
        match self.provider:
            case "generic":
                return bool(self.dial_url)
            case "asterisk":
                return bool(self.context or self.trunk)
            case _:
                return True

    def can_ring(self, telephone: str) -> bool:
        """An agent's: Twilio knows no extensions."""
        return self.provider != "twilio" or target(telephone) is not None

    @field_validator("dial_url")
    @classmethod
    def _address(cls, url: str) -> str:
        return web_address(url)

    @model_validator(mode="after")
    def _has_what_its_provider_needs(self) -> Self:
        needed: dict[str, dict[str, str | SecretStr]] = {
            "generic": {"key": self.key},
            "twilio": {"account_sid": self.account_sid, "auth_token": self.auth_token},
            "asterisk": {"ami_host": self.ami_host, "ami_user": self.ami_user, "ami_secret": self.ami_secret},
        }
        check_needed(self.provider, needed[self.provider])
        if self.context and self.trunk:
            raise WrongSetting(N_("context and trunk are two ways to the same number: say one of them"))
        return self

    def doors(self, slug: str) -> dict[str, str]:
        match self.provider:
            case "generic":
                return {"signed": f"/hooks/phone/{slug}", "with the key": f"/hooks/phone/{slug}/{{key}}"}
            case "twilio":
                voice = f"/hooks/twilio/{slug}/voice"
                return {"a call comes in": voice, "call status changes": f"{voice}/status"}
            case _:
                return {}

    def place(self) -> str:
        return normalised(IdentityKind.PHONE, self.number, region=self.region)

"""What a phone line needs to be told."""

import re

from pydantic import Field, SecretStr, field_validator

from domain.call_backs import MINUTES, SHORT_SECONDS
from domain.contacts import IdentityKind, normalised
from integrations.keeping import ChannelSettings

REJECT = "reject"
_DIALLED = re.compile(r"[+0-9A-Za-z@.:_*#-]{1,64}\Z")


class PhoneLine(ChannelSettings):
    number: str
    region: str | None = None
    """Two letters, to read national numbers."""
    key: SecretStr
    """Signs the PBX's events, or is the token in their address."""
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
            raise ValueError("it is reject, a number or an extension")
        return value

    def place(self) -> str:
        return normalised(IdentityKind.PHONE, self.number, region=self.region)

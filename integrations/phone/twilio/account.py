"""What a line at Twilio needs to be told, besides its number."""

from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from domain.customers.contacts import phone_number
from domain.languages import N_
from integrations.keeping import AccountSid, Language, WrongSetting

MOST_AT_ONCE = 10
"""Telephones that one `<Dial>` rings."""
LONGEST_NOTICE = 300
"""Letters: it travels in the addresses of callbacks, as evidence."""


class TwilioAccount(BaseModel):
    account_sid: AccountSid = ""
    """Of Twilio."""
    auth_token: SecretStr = SecretStr("")
    """Of Twilio: signs what it tells us, too."""
    ring: list[str] = []
    """Whose telephones ring, as numbers in E.164, `sip:…` or `client:…`; none: those of the agents on duty."""
    ring_seconds: int = Field(default=25, ge=5, le=120)
    """How long they ring."""
    record: bool = False
    """Are calls recorded at Twilio, of those who agree?"""
    voicemail: bool = False
    """Does a machine at Twilio take what nobody takes?"""
    consent: Literal["announced", "pressed"] = "announced"
    """Who is told that the call is recorded and stays, agrees; or only who presses 1."""
    consent_notice: dict[Language, str] = {}
    """The shop's own words for that, by language."""
    keep_at_twilio: bool = False
    """Otherwise a recording is deleted there once it is here."""
    menu: bool = False
    """May who calls ask a machine how far an order is?"""

    @field_validator("ring", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """As it is typed on a command line."""
        return [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value

    @field_validator("ring")
    @classmethod
    def _can_ring(cls, telephones: list[str]) -> list[str]:
        if len(telephones) > MOST_AT_ONCE:
            raise WrongSetting(N_("at most {most} telephones ring at once"), most=MOST_AT_ONCE)
        for one in telephones:
            if target(one) is None:
                raise WrongSetting(
                    N_("{said} is no number in E.164, no SIP address and no client:…"), said=repr(one)
                )
        return [target(one) or "" for one in telephones]

    @field_validator("consent_notice")
    @classmethod
    def _short(cls, notices: dict[str, str]) -> dict[str, str]:
        if any(len(notice) > LONGEST_NOTICE for notice in notices.values()):
            raise WrongSetting(N_("a notice has at most {most} letters"), most=LONGEST_NOTICE)
        return notices


def target(telephone: str) -> str | None:
    """As Twilio is told whom to ring: a number in E.164, `sip:…` or `client:…`. None of an extension of somebody's PBX."""
    if not telephone.isprintable() or " " in telephone:
        return None
    if telephone.startswith("client:"):
        return telephone
    if "@" in telephone:
        return telephone if telephone.startswith("sip:") else f"sip:{telephone}"
    return (
        telephone if telephone.startswith("+") and phone_number(telephone, region=None) == telephone else None
    )

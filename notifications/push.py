"""A push as every transport takes it, and what each answer means for the ledger."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from notifications.wording import Words


class Urgency(StrEnum):
    """As RFC 8030 has it; FCM knows the upper two as high and normal."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


@dataclass(frozen=True)
class Action:
    """A button under a push; it opens a page that asks once more, for a link changes nothing."""

    code: str
    """What `/m/a/{alert}` takes as `do`."""
    title: str


@dataclass(frozen=True)
class Push:
    handle: str
    """What the push service calls the device: an FCM id, the endpoint of a Web Push subscription."""
    words: Words
    data: dict[str, str]
    """Ids, as the API has them, and codes for the app. `v` is the version of this shape, `k` the kind, `a` the alert, `t` the
    ticket, `n` its number, `task` the task, `call` the call, `lvl` the level, `due` the promised moment, `c` the count, `b` the badge, `d` the delivery, and `r` what its
    receipt at `/push/receipt` shows."""
    link: str = ""
    """Where it leads, as a full address."""
    locale: str = "en"
    urgency: Urgency = Urgency.HIGH
    time_to_live: timedelta = timedelta(minutes=15)
    replaces: str = ""
    """Key of what it takes the place of on the device; at most 32 URL-safe characters."""
    actions: tuple[Action, ...] = ()
    badge: int = 0
    """At the icon of the app."""
    p256dh: str = ""
    auth: str = ""
    """The keys of a Web Push subscription, base64url."""


@dataclass(frozen=True)
class Accepted:
    provider_id: str


@dataclass(frozen=True)
class Failed:
    code: str
    again: bool
    after: float | None = None
    """Seconds the service asked us to wait."""
    device_gone: bool = False


class Carrier(Protocol):
    async def send(self, push: Push) -> Accepted | Failed: ...

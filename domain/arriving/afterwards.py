"""What a provider tells of a message afterwards: whether it arrived, and what its writer made of it."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from domain.desk.messages import DeliveryState


@dataclass(frozen=True)
class InboundReceipt:
    """What became of messages we sent: those named, or all up to a moment."""

    thread_key: str
    read: bool
    at: datetime
    until: datetime | None = None
    external_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class InboundReport:
    """What became of one message we sent."""

    state: DeliveryState
    at: datetime
    message_id: uuid.UUID | None = None
    """Ours, where the provider repeats it."""
    external_id: str = ""
    part: str = ""
    """Of a message that is told of part by part, the provider's id of one."""
    said: str = ""
    """Of one that failed: why, in words."""
    stopped: bool = False
    """The provider sends nothing there, because whoever has the number wants nothing."""


@dataclass(frozen=True)
class InboundBounce:
    """A mail of ours did not arrive."""

    message_ids: tuple[str, ...]
    """Which one it may have been, the likeliest first."""
    recipient: str
    status: str
    """As RFC 3463 has it, `5.1.1`; "" when the bounce does not say."""
    said: str
    final: bool
    """Otherwise it is late, and still being tried."""
    at: datetime
    thread_number: int | None = None
    """From the signed address to which it was returned."""


@dataclass(frozen=True)
class InboundEcho:
    """The provider repeats a message that we sent: so it has it, under this id."""

    message_id: uuid.UUID
    external_id: str
    thread_key: str
    at: datetime
    """By the provider's clock."""
    part: int = 0
    """Its words, or one of its files, counted from 1."""


@dataclass(frozen=True)
class InboundEdit:
    """A message says something else from now on."""

    external_id: str
    thread_key: str
    at: datetime
    text: str
    number: int = 0
    """How often it was changed, where the provider counts."""
    from_shop: bool = False


@dataclass(frozen=True)
class InboundUnsent:
    """A message is taken back by who wrote it."""

    external_id: str
    thread_key: str
    at: datetime
    from_shop: bool = False


@dataclass(frozen=True)
class InboundReaction:
    external_id: str
    thread_key: str
    at: datetime
    emoji: str
    """"": taken away again."""
    from_shop: bool = False


Revision = InboundEdit | InboundUnsent | InboundReaction
"""What becomes of a message after it was said. It may come twice, out of order, and before the message itself."""

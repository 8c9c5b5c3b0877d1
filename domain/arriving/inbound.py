"""What came in: the original as bytes, and what an adapter read in it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import SYSTEM
from domain.arriving.afterwards import InboundBounce, InboundEcho, InboundReceipt, InboundReport, Revision
from domain.customers.consents import Wish
from domain.customers.contacts import Claim
from domain.db import Base, Json, new_id, ring, session_of
from domain.events import EventKind, record
from domain.ways_in.channels import Channel
from domain.work import Queue, Work


class ArrivalState(StrEnum):
    WAITING = "waiting"
    PLACED = "placed"
    IGNORED = "ignored"
    """Understood, and nothing to do: an event we keep but do not act on."""
    FAILED = "failed"
    """Could not be read: shown, and kept to be tried again."""


class Arrival(Work, Base):
    __tablename__ = "arrival"
    __table_args__ = (
        UniqueConstraint("channel_id", "external_id"),
        Index("ix_arrival_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_arrival_turn", "channel_id", "turn_at", postgresql_where=text("turn_at IS NOT NULL")),
        Index("ix_arrival_opened", "channel_id", "opened_at", postgresql_where=text("opened_at IS NOT NULL")),
        Index("ix_arrival_whole", "channel_id", "received_at", postgresql_where=text("emptied_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"))
    external_id: Mapped[str]
    raw: Mapped[bytes]
    envelope: Mapped[Json]
    """What the carrier knew besides the bytes: SMTP envelope, chat session…"""
    received_at: Mapped[datetime]
    state: Mapped[ArrivalState]
    opened_at: Mapped[datetime | None]
    """When it was first taken up, as its channel's rate allowed (`domain/ways_in/flood.py`)."""
    turn_at: Mapped[datetime | None]
    """The moment for which it had to wait."""
    emptied_at: Mapped[datetime | None]
    """Its bytes were taken away: what is kept is that something came, and when."""

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        self.state = ArrivalState.FAILED
        record(session_of(self), EventKind.ARRIVAL_FAILED, by=SYSTEM, at=at, data={"arrival": str(self.id)})


ARRIVALS = Queue(Arrival, topic="arrivals")


async def keep(
    session: AsyncSession, channel: Channel, *, external_id: str, raw: bytes, envelope: Json | None = None
) -> uuid.UUID | None:
    """Stores an original, once per channel and external id; none when it was here before."""
    kept = await session.execute(
        _KEPT.values(_original(channel, external_id, raw, envelope)).returning(Arrival.id)
    )
    ring(session, ARRIVALS.topic)
    return kept.scalar_one_or_none()


async def keep_all(session: AsyncSession, bodies: Sequence[tuple[Channel, str, bytes]]) -> None:
    """Each with its external id; none a second time."""
    await session.execute(_KEPT, [_original(*one, None) for one in bodies])
    ring(session, ARRIVALS.topic)


_KEPT = (
    insert(Arrival)
    .values(received_at=func.now(), state=ArrivalState.WAITING, due_at=func.now())
    .on_conflict_do_nothing(index_elements=["channel_id", "external_id"])
)


def _original(channel: Channel, external_id: str, raw: bytes, envelope: Json | None) -> Json:
    return {
        "id": new_id(),
        "channel_id": channel.id,
        "external_id": external_id,
        "raw": raw,
        "envelope": envelope or {},
    }


@dataclass(frozen=True)
class InboundAttachment:
    name: str
    mime: str
    content: bytes | None = None
    file: str | None = None
    """The key under which the content was stored."""
    url: str | None = None
    """Or where the provider keeps it, for a while: fetched after the message is safe."""
    content_id: str | None = None
    inline: bool = False


@dataclass(frozen=True)
class MailAddress:
    """Whom a mail names."""

    name: str
    address: str


@dataclass(frozen=True)
class InboundMessage:
    """One thing a customer (or the shop, elsewhere: `from_shop`) said. `claims` begin with the one to answer to."""

    external_id: str
    claims: tuple[Claim, ...]
    at: datetime
    text: str
    folded: str | None = None
    """Of a mail: its text without what it quotes and without a signature; none where that is all of it."""
    to: tuple[MailAddress, ...] = ()
    cc: tuple[MailAddress, ...] = ()
    thread_key: str | None = None
    """What the provider calls the conversation; none for mail, where `references` and `thread_number` tell."""
    subject: str = ""
    sender_name: str = ""
    locale: str | None = None
    html: str | None = None
    attachments: tuple[InboundAttachment, ...] = ()
    references: tuple[str, ...] = ()
    """Message-IDs this one answers, the nearest first."""
    thread_number: int | None = None
    """From a signed reply address: whoever has it got our mail."""
    linked_contact: uuid.UUID | None = None
    """From a signed m.me link: whose conversation this is."""
    automatic: bool = False
    failed: str | None = None
    """Why a mail could not be read, when `text` is how its original begins."""
    answerable: bool = True
    """May an automatic answer go out to it? Not to a list, and not to a mail that asks for none."""
    from_ourselves: bool = False
    """Its sender's address is an agent's or a mailbox of ours, which proves nothing."""
    from_shop: bool = False
    particulars: Json | None = None
    """See `Message.particulars`."""
    wish: Wish | None = None
    """A word, and nothing else, by which who writes says whether they want to be written to."""
    word: str = ""
    """Which of those that we know."""


@dataclass(frozen=True)
class InboundPart:
    """One part of a text message."""

    external_id: str
    claims: tuple[Claim, ...]
    at: datetime
    thread_key: str
    text: str
    reference: str
    """The sender's own for all parts of one message."""
    total: int
    number: int
    """From 1."""
    sender_name: str = ""


@dataclass(frozen=True)
class InboundLink:
    """A conversation opened by our signed link, before anything was said."""

    claims: tuple[Claim, ...]
    linked_contact: uuid.UUID
    at: datetime


class CallStep(StrEnum):
    RINGING = "ringing"
    ANSWERED = "answered"
    TRANSFERRED = "transferred"
    VOICEMAIL = "voicemail"
    """A machine took it: nobody has answered."""
    RECORDED = "recorded"
    PRESSED = "pressed"
    """A key, in a spoken menu."""
    ENDED = "ended"


@dataclass(frozen=True)
class InboundCall:
    """One step of a call. Steps may come twice, late or out of order."""

    call_id: str
    step: CallStep
    at: datetime
    claim: Claim | None
    """The customer's number; none when it was withheld, or when this step does not say."""
    withheld: bool = False
    number: str = ""
    outgoing: bool = False
    leg: str = ""
    """Which of the call's lines, where the provider tells them apart; "" for the caller's own. When that ends, the call does:
    the end of a line with a name is that line's alone."""
    dialled: str = ""
    """The number of ours that was called, in E.164: an advert or a product page may have one of its own."""
    ringing: tuple[str, ...] = ()
    """Whose telephones ring, as the PBX names them."""
    agent: str | None = None
    """Who took it, as the PBX names them."""
    cause: str | None = None
    recording: InboundAttachment | None = None
    consent: str = ""
    """How the caller agreed to be recorded, as evidence; "" where nothing is recorded."""
    pressed: str = ""


Inbound = (
    InboundMessage
    | InboundPart
    | InboundLink
    | InboundCall
    | InboundReceipt
    | InboundReport
    | InboundBounce
    | InboundEcho
    | Revision
)


@dataclass(frozen=True)
class Waits:
    """What came is kept, and not to be shown yet: it is looked at again then."""

    until: datetime


@dataclass(frozen=True)
class Unread:
    """An event we keep and do not act on, and why."""

    reason: str
    failed: bool = False


class Unreadable(Exception):
    """The original cannot be read. It stays, shown as failed."""

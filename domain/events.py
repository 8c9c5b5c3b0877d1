"""What happened, append-only: the audit trail, the timeline, the live update and the change feed are these rows.

Rows hold ids and codes, never a person's text. The feed is read in commit order: each row stores its transaction's
number, and readers stop below the oldest transaction still running (a bare serial would skip a slow transaction's row).
"""

import uuid
from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Index, cast, func, literal, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, Session, mapped_column

from domain.actors import Actor
from domain.chorus import Reads
from domain.db import HISTORY, XID8, Base, Json, ring
from domain.writing import write_behind

RETENTION_DAYS = 7
"""How far back the feed looks. The rows themselves are kept."""

TOPIC = "events"


class EventKind(StrEnum):
    TICKET_OPENED = "ticket_opened"
    TICKET_ASSIGNED = "ticket_assigned"
    TICKET_CHANGED = "ticket_changed"
    TICKET_REOPENED = "ticket_reopened"
    TICKET_IMPORTED = "ticket_imported"
    """A mail of the time before lies in it: nobody is told."""
    TICKET_SNOOZED = "ticket_snoozed"
    TICKET_WOKE = "ticket_woke"
    """Its time came, or somebody did not want to wait for it."""
    TICKET_LINKED = "ticket_linked"
    """To another, or no longer."""
    TICKET_MERGED = "ticket_merged"
    THREAD_JOINED = "thread_joined"
    MOVE_UNDONE = "move_undone"
    """A merge, a split or a move."""
    MESSAGE_RECEIVED = "message_received"
    MESSAGE_QUEUED = "message_queued"
    MESSAGE_SENT = "message_sent"
    MESSAGE_DELIVERED = "message_delivered"
    MESSAGE_READ = "message_read"
    MESSAGE_REFUSED = "message_refused"
    """By some of its recipients."""
    MESSAGE_FAILED = "message_failed"
    MESSAGE_UNDONE = "message_undone"
    MESSAGE_EDITED = "message_edited"
    MESSAGE_UNSENT = "message_unsent"
    """Taken back by who wrote it, at the provider."""
    MESSAGE_REACTED = "message_reacted"
    ATTACHMENT_FETCHED = "attachment_fetched"
    ATTACHMENT_LOST = "attachment_lost"
    """Its provider does not give it out any more."""
    ATTACHMENT_SCANNED = "attachment_scanned"
    CALL_CHANGED = "call_changed"
    NOTE_ADDED = "note_added"
    TASK_SAVED = "task_saved"
    FEEDBACK_GIVEN = "feedback_given"
    """A customer said how the help was, or something else than before."""
    TASK_DUE = "task_due"
    """Somebody is to be reminded of it."""
    COMPLAINT_OPENED = "complaint_opened"
    COMPLAINT_ADVANCED = "complaint_advanced"
    """To another stage."""
    COMPLAINT_CHANGED = "complaint_changed"
    """Who has it, its next step, or what was decided."""
    CONTACT_OPENED = "contact_opened"
    CONTACT_CHANGED = "contact_changed"
    CONTACT_MERGED = "contact_merged"
    IDENTITY_LINKED = "identity_linked"
    COMPANY_CHANGED = "company_changed"
    CONTACT_ERASED = "contact_erased"
    ARRIVAL_FAILED = "arrival_failed"
    SLA_BREACHED = "sla_breached"
    SLA_MET = "sla_met"
    SLA_CHANGED = "sla_changed"
    ALERT_FIRED = "alert_fired"
    ALERT_CLIMBED = "alert_climbed"
    ALERT_ACKED = "alert_acked"
    ALERT_SNOOZED = "alert_snoozed"
    ALERT_RESOLVED = "alert_resolved"
    CHANNEL_CHANGED = "channel_changed"
    """Added, set up otherwise, switched off or on."""
    AGENT_ADDED = "agent_added"
    AGENT_CHANGED = "agent_changed"
    AGENT_PRESENCE = "agent_presence"
    """Came or went, began or ended a shift or a call."""


class Event(Base):
    __tablename__ = "event"
    __table_args__ = (
        Index(None, "xid", "seq"),
        Index(None, "ticket_id", "at", "seq"),
        Index(None, "contact_id", "at", "seq"),
        Index(None, "alert_id", "at", postgresql_where=text("alert_id IS NOT NULL")),
        {"postgresql_partition_by": "RANGE (at)"},
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, server_default=HISTORY.next_value())
    at: Mapped[datetime] = mapped_column(primary_key=True)
    """When it happened: a deadline that fell while nobody watched is recorded later."""
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    xid: Mapped[int] = mapped_column(XID8, server_default=func.pg_current_xact_id())
    kind: Mapped[EventKind]
    actor_kind: Mapped[str]
    actor_id: Mapped[uuid.UUID | None]
    ticket_id: Mapped[uuid.UUID | None]
    contact_id: Mapped[uuid.UUID | None]
    thread_id: Mapped[uuid.UUID | None]
    item_id: Mapped[uuid.UUID | None]
    task_id: Mapped[uuid.UUID | None]
    alert_id: Mapped[uuid.UUID | None]
    data: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))


def record(
    session: Session | AsyncSession, kind: EventKind, *, by: Actor, at: datetime, **about: Any
) -> None:
    """`about`: the ids of what it happened to, and `data`. It is written when the session is flushed next."""
    write_behind(session, Event.__table__, happened(kind, by=by, at=at, **about))
    ring(session, TOPIC)


def record_all(session: AsyncSession, many: Sequence[Json]) -> None:
    """Of `happened`."""
    for row in many:
        write_behind(session, Event.__table__, row)
        ring(session, TOPIC)


def happened(
    kind: EventKind,
    *,
    by: Actor,
    at: datetime,
    ticket_id: uuid.UUID | None = None,
    contact_id: uuid.UUID | None = None,
    thread_id: uuid.UUID | None = None,
    item_id: uuid.UUID | None = None,
    task_id: uuid.UUID | None = None,
    alert_id: uuid.UUID | None = None,
    data: Json | None = None,
) -> Json:
    """A row."""
    return {
        "at": at,
        "kind": kind,
        "actor_kind": by.kind,
        "actor_id": by.id,
        "ticket_id": ticket_id,
        "contact_id": contact_id,
        "thread_id": thread_id,
        "item_id": item_id,
        "task_id": task_id,
        "alert_id": alert_id,
        "data": data or {},
    }


class Reader(Base):
    """A consumer's own place in the feed. Holding the row is being the one process that reads on."""

    __tablename__ = "reader"

    name: Mapped[str] = mapped_column(primary_key=True)
    xid: Mapped[int] = mapped_column(XID8)
    seq: Mapped[int] = mapped_column(BigInteger)


Place = tuple[int, int]
"""A reader's place in the feed: transaction number and seq of the last event it has seen."""


HORIZON = func.pg_snapshot_xmin(func.pg_current_snapshot())


def after(place: Place) -> Any:
    """Events that came after `place` and below which nothing can still appear."""
    return (tuple_(Event.xid, Event.seq) > _written(place)) & (Event.xid < HORIZON)


def up_to(place: Place) -> Any:
    return tuple_(Event.xid, Event.seq) <= _written(place)


def _written(place: Place) -> Any:
    """Bound, so that every place is asked for by one statement."""
    xid = cast(literal(place[0], XID8()), XID8())
    return tuple_(xid, literal(place[1], BigInteger()))


async def since(connection: Reads, place: Place, limit: int) -> Sequence[Event]:
    found = await connection.execute(
        select(Event).where(after(place)).order_by(Event.xid, Event.seq).limit(limit)
    )
    return found.scalars().all()


async def newest_place(connection: Reads) -> Place:
    """Where a reader starts that wants only what comes next."""
    horizon = (await connection.execute(_horizon, {})).scalar_one()
    return int(horizon) - 1, 2**62


_horizon = select(HORIZON)


HELD_BACK = 0.02
"""Seconds until a reader looks again, while an older transaction holds back what is committed already."""


async def any_pending(connection: Reads) -> bool:
    """Is something committed that an older transaction still holds back? Then look again soon."""
    query = select(Event.seq).where(Event.xid >= HORIZON).limit(1)
    return (await connection.execute(query)).first() is not None


async def ensure_partitions(session: Reads, today: date) -> None:
    """A partition for this year and the next; what falls elsewhere lands in the default one.

    Rows of a year that went there before its partition was made move along: PostgreSQL refuses to make it otherwise.
    """
    for year in (today.year, today.year + 1):
        await _partition(session, f"event_{year}", f"'{year}-01-01 UTC'", f"'{year + 1}-01-01 UTC'")


async def _partition(session: Reads, name: str, begin: str, end: str) -> None:
    if await session.scalar(select(func.to_regclass(name))) is not None:
        return
    early = f"FROM event_other WHERE at >= {begin} AND at < {end}"
    await session.execute(text(f"CREATE TABLE {name} (LIKE event INCLUDING DEFAULTS)"))
    await session.execute(text(f"INSERT INTO {name} SELECT * {early}"))
    await session.execute(text(f"DELETE {early}"))
    await session.execute(
        text(f"ALTER TABLE event ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})")
    )

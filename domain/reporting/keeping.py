"""Keeps what is measured equal to what the histories say: a reader of the history measures anew each ticket that an event is about.

So nothing has to be undone when the past changes (a merge, spam, an answer that failed): what a ticket comes to is reckoned from its
whole history, whenever, and only the difference is written. One process measures at a time: it holds the reader's row.
"""

import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, fields

import structlog
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.db import Database, one_of
from domain.desk.survivors import became
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind, Reader
from domain.reporting.histories import histories
from domain.reporting.measurements import Measurement
from domain.reporting.measuring import Found, Spent, measured
from domain.sla.calendars import Calendar
from domain.sla.facts import SETS_STATUS
from domain.sla.hours import ALWAYS, Hours
from domain.sla.policies import Policy

log = structlog.get_logger()

READER = "statistics"

TELLING = frozenset({
    *SETS_STATUS, EventKind.TICKET_OPENED, EventKind.TICKET_MERGED, EventKind.THREAD_JOINED, EventKind.MOVE_UNDONE, EventKind.MESSAGE_RECEIVED,
    EventKind.MESSAGE_QUEUED, EventKind.MESSAGE_DELIVERED, EventKind.MESSAGE_READ, EventKind.MESSAGE_FAILED,
    EventKind.MESSAGE_UNDONE, EventKind.CALL_CHANGED, EventKind.SLA_BREACHED, EventKind.SLA_MET, EventKind.SLA_CHANGED,
    EventKind.COMPLAINT_OPENED, EventKind.COMPLAINT_ADVANCED,
})  # fmt: skip
"""After these a ticket may come to something else. That a message is delivered is news where it had failed."""


async def take(session: AsyncSession, events: Sequence[Event]) -> None:
    """However many events are about a ticket, it is measured once."""
    concerned: set[uuid.UUID] = set()
    for event in events:
        if event.kind in TELLING and event.ticket_id:
            concerned.add(event.ticket_id)
            concerned |= {uuid.UUID(event.data[name]) for name in ("merged", "from") if name in event.data}
    if concerned:
        await measure(session, concerned)


@dataclass(frozen=True)
class Difference:
    """Between what was kept of a ticket and what its history comes to."""

    ticket_id: uuid.UUID
    gone: list[Found]
    come: list[Found]


async def measure(session: AsyncSession, ticket_ids: Collection[uuid.UUID]) -> list[Difference]:
    """Of merged tickets also the one that each became. Only the difference is written."""
    survivors = await became(await session.connection(), ticket_ids)
    asked = {*ticket_ids, *survivors.values()}
    comes_to = {}
    for history in await histories(session, asked):
        try:
            comes_to[history.ticket_id] = measured(history)
        except (ValueError, LookupError) as failure:
            # What a later version wrote there: the others go on, and this one keeps what it had.
            log.error("ticket_not_measured", ticket=str(history.ticket_id), exc_info=failure)
            asked.discard(history.ticket_id)
    kept = await _kept(session, asked)
    hours = await shop_hours(session)
    differences, rows, gone = [], [], []
    for ticket_id in asked:
        before, found = kept[ticket_id], comes_to.get(ticket_id, [])
        come = _beyond(found, before)
        stale = list(_left(before, found))
        if come or stale:
            differences.append(Difference(ticket_id, [one for one, _ in stale], [one for one, _ in come]))
        rows += [_row(ticket_id, one, spent, hours) for one, spent in come]
        gone += [id for _, id in stale]
    if gone:
        await session.execute(delete(Measurement).where(one_of(Measurement.id, gone)))
    if rows:
        await session.execute(insert(Measurement), rows)
    return differences


COLUMNS = tuple(field.name for field in fields(Found))


async def _kept(
    session: AsyncSession, ticket_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, dict[Found, list[uuid.UUID]]]:
    """Ids of the rows by what they say."""
    table = Measurement.__table__.c
    found = await session.execute(
        select(table.ticket_id, table.id, *(table[name] for name in COLUMNS)).where(
            one_of(table.ticket_id, ticket_ids)
        )
    )
    kept: dict[uuid.UUID, dict[Found, list[uuid.UUID]]] = defaultdict(lambda: defaultdict(list))
    for ticket_id, id, *said in found:
        kept[ticket_id][Found(*said)].append(id)
    return kept


def _beyond(
    found: Iterable[tuple[Found, Spent]], kept: dict[Found, list[uuid.UUID]]
) -> list[tuple[Found, Spent]]:
    """What is found and not kept: of two that say the same, both are."""
    left = {one: len(ids) for one, ids in kept.items()}
    come = []
    for one, spent in found:
        if left.get(one):
            left[one] -= 1
        else:
            come.append((one, spent))
    return come


def _left(
    kept: dict[Found, list[uuid.UUID]], found: Iterable[tuple[Found, Spent]]
) -> Iterable[tuple[Found, uuid.UUID]]:
    counts: dict[Found, int] = defaultdict(int)
    for one, _ in found:
        counts[one] += 1
    for one, ids in kept.items():
        for id in ids[counts[one] :]:
            yield one, id


def _row(ticket_id: uuid.UUID, found: Found, spent: Spent, hours: Hours) -> dict[str, object]:
    open_seconds = sum(hours.between(since, until) for since, until in spent) if spent else None
    said = {name: getattr(found, name) for name in COLUMNS}
    return {"ticket_id": ticket_id, "business_seconds": open_seconds, **said}


async def shop_hours(session: AsyncSession) -> Hours:
    """Of the default policy, for all tickets alike; without one the shop is always open."""
    stored = await session.scalar(
        select(Calendar.hours).join(Policy, Policy.calendar_id == Calendar.id).where(Policy.is_default)
    )
    return Hours.from_json(stored) if stored else ALWAYS


STEP = 100


async def recount(db: Database) -> AsyncIterator[tuple[int, list[Difference]]]:
    """Measures every ticket anew, in short transactions: of each step, how many tickets, and what was otherwise.

    What the reader has not read yet is otherwise too.
    """
    reached = uuid.UUID(int=0)
    while True:
        async with db.transaction() as session:
            await session.execute(select(Reader.name).where(Reader.name == READER).with_for_update())
            following = select(Ticket.id).where(Ticket.id > reached).order_by(Ticket.id).limit(STEP)
            ids = (await session.scalars(following)).all()
            differences = await measure(session, ids)
        if ids:
            yield len(ids), differences
            reached = ids[-1]
        if len(ids) < STEP:
            return

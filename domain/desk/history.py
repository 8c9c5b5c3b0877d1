"""The timeline: items and the events worth telling, newest first, for a ticket or for a whole contact."""

import base64
import uuid
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Integer,
    Select,
    Uuid,
    bindparam,
    or_,
    select,
    tuple_,
)

from domain.agents.staff import Agent
from domain.chorus import Reads, objects, side_by_side
from domain.customers.survivors import same_person
from domain.desk.messages import Item, ItemKind
from domain.desk.survivors import same_matter
from domain.desk.threads import Thread
from domain.errors import InvalidInput
from domain.events import Event, EventKind
from domain.languages import N_
from domain.ways_in.channels import Channel, ChannelKind

TOLD = (
    EventKind.TICKET_OPENED,
    EventKind.TICKET_ASSIGNED,
    EventKind.TICKET_CHANGED,
    EventKind.TICKET_REOPENED,
    EventKind.TICKET_SNOOZED,
    EventKind.TICKET_WOKE,
    EventKind.TICKET_LINKED,
    EventKind.TICKET_MERGED,
    EventKind.THREAD_JOINED,
    EventKind.CONTACT_CHANGED,
    EventKind.CONTACT_MERGED,
    EventKind.MOVE_UNDONE,
    EventKind.CONTACT_ERASED,
    EventKind.SLA_BREACHED,
    EventKind.ALERT_ACKED,
    EventKind.FEEDBACK_GIVEN,
    EventKind.COMPLAINT_OPENED,
    EventKind.COMPLAINT_ADVANCED,
)

Asked = list[tuple[type["Entry"], Select[Any]]]
"""A select for each kind of entries."""

Moment = tuple[datetime, int]
"""A place in a timeline: when, and the seq that orders what happened at once."""

_item = Item.__table__.c
_event = Event.__table__

ITEMS = select(
    _item.id, _item.seq, _item.kind, _item.ticket_id, _item.contact_id, _item.thread_id, _item.direction,
    _item.agent_id, _item.handled_by, _item.author, _item.at, _item.text, _item.folded, _item.html, _item.automatic, _item.sender_verified,
    _item.mail, _item.particulars, _item.arrival_id, _item.delivery, _item.last_error, _item.due_at, _item.attempts, Thread.side, _item.call_state, _item.number,
    _item.answered_at, _item.ended_at,
    Agent.name.label("agent_name"), Channel.kind.label("channel"),
).select_from(
    Item.__table__.outerjoin(Agent, Agent.id == _item.agent_id).outerjoin(Channel, Channel.id == _item.channel_id)
    .outerjoin(Thread, Thread.id == _item.thread_id)
)  # fmt: skip
"""Rows of the table itself: asked for through its classes, a column of one kind would leave out the other kinds."""


class Entry:
    """Of a history: its attributes are the columns that were read."""

    if TYPE_CHECKING:

        def __getattr__(self, column: str) -> Any: ...


class Written(Entry):
    """A row of `ITEMS`."""


class Happened(Entry):
    """An event."""


class TimelineKind(StrEnum):
    MESSAGE = "message"
    CALL = "call"
    NOTE = "note"
    EVENT = "event"


@dataclass(frozen=True)
class Page:
    """What of a history is asked for: so many of what lies before and after two places."""

    limit: int
    before: Moment | None = None
    after: Moment | None = None
    oldest: bool = False
    """The oldest of what lies there, not the newest: reading towards now."""
    kinds: Collection[TimelineKind] = tuple(TimelineKind)
    channels: Collection[ChannelKind] = ()
    """Of these only; notes and events came by none. Empty: of all."""
    without: frozenset[str] = frozenset()
    """Columns of items that nobody will look at."""


async def of_ticket(connection: Reads, ticket_id: uuid.UUID, page: Page) -> list[Entry]:
    """With what happened to those that have become part of it."""
    shape = replace(
        page,
        limit=0,
        before=page.before and START,
        after=page.after and START,
        kinds=frozenset(page.kinds),
        channels=frozenset(page.channels),
    )
    values: dict[str, Any] = {"ticket_id": ticket_id, "limit": page.limit}
    for name, place in (("before", page.before), ("after", page.after)):
        if place:
            values |= {f"{name}_at": place[0], f"{name}_seq": place[1]}
    return await _read(connection, _of_ticket(shape), page, values)


START: Moment = (datetime(1970, 1, 1, tzinfo=UTC), 0)


@lru_cache(200)
def _of_ticket(shape: Page) -> Asked:
    """With the values of a page to be given."""
    ticket_id: Any = bindparam("ticket_id", type_=Uuid())
    page: Any = replace(
        shape, before=shape.before and _given("before"), after=shape.after and _given("after")
    )
    return _selects(
        _item.ticket_id == ticket_id,
        same_matter(Event.ticket_id, ticket_id),
        page,
        limit=bindparam("limit", type_=Integer()),
    )


def _given(name: str) -> Any:
    return bindparam(f"{name}_at", type_=DateTime(timezone=True)), bindparam(
        f"{name}_seq", type_=BigInteger()
    )


async def of_contact(
    connection: Reads, contact_id: uuid.UUID, page: Page, *, tickets: Select[Any]
) -> list[Entry]:
    """`tickets`: the ids of those whose share of the history may be seen."""
    seen_event = or_(Event.ticket_id.is_(None), Event.ticket_id.in_(tickets))
    asked = _selects(
        same_person(_item.contact_id, contact_id) & _item.ticket_id.in_(tickets),
        same_person(Event.contact_id, contact_id) & seen_event,
        page,
        limit=page.limit,
    )
    return await _read(connection, asked, page)


def _selects(items: ColumnElement[bool], events: ColumnElement[bool], page: Page, *, limit: Any) -> Asked:
    asked: Asked = []
    kinds = [ItemKind(kind) for kind in page.kinds if kind != TimelineKind.EVENT]
    if kinds:
        columns = [column for column in ITEMS.selected_columns if column.key not in page.without]
        query = ITEMS.with_only_columns(*columns).where(items)
        if len(kinds) < len(ItemKind):
            query = query.where(_item.kind.in_(kinds))
        if page.channels:
            query = query.where(Channel.kind.in_(page.channels))
        asked.append((Written, _within(query, _item.at, _item.seq, page).limit(limit)))
    if TimelineKind.EVENT in page.kinds and not page.channels:
        query = select(_event).where(events, Event.kind.in_(TOLD))
        asked.append((Happened, _within(query, Event.at, Event.seq, page).limit(limit)))
    return asked


async def _read(
    connection: Reads, asked: Asked, page: Page, values: dict[str, Any] | None = None
) -> list[Entry]:
    """The newest first, whichever way it is read."""
    both: list[Entry] = []
    readers = [objects(connection, kind, query, values) for kind, query in asked]
    for rows in await side_by_side(connection, *readers):
        both += rows
    both.sort(key=lambda row: (row.at, row.seq), reverse=not page.oldest)
    found = both[: page.limit]
    return found[::-1] if page.oldest else found


def _within(query: Select[Any], at: Any, seq: Any, page: Page) -> Select[Any]:
    if page.before:
        query = query.where(tuple_(at, seq) < tuple_(*page.before))
    if page.after:
        query = query.where(tuple_(at, seq) > tuple_(*page.after))
    order = (at, seq) if page.oldest else (at.desc(), seq.desc())
    return query.order_by(*order)


def cursor(moment: Moment) -> str:
    at, seq = moment
    return base64.urlsafe_b64encode(f"{int(at.timestamp() * 1_000_000)}.{seq}".encode()).decode().rstrip("=")


def moment(cursor: str, field: str) -> Moment:
    try:
        at, seq = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(".")
        if not 0 <= int(seq) < 2**63:
            raise ValueError(seq)
        return datetime.fromtimestamp(int(at) / 1_000_000, UTC), int(seq)
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(N_("This cursor is not one of ours."), field=[field]) from None

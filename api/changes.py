"""The change feed: what happened, in commit order, as the objects are now and as this person may see them."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

import orjson
import strawberry
from sqlalchemy import select

from api.alerting.alerts import Alert, alerts_where
from api.assigning.board import (
    AgentChanged,
    CallChanged,
    CountersChanged,
    agents_changed,
    calls_changed,
    counters_changed,
)
from api.context import Info, Reading, nothing, plain
from api.cursors import ELSEWHERE, cursor, place
from api.customers.companies import Company, companies_by_id
from api.customers.contacts import Contact, contacts_now, seen_contacts
from api.desk.tasks import Task, tasks_where
from api.desk.tickets import Ticket, tickets_by_id
from api.desk.timeline import TimelineItem, items_by_id, timeline_items
from api.house import House
from api.scalars import Cursor
from api.selection import Selection, wanted
from domain import access, events
from domain.alerting import alerts
from domain.db import one_of
from domain.desk import tasks, tickets
from domain.desk.history import TOLD
from domain.errors import InvalidInput
from domain.events import Event, EventKind, Place
from domain.ids import public_id
from domain.languages import N_

BATCH = 200


class ChangeTopic(StrEnum):
    TICKETS = "tickets"
    TIMELINE = "timeline"
    ALERTS = "alerts"
    TASKS = "tasks"
    CONTACTS = "contacts"
    AGENTS = "agents"
    CALLS = "calls"
    COUNTERS = "counters"


strawberry.enum(ChangeTopic)


@strawberry.type
class TicketChanged:
    ticket: Ticket


@strawberry.type(description="An item is new, or is not what it was (a message was delivered, a call ended).")
class TimelineAppended:
    ticket_id: strawberry.ID
    item: TimelineItem


@strawberry.type
class AlertChanged:
    alert: Alert


@strawberry.type
class TaskChanged:
    task: Task


@strawberry.type
class ContactChanged:
    contact: Contact


@strawberry.type(description="Comes with the topic CONTACTS.")
class CompanyChanged:
    company: Company


@strawberry.type(
    description="Take it out of every list; `replacedBy` is what it became, null for what you may not see."
)
class Removed:
    typename: str
    id: strawberry.ID
    replaced_by: strawberry.ID | None


Change = Annotated[
    TicketChanged
    | TimelineAppended
    | AlertChanged
    | TaskChanged
    | ContactChanged
    | CompanyChanged
    | AgentChanged
    | CallChanged
    | CountersChanged
    | Removed,
    strawberry.union("Change"),
]


@strawberry.type(
    description="`resetRequired`: the cursor is older than the feed reaches back; drop what is kept and ask the screen's "
    "query again."
)
class ChangeBatch:
    cursor: Cursor
    has_more: bool
    reset_required: bool
    changes: list[Change]
    encoded: strawberry.Private[orjson.Fragment | None] = None
    """As it was sent to the first of those to whom all of it is the same."""

    @classmethod
    def of(
        cls,
        house: House,
        reached: Place,
        changes: list[Any] | None = None,
        *,
        has_more: bool = False,
        reset_required: bool = False,
    ) -> "ChangeBatch":
        return cls(
            cursor=cursor(house, reached),
            has_more=has_more,
            reset_required=reset_required,
            changes=changes or [],
        )


async def read_batch(
    reading: Reading,
    since: Place,
    topics: Collection[ChangeTopic],
    first: int,
    selection: Selection,
    until: Place | None = None,
) -> tuple[ChangeBatch, Place]:
    query = select(Event.__table__).where(events.after(since))
    if until:
        query = query.where(events.up_to(until))
    query = query.order_by(Event.xid, Event.seq).limit(first + 1)
    is_too_old, told = await asyncio.gather(too_old(reading, since), reading.connection.execute(query))
    if is_too_old:
        newest = await events.newest_place(reading.connection)
        return ChangeBatch.of(reading.house, newest, reset_required=True), newest
    found = told.all()
    read = found[:first]
    reached = (read[-1].xid, read[-1].seq) if read else since
    changes = await _changes(reading, read, topics, selection.below("changes")) if read else []
    return ChangeBatch.of(reading.house, reached, changes, has_more=len(found) > first), reached


async def too_old(reading: Reading, since: Place) -> bool:
    """Is there something after this place that the feed no longer tells? A place in the future is no better."""
    if since == ELSEWHERE:
        return True
    following = select(Event.recorded_at).where(events.after(since)).order_by(Event.xid, Event.seq).limit(1)
    recorded_at, newest = await asyncio.gather(
        reading.connection.scalar(following), events.newest_place(reading.connection)
    )
    if recorded_at and recorded_at < reading.at - timedelta(days=events.RETENTION_DAYS):
        return True
    return since[0] > newest[0] + 1


async def _changes(
    reading: Reading, read: Sequence[Any], topics: Collection[ChangeTopic], selection: Selection
) -> list[Any]:
    """Each object once, as it is now."""
    told = Told(reading, read, selection)
    changes = await asyncio.gather(*(tell(told) for topic, tell in TOPICS.items() if topic in topics))
    return [change for some in changes for change in some]


@dataclass(frozen=True)
class Told:
    """What happened, and what is asked of it."""

    reading: Reading
    events: Sequence[Any]
    selection: Selection

    def ids(self, name: str, *kinds: EventKind) -> list[uuid.UUID]:
        """Of the events of these kinds, or of all; each once."""
        found = (getattr(event, name) for event in self.events if not kinds or event.kind in kinds)
        return list(dict.fromkeys(id for id in found if id))

    def of(self, kind: EventKind) -> list[Any]:
        return [event for event in self.events if event.kind == kind]


async def _contacts(told: Told) -> list[Any]:
    ids = told.ids(
        "contact_id",
        EventKind.CONTACT_OPENED,
        EventKind.CONTACT_CHANGED,
        EventKind.CONTACT_MERGED,
        EventKind.IDENTITY_LINKED,
        EventKind.MOVE_UNDONE,
        EventKind.CONTACT_ERASED,
    )
    firms_told = {uuid.UUID(event.data["company"]) for event in told.of(EventKind.COMPANY_CHANGED)}
    became, firms = await asyncio.gather(
        seen_contacts(told.reading, ids),
        companies_by_id(told.reading, firms_told) if firms_told else nothing(),
    )
    people = await contacts_now(told.reading, set(became.values()), told.selection.below("contact"))
    changes: list[Any] = [plain(ContactChanged, {"contact": contact}) for contact in people.values()]
    changes += [
        _removed("Contact", _merged(event), event.contact_id)
        for event in told.of(EventKind.CONTACT_MERGED)
        if event.contact_id in became
    ]
    return changes + [plain(CompanyChanged, {"company": company}) for company in firms.values()]


async def _tickets(told: Told) -> list[Any]:
    merged = told.of(EventKind.TICKET_MERGED)
    found, seen = await asyncio.gather(
        tickets_by_id(told.reading, told.ids("ticket_id"), told.selection.below("ticket")),
        _visible(told.reading, tickets.Ticket, [_merged(event) for event in merged]),
    )
    once = {ticket.row_id: ticket for ticket in found.values()}
    changes: list[Any] = [plain(TicketChanged, {"ticket": ticket}) for ticket in once.values()]
    for event in merged:
        if event.ticket_id in found or _merged(event) in seen:
            replaced_by = event.ticket_id if event.ticket_id in found else None
            changes.append(_removed("Ticket", _merged(event), replaced_by))
    lost = {event.ticket_id for event in told.events if _was_mine(event, told.reading) and not event.task_id}
    return changes + [_removed("Ticket", id) for id in lost - found.keys()]


async def _timeline(told: Told) -> list[Any]:
    worth_telling = [event for event in told.events if event.kind in TOLD and event.ticket_id]
    selection = told.selection.below("item")

    async def happened() -> list[Any]:
        seen = await _visible(told.reading, tickets.Ticket, [event.ticket_id for event in worth_telling])
        return await timeline_items(
            told.reading, [event for event in worth_telling if event.ticket_id in seen], selection
        )

    found, others = await asyncio.gather(
        items_by_id(told.reading, told.ids("item_id"), selection), happened()
    )
    items = sorted([*found.values(), *others], key=lambda item: item.seq)
    return [plain(TimelineAppended, {"ticket_id": item.ticket_id, "item": item}) for item in items]


async def _alerts(told: Told) -> list[Any]:
    ids = told.ids("alert_id")
    if not ids:
        return []
    found = await alerts_where(
        told.reading, one_of(alerts.Alert.id, ids), selection=told.selection.below("alert")
    )
    return [plain(AlertChanged, {"alert": alert}) for alert in found]


async def _tasks(told: Told) -> list[Any]:
    ids = told.ids("task_id")
    if not ids:
        return []
    seen = await tasks_where(told.reading, one_of(tasks.Task.id, ids), selection=told.selection.below("task"))
    lost = {event.task_id for event in told.events if _was_mine(event, told.reading)} - {None}
    changes: list[Any] = [plain(TaskChanged, {"task": task}) for task in seen]
    return changes + [_removed("Task", id) for id in lost - {task.row_id for task in seen}]


async def _agents(told: Told) -> list[Any]:
    return [*await agents_changed(told.reading, told.events)] if "agent" in told.selection else []


async def _calls(told: Told) -> list[Any]:
    if "call" not in told.selection:
        return []
    return [*await calls_changed(told.reading, told.events, told.selection.below("call"))]


async def _counters(told: Told) -> list[Any]:
    return [*await counters_changed(told.reading, told.events)] if "counters" in told.selection else []


TOPICS: dict[ChangeTopic, Callable[[Told], Awaitable[list[Any]]]] = {
    ChangeTopic.CONTACTS: _contacts,
    ChangeTopic.TICKETS: _tickets,
    ChangeTopic.TIMELINE: _timeline,
    ChangeTopic.ALERTS: _alerts,
    ChangeTopic.TASKS: _tasks,
    ChangeTopic.AGENTS: _agents,
    ChangeTopic.CALLS: _calls,
    ChangeTopic.COUNTERS: _counters,
}
"""In the order in which a batch tells them."""


async def _visible(reading: Reading, model: Any, ids: list[uuid.UUID]) -> set[uuid.UUID]:
    if not ids:
        return set()
    seen = access.visible(model, to=reading.actor).with_only_columns(model.id).where(one_of(model.id, ids))
    return set((await reading.connection.execute(seen)).scalars())


def _merged(event: Any) -> uuid.UUID:
    return uuid.UUID(event.data["merged"])


def _was_mine(event: Any, reading: Reading) -> bool:
    """Did this take a ticket or a task from who reads, or from their team? They may not see it any more."""
    if event.kind == EventKind.TICKET_CHANGED and "team" in event.data:
        before = event.data["team"][0]
        return before is None or uuid.UUID(before) in reading.actor.teams
    assigned: bool = event.kind in (EventKind.TICKET_ASSIGNED, EventKind.TASK_SAVED)
    return assigned and event.data.get("before") == str(reading.actor.id)


def _removed(typename: str, id: uuid.UUID, replaced_by: uuid.UUID | None = None) -> Removed:
    return Removed(
        typename=typename,
        id=strawberry.ID(public_id(typename, id)),
        replaced_by=strawberry.ID(public_id(typename, replaced_by)) if replaced_by else None,
    )


async def _query(
    info: Info, since: Cursor, topics: list[ChangeTopic] | None = None, first: int = BATCH
) -> ChangeBatch:
    if not 1 <= first <= BATCH:
        raise InvalidInput(N_("`first` is a number from 1 to {most}."), field=["first"], most=BATCH)
    async with info.context.reading() as reading:
        batch, _ = await read_batch(
            reading, place(info.context.house, since), topics or list(ChangeTopic), first, wanted(info)
        )
        return batch


async def _change_cursor(info: Info) -> Cursor:
    async with info.context.reading() as reading:
        return cursor(info.context.house, await events.newest_place(reading.connection))


@strawberry.type
class ChangeQueries:
    change_cursor: Cursor = strawberry.field(
        resolver=_change_cursor, description="Ask for it with a screen's query: `changes` goes on from there."
    )
    changes: ChangeBatch = strawberry.field(resolver=_query)

"""What a batch of the feed tells, topic by topic: each object once, as it is now and as this person may see it."""

import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import strawberry

from api.alerting.alerts import Alert, alerts_where
from api.assigning.board import (
    AgentChanged,
    CallChanged,
    CountersChanged,
    agents_touched,
    calls_changed,
    counters_changed,
)
from api.context import Reading, nothing, plain
from api.customers.companies import Company, companies_by_id
from api.customers.contacts import Contact, contacts_now, seen_contacts
from api.desk.tasks import Task, tasks_where
from api.desk.tickets import Ticket, tickets_by_id
from api.desk.timeline import TimelineItem, items_by_id, timeline_items
from api.selection import Selection
from domain import access
from domain.alerting import alerts
from domain.db import one_of
from domain.desk import tasks, tickets
from domain.desk.history import TOLD
from domain.events import EventKind
from domain.gathering import gathered
from domain.ids import public_id


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


async def changes_of(
    reading: Reading, read: Sequence[Any], topics: Collection[ChangeTopic], selection: Selection
) -> list[Any]:
    told = Told(reading, read, selection)
    changes = await gathered(*(tell(told) for topic, tell in TOPICS.items() if topic in topics))
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
    became, firms = await gathered(
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
    found, seen = await gathered(
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
    selection = Selection({**told.selection.below("item"), "ticketId": Selection()})

    async def happened() -> list[Any]:
        seen = await _visible(told.reading, tickets.Ticket, [event.ticket_id for event in worth_telling])
        return await timeline_items(
            told.reading, [event for event in worth_telling if event.ticket_id in seen], selection
        )

    found, others = await gathered(items_by_id(told.reading, told.ids("item_id"), selection), happened())
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
    if "agent" not in told.selection:
        return []
    found = await agents_touched(told.reading, told.events)
    changes: list[Any] = [plain(AgentChanged, {"agent": agent}) for agent in found if not agent.left_at]
    return changes + [_removed("Agent", agent.row_id) for agent in found if agent.left_at]


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
    return assigned and event.data.get("before") in map(str, reading.actor.own)


def _removed(typename: str, id: uuid.UUID, replaced_by: uuid.UUID | None = None) -> Removed:
    return Removed(
        typename=typename,
        id=strawberry.ID(public_id(typename, id)),
        replaced_by=strawberry.ID(public_id(typename, replaced_by)) if replaced_by else None,
    )

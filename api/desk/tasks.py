"""Work to do."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute

from api.agents.staff import Agent, Team, agents_by_id, teams_by_id
from api.context import Part, Reading, fill, nothing, plain
from api.node import Node
from api.paging import of_each
from api.planning.repeating import TaskRepeat, shown
from api.selection import Selection
from domain.access import may_see
from domain.actors import Actor
from domain.db import one_of_given
from domain.desk import tasks
from domain.gathering import gathered
from domain.ids import public_id

if TYPE_CHECKING:
    from api.customers.contacts import Contact
    from api.desk.tickets import Ticket


@strawberry.type(description="Work to do, on a ticket, on a contact, or alone.")
class Task(Node):
    title: str
    due_at: datetime | None
    done: bool
    updated_at: datetime
    missed_calls: int = strawberry.field(
        description="It is to call somebody back, who rang so often in vain; 0 for other work."
    )
    last_call_id: strawberry.ID | None = strawberry.field(
        description="The last of those calls, for `node`: when it came, and on which number."
    )
    description: str
    remind_at: datetime | None = strawberry.field(description="When somebody is reminded of it, or was.")
    remind_minutes_before: int | None = strawberry.field(
        description="Of `dueAt`; null where a moment of its own was chosen, or nobody is to be reminded."
    )
    repeat: TaskRepeat | None = strawberry.field(
        description="How it comes again; of a series, the newest one says it."
    )
    assignee: Agent | None
    team: Team | None = strawberry.field(description="Whose it is as long as nobody has it.")
    created_by: Agent | None
    ticket: Annotated["Ticket", strawberry.lazy("api.desk.tickets")] | None
    contact: Annotated["Contact", strawberry.lazy("api.customers.contacts")] | None
    row_id: strawberry.Private[uuid.UUID]
    team_id: strawberry.Private[uuid.UUID | None]
    created_by_id: strawberry.Private[uuid.UUID | None]
    ticket_id: strawberry.Private[uuid.UUID | None]
    contact_id: strawberry.Private[uuid.UUID | None]
    assignee_id: strawberry.Private[uuid.UUID | None]


SOONEST = (
    tasks.Task.done_at.is_not(None),
    tasks.Task.done_at.desc(),
    tasks.Task.due_at.nulls_last(),
    tasks.Task.id,
)


async def tasks_where(
    reading: Reading, *conditions: ColumnElement[bool], selection: Selection, limit: int | None = None
) -> list[Task]:
    """What this person sees: what is due soonest first, and behind what is open, what was done last."""
    return await _load(
        reading, _seen(reading.actor).where(*conditions).order_by(*SOONEST).limit(limit), selection
    )


async def tasks_of(
    reading: Reading, parent: InstrumentedAttribute[Any], ids: Collection[uuid.UUID], selection: Selection
) -> list[Task]:
    """For each ticket or contact (`parent` is the task's column) its first hundred."""
    return await _load(reading, _of_each(reading.actor, parent), selection, {"ids": list(ids)})


@lru_cache(1000)
def _of_each(actor: Actor, parent: InstrumentedAttribute[Any]) -> Select[Any]:
    return of_each(_seen(actor).where(one_of_given(parent)), parent, *SOONEST)


def _seen(actor: Actor) -> Select[Any]:
    return select(tasks.Task.__table__).where(may_see(tasks.Task, actor))


async def _load(
    reading: Reading, query: Select[Any], selection: Selection, values: Mapping[str, Any] | None = None
) -> list[Task]:
    rows = await reading.connection.execute(query, values)
    found = [
        plain(
            Task,
            {
                "id": public_id("Task", row.id),
                "row_id": row.id,
                "ticket_id": row.ticket_id,
                "contact_id": row.contact_id,
                "assignee_id": row.assignee_id,
                "team_id": row.team_id,
                "created_by_id": row.created_by_id,
                "title": row.title,
                "description": row.description,
                "remind_at": row.reminder_at,
                "remind_minutes_before": None if row.remind_at else row.remind_minutes,
                "repeat": shown(row.repeats),
                "due_at": row.due_at,
                "done": row.done_at is not None,
                "updated_at": row.updated_at,
                "missed_calls": row.missed_calls,
                "last_call_id": public_id("Call", row.last_call_id) if row.last_call_id else None,
            },
        )
        for row in rows
    ]
    await fill(PARTS, reading, found, selection)
    return found


async def _people(reading: Reading, found: list[Task], selection: Selection) -> None:
    named = [id for task in found for id in (task.assignee_id, task.created_by_id)]
    asked = Selection(selection.below("assignee") | selection.below("createdBy"))
    agents = await agents_by_id(reading, named, asked)
    for task in found:
        task.assignee = agents.get(task.assignee_id)
        task.created_by = agents.get(task.created_by_id)


async def _team(reading: Reading, found: list[Task], selection: Selection) -> None:
    teams = await teams_by_id(reading, [task.team_id for task in found])
    for task in found:
        task.team = teams.get(task.team_id)


async def _ticket(reading: Reading, found: list[Task], selection: Selection) -> None:
    from api.desk.tickets import tickets_now

    ids = {task.ticket_id for task in found if task.ticket_id}
    tickets = await tickets_now(reading, ids, selection["ticket"]) if ids else {}
    for task in found:
        task.ticket = tickets.get(task.ticket_id) if task.ticket_id else None


async def _contact(reading: Reading, found: list[Task], selection: Selection) -> None:
    """Not every task's contact may be seen by who sees the task."""
    from api.customers.contacts import contacts_now, seen_contacts

    ids = {task.contact_id for task in found if task.contact_id}
    seen, people = await gathered(
        seen_contacts(reading, ids) if ids else nothing(),
        contacts_now(reading, ids, selection["contact"]) if ids else nothing(),
    )
    for task in found:
        task.contact = people.get(task.contact_id) if task.contact_id in seen else None


PARTS: dict[str, Part[Task]] = {
    "assignee": _people,
    "createdBy": _people,
    "team": _team,
    "ticket": _ticket,
    "contact": _contact,
}

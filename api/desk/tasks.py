"""Work to do."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from api.agents.staff import Agent, agents_by_id
from api.context import Info, Reading, plain
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from api.paging import of_each, page_size
from api.selection import Selection, wanted
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.agents import staff
from domain.customers import contacts
from domain.db import Json, new_id, one_of
from domain.desk import tasks
from domain.desk.tickets import Ticket as TicketRow
from domain.ids import public_id, row_id

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
    assignee: Agent | None
    ticket: Annotated["Ticket", strawberry.lazy("api.desk.tickets")] | None
    contact: Annotated["Contact", strawberry.lazy("api.customers.contacts")] | None
    row_id: strawberry.Private[uuid.UUID]
    ticket_id: strawberry.Private[uuid.UUID | None]
    contact_id: strawberry.Private[uuid.UUID | None]
    assignee_id: strawberry.Private[uuid.UUID | None]


@strawberry.input
class TaskFilter:
    assignee_id: strawberry.ID | None = None
    done: bool | None = None
    due_before: datetime | None = None
    ticket_id: strawberry.ID | None = None
    contact_id: strawberry.ID | None = None


SOONEST = (tasks.Task.done_at.is_not(None), tasks.Task.due_at.nulls_last(), tasks.Task.id)


async def tasks_where(
    reading: Reading, *conditions: ColumnElement[bool], selection: Selection, limit: int | None = None
) -> list[Task]:
    """What this person sees, what is due soonest first."""
    return await _load(reading, _seen(reading, *conditions).order_by(*SOONEST).limit(limit), selection)


async def tasks_of(
    reading: Reading, parent: InstrumentedAttribute[Any], ids: Collection[uuid.UUID], selection: Selection
) -> list[Task]:
    """For each ticket or contact (`parent` is the task's column) its first hundred."""
    query = _seen(reading, one_of(parent, ids))
    return await _load(reading, of_each(query, parent, *SOONEST), selection)


def _seen(reading: Reading, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(tasks.Task.__table__).where(may_see(tasks.Task, reading.actor), *conditions)


async def _load(reading: Reading, query: Select[Any], selection: Selection) -> list[Task]:
    rows = await reading.connection.execute(query)
    found = [
        plain(
            Task,
            {
                "id": public_id("Task", row.id),
                "row_id": row.id,
                "ticket_id": row.ticket_id,
                "contact_id": row.contact_id,
                "assignee_id": row.assignee_id,
                "title": row.title,
                "due_at": row.due_at,
                "done": row.done_at is not None,
                "updated_at": row.updated_at,
                "missed_calls": row.missed_calls,
                "last_call_id": public_id("Call", row.last_call_id) if row.last_call_id else None,
            },
        )
        for row in rows
    ]
    await _fill(reading, found, selection)
    return found


async def _fill(reading: Reading, found: list[Task], selection: Selection) -> None:
    from api.customers.contacts import contacts_by_id, seen_contacts
    from api.desk.tickets import tickets_by_id

    if "assignee" in selection:
        agents = await agents_by_id(reading, [task.assignee_id for task in found])
        for task in found:
            task.assignee = agents.get(task.assignee_id)
    if "ticket" in selection:
        ids = {task.ticket_id for task in found if task.ticket_id}
        tickets = await tickets_by_id(reading, ids, selection["ticket"]) if ids else {}
        for task in found:
            task.ticket = tickets.get(task.ticket_id) if task.ticket_id else None
    if "contact" in selection:
        ids = {task.contact_id for task in found if task.contact_id}
        seen = await seen_contacts(reading, ids) if ids else {}
        people = await contacts_by_id(reading, seen, selection["contact"]) if seen else {}
        for task in found:
            task.contact = people.get(task.contact_id) if task.contact_id else None


async def _tasks(info: Info, filter: TaskFilter | None = None, first: int = 50) -> list[Task]:
    asked = filter or TaskFilter()
    task = tasks.Task
    conditions: list[ColumnElement[bool]] = []
    if asked.assignee_id:
        conditions.append(task.assignee_id == row_id("Agent", asked.assignee_id, field="assigneeId"))
    if asked.done is not None:
        conditions.append(task.done_at.is_not(None) if asked.done else task.done_at.is_(None))
    if asked.due_before:
        conditions.append(task.due_at < asked.due_before)
    if asked.ticket_id:
        conditions.append(task.ticket_id == row_id("Ticket", asked.ticket_id, field="ticketId"))
    if asked.contact_id:
        conditions.append(task.contact_id == row_id("Contact", asked.contact_id, field="contactId"))
    async with info.context.reading() as reading:
        return await tasks_where(reading, *conditions, selection=wanted(info), limit=page_size(first))


@strawberry.input(description="Without `id` a new one. What is left out stays; null takes away.")
class TaskSaveInput:
    id: strawberry.ID | None = None
    title: str | None = None
    due_at: strawberry.Maybe[datetime | None]
    assignee_id: strawberry.Maybe[strawberry.ID | None]
    ticket_id: strawberry.ID | None = None
    contact_id: strawberry.ID | None = None
    done: bool | None = None
    client_mutation_id: strawberry.ID


@strawberry.type
class TaskPayload:
    task: Task | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _task_save(info: Info, input: TaskSaveInput) -> TaskPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        task = await _task(session, input, actor, now)
        before = task.assignee_id
        if input.title is not None:
            task.title = input.title
        if input.due_at is not None:
            task.due_at = input.due_at.value
        if input.assignee_id is not None:
            task.assignee_id = None
            if given := input.assignee_id.value:
                agent = await access.one(
                    session, staff.Agent, row_id("Agent", given, field="assigneeId"), to=actor
                )
                task.assignee_id = agent.id
        if input.done is not None:
            task.finish(input.done, at=now)
        task.saved(by=actor, at=now, before=before)
        return {"task": str(task.id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        found = await tasks_where(
            reading, tasks.Task.id == uuid.UUID(done["task"]), selection=wanted(info).below("task")
        )
    return TaskPayload(task=found[0] if found else None)


async def _task(session: AsyncSession, input: TaskSaveInput, actor: Actor, now: datetime) -> tasks.Task:
    if input.id:
        return await access.one(session, tasks.Task, row_id("Task", input.id), to=actor, lock=True)
    ticket = contact = None
    if input.ticket_id:
        asked = row_id("Ticket", input.ticket_id, field="ticketId")
        ticket = await access.one(session, TicketRow, asked, to=actor)
    if input.contact_id:
        asked = row_id("Contact", input.contact_id, field="contactId")
        contact = await access.one(session, contacts.Contact, asked, to=actor)
    task = tasks.Task(
        id=new_id(),
        title="",
        ticket_id=ticket.id if ticket else None,
        contact_id=contact.id if contact else ticket.contact_id if ticket else None,
        created_by_id=actor.agent_id,
        created_at=now,
        updated_at=now,
    )
    session.add(task)
    return task


@strawberry.type
class TaskQueries:
    tasks: list[Task] = strawberry.field(
        resolver=_tasks, description="Open ones first, what is due soonest first; at most 100."
    )


@strawberry.type
class TaskMutations:
    task_save: TaskPayload = mutation(resolver=_task_save)

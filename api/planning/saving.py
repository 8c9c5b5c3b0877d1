"""Making a task, changing it, and saying that it is done."""

import uuid
from datetime import datetime

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info
from api.desk.tasks import Task, tasks_where
from api.desk.tickets import held
from api.errors import UserError
from api.mutations import changed, mutation
from api.planning import repeating
from api.planning.repeating import TaskRepeatInput
from api.selection import wanted
from domain import access
from domain.actors import Actor
from domain.agents import staff
from domain.db import Json, new_id
from domain.desk import tasks
from domain.errors import InvalidInput, NotFound
from domain.ids import row_id
from domain.languages import N_
from domain.planning import series
from domain.sla.policies import default_hours


@strawberry.input(
    description="Without `id` a new one. What is left out stays; null takes away. Whose task it is is reminded when it is due, "
    "unless `remindMinutesBefore` is null or `remindAt` says otherwise."
)
class TaskSaveInput:
    id: strawberry.ID | None = None
    title: str | None = None
    description: str | None = None
    due_at: strawberry.Maybe[datetime | None]
    remind_at: strawberry.Maybe[datetime | None] = strawberry.field(
        description="In place of `remindMinutesBefore`, which counts again with null, or where it is given beside."
    )
    remind_minutes_before: strawberry.Maybe[int | None]
    repeat: strawberry.Maybe[TaskRepeatInput | None]
    assignee_id: strawberry.Maybe[strawberry.ID | None]
    team_id: strawberry.Maybe[strawberry.ID | None]
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
        if input.description is not None:
            task.description = input.description.strip()
        if input.due_at is not None:
            task.due_at = input.due_at.value
        await _give(session, task, input, actor)
        _remind(task, input)
        if input.repeat is not None:
            asked = input.repeat.value
            if asked and not await series.is_newest(session, task):
                raise InvalidInput(N_("The newest of the series says how it comes again."), field=["repeat"])
            zone = await _zone(session, actor) if asked else ""
            task.repeat(repeating.asked(asked, due_at=task.due_at, zone=zone) if asked else None)
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
    if input.contact_id:  # before the ticket: who merges contacts holds them in this order too
        asked = row_id("Contact", input.contact_id, field="contactId")
        contact = await access.contact(session, asked, to=actor, lock=True)
    if input.ticket_id:
        ticket = await held(session, input.ticket_id, actor)
    task = tasks.Task(
        id=new_id(),
        title="",
        ticket_id=ticket.id if ticket else None,
        contact_id=contact.id if contact else ticket.contact_id if ticket else None,
        created_by_id=actor.agent_id,
        created_at=now,
        updated_at=now,
        remind_minutes=0,
    )
    session.add(task)
    return task


async def _give(session: AsyncSession, task: tasks.Task, input: TaskSaveInput, actor: Actor) -> None:
    if input.assignee_id is not None:
        task.assignee_id = None
        if given := input.assignee_id.value:
            agent = await access.one(
                session, staff.Agent, row_id("Agent", given, field="assigneeId"), to=actor
            )
            if agent.left_at:
                raise NotFound(field=["assigneeId"])
            task.assignee_id = agent.id
    if input.team_id is not None:
        task.team_id = None
        if named := input.team_id.value:
            team = await access.team(session, row_id("Team", named, field="teamId"), to=actor)
            task.team_id = team.id


def _remind(task: tasks.Task, input: TaskSaveInput) -> None:
    at, minutes = input.remind_at, input.remind_minutes_before
    if at is not None:
        task.remind(at=at.value, minutes=task.remind_minutes)
    if minutes is not None and (minutes.value is not None or at is None or at.value is None):
        task.remind(minutes=minutes.value)


async def _zone(session: AsyncSession, actor: Actor) -> str:
    """Of the person; for a program, the shop's."""
    zone = await session.scalar(select(staff.Agent.timezone).where(staff.Agent.id == actor.agent_id))
    hours = None if zone else await default_hours(session)
    return zone or (hours.zone.key if hours else "UTC")


@strawberry.type
class TaskMutations:
    task_save: TaskPayload = mutation(resolver=_task_save)

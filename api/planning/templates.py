"""Templates of tasks: what a shop does again and again, and what a complaint makes by itself."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent, agents_by_id
from api.context import Info, Reading, plain
from api.desk.tasks import Task, tasks_where
from api.desk.tickets import held
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.node import Node
from api.selection import wanted
from api.sla.template_codes import PolicyTemplateCode
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.agents import staff
from domain.db import Json, one_of
from domain.desk import tasks
from domain.errors import NotFound
from domain.ids import public_id, row_id
from domain.planning import applying, templates
from domain.planning.templates import Anchor, Planned, Unit, Whose

strawberry.enum(Unit, name="TaskUnit")
strawberry.enum(
    Anchor,
    name="TaskAnchor",
    description="From when `amount` counts: after the template is applied, or back from the complaint's decision date.",
)
strawberry.enum(Whose, name="TaskWhose")

AMOUNT = "Days are over when the shop closes; what falls on a closed day before a decision is due on the working day before."
LAW = "Of those for complaints: only under this law. Null: under any that has none of its own."


@strawberry.type
class PlannedTask:
    title: str
    description: str
    amount: int = strawberry.field(description=AMOUNT)
    unit: Unit
    anchor: Anchor
    whose: Whose
    agent: Agent | None = strawberry.field(description="With `AGENT`.")


@strawberry.type(description="A named list of tasks.")
class TaskTemplate(Node):
    name: str
    tasks: list[PlannedTask] = strawberry.field(description="At most 20.")
    on_complaint: bool = strawberry.field(
        description="A ticket that becomes a complaint gets these, in place of those that Heddle brings; without tasks, none."
    )
    law: PolicyTemplateCode | None = strawberry.field(description=LAW)


@strawberry.input
class PlannedTaskInput:
    title: str
    description: str = ""
    amount: int = strawberry.field(description=AMOUNT)
    unit: Unit = Unit.WORKING_DAYS
    anchor: Anchor = Anchor.START
    whose: Whose = Whose.ASSIGNEE
    agent_id: strawberry.ID | None = None


@strawberry.input(description="In place of what it was; without `id` a new one.")
class TaskTemplateSaveInput:
    id: strawberry.ID | None = None
    name: str
    tasks: list[PlannedTaskInput]
    on_complaint: bool = False
    law: PolicyTemplateCode | None = strawberry.field(default=None, description=LAW)
    client_mutation_id: strawberry.ID


@strawberry.input
class TaskTemplateArchiveInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.input
class TaskTemplateApplyInput:
    id: strawberry.ID
    ticket_id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class TaskTemplatePayload:
    template: TaskTemplate | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class TasksPayload:
    tasks: list[Task] = strawberry.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _templates(info: Info) -> list[TaskTemplate]:
    async with info.context.reading() as reading:
        return await _read(reading)


async def _read(reading: Reading, *ids: uuid.UUID) -> list[TaskTemplate]:
    row = templates.TaskTemplate
    query = select(row.__table__).where(may_see(row, reading.actor), row.archived_at.is_(None))
    if ids:
        query = query.where(one_of(row.id, ids))
    rows = (await reading.connection.execute(query.order_by(row.name))).all()
    planned = {row.id: [Planned.from_json(one) for one in row.tasks] for row in rows}
    agents = await agents_by_id(reading, [one.agent_id for some in planned.values() for one in some])
    return [_template(row, planned[row.id], agents) for row in rows]


def _template(row: Any, planned: list[Planned], agents: dict[uuid.UUID | None, Agent]) -> TaskTemplate:
    return plain(
        TaskTemplate,
        {
            "id": public_id("TaskTemplate", row.id),
            "name": row.name,
            "on_complaint": row.on_complaint,
            "law": row.law,
            "tasks": [
                PlannedTask(
                    title=one.title,
                    description=one.description,
                    amount=one.amount,
                    unit=one.unit,
                    anchor=one.anchor,
                    whose=one.whose,
                    agent=agents.get(one.agent_id),
                )
                for one in planned
            ],
        },
    )


async def _save(info: Info, input: TaskTemplateSaveInput) -> TaskTemplatePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        template = await templates.save_template(
            session,
            row_id("TaskTemplate", input.id) if input.id else None,
            name=input.name,
            tasks=[await _planned(session, one, actor) for one in input.tasks],
            on_complaint=input.on_complaint,
            law=input.law,
        )
        return {"template": str(template.id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        found = await _read(reading, uuid.UUID(done["template"]))
    return TaskTemplatePayload(template=found[0] if found else None)


async def _planned(session: AsyncSession, asked: PlannedTaskInput, actor: Actor) -> Planned:
    agent_id = await _working(session, asked.agent_id, actor) if asked.agent_id else None
    return Planned(
        asked.title, asked.amount, asked.unit, asked.anchor, asked.whose, agent_id, asked.description
    )


async def _working(session: AsyncSession, id: str, actor: Actor) -> uuid.UUID:
    try:
        agent = await access.one(session, staff.Agent, row_id("Agent", id), to=actor)
    except NotFound:
        agent = None
    if agent is None or agent.left_at:
        raise NotFound(field=["tasks", "agentId"])
    return agent.id


async def _archive(info: Info, input: TaskTemplateArchiveInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        id = row_id("TaskTemplate", input.id)
        template = await access.one(session, templates.TaskTemplate, id, to=actor, lock=True)
        template.archived_at = template.archived_at or now
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def _apply(info: Info, input: TaskTemplateApplyInput) -> TasksPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        row = templates.TaskTemplate
        template = await access.one(session, row, row_id("TaskTemplate", input.id), to=actor)
        if template.archived_at:
            raise NotFound(field=["id"])
        ticket = await held(session, input.ticket_id, actor)
        made = await applying.on_ticket(session, template, ticket, by=actor, at=now)
        return {"tasks": [str(task.id) for task in made]}

    done = await changed(info, input, change)
    ids = [uuid.UUID(id) for id in done["tasks"]]
    async with info.context.reading() as reading:
        found = await tasks_where(reading, one_of(tasks.Task.id, ids), selection=wanted(info).below("tasks"))
    return TasksPayload(tasks=found)


@strawberry.type
class TaskTemplateQueries:
    task_templates: list[TaskTemplate] = strawberry.field(resolver=_templates, description="A handful.")


@strawberry.type
class TaskTemplateMutations:
    task_template_save: TaskTemplatePayload = mutation(resolver=_save)
    task_template_archive: OkPayload = mutation(resolver=_archive)
    task_template_apply: TasksPayload = mutation(
        resolver=_apply,
        description="The tasks that are new: of a complaint, each of a template's is made once.",
    )

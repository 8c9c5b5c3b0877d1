"""A template becomes tasks on a ticket. Those of a complaint are made once each, however often it is applied."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor, Role
from domain.agents.staff import Agent, TeamMember
from domain.complaints.complaints import Complaint, complaint_of
from domain.complaints.decision_dates import due_at, hours_for, legal_date
from domain.db import new_id
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket
from domain.planning.templates import Anchor, Planned, TaskTemplate, Whose, planned_as
from domain.sla.hours import Hours


async def on_ticket(
    session: AsyncSession, template: TaskTemplate, ticket: Ticket, *, by: Actor, at: datetime
) -> list[Task]:
    """The tasks that are new, of the ticket's complaint if it has one. The ticket is held."""
    complaint, legal = await complaint_of(session, ticket.id), await legal_date(session, ticket.id)
    return await apply(
        session,
        str(template.id),
        template.planned,
        ticket,
        complaint,
        decision=due_at(legal.due_at if legal else None, complaint.promised_at if complaint else None),
        hours=await hours_for(session, legal),
        by=by,
        at=at,
    )


async def apply(
    session: AsyncSession,
    name: str,
    planned: Sequence[Planned],
    ticket: Ticket,
    complaint: Complaint | None,
    *,
    decision: datetime | None,
    hours: Hours,
    by: Actor,
    at: datetime,
) -> list[Task]:
    """The tasks that are new. `name`: of the template, for its steps; the ticket is held."""
    made = []
    for number, one in enumerate(planned):
        row = insert(Task).values(
            id=new_id(),
            title=one.title,
            description=one.description,
            due_at=one.due_at(hours, at, decision),
            assignee_id=await _whose(session, one, ticket, complaint),
            ticket_id=ticket.id,
            contact_id=ticket.contact_id,
            created_by_id=by.agent_id,
            created_at=at,
            updated_at=at,
            complaint_id=complaint.id if complaint else None,
            step=f"{name}/{number}" if complaint else None,
        )
        id = await session.scalar(row.on_conflict_do_nothing().returning(Task.id))
        if id:
            task = await session.get_one(Task, id)
            task.saved(by=by, at=at)
            made.append(task)
    return made


async def follow(
    session: AsyncSession,
    complaint: Complaint,
    *,
    before: datetime | None,
    decision: datetime | None,
    hours: Hours,
    by: Actor,
    at: datetime,
) -> None:
    """What counts from the decision's date is due by the new one, unless somebody has moved or done it. The ticket is held."""
    found = await session.scalars(
        select(Task).where(Task.complaint_id == complaint.id, Task.done_at.is_(None)).with_for_update()
    )
    for task in found.all():
        planned = await planned_as(session, str(task.step), complaint.template)
        if planned is None or planned.anchor != Anchor.DECISION:
            continue
        due_at = planned.due_at(hours, at, decision)
        if due_at != task.due_at and task.due_at == planned.due_at(hours, task.updated_at, before):
            task.due_at = due_at
            task.saved(by=by, at=at)


async def _whose(
    session: AsyncSession, one: Planned, ticket: Ticket, complaint: Complaint | None
) -> uuid.UUID | None:
    match one.whose:
        case Whose.AGENT:
            return await _working(session, one.agent_id)
        case Whose.MANAGER:
            return await _manager(session, ticket)
        case Whose.OWNER:
            owner_id = await _working(session, complaint.owner_id if complaint else None)
            return owner_id or await _working(session, ticket.assignee_id)
        case Whose.ASSIGNEE:
            return await _working(session, ticket.assignee_id)
        case Whose.NOBODY:
            return None


async def _working(session: AsyncSession, id: uuid.UUID | None) -> uuid.UUID | None:
    """None of who has left."""
    return await session.scalar(select(Agent.id).where(Agent.id == id, Agent.left_at.is_(None)))


async def _manager(session: AsyncSession, ticket: Ticket) -> uuid.UUID | None:
    """Of the ticket's team first; of several, who has the fewest open tasks."""
    is_member = (
        select(TeamMember.agent_id)
        .where(TeamMember.agent_id == Agent.id, TeamMember.team_id == ticket.team_id)
        .exists()
    )
    load = select(func.count()).where(Task.assignee_id == Agent.id, Task.done_at.is_(None)).scalar_subquery()
    return await session.scalar(
        select(Agent.id)
        .where(Agent.left_at.is_(None), Agent.role.in_((Role.MANAGER, Role.ADMIN)))
        .order_by(is_member.desc(), Agent.role == Role.ADMIN, load, Agent.created_at, Agent.id)
        .limit(1)
    )

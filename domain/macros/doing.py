"""What a macro does to a ticket, done by the verbs with which people do it by hand."""

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.agents.staff import Agent, Team, TeamMember
from domain.db import new_id
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import InvalidInput
from domain.languages import N_
from domain.macros import variables
from domain.macros.actions import (
    Action,
    AddNote,
    AddTags,
    AddTask,
    ApplyTemplate,
    Assign,
    Assignee,
    HandTo,
    RemoveTags,
    SetPriority,
    SetStatus,
    Snooze,
    Whom,
)
from domain.planning import applying
from domain.planning.templates import TaskTemplate
from domain.working.noting import add_note


async def do(
    session: AsyncSession,
    ticket: Ticket,
    action: Action,
    *,
    filled: Callable[[str], str],
    by: Actor,
    at: datetime,
) -> None:
    """To a ticket that the caller holds and whose clocks it reckons afterwards."""
    match action:
        case Assign(to):
            ticket.assign(to=await _agent(session, to, by), by=by, at=at)
        case HandTo(team_id):
            members = select(TeamMember.agent_id).where(TeamMember.team_id == team_id)
            stays = {"read": True, "key_share": True}
            team = await session.get_one(Team, team_id, with_for_update=stays, populate_existing=True)
            if team.archived_at:
                raise InvalidInput(
                    N_("This macro hands over to {name}, which is deleted: change the macro."),
                    field=["macroId"],
                    name=team.name,
                )
            ticket.hand_to(team, set(await session.scalars(members)), by=by, at=at)
        case Snooze(None):
            ticket.change(by=by, at=at, status=TicketStatus.PENDING)
        case Snooze(timedelta() as length):
            ticket.snooze(at + length, by=by, at=at)
        case SetStatus(status):
            ticket.change(by=by, at=at, status=status)
        case SetPriority(priority):
            ticket.change(by=by, at=at, priority=priority)
        case AddTags(added):
            ticket.change(by=by, at=at, add_tags=[*added])
        case RemoveTags(removed):
            ticket.change(by=by, at=at, remove_tags=[*removed])
        case AddNote(text):
            await add_note(session, ticket, filled(text), by=by, at=at, calling=text)
        case AddTask(title, assignee, due_in):
            agent = await _agent(session, assignee, by)
            task = Task(
                id=new_id(),
                title=variables.one_line(filled(title)),
                due_at=at + due_in if due_in is not None else None,
                assignee_id=agent.id if agent else None,
                ticket_id=ticket.id,
                contact_id=ticket.contact_id,
                created_by_id=by.agent_id,
                created_at=at,
                updated_at=at,
            )
            session.add(task)
            task.saved(by=by, at=at)
        case ApplyTemplate(template_id):
            template = await session.get_one(TaskTemplate, template_id)
            if template.archived_at:
                raise InvalidInput(
                    N_("This macro makes the tasks of {name}, which is archived: change the macro."),
                    field=["macroId"],
                    name=template.name,
                )
            await applying.on_ticket(session, template, ticket, by=by, at=at)


async def _agent(session: AsyncSession, assignee: Assignee, by: Actor) -> Agent | None:
    if assignee.whom == Whom.NOBODY:
        return None
    id = by.agent_id if assignee.whom == Whom.ME else assignee.agent_id
    agent = await session.get_one(Agent, id)
    if agent.left_at:
        raise InvalidInput(
            N_("This macro hands work to {name}, who has left: change the macro."),
            field=["macroId"],
            name=agent.name,
        )
    return agent

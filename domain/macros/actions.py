"""What a macro does to a ticket, besides answering: by the verbs with which people do it by hand.

Kept as JSON, each an object with one key, its verb. A new verb is a class here, a line in `read`, and a case in `do`.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.agents.staff import Agent, Team, TeamMember
from domain.db import Json, new_id
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import InvalidInput
from domain.languages import N_
from domain.macros import variables
from domain.planning import applying
from domain.planning.templates import TaskTemplate

MOST = 20


class Whom(StrEnum):
    ME = "me"
    NOBODY = "nobody"
    AGENT = "agent"


@dataclass(frozen=True)
class Assignee:
    whom: Whom
    agent_id: uuid.UUID | None = None
    """Of `AGENT`."""


@dataclass(frozen=True)
class Assign:
    to: Assignee


@dataclass(frozen=True)
class HandTo:
    team_id: uuid.UUID


@dataclass(frozen=True)
class Snooze:
    length: timedelta | None
    """None: until the customer answers."""


@dataclass(frozen=True)
class SetStatus:
    status: TicketStatus


@dataclass(frozen=True)
class SetPriority:
    priority: int


@dataclass(frozen=True)
class AddTags:
    tags: tuple[str, ...]


@dataclass(frozen=True)
class RemoveTags:
    tags: tuple[str, ...]


@dataclass(frozen=True)
class AddNote:
    text: str
    """With places to fill in, as has a task's title."""


@dataclass(frozen=True)
class AddTask:
    title: str
    assignee: Assignee
    due_in: timedelta | None = None


@dataclass(frozen=True)
class ApplyTemplate:
    template_id: uuid.UUID
    """Of tasks."""


Action: TypeAlias = (
    Assign
    | HandTo
    | Snooze
    | SetStatus
    | SetPriority
    | AddTags
    | RemoveTags
    | AddNote
    | AddTask
    | ApplyTemplate
)


def written(action: Action) -> Json:
    match action:
        case Assign(to):
            return {"assign": _named(to)}
        case HandTo(team_id):
            return {"team": str(team_id)}
        case Snooze(length):
            return {"snooze": _seconds(length)}
        case SetStatus(status):
            return {"status": status}
        case SetPriority(priority):
            return {"priority": priority}
        case AddTags(added):
            return {"add_tags": [*added]}
        case RemoveTags(removed):
            return {"remove_tags": [*removed]}
        case AddNote(text):
            return {"note": text}
        case AddTask(title, assignee, due_in):
            return {"task": {"title": title, "assignee": _named(assignee), "due_in": _seconds(due_in)}}
        case ApplyTemplate(template_id):
            return {"template": str(template_id)}


def read(kept: Json) -> Action:
    ((verb, said),) = kept.items()
    match verb:
        case "assign":
            return Assign(_assignee(said))
        case "team":
            return HandTo(uuid.UUID(said))
        case "snooze":
            return Snooze(_length(said))
        case "status":
            return SetStatus(TicketStatus(said))
        case "priority":
            return SetPriority(said)
        case "add_tags":
            return AddTags(tuple(said))
        case "remove_tags":
            return RemoveTags(tuple(said))
        case "note":
            return AddNote(said)
        case "task":
            return AddTask(said["title"], _assignee(said["assignee"]), _length(said["due_in"]))
        case "template":
            return ApplyTemplate(uuid.UUID(said))
    raise LookupError(f"no macro does {verb}")


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else int(length.total_seconds())


def _length(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _named(assignee: Assignee) -> str:
    return str(assignee.agent_id) if assignee.whom == Whom.AGENT else assignee.whom


def _assignee(named: str) -> Assignee:
    if named in (Whom.ME, Whom.NOBODY):
        return Assignee(Whom(named))
    return Assignee(Whom.AGENT, uuid.UUID(named))


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
            team = await session.get_one(Team, team_id)
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
            ticket.note(filled(text), by=by, at=at)
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

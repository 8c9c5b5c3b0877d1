"""What a macro does to a ticket, besides answering: by the verbs with which people do it by hand.

Kept as JSON, each an object with one key, its verb. A new verb is a class here, a line in `read`, and a case in `do`.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.agents.staff import Agent
from domain.db import Json, new_id
from domain.desk import tags
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import InvalidInput
from domain.languages import N_
from domain.macros import variables

MOST = 20
LONGEST_WAIT = timedelta(days=366)


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


Action: TypeAlias = Assign | SetStatus | SetPriority | AddTags | RemoveTags | AddNote | AddTask


def written(action: Action) -> Json:
    match action:
        case Assign(to):
            return {"assign": _named(to)}
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
            seconds = int(due_in.total_seconds()) if due_in is not None else None
            return {"task": {"title": title, "assignee": _named(assignee), "due_in": seconds}}


def read(kept: Json) -> Action:
    ((verb, said),) = kept.items()
    match verb:
        case "assign":
            return Assign(_assignee(said))
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
            due_in = timedelta(seconds=said["due_in"]) if said["due_in"] is not None else None
            return AddTask(said["title"], _assignee(said["assignee"]), due_in)
    raise LookupError(f"no macro does {verb}")


def _named(assignee: Assignee) -> str:
    return str(assignee.agent_id) if assignee.whom == Whom.AGENT else assignee.whom


def _assignee(named: str) -> Assignee:
    if named in (Whom.ME, Whom.NOBODY):
        return Assignee(Whom(named))
    return Assignee(Whom.AGENT, uuid.UUID(named))


def agents_of(actions: Sequence[Action]) -> set[uuid.UUID]:
    """Whom they name."""
    named = [one.to if isinstance(one, Assign) else one.assignee for one in actions if isinstance(one, Assign | AddTask)]  # fmt: skip
    return {one.agent_id for one in named if one.agent_id}


def check(action: Action, *, path: list[str]) -> None:
    """Refuses what could be done to no ticket at all."""
    match action:
        case SetPriority(priority) if not 1 <= priority <= 4:
            raise InvalidInput(N_("A priority is 1 (urgent), 2, 3 or 4 (low)."), field=[*path, "priority"])
        case AddTags(words) | RemoveTags(words) if not words or "" in tags.kept(words):
            name = "addTags" if isinstance(action, AddTags) else "removeTags"
            raise InvalidInput(N_("This may not be empty."), field=[*path, name])
        case AddNote(text):
            _check_words(text, path=[*path, "note"])
        case AddTask(title, _, due_in):
            _check_words(title, path=[*path, "task", "title"])
            if due_in is not None and not timedelta(0) <= due_in <= LONGEST_WAIT:
                raise InvalidInput(
                    N_("A task is due within {most} days."),
                    field=[*path, "task", "dueIn"],
                    most=LONGEST_WAIT.days,
                )
        case _:
            pass


def _check_words(text: str, *, path: list[str]) -> None:
    if not text.strip():
        raise InvalidInput(N_("This may not be empty."), field=path)
    variables.check(text, path=path)


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

"""What a macro does to a ticket, besides answering.

Kept as JSON, each an object with one key, its verb. A new verb is a class here, a line in `read`, and a case in `doing.py`.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from domain.db import Json
from domain.desk.tickets import TicketStatus

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

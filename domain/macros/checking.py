"""What a macro could do to no ticket at all, and whom and what it names that is not there."""

import uuid
from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents.staff import Agent, Team
from domain.db import one_of
from domain.desk import tags
from domain.desk.tickets import LONGEST_SNOOZE
from domain.errors import InvalidInput, NotFound
from domain.languages import N_
from domain.macros import variables
from domain.macros.actions import (
    Action,
    AddNote,
    AddTags,
    AddTask,
    ApplyTemplate,
    Assign,
    HandTo,
    RemoveTags,
    SetPriority,
    Snooze,
)
from domain.planning.templates import TaskTemplate

LONGEST_WAIT = timedelta(days=366)


def agents_of(actions: Sequence[Action]) -> set[uuid.UUID]:
    """Whom they name."""
    named = [one.to if isinstance(one, Assign) else one.assignee for one in actions if isinstance(one, Assign | AddTask)]  # fmt: skip
    return {one.agent_id for one in named if one.agent_id}


def teams_of(actions: Sequence[Action]) -> set[uuid.UUID]:
    return {one.team_id for one in actions if isinstance(one, HandTo)}


def templates_of(actions: Sequence[Action]) -> set[uuid.UUID]:
    return {one.template_id for one in actions if isinstance(one, ApplyTemplate)}


async def check_named(session: AsyncSession, actions: Sequence[Action]) -> None:
    """Refuses whom and what is not there, or not any more."""
    for named, there in (
        (agents_of(actions), select(Agent.id).where(Agent.left_at.is_(None))),
        (teams_of(actions), _teams(teams_of(actions))),
        (templates_of(actions), select(TaskTemplate.id).where(TaskTemplate.archived_at.is_(None))),
    ):
        if named and named - set(await session.scalars(there)):
            raise NotFound(field=["actions"])


def _teams(ids: Collection[uuid.UUID]) -> Select[uuid.UUID]:
    """Held: they are not deleted meanwhile."""
    there = select(Team.id).where(one_of(Team.id, ids), Team.archived_at.is_(None))
    return there.with_for_update(read=True, key_share=True)


def check(action: Action, *, path: list[str]) -> None:
    """Refuses what could be done to no ticket at all."""
    match action:
        case SetPriority(priority) if not 1 <= priority <= 4:
            raise InvalidInput(N_("A priority is 1 (urgent), 2, 3 or 4 (low)."), field=[*path, "priority"])
        case AddTags(words) | RemoveTags(words) if not words or "" in tags.kept(words):
            name = "addTags" if isinstance(action, AddTags) else "removeTags"
            raise InvalidInput(N_("This may not be empty."), field=[*path, name])
        case Snooze(timedelta() as length) if not timedelta(0) < length <= LONGEST_SNOOZE:
            raise InvalidInput(
                N_("A ticket can be snoozed until a time within a year from now."),
                field=[*path, "snooze", "seconds"],
            )
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

"""A team's queue is looked at: what is to be taken from somebody goes back into it, and what waits is given to whom it suits best.

Who looks holds the team's row, and the rows of the people it might choose: of any number of workers one gives, one after
another, and a worker that dies holding them lets go of all that it had not finished. By hand somebody may be given more
than their capacity; the house never does.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.agents.staff import Agent, TeamMember
from domain.assigning import handing_back
from domain.assigning.candidates import Waiting, candidates, waiting
from domain.assigning.choosing import AssignmentMode, Candidate, Chosen, Job, Nobody, choose
from domain.assigning.policies import LIGHTEST, TOPIC, AssignmentPolicy, Terms
from domain.assigning.queues import QUEUED
from domain.db import database_time, one_of
from domain.desk.tickets import Ticket
from domain.sla import reckoning
from domain.wheel import Wheel

BATCH = 25
"""Tickets in a transaction: as long as it lasts, nobody else can give these people anything."""
LOOK_AGAIN = timedelta(seconds=30)
"""While somebody waits: a customer may leave a chat, and a wait for a language ends, without anything being written."""


async def look(session: AsyncSession, *, at: datetime | None = None) -> int:
    """At one team's queue, the one that is due longest; 0 if none is."""
    now = at or await database_time(session)
    policy = await session.scalar(
        select(AssignmentPolicy)
        .where(AssignmentPolicy.due_at <= now)
        .order_by(AssignmentPolicy.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if policy is None:
        return 0
    terms = Terms.from_json(policy.terms)
    more_to_take, absent = await handing_back.take_back(session, policy.team_id, terms, at=now)
    given, left = await _give(session, policy.team_id, terms, at=now)
    if more_to_take or given == BATCH:
        policy.due_at = now
    else:
        policy.due_at = now + LOOK_AGAIN if left or absent else None
    return 1


async def _give(session: AsyncSession, team_id: uuid.UUID, terms: Terms, *, at: datetime) -> tuple[int, bool]:
    """How many were given, and whether any are left."""
    if terms.mode == AssignmentMode.BY_HAND:
        return 0, False
    queued = and_(Ticket.team_id == team_id, QUEUED)
    if not await session.scalar(select(Ticket.id).where(queued).limit(1)):
        return 0, False
    members = select(TeamMember.agent_id).where(TeamMember.team_id == team_id)
    held = await session.scalars(
        select(Agent)
        .where(Agent.id.in_(members), Agent.left_at.is_(None))
        .order_by(Agent.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    agents = {agent.id: agent for agent in held}
    people = {
        one.agent_id: one
        for one in await candidates(session, team_id, terms, one_of(Agent.id, agents), at=at)
    }
    if not _any_free(people.values()):
        return 0, True
    given = 0
    queue = await waiting(session, terms, queued, at=at)
    for one in queue:
        chosen = choose(one.job, people.values(), terms.rules, at)
        if isinstance(chosen, Nobody):
            continue
        moment = at + timedelta(microseconds=given)  # of several in a row each has its own turn
        id = chosen.candidate.agent_id
        if await _assign(session, one, queued, chosen, agents[id], at=moment):
            people[id] = chosen.candidate.given(one.job, at=moment)
            given += 1
        if given == BATCH or not _any_free(people.values()):
            break
    return given, given < len(queue)


def _any_free(people: Iterable[Candidate]) -> bool:
    return any(one.is_there(Job()) and one.has_room(LIGHTEST) for one in people)


async def _assign(
    session: AsyncSession,
    waiting: Waiting,
    still: ColumnElement[bool],
    chosen: Chosen,
    agent: Agent,
    *,
    at: datetime,
) -> bool:
    """Unless somebody has taken or changed it meanwhile, or is about to."""
    ticket = await session.scalar(
        select(Ticket)
        .where(Ticket.id == waiting.ticket_id, still)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    if ticket is None:
        return False
    about = {"language": waiting.job.language} if waiting.job.language else {}
    ticket.assign(to=agent, by=SYSTEM, at=at, because=chosen.because, **about)
    agent.turns, agent.given_at = chosen.candidate.turns + 1, at
    await reckoning.reckon(session, ticket, at=at)
    return True


WHEEL = Wheel(TOPIC, (AssignmentPolicy.due_at,), (handing_back.from_who_left, look), 1)

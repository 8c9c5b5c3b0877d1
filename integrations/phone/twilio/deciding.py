"""Whose telephones ring when somebody calls. Looked up while the caller hears nothing, so within 300 ms or not at all."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from domain import duty
from domain.blocking import blocked_as
from domain.channels import Channel
from domain.contacts import Claim, IdentityKind
from domain.db import Database, database_time
from domain.office_hours import hours_of
from domain.staff import Agent, TeamMember
from integrations.phone.line import PhoneLine
from integrations.phone.twilio.account import target

log = structlog.get_logger()

DEADLINE = 0.3
"""Seconds."""


@dataclass(frozen=True)
class Situation:
    """What is known of the shop at this moment."""

    blocked: bool = False
    open: bool = True
    agents: tuple[str, ...] = ()
    """Telephones of those on duty."""


@dataclass(frozen=True)
class Decision:
    reject: bool = False
    ring: tuple[str, ...] = ()
    """Nobody's: there is a machine, or nothing."""


def decide(line: PhoneLine, situation: Situation) -> Decision:
    if situation.blocked:
        return Decision(reject=True)
    if not situation.open:
        return Decision()
    if line.ring:
        return Decision(ring=tuple(line.ring))
    theirs = (target(telephone) for telephone in situation.agents)
    return Decision(ring=tuple(telephone for telephone in theirs if telephone))


async def decision_on(db: Database, channel: Channel, line: PhoneLine, caller: str | None) -> Decision:
    """By what the settings say alone, where the database does not answer in time."""
    try:
        async with asyncio.timeout(DEADLINE), db.transaction() as session:
            situation = await _situation(session, channel, caller, at=await database_time(session))
    except (TimeoutError, SQLAlchemyError, OSError) as failure:
        log.warning("call_decided_without_database", channel=channel.slug, error=type(failure).__name__)
        situation = Situation()
    return decide(line, situation)


async def _situation(
    session: AsyncSession, channel: Channel, caller: str | None, *, at: datetime
) -> Situation:
    claim = Claim(IdentityKind.PHONE, caller, None) if caller else None
    if claim and await blocked_as(session, claim):
        return Situation(blocked=True)
    hours = await hours_of(session, channel)
    if hours is not None and not hours.is_open(at):
        return Situation(open=False)
    return Situation(agents=tuple(await _telephones(session, channel, at=at)))


async def _telephones(session: AsyncSession, channel: Channel, *, at: datetime) -> Sequence[str]:
    """Of those of the line's team who are on duty; of all of them in a shop that keeps no shifts."""
    theirs = select(Agent.id, Agent.line).where(Agent.line.is_not(None), Agent.left_at.is_(None))
    if channel.team_id:
        members = select(TeamMember.agent_id).where(TeamMember.team_id == channel.team_id)
        theirs = theirs.where(Agent.id.in_(members))
    found = (await session.execute(theirs.order_by(Agent.name, Agent.id))).all()
    present = await duty.on_duty(session, at=at)
    if not present and not await duty.anybody_has_a_rota(session):
        present = {row.id for row in found}
    return [row.line for row in found if row.id in present]

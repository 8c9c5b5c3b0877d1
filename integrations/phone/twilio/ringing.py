"""Whose telephones ring when somebody calls a line at Twilio, which has no PBX of its own to know that."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from domain import dialled_numbers, duty
from domain.channels import Channel
from domain.db import Database, database_time
from domain.inbound import InboundCall
from domain.staff import Agent, TeamMember
from integrations.phone.deciding import PATIENCE, Decision, Dial, Known, Reject, decide, look_up
from integrations.phone.line import PhoneLine
from integrations.phone.twilio.account import target

log = structlog.get_logger()


@dataclass(frozen=True)
class Answer:
    reject: bool = False
    ring: tuple[str, ...] = ()
    """Nobody's: there is a machine, or nothing."""
    language: str = ""
    """Of the number that was dialled."""


def whom(line: PhoneLine, known: Known, decision: Decision, agents: Sequence[str]) -> tuple[str, ...]:
    """`agents`: telephones of those on duty."""
    match decision:
        case Dial(number) if telephone := target(number):
            return (telephone,)
        case _ if not known.is_open:
            return ()
        case _ if line.ring:
            return tuple(line.ring)
        case _:
            return tuple(telephone for telephone in map(target, agents) if telephone)


async def answer_to(db: Database, channel: Channel, line: PhoneLine, step: InboundCall) -> Answer:
    """By the settings alone, where the database does not say in time: the caller hears nothing meanwhile."""
    try:
        async with asyncio.timeout(PATIENCE), db.transaction() as session:
            known = await look_up(session, channel, line, step)
            agents = await _telephones(session, channel, at=await database_time(session))
            number = await dialled_numbers.called(session, channel.id, step.dialled)
    except (TimeoutError, SQLAlchemyError, OSError) as failure:
        log.warning("call_undecided", channel=channel.slug, error=type(failure).__name__)
        return Answer(ring=tuple(line.ring))
    decision = decide(known, line)
    return Answer(
        reject=isinstance(decision, Reject),
        ring=whom(line, known, decision, agents),
        language=number.language if number else "",
    )


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

"""Whose telephones ring when somebody calls a line at Twilio, which has no PBX of its own to know that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents import duty
from domain.agents.staff import Agent, TeamMember
from domain.arriving.inbound import InboundCall
from domain.db import Database, database_time
from domain.ways_in.channels import Channel
from integrations.phone.deciding import Decision, Dial, Known, Reject, decide, in_time, look_up
from integrations.phone.line import PhoneLine
from integrations.phone.twilio.account import target


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

    async def look(session: AsyncSession) -> tuple[Known, Sequence[str]]:
        known = await look_up(session, channel, line, step)
        return known, await _telephones(session, channel, at=await database_time(session))

    found = await in_time(db, channel, look)
    if found is None:
        return Answer(ring=tuple(line.ring))
    known, agents = found
    decision = decide(known, line)
    ring = whom(line, known, decision, agents)
    return Answer(reject=isinstance(decision, Reject), ring=ring, language=known.language)


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

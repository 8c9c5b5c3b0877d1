"""Where a call goes that begins to ring: what the PBX is answered while it waits.

The rules, in their order:

1. a blocked caller hears that the line is busy;
2. outside the office hours the call goes where the line's setting `closed` says;
3. with `to_assignee`, a known caller reaches whoever has their only open ticket, on shift and by a telephone of their own;
4. a number that is dialled for a campaign leads where it says;
5. otherwise the PBX does what it would have done.

A caller's number proves nothing: it changes who picks up, and nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.agents import duty
from domain.agents.staff import Agent
from domain.arriving.inbound import CallStep, InboundCall
from domain.calling.dialled_numbers import called
from domain.customers.contacts import Claim
from domain.customers.likeness import identities_like
from domain.db import Database, database_time
from domain.desk.survivors import live_tickets
from domain.ways_in.blocking import blocked_as
from domain.ways_in.channels import Channel
from domain.ways_in.office_hours import hours_of
from integrations.phone.line import REJECT, PhoneLine

log = structlog.get_logger()

Found = TypeVar("Found")

PATIENCE = 0.3
"""Seconds for which a PBX waits."""


@dataclass(frozen=True)
class Reject:
    reason: str = "busy"


@dataclass(frozen=True)
class Dial:
    number: str
    """Or an extension, or a SIP address."""
    caller_id: str = ""


Decision = Reject | Dial | None


@dataclass(frozen=True)
class Known:
    """What is known of a call that begins."""

    is_blocked: bool = False
    is_open: bool = True
    assignee_line: str | None = None
    """Of who has the caller's only open ticket and is on shift."""
    dial: str = ""
    """Where the dialled number leads."""
    language: str = ""
    """Of the dialled number."""


def decide(known: Known, line: PhoneLine, *, caller: str = "") -> Decision:
    if known.is_blocked:
        return Reject()
    if not known.is_open and line.closed == REJECT:
        return Reject()
    if not known.is_open and line.closed:
        return Dial(line.closed, caller)
    if line.to_assignee and known.assignee_line:
        return Dial(known.assignee_line, caller)
    return Dial(known.dial, caller) if known.dial else None


async def decided(db: Database, channel: Channel, line: PhoneLine, step: InboundCall) -> Decision:
    """None, too, when it takes too long to find out: the call was kept before, and its caller does not wait."""
    if step.step != CallStep.RINGING or step.outgoing:
        return None
    known = await in_time(db, channel, lambda session: look_up(session, channel, line, step))
    return decide(known, line, caller=step.claim.value if step.claim else "") if known else None


async def in_time(
    db: Database, channel: Channel, asked: Callable[[AsyncSession], Awaitable[Found]]
) -> Found | None:
    """What the database says, unless it takes longer than a caller waits."""
    try:
        async with asyncio.timeout(PATIENCE), db.transaction() as session:
            return await asked(session)
    except (TimeoutError, SQLAlchemyError, OSError) as failure:
        log.warning("call_undecided", channel=channel.slug, why=type(failure).__name__)
        return None


async def look_up(session: AsyncSession, channel: Channel, line: PhoneLine, step: InboundCall) -> Known:
    now = await database_time(session)
    number = await called(session, channel.id, step.dialled)
    hours = await hours_of(session, channel)
    known = Known(
        is_open=hours is None or hours.is_open(now),
        dial=number.dial if number else "",
        language=number.language if number else "",
    )
    if step.claim is None:
        return known
    return replace(
        known,
        is_blocked=await blocked_as(session, step.claim) is not None,
        assignee_line=await _assignee_line(session, step.claim, at=now) if line.to_assignee else None,
    )


async def _assignee_line(session: AsyncSession, claim: Claim, *, at: datetime) -> str | None:
    owners = {contact.id for _, contact in await identities_like(session, claim)}
    if len(owners) != 1:
        return None
    tickets = await live_tickets(session, owners.pop())
    if len(tickets) != 1 or tickets[0].assignee_id is None:
        return None
    if tickets[0].assignee_id not in await duty.on_duty(session, at=at):
        return None
    return await session.scalar(select(Agent.line).where(Agent.id == tickets[0].assignee_id))

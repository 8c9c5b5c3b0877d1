"""How much everybody has to do: what each open ticket weighs, and what that comes to for each person."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from domain.agents.staff import Agent, TeamMember
from domain.assigning.policies import CAPACITY, WEIGHTS, AssignmentPolicy
from domain.customers.visitors import Visitor
from domain.db import one_of
from domain.desk.threads import Thread
from domain.desk.tickets import LIVE, OURS, Ticket
from domain.sla.clocks import RUNNING, Clock
from domain.sla.targets import Metric
from domain.ways_in.channels import Channel, ChannelKind

STAYS_FOR = timedelta(minutes=5)
"""After a word in a chat, whatever the browser says: a page that is changed closes the socket for a moment."""


@dataclass(frozen=True)
class Workload:
    capacity: int
    used: int = 0
    """Of it, by tickets on which it is the shop's turn."""
    open: int = 0
    """Tickets that are not solved."""
    live_chats: int = 0


COUNTS = and_(Ticket.merged_into_id.is_(None), Ticket.spam_at.is_(None))
"""Of tickets, those that are anybody's work."""


def chats_now(at: datetime) -> ColumnElement[bool]:
    """Of a conversation with its channel and its visitor: does somebody sit before it?"""
    here = or_(Visitor.here_until > at, Thread.last_inbound_at > at - STAYS_FOR)
    return and_(Channel.kind == ChannelKind.CHAT, Thread.ended_at.is_(None), here)


def weighed(*which: ColumnElement[bool], at: datetime) -> Select[Any]:
    """Of each of these tickets what it weighs, whether it is a live chat, and by which channels it came."""
    chats = func.coalesce(chats_now(at), False)
    usual = case(*((Channel.kind == kind, weight) for kind, weight in WEIGHTS.items()), else_=1)
    said = AssignmentPolicy.terms["weights"]
    own = func.coalesce(func.jsonb_extract_path_text(said, Channel.kind).cast(Integer), usual)
    as_mail = func.coalesce(said[ChannelKind.EMAIL].astext.cast(Integer), WEIGHTS[ChannelKind.EMAIL])
    weight = case(
        (Channel.kind.is_(None), 1), (and_(Channel.kind == ChannelKind.CHAT, ~chats), as_mail), else_=own
    )
    return (
        select(
            Ticket.id,
            func.max(weight).label("weight"),
            func.bool_or(chats).label("is_live"),
            func.array_agg(Channel.id).filter(Channel.id.is_not(None)).label("channel_ids"),
            func.max(Channel.config["language"].astext).label("channel_language"),
        )
        .outerjoin(Thread, and_(Thread.ticket_id == Ticket.id, Thread.side.is_(False)))
        .outerjoin(Channel, Channel.id == Thread.channel_id)
        .outerjoin(Visitor, and_(Visitor.channel_id == Thread.channel_id, Visitor.key == Thread.key))
        .outerjoin(AssignmentPolicy, AssignmentPolicy.team_id == Ticket.team_id)
        .where(COUNTS, *which)
        .group_by(Ticket.id)
    )


async def workloads(
    connection: AsyncConnection | AsyncSession, agent_ids: Collection[uuid.UUID], *, at: datetime
) -> dict[uuid.UUID, Workload]:
    theirs = weighed(one_of(Ticket.assignee_id, agent_ids), Ticket.status.in_(LIVE), at=at).subquery()
    carried = await connection.execute(
        select(
            Ticket.assignee_id,
            func.count().label("open"),
            func.coalesce(func.sum(theirs.c.weight).filter(Ticket.status.in_(OURS)), 0).label("used"),
            func.count().filter(theirs.c.is_live).label("live_chats"),
        )
        .join(theirs, theirs.c.id == Ticket.id)
        .group_by(Ticket.assignee_id)
    )
    loads = {row.assignee_id: row for row in carried}
    room = await capacities(connection, agent_ids)
    return {
        id: Workload(capacity, row.used, row.open, row.live_chats)
        if (row := loads.get(id))
        else Workload(capacity)
        for id, capacity in room.items()
    }


async def capacities(
    connection: AsyncConnection | AsyncSession, agent_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, int]:
    """One's own; otherwise the most that a team of theirs gives; otherwise the usual."""
    of_teams = func.max(AssignmentPolicy.terms["capacity"].astext.cast(Integer))
    rows = await connection.execute(
        select(Agent.id, func.coalesce(Agent.capacity, of_teams, CAPACITY).label("capacity"))
        .outerjoin(TeamMember, TeamMember.agent_id == Agent.id)
        .outerjoin(AssignmentPolicy, AssignmentPolicy.team_id == TeamMember.team_id)
        .where(one_of(Agent.id, agent_ids))
        .group_by(Agent.id)
    )
    return {row.id: row.capacity for row in rows}


@dataclass(frozen=True)
class Waits:
    breached: int
    since: datetime | None


async def promises_of(
    connection: AsyncConnection | AsyncSession, agent_ids: Collection[uuid.UUID], *, at: datetime
) -> Mapping[uuid.UUID, Waits]:
    """How many of their tickets are late, and since when whoever of their customers waits longest for an answer."""
    replies = Clock.metric.in_((Metric.FIRST_REPLY, Metric.NEXT_REPLY))
    rows = await connection.execute(
        select(
            Ticket.assignee_id,
            func.count(Ticket.id.distinct()).filter(Clock.due_at <= at).label("breached"),
            func.min(Clock.started_at).filter(replies).label("since"),
        )
        .join(Clock, Clock.ticket_id == Ticket.id)
        .where(
            one_of(Ticket.assignee_id, agent_ids),
            Ticket.status.in_(LIVE),
            COUNTS,
            RUNNING,
            Clock.paused_since.is_(None),
        )
        .group_by(Ticket.assignee_id)
    )
    return {row.assignee_id: Waits(row.breached, row.since) for row in rows}

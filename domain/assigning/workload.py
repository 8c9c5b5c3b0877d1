"""How much everybody has to do: what each open ticket weighs, and what that comes to for each person."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Integer, Select, and_, bindparam, case, func, or_, select

from domain.agents.staff import Agent, TeamMember
from domain.assigning.policies import CAPACITY, WEIGHTS, AssignmentPolicy
from domain.chorus import Reads
from domain.customers.visitors import Visitor
from domain.db import among, one_of_given
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
    """One's own; otherwise the most that a team of theirs gives; otherwise the usual."""
    used: int = 0
    """Of it, by tickets on which it is the shop's turn."""
    open: int = 0
    """Tickets that are not solved."""
    live_chats: int = 0
    breached: int = 0
    """Tickets with a promise that is broken."""
    waits_since: datetime | None = None
    """Whoever of their customers waits longest for an answer."""


COUNTS = and_(Ticket.merged_into_id.is_(None), Ticket.spam_at.is_(None))
"""Of tickets, those that are anybody's work."""


def chats_now(at: Any) -> ColumnElement[bool]:
    """Of a conversation with its channel and its visitor: does somebody sit before it?"""
    here = or_(Visitor.here_until > at, Thread.last_inbound_at > at - STAYS_FOR)
    return and_(Channel.kind == ChannelKind.CHAT, Thread.ended_at.is_(None), here)


def weighed(*which: ColumnElement[bool], at: Any) -> Select[Any]:
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
    connection: Reads, agent_ids: Collection[uuid.UUID] | Select[uuid.UUID], *, at: datetime
) -> dict[uuid.UUID, Workload]:
    if isinstance(agent_ids, Select):
        asked = _workloads(among(Ticket.assignee_id, agent_ids), among(Agent.id, agent_ids), at=at)
        rows = await connection.execute(asked)
    else:
        rows = await connection.execute(_named, {"ids": list(agent_ids), "at": at})
    return {
        row.id: Workload(row.capacity, row.used, row.open, row.live_chats, row.breached, row.waits_since)
        for row in rows
    }


def _workloads(theirs: ColumnElement[bool], who: ColumnElement[bool], *, at: Any) -> Any:
    carried, promised = _carried(theirs, at).subquery(), _promised(theirs, at).subquery()
    of_teams = (
        select(func.max(AssignmentPolicy.terms["capacity"].astext.cast(Integer)))
        .join(TeamMember, TeamMember.team_id == AssignmentPolicy.team_id)
        .where(TeamMember.agent_id == Agent.id)
        .scalar_subquery()
    )
    return (
        select(
            Agent.id,
            func.coalesce(Agent.capacity, of_teams, CAPACITY).label("capacity"),
            *(func.coalesce(carried.c[name], 0).label(name) for name in ("used", "open", "live_chats")),
            func.coalesce(promised.c.breached, 0).label("breached"),
            promised.c.waits_since,
        )
        .outerjoin(carried, carried.c.assignee_id == Agent.id)
        .outerjoin(promised, promised.c.assignee_id == Agent.id)
        .where(who)
    )


def _carried(theirs: ColumnElement[bool], at: Any) -> Select[*tuple[Any, ...]]:
    tickets = weighed(theirs, Ticket.status.in_(LIVE), at=at).add_columns(Ticket.assignee_id, Ticket.status)
    one = tickets.subquery().c
    return select(
        one.assignee_id,
        func.count().label("open"),
        func.sum(one.weight).filter(one.status.in_(OURS)).label("used"),
        func.count().filter(one.is_live).label("live_chats"),
    ).group_by(one.assignee_id)


def _promised(theirs: ColumnElement[bool], at: Any) -> Select[*tuple[Any, ...]]:
    replies = Clock.metric.in_((Metric.FIRST_REPLY, Metric.NEXT_REPLY))
    running = (RUNNING, Clock.paused_since.is_(None))
    return (
        select(
            Ticket.assignee_id,
            func.count(Ticket.id.distinct()).filter(Clock.due_at <= at).label("breached"),
            func.min(Clock.started_at).filter(replies).label("waits_since"),
        )
        .join(Clock, Clock.ticket_id == Ticket.id)
        .where(theirs, Ticket.status.in_(LIVE), COUNTS, *running)
        .group_by(Ticket.assignee_id)
    )


_named = _workloads(
    one_of_given(Ticket.assignee_id),
    one_of_given(Agent.id),
    at=bindparam("at", type_=DateTime(timezone=True)),
)

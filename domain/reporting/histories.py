"""The histories of some tickets, as far as statistics need them: each part of all of them in one statement."""

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, case, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.complaints.complaints import LEADS, Complaint, ComplaintStep
from domain.db import one_of
from domain.desk.messages import Item, ItemKind
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.sla.clocks import Clock
from domain.sla.facts import SETS_STATUS, STANDS
from domain.ways_in.channels import Channel

MOVES = (EventKind.TICKET_MERGED, EventKind.MOVE_UNDONE)
SLOW_CLOCK = timedelta(days=1)
"""Of a provider: what it says may be older than the ticket."""


@dataclass
class History:
    """Of a ticket that counts: of one that is part of another, is spam, or is not there, there is none."""

    ticket_id: uuid.UUID
    began_at: datetime
    opened_at: datetime
    """When the first of all that have become part of it began."""
    status: TicketStatus
    assignee_id: uuid.UUID | None
    team_id: uuid.UUID | None
    items: list[Row[Any]] = field(default_factory=list)
    """Messages and calls, not those on the side, in the order in which they were written down."""
    events: list[Row[Any]] = field(default_factory=list)
    clocks: list[Row[Any]] = field(default_factory=list)
    steps: list[Row[Any]] = field(default_factory=list)
    """Of the complaint that leads it."""


async def histories(session: AsyncSession, ticket_ids: Collection[uuid.UUID]) -> list[History]:
    merged = await session.execute(
        select(Ticket.merged_into_id, Ticket.created_at).where(one_of(Ticket.merged_into_id, ticket_ids))
    )
    began = defaultdict(list)
    for into, created_at in merged:
        began[into].append(created_at)
    counting = await session.execute(
        select(Ticket.id, Ticket.created_at, Ticket.status, Ticket.assignee_id, Ticket.team_id).where(
            one_of(Ticket.id, ticket_ids), Ticket.merged_into_id.is_(None), Ticket.spam_at.is_(None)
        )
    )
    found = {
        row.id: History(
            ticket_id=row.id,
            began_at=row.created_at,
            opened_at=min([row.created_at, *began[row.id]]),
            status=row.status,
            assignee_id=row.assignee_id,
            team_id=row.team_id,
        )
        for row in counting
    }
    if found:
        await _fill(session, found)
    return list(found.values())


async def _fill(session: AsyncSession, found: dict[uuid.UUID, History]) -> None:
    item = Item.__table__.c
    for row in await _read(
        session,
        select(
            item.ticket_id, item.seq, item.kind, item.at, item.direction, item.automatic, item.delivery,
            item.call_state, item.answered_at, item.ended_at, item.agent_id, item.channel_id,
            Channel.kind.label("channel"),
        )
        .select_from(
            Item.__table__.outerjoin(Channel, Channel.id == item.channel_id).outerjoin(
                Thread, Thread.id == item.thread_id
            )
        )
        .where(one_of(item.ticket_id, found), item.kind != ItemKind.NOTE, Thread.side.is_not(True))
        .order_by(item.seq),
    ):  # fmt: skip
        found[row.ticket_id].items.append(row)
    since = min(history.began_at for history in found.values()) - SLOW_CLOCK
    for row in await _read(
        session,
        select(
            Event.ticket_id, Event.seq, Event.at, Event.kind, Event.actor_kind, Event.actor_id, Event.data,
            case((STANDS, Event.data["status"][1].astext)).label("status"),
        )
        .where(one_of(Event.ticket_id, found), Event.at >= since, Event.kind.in_((*SETS_STATUS, *MOVES)))
        .order_by(Event.seq),
    ):  # fmt: skip
        found[row.ticket_id].events.append(row)
    for row in await _read(
        session,
        select(
            Clock.ticket_id, Clock.metric, Clock.started_at, Clock.due_at, Clock.met_at, Clock.breached_at
        ).where(one_of(Clock.ticket_id, found)),
    ):
        found[row.ticket_id].clocks.append(row)
    for row in await _read(
        session,
        select(Complaint.ticket_id, ComplaintStep.stage, ComplaintStep.at)
        .join(ComplaintStep, ComplaintStep.complaint_id == Complaint.id)
        .where(one_of(Complaint.ticket_id, found), LEADS)
        .order_by(ComplaintStep.at, ComplaintStep.id),
    ):
        found[row.ticket_id].steps.append(row)


async def _read(session: AsyncSession, query: Any) -> Sequence[Row[Any]]:
    return (await session.execute(query)).all()

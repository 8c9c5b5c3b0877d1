"""Tickets that sleep: each wakes once, when its time has come, unless the customer wrote first."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.db import database_time
from domain.desk.tickets import SNOOZES, Ticket, TicketStatus
from domain.sla import reckoning
from domain.wheel import Wheel

BATCH = 50
"""Tickets in a transaction: the feed shows nothing that comes after while one is open."""


async def wake_due(session: AsyncSession, *, at: datetime | None = None) -> int:
    """How many had come to their time. Of any number of workers one gets each."""
    now = at or await database_time(session)
    due = await session.scalars(
        select(Ticket)
        .where(Ticket.snoozed_until <= now)
        .order_by(Ticket.snoozed_until)
        .limit(BATCH)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    tickets = due.all()
    for ticket in tickets:
        if ticket.status != TicketStatus.PENDING or ticket.merged_into_id:
            ticket.snoozed_until = None  # settled, by a way that does not ask who sleeps
            continue
        ticket.wake(by=SYSTEM, at=now)
        await reckoning.reckon(session, ticket, at=now)
    return len(tickets)


WHEEL = Wheel(SNOOZES, (Ticket.snoozed_until,), (wake_due,), BATCH)

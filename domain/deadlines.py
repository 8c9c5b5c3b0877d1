"""The deadline wheel: sleeps until the next promise falls due, and fires its alert exactly once.

One statement claims what is due, in the transaction that writes the alert: of any number of workers one gets each row,
and a worker that dies holding it lets go of it. The database's clock decides; the event bears the moment it fell due.
"""

import structlog
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from domain import alerts
from domain.actors import SYSTEM
from domain.alerts import AlertKind
from domain.db import Database, heard
from domain.events import EventKind, record
from domain.sla import TOPIC, Clock
from domain.tickets import Ticket

log = structlog.get_logger()

LONGEST_SLEEP = 30.0
BATCH = 100


async def fire_due(session: AsyncSession) -> int:
    """Fires the alerts of promises that are broken now; how many."""
    due = (
        select(Clock.id)
        .where(Clock.next_at <= func.clock_timestamp())
        .order_by(Clock.next_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    broken = await session.scalars(
        update(Clock).where(Clock.id.in_(due)).values(breached_at=Clock.due_at, next_at=None).returning(Clock)
    )
    clocks = broken.all()
    contacts = (
        {
            ticket_id: contact_id
            for ticket_id, contact_id in await session.execute(
                select(Ticket.id, Ticket.contact_id).where(
                    Ticket.id.in_([clock.ticket_id for clock in clocks])
                )
            )
        }
        if clocks
        else {}
    )
    for clock in clocks:
        record(
            session,
            EventKind.SLA_BREACHED,
            by=SYSTEM,
            at=clock.due_at,
            ticket_id=clock.ticket_id,
            contact_id=contacts[clock.ticket_id],
            data={"clock": str(clock.id), "metric": clock.metric},
        )
        alerts.fire(
            session,
            AlertKind.SLA_BREACHED,
            ticket_id=clock.ticket_id,
            clock_id=clock.id,
            level=1,
            at=clock.due_at,
        )
    return len(clocks)


async def seconds_to_next(session: AsyncSession) -> float | None:
    seconds = await session.scalar(
        select(func.extract("epoch", func.min(Clock.next_at) - func.clock_timestamp())).where(
            Clock.next_at.is_not(None)
        )
    )
    return None if seconds is None else float(seconds)


async def turn(db: Database) -> None:
    """Turns until cancelled."""
    with db.bell.listening(TOPIC) as earlier:
        while True:
            earlier.clear()
            try:
                async with db.transaction() as session:
                    fired = await fire_due(session)
                async with db.transaction() as session:
                    wait = LONGEST_SLEEP if (left := await seconds_to_next(session)) is None else left
            except (SQLAlchemyError, OSError) as failure:
                log.warning("wheel_waits_for_database", error=type(failure).__name__)
                fired, wait = 0, 1.0
            if fired == BATCH:
                continue
            await heard(earlier, max(0.005, min(wait, LONGEST_SLEEP)))

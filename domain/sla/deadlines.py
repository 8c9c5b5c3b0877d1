"""The deadline wheel: what falls due is done exactly once.

Clocks warn and break; alerts climb, and wake from an acknowledgement or a snooze. One statement claims what is due, in the
transaction that writes what comes of it: of any number of workers one gets each row, and a worker that dies holding it lets
go of it. The database's clock decides; what is written bears the moment it fell due.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnClause, DateTime, Row, case, column, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.alerting import alerts
from domain.alerting.alerts import TOPIC, Alert, AlertKind
from domain.alerting.firing import Cause, fire
from domain.alerting.ladders import Ladder
from domain.db import database_time, one_of
from domain.desk.tickets import Ticket
from domain.events import EventKind, happened, record_all
from domain.sla.clocks import Clock, ladders_of
from domain.wheel import Wheel

BATCH = 2_500
"""Clocks in a transaction: so many that a burst is written before those wake who read what was written."""
CLIMBERS = 500
"""Alerts in a transaction."""


async def fire_due(session: AsyncSession, *, at: datetime | None = None) -> int:
    """Fires the alerts of promises that are at risk or broken now; how many clocks had come to such a moment.

    `at`: the present, where it is not the database's.
    """
    now = at or await database_time(session)  # the moment that its events are recorded at: none comes early
    due = (
        select(Clock.id, Clock.breached_at)
        .where(Clock.next_at <= now)
        .order_by(Clock.next_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    moment: ColumnClause[datetime] = column("moment", DateTime(timezone=True))
    coming = (
        select(func.min(moment))
        .select_from(func.unnest(func.array_append(Clock.warn_at, Clock.due_at)).alias("moment"))
        .where(moment > now)
        .scalar_subquery()
    )
    broken = Clock.due_at <= now
    claimed = await session.execute(
        update(Clock)
        .where(Clock.id == due.c.id)
        .values(
            breached_at=case((broken, Clock.due_at), else_=Clock.breached_at),
            next_at=case((broken, None), else_=coming),
        )
        .returning(*Clock.__table__.c, due.c.breached_at.label("broken_before")),
        execution_options={"synchronize_session": False},
    )
    rows = claimed.all()
    if rows:
        await _fire(session, rows, now)
    return len(rows)


async def _fire(session: AsyncSession, rows: Sequence[Row[Any]], now: datetime) -> None:
    tickets = await session.execute(
        select(Ticket.id, Ticket.contact_id).where(one_of(Ticket.id, {row.ticket_id for row in rows}))
    )
    contact_of = {row.id: row.contact_id for row in tickets}
    ladders = await ladders_of(session, {row.policy_id for row in rows})
    broken = [row for row in rows if row.due_at <= now and row.broken_before != row.due_at]
    breaches = [
        happened(
            EventKind.SLA_BREACHED,
            by=SYSTEM,
            at=row.due_at,
            ticket_id=row.ticket_id,
            contact_id=contact_of[row.ticket_id],
            data={"clock": str(row.id), "metric": row.metric},
        )
        for row in broken
    ]
    record_all(session, breaches)
    await alerts.resolve_of_clocks(
        session, [row.id for row in rows], AlertKind.SLA_AT_RISK, AlertKind.COMPLAINT_DUE, at=now
    )  # what was warned of has come, or comes nearer
    causes = [cause_of(row, ladders[row.policy_id], now) for row in rows]
    await fire(session, causes, now=now)


def cause_of(row: Row[Any], ladder: Ladder, now: datetime) -> Cause:
    if row.due_at <= now:
        kind, at = AlertKind.SLA_BREACHED, row.due_at
    else:
        kind = AlertKind.COMPLAINT_DUE if row.is_legal else AlertKind.SLA_AT_RISK
        at = max(moment for moment in row.warn_at if moment <= now)
    return Cause(kind, at, ticket_id=row.ticket_id, clock_id=row.id, ladder=ladder)


async def climb_due(session: AsyncSession, *, at: datetime | None = None) -> int:
    """Alerts whose moment has come climb, or fire again; how many."""
    now = at or await database_time(session)
    due = await session.execute(
        select(Alert, Clock.policy_id)
        .outerjoin(Clock, Clock.id == Alert.clock_id)
        .where(Alert.next_at <= now)
        .order_by(Alert.next_at)
        .limit(CLIMBERS)
        .with_for_update(of=Alert, skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    )
    rows = due.all()
    if rows:
        ladders = await ladders_of(session, {policy_id for _, policy_id in rows})
        for alert, policy_id in rows:
            alert.look(ladders[policy_id], at=now)
    return len(rows)


WHEEL = Wheel(TOPIC, (Clock.next_at, Alert.next_at), (fire_due, climb_due), CLIMBERS)

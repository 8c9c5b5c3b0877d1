"""A complaint in which nothing moves: somebody is told, in the morning, until something does."""

from datetime import datetime, timedelta

from sqlalchemy import and_, case, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import shop
from domain.actors import Actor
from domain.alerting import alerts
from domain.alerting.alerts import Alert, AlertKind
from domain.alerting.firing import Cause, fire
from domain.complaints.complaints import OPEN, Complaint
from domain.complaints.decision_dates import hours_for, legal_date
from domain.complaints.stages import Stage
from domain.complaints.warning import fire_promised, next_of, warnings_of
from domain.db import database_time, one_of, ring
from domain.desk.tickets import Ticket
from domain.sla.clocks import ladders_of
from domain.sla.hours import Hours
from domain.wheel import Wheel

TOPIC = "complaints"
BATCH = 200
A_DAY = timedelta(days=1)
"""Spam is looked at again then: it may turn out to be none."""


def stalls_at(hours: Hours, *, moved_at: datetime, next_step_at: datetime | None, days: int) -> datetime:
    """The morning after so many working days in which nothing moved. Whoever has set a day for the next step has until it is
    over."""
    start, days = (next_step_at, 0) if next_step_at and next_step_at > moved_at else (moved_at, days)
    return hours.morning_of(hours.last_day(start, days + 1, working=True))


async def watch(session: AsyncSession, complaint: Complaint, *, by: Actor, at: datetime) -> None:
    """After something has moved: what was told of it is over, and the days begin anew; so is what warned of a promise that is
    another now."""
    complaint.stalls_at = complaint.warns_at = None
    warnings: list[datetime] = []
    if complaint.closed_at is None and complaint.merged_into_id is None:
        legal = await legal_date(session, complaint.ticket_id)
        hours = await hours_for(session, legal)
        days = (await shop.stalled_days(session))[complaint.stage]
        complaint.stalls_at = stalls_at(
            hours, moved_at=complaint.moved_at, next_step_at=complaint.next_step_at, days=days
        )
        warnings = warnings_of(complaint, legal, hours)
        complaint.warns_at = next_of(warnings, after=at)
        ring(session, TOPIC)
    await session.flush()  # the wheel may hold the row, with an alert that is to be seen below
    stood = Alert.kind == AlertKind.COMPLAINT_STALLED
    warned = and_(Alert.kind == AlertKind.COMPLAINT_DUE, ~one_of(Alert.fired_at, warnings))
    await alerts.resolve(session, Alert.about_id == complaint.id, or_(stood, warned), by=by, at=at)


async def fire_stalled(session: AsyncSession, *, at: datetime | None = None) -> int:
    """Tells of the complaints whose morning has come; how many."""
    now = at or await database_time(session)
    due = (
        select(Complaint.id, Complaint.stalls_at)
        .where(Complaint.stalls_at <= now)
        .order_by(Complaint.stalls_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    is_spam = exists().where(Ticket.id == Complaint.ticket_id, Ticket.spam_at.is_not(None))
    claimed = await session.execute(
        update(Complaint)
        .where(Complaint.id == due.c.id)
        .values(stalls_at=case((is_spam, now + A_DAY)))
        .returning(
            Complaint.id, Complaint.ticket_id, due.c.stalls_at.label("at"), Complaint.stalls_at.label("later")
        ),
        execution_options={"synchronize_session": False},
    )
    rows = claimed.all()
    ladder = (await ladders_of(session, []))[None]
    causes = [
        Cause(AlertKind.COMPLAINT_STALLED, row.at, ticket_id=row.ticket_id, about_id=row.id, ladder=ladder)
        for row in rows
        if row.later is None
    ]
    await fire(session, causes, now=now)
    return len(rows)


async def watch_all(session: AsyncSession, stages: list[Stage], *, by: Actor, at: datetime) -> None:
    """After the days have changed in which complaints of these stages have to move."""
    found = await session.scalars(select(Complaint).where(OPEN, Complaint.stage.in_(stages)))
    for complaint in found.all():
        await watch(session, complaint, by=by, at=at)


WHEEL = Wheel(TOPIC, (Complaint.stalls_at, Complaint.warns_at), (fire_stalled, fire_promised), BATCH)

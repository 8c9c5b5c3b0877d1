"""The auditor: proves once a minute that every promise that was due has its alert, and every alert an outcome.

What it can mend it mends: it fires what nobody fired, and wakes what nobody looks at. What it cannot, it says. Its findings
are one row, so that any process and any number of them may run it.
"""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import CheckConstraint, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.alerting import alerts
from domain.alerting.alerts import Alert, AlertKind, AlertState
from domain.alerting.firing import Cause, fire
from domain.alerting.notices import TOPIC as NOTICES
from domain.alerting.notices import Notice, NoticeState
from domain.db import Base, Json, ring
from domain.events import Event, EventKind
from domain.sla import deadlines
from domain.sla.clocks import RUNNING, Clock, ladders_of
from domain.wheel import NOW

GRACE = timedelta(seconds=30)
"""The wheel is given this long before the auditor does its work."""
TOLD_WITHIN = timedelta(minutes=2)
EVERY = timedelta(minutes=1)
BATCH = 500


class Audited(Base):
    """What the last look found. One row."""

    __tablename__ = "promise_audit"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    at: Mapped[datetime]
    proven_at: Mapped[datetime | None]
    """The last look that left nothing open."""
    found: Mapped[Json]


@dataclass(frozen=True)
class Findings:
    late: int = 0
    """Moments that the wheel had not come to, and that were done now."""
    unfired: int = 0
    """Broken promises without an alert, which fires now."""
    asleep: int = 0
    """Alerts and notices that nobody would have looked at again, woken now."""
    untold: int = 0
    """Alerts of which nobody has been told, and nothing says why. Open: it cannot be mended here."""

    @property
    def proven(self) -> bool:
        return self.untold == 0


async def is_due(session: AsyncSession) -> bool:
    """True for one process a minute, also after the machine's clock was ahead for a while."""
    row = insert(Audited).values(id=1, at=func.now(), found={})
    was_ahead = Audited.at > func.now() + EVERY
    claimed = await session.execute(
        row.on_conflict_do_update(
            index_elements=["id"],
            set_={"at": func.now()},
            where=(Audited.at <= func.now() - EVERY + timedelta(seconds=1)) | was_ahead,
        ).returning(Audited.id)
    )
    return claimed.scalar_one_or_none() is not None


async def look(session: AsyncSession, *, at: datetime | None = None) -> Findings:
    now = at or (await session.execute(select(NOW))).scalar_one()
    findings = Findings(
        late=await _late(session, now),
        unfired=await _unfired(session, now),
        asleep=await _asleep(session, now),
        untold=await _untold(session, now),
    )
    seen: dict[str, Any] = {field.name: getattr(findings, field.name) for field in fields(findings)}
    values: dict[str, Any] = {"at": now, "found": seen}
    if findings.proven:
        values["proven_at"] = now
    row = insert(Audited).values(id=1, **values)
    await session.execute(row.on_conflict_do_update(index_elements=["id"], set_=values))
    return findings


async def _late(session: AsyncSession, now: datetime) -> int:
    """Nobody's wheel turned: we turn it."""
    overdue = Clock.next_at <= now - GRACE
    if await session.scalar(select(Clock.id).where(overdue).limit(1)) is None:
        return 0
    return await deadlines.fire_due(session, at=now)


async def _unfired(session: AsyncSession, now: datetime) -> int:
    has_alert = (
        select(Alert.id)
        .where(
            Alert.clock_id == Clock.id, Alert.kind == AlertKind.SLA_BREACHED, Alert.fired_at == Clock.due_at
        )
        .offset(0)  # so it is asked for each of the few promises, and not of all alerts there ever were
        .exists()
    )
    rows = await session.execute(
        select(Clock.id, Clock.ticket_id, Clock.policy_id, Clock.due_at)
        .where(RUNNING, Clock.paused_since.is_(None), Clock.due_at <= now - GRACE, ~has_alert)
        .limit(BATCH)
    )
    silent = rows.all()
    ladders = await ladders_of(session, {row.policy_id for row in silent})
    causes = [
        Cause(
            AlertKind.SLA_BREACHED,
            row.due_at,
            ticket_id=row.ticket_id,
            clock_id=row.id,
            ladder=ladders[row.policy_id],
        )
        for row in silent
    ]
    ids = [row.id for row in silent]
    await session.execute(
        update(Clock).where(Clock.id.in_(ids)).values(breached_at=Clock.due_at, next_at=None)
    )
    return len(await fire(session, causes, now=now))


async def _asleep(session: AsyncSession, now: datetime) -> int:
    """An acknowledgement or a snooze without an end; a notice that is tried and that nobody goes after."""
    woken = await session.execute(
        update(Alert)
        .where(Alert.state.in_((AlertState.ACKED, AlertState.SNOOZED)), Alert.next_at.is_(None))
        .values(next_at=now)
    )
    tried = await session.execute(
        update(Notice).where(Notice.state == NoticeState.TRYING, Notice.next_at.is_(None)).values(next_at=now)
    )
    count = int(woken.rowcount) + int(tried.rowcount)  # type: ignore[attr-defined]
    if count:
        ring(session, alerts.TOPIC)
        ring(session, NOTICES)
    return count


async def _untold(session: AsyncSession, now: datetime) -> int:
    """Alerts that fire, and of whose last step no notice tells; those of the digest are told there."""
    step = (
        select(func.max(Event.recorded_at))
        .where(Event.alert_id == Alert.id, Event.kind.in_((EventKind.ALERT_FIRED, EventKind.ALERT_CLIMBED)))
        .scalar_subquery()
        .correlate(Alert)  # by itself it would not, two levels below: any alert's newest step
    )
    told = select(Notice.id).where(Notice.alert_id == Alert.id, Notice.created_at >= step).exists()
    return (
        await session.scalar(
            select(func.count())
            .select_from(Alert)
            .where(Alert.state == AlertState.FIRING, step < now - TOLD_WITHIN, ~told)
        )
        or 0
    )


async def last_look(
    connection: AsyncSession | AsyncConnection,
) -> tuple[datetime, datetime | None, Json] | None:
    """When, when last with nothing open, and what was found."""
    row = (await connection.execute(select(Audited.at, Audited.proven_at, Audited.found))).one_or_none()
    return (row.at, row.proven_at, row.found) if row else None

"""What the shop itself has promised for a complaint comes nearer: somebody is told before it is broken, as of a law's date."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.alerting import alerts
from domain.alerting.alerts import Alert, AlertKind
from domain.alerting.firing import Cause, fire
from domain.complaints.complaints import Complaint
from domain.complaints.decision_dates import LegalDate, hours_for, legal_date
from domain.db import database_time, one_of
from domain.desk.tickets import Ticket
from domain.sla.clocks import ladders_of
from domain.sla.hours import Hours
from domain.sla.targets import warnings

WARN_DAYS = (3, 1, 0)
BATCH = 200


def warnings_of(complaint: Complaint, legal: LegalDate | None, hours: Hours) -> list[datetime]:
    """None where the law's day comes first, or is the same: it has warnings of its own."""
    promised_at = complaint.promised_at
    if promised_at is None or not complaint.is_undecided or complaint.merged_into_id:
        return []
    last = _day(hours, promised_at)
    if legal and _day(hours, legal.due_at) <= last:
        return []
    mornings = warnings(hours, last, WARN_DAYS, since=complaint.opened_at)
    return [moment for moment in mornings if moment < promised_at]


def next_of(moments: Sequence[datetime], *, after: datetime) -> datetime | None:
    return min((moment for moment in moments if moment > after), default=None)


async def promised_day(session: AsyncSession, complaint: Complaint) -> date | None:
    """Where it was promised, wherever it is read."""
    if complaint.promised_at is None:
        return None
    return _day(
        await hours_for(session, await legal_date(session, complaint.ticket_id)), complaint.promised_at
    )


def _day(hours: Hours, moment: datetime) -> date:
    """The end of a day is the beginning of the next."""
    return hours.last_day(moment - timedelta(seconds=1), 0, working=False)


async def fire_promised(session: AsyncSession, *, at: datetime | None = None) -> int:
    """Tells of the complaints whose morning has come; how many."""
    now = at or await database_time(session)
    found = await session.scalars(
        select(Complaint)
        .where(Complaint.warns_at <= now)
        .order_by(Complaint.warns_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    due = found.all()
    its_tickets = one_of(Ticket.id, [one.ticket_id for one in due])
    spam = set(await session.scalars(select(Ticket.id).where(its_tickets, Ticket.spam_at.is_not(None))))
    ladder = (await ladders_of(session, []))[None]
    causes = [
        Cause(AlertKind.COMPLAINT_DUE, one.warns_at, ticket_id=one.ticket_id, about_id=one.id, ladder=ladder)
        for one in due
        if one.warns_at and one.ticket_id not in spam
    ]
    warned = one_of(Alert.about_id, [cause.about_id for cause in causes])
    await alerts.resolve(session, Alert.kind == AlertKind.COMPLAINT_DUE, warned, at=now)  # it comes nearer
    await fire(session, causes, now=now)
    for one in due:
        legal = await legal_date(session, one.ticket_id)
        one.warns_at = next_of(warnings_of(one, legal, await hours_for(session, legal)), after=now)
    await session.flush()
    return len(due)

"""By when a complaint is to be decided: the law's date, which is that of the ticket's legal clock, or what the shop promised itself."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from domain.complaints.complaints import Complaint
from domain.complaints.laws import SILENCE_ACCEPTS
from domain.complaints.stages import Outcome
from domain.sla.calendars import Calendar
from domain.sla.clocks import RUNNING, Clock
from domain.sla.hours import ALWAYS, Hours
from domain.sla.policies import Policy, default_hours
from domain.sla.targets import Metric

LEGAL = (Clock.is_legal, Clock.metric == Metric.RESOLUTION, Clock.ended_at.is_(None))

legal_due, legal_since = (
    select(of_the_clock)
    .where(Clock.ticket_id == Complaint.ticket_id, *LEGAL)
    .order_by(RUNNING.desc(), Clock.started_at.desc())
    .limit(1)
    .correlate(Complaint)
    .scalar_subquery()
    for of_the_clock in (Clock.due_at, Clock.started_at)
)
"""For each complaint."""


@dataclass(frozen=True)
class LegalDate:
    since: datetime
    due_at: datetime
    hours: Hours


async def legal_date(session: AsyncSession, ticket_id: uuid.UUID) -> LegalDate | None:
    """With the calendar by which that law's days are counted."""
    found = await session.execute(
        select(Clock.started_at, Clock.due_at, Calendar.hours)
        .join(Policy, Policy.id == Clock.policy_id)
        .join(Calendar, Calendar.id == Policy.calendar_id)
        .where(Clock.ticket_id == ticket_id, *LEGAL)
        .order_by(RUNNING.desc(), Clock.started_at.desc())
        .limit(1)
    )
    row = found.one_or_none()
    return LegalDate(row.started_at, row.due_at, Hours.from_json(row.hours)) if row else None


async def hours_for(session: AsyncSession | AsyncConnection, legal: LegalDate | None) -> Hours:
    return legal.hours if legal else await default_hours(session) or ALWAYS


def due_at(legal: datetime | None, promised: datetime | None) -> datetime | None:
    return min((moment for moment in (legal, promised) if moment), default=None)


def counts_as_accepted(
    complaint: Complaint | Row[Any], legal: datetime | None, *, decided_at: datetime | None, at: datetime
) -> bool:
    """Nobody has answered in time, and the law takes that for a yes."""
    answered_at = decided_at or at
    return complaint.template in SILENCE_ACCEPTS and legal is not None and answered_at >= legal


def outcome_of(complaint: Complaint | Row[Any], legal: datetime | None, *, at: datetime) -> Outcome | None:
    """The one that was decided, or that the law has."""
    outcome: Outcome | None = complaint.outcome
    if outcome or complaint.closed_at:
        return outcome
    late = counts_as_accepted(complaint, legal, decided_at=complaint.decided_at, at=at)
    return Outcome.DEEMED_ACCEPTED if late else None

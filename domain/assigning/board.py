"""What a manager's phone shows at a glance: how many are late, who rings, what is to be done today."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, any_, func, literal, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import may_see
from domain.actors import Actor
from domain.assigning.workload import COUNTS
from domain.desk.messages import Call, CallState, Direction
from domain.desk.tasks import Task
from domain.desk.tickets import LIVE, Ticket
from domain.sla.clocks import RUNNING, Clock
from domain.sla.policies import Calendar, Policy

ON_THE_LINE = (
    Call.due_at.is_not(None),  # its end is waited for: few are, and they have an index
    Call.ended_at.is_(None),
    Call.call_state.in_((CallState.RINGING, CallState.ANSWERED)),
)


@dataclass(frozen=True)
class Counters:
    breached: int
    at_risk: int
    unassigned: int
    open: int
    complaints_open: int
    complaints_stalled: int
    tasks_due_today: int
    calls_waiting: int
    sla_today_percent: float | None


async def counters(
    connection: AsyncConnection, actor: Actor, team_id: uuid.UUID | None = None, *, at: datetime
) -> Counters:
    """Of what this person sees; of one team's tickets, with a team."""
    begins, ends = await _today(connection, at)
    seen = and_(may_see(Ticket, actor), true() if team_id is None else Ticket.team_id == team_id)
    tickets = await connection.execute(_of_tickets(seen, at))
    theirs = select(Ticket.id).where(seen)
    tasks = and_(may_see(Task, actor), true() if team_id is None else Task.ticket_id.in_(theirs))
    beside = await connection.execute(_beside(theirs, tasks, begins, ends))
    found, more = tickets.one(), beside.one()
    settled = more.kept + more.broken
    return Counters(
        breached=found.breached,
        at_risk=found.at_risk,
        unassigned=found.unassigned,
        open=found.open,
        complaints_open=found.complaints,
        complaints_stalled=0,
        tasks_due_today=more.tasks,
        calls_waiting=more.calls,
        sla_today_percent=round(100 * more.kept / settled, 1) if settled else None,
    )


async def _today(connection: AsyncConnection, at: datetime) -> tuple[datetime, datetime]:
    """The shop's: in the zone of the default promise."""
    zone = await connection.scalar(
        select(Calendar.hours["zone"].astext)
        .join(Policy, Policy.calendar_id == Calendar.id)
        .where(Policy.is_default)
    )
    local = at.astimezone(ZoneInfo(zone or "UTC"))
    begins = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return begins.astimezone(UTC), (begins + timedelta(days=1)).astimezone(UTC)


def _of_tickets(which: ColumnElement[bool], at: datetime) -> Select[int, int, int, int, int]:
    seen = (
        select(Ticket.id, Ticket.assignee_id, Ticket.legal_since)
        .where(Ticket.status.in_(LIVE), COUNTS, which)
        .cte("seen")
    )
    promised = (
        select(
            Clock.ticket_id,
            func.bool_or(Clock.due_at <= at).label("late"),
            func.bool_or(literal(at) >= any_(Clock.warn_at)).label("warned"),
        )
        .where(Clock.ticket_id.in_(select(seen.c.id)), RUNNING, Clock.paused_since.is_(None))
        .group_by(Clock.ticket_id)
        .subquery()
    )
    late, warned = promised.c.late, promised.c.warned
    counts = select(
        func.count().label("open"),
        func.count().filter(seen.c.assignee_id.is_(None)).label("unassigned"),
        func.count().filter(seen.c.legal_since.is_not(None)).label("complaints"),
        func.count().filter(late).label("breached"),
        func.count().filter(warned, ~late).label("at_risk"),
    ).select_from(seen.outerjoin(promised, promised.c.ticket_id == seen.c.id))
    return counts


def _beside(
    tickets: Select[Any], tasks: ColumnElement[bool], begins: datetime, ends: datetime
) -> Select[Any]:
    """Tasks, calls, and the promises that were kept or broken today."""
    due = select(func.count()).select_from(Task).where(Task.done_at.is_(None), Task.due_at < ends, tasks)
    rings = (*ON_THE_LINE, Call.call_state == CallState.RINGING, Call.direction == Direction.IN)
    calls = select(func.count()).select_from(Call).where(*rings, Call.ticket_id.in_(tickets))
    promises = select(func.count()).select_from(Clock).where(Clock.ticket_id.in_(tickets))
    kept = promises.where(Clock.met_at >= begins, Clock.breached_at.is_(None))
    broken = promises.where(Clock.breached_at >= begins)
    return select(
        due.scalar_subquery().label("tasks"),
        calls.scalar_subquery().label("calls"),
        kept.scalar_subquery().label("kept"),
        broken.scalar_subquery().label("broken"),
    )

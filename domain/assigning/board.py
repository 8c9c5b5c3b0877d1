"""What a manager's phone shows at a glance: how many are late, who rings, what is to be done today."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Select, Uuid, and_, any_, bindparam, func, select, true
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql.elements import True_

from domain.access import may_see, sight
from domain.actors import Actor
from domain.alerting.alerts import UNRESOLVED, Alert, AlertKind
from domain.assigning.workload import COUNTS
from domain.chorus import Reads
from domain.complaints.complaints import OPEN, Complaint
from domain.desk.messages import Call, CallState, Direction
from domain.desk.tasks import Task
from domain.desk.tickets import LIVE, Ticket
from domain.planning import days
from domain.sla.calendars import Calendar
from domain.sla.clocks import RUNNING, Clock
from domain.sla.policies import Policy

ON_THE_LINE = (
    Call.due_at.is_not(None),  # its end is waited for
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
    connection: Reads, actor: Actor, team_id: uuid.UUID | None = None, *, at: datetime
) -> Counters:
    """Of what this person sees; of one team's tickets, with a team."""
    asked = _counted(sight(actor), of_team=team_id is not None)
    found = (await connection.execute(asked, {"team_id": team_id, "at": at})).one()
    settled = found.kept + found.broken
    return Counters(
        breached=found.breached,
        at_risk=found.at_risk,
        unassigned=found.unassigned,
        open=found.open,
        complaints_open=found.complaints,
        complaints_stalled=found.stalled,
        tasks_due_today=found.tasks,
        calls_waiting=found.calls,
        sla_today_percent=int(1000 * found.kept / settled + 0.5) / 10 if settled else None,
    )


_AT: Any = bindparam("at", type_=DateTime(timezone=True))
_TEAM: Any = bindparam("team_id", type_=Uuid())


@lru_cache(1000)
def _counted(actor: Actor, *, of_team: bool) -> Select[Any]:
    may = may_see(Ticket, actor)
    seen = and_(may, Ticket.team_id == _TEAM if of_team else true())

    def of_seen(ticket_id: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        """Of all that there are, none needs to be looked for."""
        all_are = isinstance(may, True_) and not of_team
        return may if all_are else ticket_id.in_(select(Ticket.id).where(seen))

    def of_counting(ticket_id: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        return ticket_id.in_(select(Ticket.id).where(seen, COUNTS))

    tasks = and_(may_see(Task, actor), of_seen(Task.ticket_id) if of_team else true())
    return _of_tickets(seen).add_columns(*_beside(of_seen, of_counting, tasks, *_today()))


def _today() -> tuple[ColumnElement[datetime], ColumnElement[datetime]]:
    """When the shop's day begins and ends: in the zone of the default promise."""
    default = (
        select(Calendar.hours["zone"].astext)
        .join(Policy, Policy.calendar_id == Calendar.id)
        .where(Policy.is_default)
        .scalar_subquery()
    )
    zone = func.coalesce(default, "UTC")
    midnight = func.date_trunc("day", func.timezone(zone, _AT))
    return func.timezone(zone, midnight), func.timezone(zone, midnight + timedelta(days=1))


def _of_tickets(which: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    seen = (
        select(Ticket.id, Ticket.assignee_id)
        .where(Ticket.status.in_(LIVE), COUNTS, which)
        .cte("seen", nesting=True)
    )
    promised = (
        select(
            Clock.ticket_id,
            func.bool_or(Clock.due_at <= _AT).label("late"),
            func.bool_or(any_(Clock.warn_at) <= _AT).label("warned"),
        )
        .where(Clock.ticket_id.in_(select(seen.c.id)), RUNNING, Clock.paused_since.is_(None))
        .group_by(Clock.ticket_id)
        .subquery()
    )
    late, warned = promised.c.late, promised.c.warned
    counts = select(
        func.count().label("open"),
        func.count().filter(seen.c.assignee_id.is_(None)).label("unassigned"),
        func.count().filter(late).label("breached"),
        func.count().filter(warned, ~late).label("at_risk"),
    ).select_from(seen.outerjoin(promised, promised.c.ticket_id == seen.c.id))
    return counts


def _beside(
    of_seen: Callable[[InstrumentedAttribute[Any]], ColumnElement[bool]],
    of_counting: Callable[[InstrumentedAttribute[Any]], ColumnElement[bool]],
    tasks: ColumnElement[bool],
    midnight: ColumnElement[datetime],
    tomorrow: ColumnElement[datetime],
) -> Iterator[ColumnElement[int]]:
    """Tasks, calls, complaints, and the promises that were kept or broken today."""
    to_do = (days.OPEN, days.NOT_OF_SPAM, Task.due_at < tomorrow)
    due = select(func.count()).select_from(Task).where(*to_do, tasks)
    yield due.scalar_subquery().label("tasks")
    rings = (*ON_THE_LINE, Call.call_state == CallState.RINGING, Call.direction == Direction.IN)
    calls = select(func.count()).select_from(Call).where(*rings, of_seen(Call.ticket_id))
    yield calls.scalar_subquery().label("calls")
    complaints = select(func.count()).select_from(Complaint).where(OPEN, of_counting(Complaint.ticket_id))
    yield complaints.scalar_subquery().label("complaints")
    stalled = (Alert.kind == AlertKind.COMPLAINT_STALLED, Alert.state.in_(UNRESOLVED))
    stand = select(func.count()).select_from(Alert).where(*stalled, of_seen(Alert.ticket_id))
    yield stand.scalar_subquery().label("stalled")
    promises = select(func.count()).select_from(Clock).where(of_counting(Clock.ticket_id))
    # Between two moments that only come out on the way PostgreSQL expects few; after one of them, a third of all.
    met, broken = (and_(of >= midnight, of < tomorrow) for of in (Clock.met_at, Clock.breached_at))
    yield promises.where(met, Clock.breached_at.is_(None)).scalar_subquery().label("kept")
    yield promises.where(broken).scalar_subquery().label("broken")

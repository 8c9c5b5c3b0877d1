"""Promises as screens show them."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any

import strawberry
from sqlalchemy import Select, select

from api.columns import Columns
from api.computed import computed
from api.context import Reading, by
from api.node import Node
from api.selection import Selection
from api.sla.policies import Policy, policies_by_id
from domain.db import one_of, one_of_given
from domain.ids import public_id
from domain.sla import calendars, clocks, policies
from domain.sla.clocks import ClockState
from domain.sla.hours import Hours
from domain.sla.targets import Metric
from domain.ways_in.channels import ChannelKind

strawberry.enum(ClockState)

HOURS = "secondsLeft"
"""The field for which the opening hours are read."""


@strawberry.type(
    description="One running promise. Seconds are business seconds of the policy's calendar; negative when overdue."
)
class Clock(Node):
    metric: Metric
    state: ClockState
    started_at: datetime
    due_at: datetime
    target_seconds: int
    seconds_left: int
    paused_since: datetime | None
    met_at: datetime | None
    breached_at: datetime | None
    channel: ChannelKind | None = strawberry.field(
        description="Where the reply is due first; null for a resolution."
    )
    is_legal: bool = strawberry.field(
        description="Counted in days, as a law does; beside it the shop's own may run for the same metric."
    )
    policy: Policy
    row_id: strawberry.Private[uuid.UUID]
    ticket_id: strawberry.Private[uuid.UUID]
    policy_id: strawberry.Private[uuid.UUID]
    calendar_id: strawberry.Private[uuid.UUID]
    warn_at: strawberry.Private[list[datetime]]
    hours: strawberry.Private[Any]
    at: strawberry.Private[datetime]
    """When it was read."""


async def clocks_of(
    reading: Reading, ticket_ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[Clock]]:
    """By ticket, the most urgent first: running ones by their due time, then those that are kept."""
    running = _running(COLUMNS.asked(selection))
    return by("ticket_id", await _read(reading, selection, running, {"ids": list(ticket_ids)}))


async def clocks_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Clock]:
    """Of what the reader sees already; those that are over too."""
    query = _rows(COLUMNS.asked(selection)).where(one_of(_table.id, ids))
    return {clock.row_id: clock for clock in await _read(reading, selection, query)}


async def _read(
    reading: Reading, selection: Selection, query: Select[Any], values: Mapping[str, Any] | None = None
) -> list[Clock]:
    found = await reading.connection.objects(Clock, query, values)
    if HOURS in selection:
        stored = {clock.calendar_id: clock.hours for clock in found}
        hours = {calendar_id: Hours.from_json(said) for calendar_id, said in stored.items()}
        for clock in found:
            clock.hours = hours[clock.calendar_id]
    if "policy" in selection:
        promised_by = await policies_by_id(reading, {clock.policy_id for clock in found})
        for clock in found:
            clock.policy = promised_by[clock.policy_id]
    for clock in found:
        clock.at = reading.at
    return found


_table = clocks.Clock.__table__.c
COLUMNS = Columns(
    (_table.id.label("row_id"), _table.ticket_id),
    {
        "metric": _table.metric,
        "state": (_table.warn_at, _table.due_at, _table.met_at, _table.paused_since),
        "startedAt": _table.started_at,
        "dueAt": _table.due_at,
        "targetSeconds": _table.target_seconds,
        HOURS: (
            _table.due_at,
            _table.met_at,
            _table.paused_since,
            policies.Policy.calendar_id,
            calendars.Calendar.hours,
        ),
        "pausedSince": _table.paused_since,
        "metAt": _table.met_at,
        "breachedAt": _table.breached_at,
        "channel": _table.channel,
        "isLegal": _table.is_legal,
        "policy": _table.policy_id,
    },
)


@cache
def _running(asked: frozenset[str]) -> Select[Any]:
    return _rows(asked).where(one_of_given(_table.ticket_id), _table.ended_at.is_(None))


@cache
def _rows(asked: frozenset[str]) -> Select[Any]:
    query = select(*COLUMNS.of(asked)).select_from(clocks.Clock.__table__)
    if HOURS in asked:
        policy, calendar = policies.Policy, calendars.Calendar
        query = query.join(policy, policy.id == _table.policy_id).join(
            calendar, calendar.id == policy.calendar_id
        )
    return query.order_by(_table.met_at.is_not(None), _table.paused_since.is_not(None), _table.due_at)


computed(
    Clock,
    id=lambda clock: public_id("Clock", clock.row_id),
    state=lambda clock: clocks.clock_state(
        at=clock.at,
        warn_at=clock.warn_at,
        due_at=clock.due_at,
        met_at=clock.met_at,
        paused_since=clock.paused_since,
    ),
    seconds_left=lambda clock: clock.hours.between(
        clock.met_at or clock.paused_since or clock.at, clock.due_at
    ),
)

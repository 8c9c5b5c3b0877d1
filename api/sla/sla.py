"""Promises as screens show them."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cache
from typing import Any

import strawberry
from sqlalchemy import Row, Select, select

from api.computed import computed
from api.context import Reading, by, plain
from api.node import Node
from api.selection import Selection
from api.sla.policies import Policy, policies_by_id
from domain.db import one_of, one_of_given
from domain.ids import public_id
from domain.sla import clocks, policies
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


async def clocks_of(
    reading: Reading, ticket_ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[Clock]]:
    """By ticket, the most urgent first: running ones by their due time, then those that are kept."""
    found = await reading.connection.execute(_running(HOURS in selection), {"ids": list(ticket_ids)})
    rows = found.all()
    shown = await _shown(reading, rows, selection)
    return {ticket_id: [shown[row.id] for row in group] for ticket_id, group in by("ticket_id", rows).items()}


async def clocks_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Clock]:
    """Of what the reader sees already; those that are over too."""
    query = _rows(HOURS in selection).where(one_of(clocks.Clock.id, ids))
    rows = await reading.connection.execute(query)
    return await _shown(reading, rows.all(), selection)


@cache
def _running(with_hours: bool) -> Select[Any]:
    of_tickets = one_of_given(clocks.Clock.ticket_id)
    return _rows(with_hours).where(of_tickets, clocks.Clock.ended_at.is_(None))


def _rows(with_hours: bool) -> Select[Any]:
    clock, policy = clocks.Clock, policies.Policy
    query = select(clock.__table__)
    if with_hours:
        query = (
            query.add_columns(policy.calendar_id, policies.Calendar.hours)
            .join_from(clock.__table__, policy.__table__, policy.id == clock.__table__.c.policy_id)
            .join(policies.Calendar, policies.Calendar.id == policy.calendar_id)
        )
    return query.order_by(clock.met_at.is_not(None), clock.paused_since.is_not(None), clock.due_at)


async def _shown(reading: Reading, rows: Sequence[Row[Any]], selection: Selection) -> dict[uuid.UUID, Clock]:
    hours = {row.calendar_id: row.hours for row in rows} if HOURS in selection else {}
    read = {calendar_id: Hours.from_json(stored) for calendar_id, stored in hours.items()}
    promised_by = (
        await policies_by_id(reading, {row.policy_id for row in rows}) if "policy" in selection else {}
    )
    return {
        row.id: _clock(
            reading,
            row,
            read[row.calendar_id] if HOURS in selection else None,
            promised_by.get(row.policy_id),
        )
        for row in rows
    }


def _clock(reading: Reading, row: Any, hours: Hours | None, policy: Policy | None) -> Clock:
    found = plain(
        Clock,
        {
            "row_id": row.id,
            "metric": row.metric,
            "state": clocks.clock_state(
                at=reading.at,
                warn_at=row.warn_at,
                due_at=row.due_at,
                met_at=row.met_at,
                paused_since=row.paused_since,
            ),
            "started_at": row.started_at,
            "due_at": row.due_at,
            "target_seconds": row.target_seconds,
            "paused_since": row.paused_since,
            "channel": row.channel,
            "is_legal": row.is_legal,
            "policy": policy,
            "met_at": row.met_at,
            "breached_at": row.breached_at,
        },
    )
    if hours:
        found.seconds_left = hours.between(row.met_at or row.paused_since or reading.at, row.due_at)
    return found


computed(Clock, id=lambda clock: public_id("Clock", clock.row_id))

"""Promises as screens show them."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Row, select

from api.context import Reading, by, plain
from api.node import Node
from api.selection import Selection
from api.sla.policies import Policy, policies_by_id
from domain.db import one_of
from domain.ids import public_id
from domain.sla import clocks, policies
from domain.sla.clocks import ClockState
from domain.sla.hours import Hours
from domain.sla.targets import Metric
from domain.ways_in.channels import ChannelKind

strawberry.enum(ClockState)


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


async def clocks_of(
    reading: Reading, ticket_ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[Clock]]:
    """By ticket, the most urgent first: running ones by their due time, then those that are kept."""
    clock = clocks.Clock
    rows = await _read(reading, one_of(clock.ticket_id, ticket_ids), clock.ended_at.is_(None))
    shown = await _shown(reading, rows, selection)
    return {ticket_id: [shown[row.id] for row in group] for ticket_id, group in by("ticket_id", rows).items()}


async def clocks_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Clock]:
    """Of what the reader sees already; those that are over too."""
    return await _shown(reading, await _read(reading, one_of(clocks.Clock.id, ids)), selection)


async def _read(reading: Reading, *conditions: ColumnElement[bool]) -> Sequence[Row[Any]]:
    clock = clocks.Clock
    rows = await reading.connection.execute(
        select(clock.__table__, policies.Policy.calendar_id, policies.Calendar.hours)
        .join_from(
            clock.__table__, policies.Policy.__table__, policies.Policy.id == clock.__table__.c.policy_id
        )
        .join(policies.Calendar, policies.Calendar.id == policies.Policy.calendar_id)
        .where(*conditions)
        .order_by(clock.met_at.is_not(None), clock.paused_since.is_not(None), clock.due_at)
    )
    return rows.all()


async def _shown(reading: Reading, rows: Sequence[Row[Any]], selection: Selection) -> dict[uuid.UUID, Clock]:
    hours = {row.calendar_id: row.hours for row in rows}
    read = {calendar_id: Hours.from_json(stored) for calendar_id, stored in hours.items()}
    promised_by = (
        await policies_by_id(reading, {row.policy_id for row in rows}) if "policy" in selection else {}
    )
    return {
        row.id: _clock(reading, row, read[row.calendar_id], promised_by.get(row.policy_id)) for row in rows
    }


def _clock(reading: Reading, row: Any, hours: Hours, policy: Policy | None) -> Clock:
    return plain(
        Clock,
        {
            "id": public_id("Clock", row.id),
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
            "seconds_left": hours.between(row.met_at or row.paused_since or reading.at, row.due_at),
            "paused_since": row.paused_since,
            "channel": row.channel,
            "is_legal": row.is_legal,
            "policy": policy,
            "met_at": row.met_at,
            "breached_at": row.breached_at,
        },
    )

"""Does a channel carry? What failed, what came last, and what waits."""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import strawberry
from sqlalchemy import Select, func, select

from api.context import Reading, plain
from domain.arriving.inbound import Arrival
from domain.db import first_id, one_of
from domain.desk.messages import DeliveryState, Direction, Message
from domain.ways_in.channels import Channel
from domain.ways_in.fetching import Box

trouble = func.coalesce(Channel.last_error, Box.last_error)
OF_LATE = timedelta(days=7)


@strawberry.type
class ChannelHealth:
    failing_since: datetime | None = strawberry.field(
        description="Answers do not leave, or nothing can be fetched, since then."
    )
    last_error: str | None
    last_error_at: datetime | None = strawberry.field(description="Of an answer that did not leave.")
    last_inbound_at: datetime | None
    last_turned_away_at: datetime | None = strawberry.field(
        description="When somebody came to its webhook without the right signature or token."
    )
    waiting_arrivals: int = strawberry.field(description="Came in, and is not placed yet.")
    queued_messages: int = strawberry.field(description="Waits to be sent; held while the channel is off.")
    failed_messages: int = strawberry.field(description="Of the last seven days.")


async def healths_of(reading: Reading, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, ChannelHealth]:
    table = Channel.__table__.c
    # By its index; what was emptied since came long ago.
    came = select(func.max(Arrival.received_at)).where(Arrival.channel_id == table.id)
    last = func.coalesce(came.where(Arrival.emptied_at.is_(None)).scalar_subquery(), came.scalar_subquery())
    rows = await reading.connection.execute(
        select(
            table.id,
            func.least(table.failing_since, Box.failing_since).label("failing_since"),
            trouble.label("last_error"),
            table.last_error_at,
            last.label("last_inbound_at"),
            table.turned_away_at.label("last_turned_away_at"),
        )
        .outerjoin(Box, Box.channel_id == table.id)
        .where(one_of(table.id, ids))
    )
    out = (Message.direction == Direction.OUT, one_of(Message.channel_id, ids))
    waiting = await _counted(
        reading,
        select(Arrival.channel_id).where(Arrival.due_at.is_not(None), one_of(Arrival.channel_id, ids)),
    )
    queued = await _counted(
        reading,
        select(Message.channel_id).where(
            Message.due_at.is_not(None), Message.delivery == DeliveryState.QUEUED, *out
        ),
    )
    failed = await _counted(
        reading,
        select(Message.channel_id).where(
            Message.id >= first_id(reading.at - OF_LATE), Message.delivery == DeliveryState.FAILED, *out
        ),
    )
    return {
        row.id: plain(
            ChannelHealth,
            {
                **row._asdict(),
                "waiting_arrivals": waiting.get(row.id, 0),
                "queued_messages": queued.get(row.id, 0),
                "failed_messages": failed.get(row.id, 0),
            },
        )
        for row in rows
    }


async def _counted(reading: Reading, ids: Select[Any]) -> dict[uuid.UUID, int]:
    of = ids.subquery()
    rows = await reading.connection.execute(
        select(of.c.channel_id, func.count().label("many")).group_by(of.c.channel_id)
    )
    return {row.channel_id: row.many for row in rows}

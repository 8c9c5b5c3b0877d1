"""More than a channel takes in: what comes above its rate waits its turn, in order, and nothing of it is lost.

Up to so many of a channel are opened in any minute. Whoever comes when that is reached, or while others wait, is given the next
free moment; each waits once.
"""

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.arriving.inbound import Arrival
from domain.db import one_at_a_time
from domain.ways_in.channels import Channel, ChannelKind

SETTING = "inbound_per_minute"
USUAL = {ChannelKind.EMAIL: 600, ChannelKind.SMS: 600}
"""Where the channel's settings do not say; without a limit elsewhere."""
MINUTE = timedelta(minutes=1)


def rate_of(channel: Channel) -> int:
    """A minute; 0: without a limit."""
    return int(channel.config.get(SETTING, USUAL.get(channel.kind, 0)))


async def turn_of(
    session: AsyncSession, channel: Channel, arrival: Arrival, *, at: datetime
) -> datetime | None:
    """When it may be opened, if not now."""
    rate = rate_of(channel)
    if rate and not arrival.turn_at and (turn := await _queued(session, channel, arrival, rate, at=at)):
        await _set(session, arrival, turn_at=turn)
        return turn
    if rate:
        await _set(session, arrival, opened_at=at)
    return None


async def _queued(
    session: AsyncSession, channel: Channel, arrival: Arrival, rate: int, *, at: datetime
) -> datetime | None:
    """The next free moment, unless it is now. One at a time looks for theirs."""
    if arrival.opened_at:
        return None
    await one_at_a_time(session, f"flood\n{channel.id}")
    mine = Arrival.channel_id == channel.id
    last = await session.scalar(select(func.max(Arrival.turn_at)).where(mine, Arrival.turn_at > at))
    if last:
        return last + MINUTE / rate
    lately = select(Arrival.opened_at).where(mine, Arrival.opened_at > at - MINUTE)
    opened = list(await session.scalars(lately.order_by(Arrival.opened_at.desc()).limit(rate)))
    return None if len(opened) < rate or opened[-1] is None else opened[-1] + MINUTE


async def _set(session: AsyncSession, arrival: Arrival, **values: datetime) -> None:
    await session.execute(
        update(Arrival)
        .where(Arrival.id == arrival.id)
        .values(values)
        .execution_options(synchronize_session=False)
    )


async def flooded(session: AsyncSession, *, since: datetime) -> Collection[uuid.UUID]:
    """Working channels of which something had to wait for a moment after that."""
    waiting = (
        select(Arrival.channel_id)
        .join(Channel, Channel.id == Arrival.channel_id)
        .where(Arrival.turn_at > since, Channel.disabled_at.is_(None))
        .distinct()
    )
    return set(await session.scalars(waiting))

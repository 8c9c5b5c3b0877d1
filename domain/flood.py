"""More than a channel takes in: what comes above its rate waits its turn, in order, and nothing of it is lost.

Up to so many of a channel are opened in any minute. Whoever comes when that is reached, or while others wait, is given the next
free moment; each waits once.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import uuid

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.channels import Channel, ChannelKind
from domain.inbound import Arrival

SETTING = "inbound_per_minute"
USUAL = {ChannelKind.EMAIL: 600}
"""Where the channel's settings do not say; without a limit elsewhere."""
MINUTE = timedelta(minutes=1)


def rate_of(channel: Channel) -> int:
    """A minute; 0: without a limit."""
    return int(channel.config.get(SETTING, USUAL.get(channel.kind, 0)))


async def turn_of(session: AsyncSession, channel: Channel, arrival: Arrival, *, at: datetime) -> datetime | None:
    """When it may be opened, if not now."""
    rate = rate_of(channel)
    if not rate or arrival.opened_at or arrival.turn_at:
        if rate:
            await _set(session, arrival, opened_at=at)
        return None
    await session.execute(
        select(func.pg_advisory_xact_lock(func.hashtextextended(f"flood\n{channel.id}", 0)))
    )
    mine = Arrival.channel_id == channel.id
    last_turn = await session.scalar(select(func.max(Arrival.turn_at)).where(mine, Arrival.turn_at > at))
    lately = (
        select(Arrival.opened_at)
        .where(mine, Arrival.opened_at > at - MINUTE)
        .order_by(Arrival.opened_at.desc())
        .limit(rate)
    )
    opened = list(await session.scalars(lately))
    if last_turn is None and len(opened) < rate:
        await _set(session, arrival, opened_at=at)
        return None
    turn = last_turn + MINUTE / rate if last_turn else opened[-1] + MINUTE
    await _set(session, arrival, turn_at=turn)
    return turn


async def _set(session: AsyncSession, arrival: Arrival, **values: datetime) -> None:
    await session.execute(
        update(Arrival)
        .where(Arrival.id == arrival.id)
        .values(values)
        .execution_options(synchronize_session=False)
    )


async def flooded(session: AsyncSession, *, at: datetime) -> Collection[uuid.UUID]:
    """Channels of which something waits its turn."""
    waiting = select(Arrival.channel_id).where(Arrival.turn_at > at, Arrival.opened_at.is_(None)).distinct()
    return set(await session.scalars(waiting))

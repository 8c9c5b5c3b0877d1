"""More than a channel takes in: what comes above its rate waits its turn, in order, and nothing of it is lost.

Up to so many of a channel are opened in any minute. Whoever comes when that is reached, or while others wait, is given the next
free moment; each waits once.
"""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import one_at_a_time
from domain.arriving.inbound import Arrival
from domain.db import one_of
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
    return (await turns_of(session, channel, [arrival], at=at)).get(arrival.id)


async def turns_of(
    session: AsyncSession, channel: Channel, arrivals: Sequence[Arrival], *, at: datetime
) -> dict[uuid.UUID, datetime]:
    """Of those that may not be opened now, when they may."""
    rate = rate_of(channel)
    if not rate:
        return {}
    new = [one.id for one in arrivals if not (one.turn_at or one.opened_at)]
    free = await _queued(session, channel, len(new), rate, at=at)
    turns = dict(zip(new[len(new) - len(free) :], free, strict=True))
    for id, turn in turns.items():
        await _set(session, [id], turn_at=turn)
    await _set(session, [one.id for one in arrivals if one.id not in turns], opened_at=at)
    return turns


async def _queued(
    session: AsyncSession, channel: Channel, many: int, rate: int, *, at: datetime
) -> list[datetime]:
    """The next free moments, of those for whom it is not now. One at a time looks for theirs."""
    if not many:
        return []
    await one_at_a_time(session, f"flood\n{channel.id}")
    mine = Arrival.channel_id == channel.id
    last = await session.scalar(select(func.max(Arrival.turn_at)).where(mine, Arrival.turn_at > at))
    if last:
        return [last + place * MINUTE / rate for place in range(1, many + 1)]
    lately = select(Arrival.opened_at).where(mine, Arrival.opened_at > at - MINUTE)
    newest = lately.order_by(Arrival.opened_at.desc()).limit(rate).subquery()
    opened, oldest = (
        await session.execute(select(func.count(), func.min(newest.c.opened_at)).select_from(newest))
    ).one()
    return [(oldest or at) + MINUTE + place * MINUTE / rate for place in range(many - (rate - opened))]


async def _set(session: AsyncSession, ids: Sequence[uuid.UUID], **values: datetime) -> None:
    await session.execute(
        update(Arrival)
        .where(one_of(Arrival.id, ids))
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

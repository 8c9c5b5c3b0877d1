"""When somebody is there to answer in a channel."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from domain.sla.calendars import Calendar
from domain.sla.hours import Hours, NeverOpen
from domain.ways_in.channels import Channel


async def hours_of(session: AsyncConnection | AsyncSession, channel: Channel) -> Hours | None:
    """None: always open."""
    if channel.calendar_id is None:
        return None
    stored = await session.execute(select(Calendar.hours).where(Calendar.id == channel.calendar_id))
    return Hours.from_json(stored.scalar_one())


def opens_at(hours: Hours | None, at: datetime) -> datetime | None:
    """When somebody is there next; none while somebody is, or when nobody ever will be."""
    if hours is None or hours.is_open(at):
        return None
    try:
        return hours.add(at, 0)
    except NeverOpen:
        return None

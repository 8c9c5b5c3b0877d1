"""The hours in which a shop's promises count: weeks, closed days, and days that differ."""

import uuid
from datetime import UTC, datetime

from sqlalchemy import Index, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import naming
from domain.abreast import one_at_a_time
from domain.db import Base, Json, new_id
from domain.errors import InvalidInput, NotFound
from domain.languages import N_
from domain.sla.hours import Hours, NeverOpen


class Calendar(Base):
    __tablename__ = "calendar"
    __table_args__ = (
        Index("uq_calendar_name", "name", unique=True, postgresql_where=text("archived_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str]
    hours: Mapped[Json]
    archived_at: Mapped[datetime | None]
    """What was promised by it once is still reckoned."""


async def save_calendar(
    session: AsyncSession, calendar_id: uuid.UUID | None, name: str, hours: Hours
) -> Calendar:
    """In place of what it was; without an id, a new one."""
    await one_at_a_time(session, "policies")
    name = naming.name(name)
    others = (Calendar.archived_at.is_(None), Calendar.id.is_distinct_from(calendar_id))
    if await session.scalar(select(Calendar.id).where(Calendar.name == name, *others)):
        raise InvalidInput(N_("There is a calendar with this name already."), field=["name"])
    calendar = await session.get(Calendar, calendar_id) if calendar_id else Calendar(id=new_id())
    if calendar is None or calendar.archived_at:
        raise NotFound(field=["id"])
    try:
        hours.add(datetime.now(UTC), 1)
    except NeverOpen:
        raise InvalidInput(N_("These hours never open."), field=["weekly"]) from None
    calendar.name, calendar.hours = name, hours.to_json()
    session.add(calendar)
    await session.flush()
    return calendar

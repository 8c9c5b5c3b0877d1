"""Who is on duty when. Somebody without a rota is on duty as long as a device of theirs can be rung."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, exists, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.agents.staff import Agent
from domain.alerting.devices import RINGS, Device
from domain.chorus import Reads
from domain.db import Base, Json, session_of
from domain.events import EventKind, record
from domain.sla.hours import Hours


class Rota(Base):
    __tablename__ = "rota"

    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), primary_key=True)
    hours: Mapped[Json | None]
    """The weekly shifts, as a calendar's hours; none: no rota, only the word below."""
    on_duty: Mapped[bool | None]
    """By one's own word, whatever the rota says…"""
    until: Mapped[datetime | None]
    """… until then; without a time, until further word."""

    def says(self, *, at: datetime) -> bool | None:
        if self.on_duty is not None and (self.until is None or at < self.until):
            return self.on_duty
        return Hours.from_json(self.hours).is_open(at) if self.hours else None

    def set_hours(self, hours: Hours | None, *, by: Actor, at: datetime) -> None:
        self.hours = hours.to_json() if hours else None
        self._tell(by, at)

    def declare(self, on_duty: bool | None, *, until: datetime | None, by: Actor, at: datetime) -> None:
        self.on_duty, self.until = on_duty, until if on_duty is not None else None
        self._tell(by, at)

    def _tell(self, by: Actor, at: datetime) -> None:
        record(session_of(self), EventKind.AGENT_CHANGED, by=by, at=at, data={"agent": str(self.agent_id)})


async def rota_of(session: AsyncSession, agent_id: uuid.UUID) -> Rota:
    rota = await session.get(Rota, agent_id)
    if rota is None:
        rota = Rota(agent_id=agent_id)
        session.add(rota)
        await session.flush()
    return rota


SAID = (Rota.hours, Rota.on_duty, Rota.until)


def is_on(row: Any, *, rings: bool, at: datetime) -> bool:
    """Of a row with an agent's `id` and what is `SAID` of them."""
    said = Rota(agent_id=row.id, hours=row.hours, on_duty=row.on_duty, until=row.until).says(at=at)
    return rings if said is None else said


async def on_duty(session: Reads, *, at: datetime) -> set[uuid.UUID]:
    """Everybody of the shop who is on duty at that moment."""
    rings = exists().where(Device.agent_id == Agent.id, RINGS)
    found = await session.execute(
        select(Agent.id, *SAID, rings.label("rings"))
        .outerjoin(Rota, Rota.agent_id == Agent.id)
        .where(Agent.left_at.is_(None))
    )
    return {row.id for row in found if is_on(row, rings=row.rings, at=at)}


async def anybody_has_a_rota(session: Reads) -> bool:
    works = select(Agent.id).where(Agent.id == Rota.agent_id, Agent.left_at.is_(None)).exists()
    shifts = select(Rota.agent_id).where(Rota.hours.is_not(None), works)
    return await session.scalar(shifts.limit(1)) is not None

"""Clocks: the running promises of a ticket."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import DateTime, ForeignKey, Index, Integer, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.alerting.alerts import Alert
from domain.alerting.ladders import DEFAULT, Ladder
from domain.chorus import Reads
from domain.db import Base, new_id, one_of
from domain.sla.policies import Policy
from domain.sla.targets import Metric
from domain.ways_in.channels import ChannelKind


class ClockState(StrEnum):
    OK = "ok"
    AT_RISK = "at_risk"
    BREACHED = "breached"
    PAUSED = "paused"
    MET = "met"


class Clock(Base):
    __tablename__ = "clock"
    __table_args__ = (
        Index("ix_clock_ticket", "ticket_id"),
        Index("ix_clock_next", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_clock_met", "met_at", postgresql_where=text("met_at IS NOT NULL")),
        Index("ix_clock_breached", "breached_at", postgresql_where=text("breached_at IS NOT NULL")),
        Index(
            "uq_clock_running",
            "ticket_id",
            "metric",
            "is_legal",
            unique=True,
            postgresql_where=text("met_at IS NULL AND ended_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    policy_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("policy.id"))
    metric: Mapped[Metric]
    channel: Mapped[ChannelKind | None]
    """Where the reply is due first."""
    started_at: Mapped[datetime]
    target_seconds: Mapped[int] = mapped_column(Integer)
    is_legal: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Counted in days, as laws do."""
    warn_at: Mapped[list[datetime]] = mapped_column(ARRAY(DateTime(timezone=True)))
    due_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    """When the deadline wheel has to look at it next."""
    paused_since: Mapped[datetime | None]
    met_at: Mapped[datetime | None]
    breached_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    """Taken off without being kept: settled otherwise, or no longer promised."""

    @property
    def runs(self) -> bool:
        return self.met_at is None and self.ended_at is None


RUNNING = Clock.met_at.is_(None) & Clock.ended_at.is_(None)


def clock_state(
    *,
    at: datetime,
    warn_at: Sequence[datetime],
    due_at: datetime,
    met_at: datetime | None,
    paused_since: datetime | None = None,
) -> ClockState:
    if met_at:
        return ClockState.MET
    if paused_since:
        return ClockState.PAUSED
    if at >= due_at:
        return ClockState.BREACHED
    return ClockState.AT_RISK if warn_at and at >= min(warn_at) else ClockState.OK


async def ladders_of(
    connection: Reads, policy_ids: Collection[uuid.UUID | None]
) -> dict[uuid.UUID | None, Ladder]:
    """By policy; under None that of the default policy, for what no policy has fired."""
    asked = one_of(Policy.id, [id for id in policy_ids if id]) | Policy.is_default
    ladders: dict[uuid.UUID | None, Ladder] = {None: DEFAULT}
    for row in await connection.execute(select(Policy.id, Policy.ladder, Policy.is_default).where(asked)):
        ladders[row.id] = Ladder.from_json(row.ladder) if row.ladder else DEFAULT
        if row.is_default:
            ladders[None] = ladders[row.id]
    return ladders


async def ladder_of(session: AsyncSession, alert: Alert) -> Ladder:
    policy_id = await session.scalar(select(Clock.policy_id).where(Clock.id == alert.clock_id))
    return (await ladders_of(session, [policy_id]))[policy_id]

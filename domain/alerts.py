"""Something a manager must know now: it fires once, somebody acknowledges it, and it resolves when the promise is kept."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, UniqueConstraint, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import SYSTEM, Actor
from domain.db import Base, new_id, session_of
from domain.events import EventKind, record


class AlertKind(StrEnum):
    SLA_BREACHED = "sla_breached"


class AlertState(StrEnum):
    FIRING = "firing"
    ACKED = "acked"
    RESOLVED = "resolved"


class Alert(Base):
    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("clock_id", "kind"),
        Index("ix_alert_state", "state", "fired_at"),
        Index("ix_alert_ticket", "ticket_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[AlertKind]
    state: Mapped[AlertState]
    level: Mapped[int] = mapped_column(Integer)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    clock_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("clock.id"))
    fired_at: Mapped[datetime]
    acked_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    acked_at: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]

    def acknowledge(self, *, by: Actor, at: datetime) -> bool:
        """Only a firing alert can be acknowledged; false when it had moved on already."""
        if self.state != AlertState.FIRING:
            return False
        self.state, self.acked_by_id, self.acked_at = AlertState.ACKED, by.agent_id, at
        record(
            session_of(self), EventKind.ALERT_ACKED, by=by, at=at, ticket_id=self.ticket_id, alert_id=self.id
        )
        return True


def fire(
    session: AsyncSession,
    kind: AlertKind,
    *,
    ticket_id: uuid.UUID,
    clock_id: uuid.UUID,
    level: int,
    at: datetime,
) -> Alert:
    alert = Alert(
        id=new_id(),
        kind=kind,
        state=AlertState.FIRING,
        level=level,
        ticket_id=ticket_id,
        clock_id=clock_id,
        fired_at=at,
    )
    session.add(alert)
    record(
        session,
        EventKind.ALERT_FIRED,
        by=SYSTEM,
        at=at,
        ticket_id=ticket_id,
        alert_id=alert.id,
        data={"alert": kind},
    )
    return alert


async def resolve(session: AsyncSession, clock_id: uuid.UUID, *, at: datetime) -> None:
    for alert in list(
        await session.scalars(
            select(Alert)
            .where(Alert.clock_id == clock_id, Alert.state != AlertState.RESOLVED)
            .with_for_update(key_share=True)
        )
    ):
        alert.state, alert.resolved_at = AlertState.RESOLVED, at
        record(
            session, EventKind.ALERT_RESOLVED, by=SYSTEM, at=at, ticket_id=alert.ticket_id, alert_id=alert.id
        )


async def follow(session: AsyncSession, clock_id: uuid.UUID, ticket_id: uuid.UUID) -> None:
    """Its promise goes on at another ticket, and so does the alert."""
    await session.execute(update(Alert).where(Alert.clock_id == clock_id).values(ticket_id=ticket_id))

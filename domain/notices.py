"""Who is told what: a notice to one person, and its delivery to each of that person's devices, with its ledger."""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.db import Base, new_id, ring
from domain.errors import InvalidInput
from domain.languages import N_, best_language
from domain.work import Queue, Work


class Transport(StrEnum):
    FCM = "fcm"


class DeliveryStage(StrEnum):
    CREATED = "created"
    SENT = "sent"
    """Handed to the push service, whose answer is not known."""
    ACCEPTED = "accepted"
    FAILED = "failed"
    SHOWN = "shown"
    OPENED = "opened"
    ACTED = "acted"


class Device(Base):
    __tablename__ = "device"
    __table_args__ = (
        Index("ix_device_agent", "agent_id"),
        Index(
            "uq_device_handle",
            "transport",
            "handle",
            unique=True,
            postgresql_where=text("removed_at IS NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"))
    transport: Mapped[Transport]
    handle: Mapped[str]
    """What the push service calls the device. A secret: whoever has it can be sent to."""
    label: Mapped[str]
    locale: Mapped[str]
    timezone: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    removed_at: Mapped[datetime | None]
    removed_because: Mapped[str | None]


class Notice(Base):
    __tablename__ = "notice"
    __table_args__ = (UniqueConstraint("agent_id", "event_seq"), Index("ix_notice_alert", "alert_id"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"))
    event_seq: Mapped[int] = mapped_column(BigInteger)
    """The event it tells of: one event is told to one person once."""
    alert_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("alert.id"))
    created_at: Mapped[datetime]


class Delivery(Work, Base):
    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("notice_id", "device_id"),
        Index("ix_delivery_device", "device_id"),
        Index("ix_delivery_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    notice_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("notice.id"))
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("device.id"))
    stage: Mapped[DeliveryStage]
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    provider_id: Mapped[str | None]
    error: Mapped[str | None]
    """Why it failed, as a code of the push service's."""

    def give_up(self, *, at: datetime) -> None:
        self.stage = DeliveryStage.FAILED


PUSHES = Queue(Delivery, topic="pushes", outward=True)


async def register_device(
    session: AsyncSession,
    *,
    owner: Actor,
    transport: Transport,
    handle: str,
    label: str,
    locale: str,
    timezone: str,
    at: datetime,
) -> uuid.UUID:
    """The person's device; one registered before is refreshed, and leaves whoever had it until now."""
    if not handle.strip():
        raise InvalidInput(N_("This may not be empty."), field=["handle"])
    row = insert(Device).values(
        id=new_id(),
        agent_id=owner.id,
        transport=transport,
        handle=handle.strip(),
        label=label,
        locale=best_language(locale),
        timezone=timezone,
        created_at=at,
        last_seen_at=at,
    )
    registered = await session.execute(
        row.on_conflict_do_update(
            index_elements=["transport", "handle"],
            index_where=text("removed_at IS NULL"),
            set_={
                "agent_id": row.excluded.agent_id,
                "label": row.excluded.label,
                "locale": row.excluded.locale,
                "timezone": row.excluded.timezone,
                "last_seen_at": row.excluded.last_seen_at,
            },
        ).returning(Device.id)
    )
    return registered.scalar_one()


async def address(
    session: AsyncSession, *, agent_id: uuid.UUID, event_seq: int, alert_id: uuid.UUID | None, at: datetime
) -> None:
    """One notice to one person, one delivery to each device."""
    noted = await session.execute(
        insert(Notice)
        .values(id=new_id(), agent_id=agent_id, event_seq=event_seq, alert_id=alert_id, created_at=at)
        .on_conflict_do_nothing(index_elements=["agent_id", "event_seq"])
        .returning(Notice.id)
    )
    notice_id = noted.scalar_one_or_none()
    if notice_id is None:
        return
    devices = await session.scalars(
        select(Device.id)
        .where(Device.agent_id == agent_id, Device.removed_at.is_(None))
        .order_by(Device.last_seen_at.desc())
    )
    for device_id in devices.all():
        session.add(
            Delivery(
                id=new_id(),
                notice_id=notice_id,
                device_id=device_id,
                stage=DeliveryStage.CREATED,
                created_at=at,
                due_at=func.now(),
            )
        )
    ring(session, PUSHES.topic)

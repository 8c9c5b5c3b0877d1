"""What rings: the phones and browsers of the people of the shop."""

import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, delete, exists, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.agents.sign_in import SignIn
from domain.db import Base, new_id
from domain.errors import InvalidInput
from domain.languages import N_, best_language


class Transport(StrEnum):
    FCM = "fcm"
    WEB_PUSH = "web_push"
    EMAIL = "email"
    """The fallback: to the person's address, without a device."""


LONGEST_HANDLE = 2000
"""An index holds it; those of today's push services have some hundreds."""

RECEIPT_WITHIN = timedelta(seconds=60)
"""A push that is not shown by then is taken for not having arrived."""


class Device(Base):
    __tablename__ = "device"
    __table_args__ = (
        Index("ix_device_agent", "agent_id"),
        Index("ix_device_session", "session_id"),
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
    session_id: Mapped[uuid.UUID | None]
    """The sign-in that registered it: when it ends, the device rings no more."""
    transport: Mapped[Transport]
    handle: Mapped[str]
    """What the push service calls the device. A secret: whoever has it can be sent to."""
    p256dh: Mapped[str | None]
    auth: Mapped[str | None]
    """The keys of a Web Push subscription."""
    label: Mapped[str]
    locale: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    last_push_at: Mapped[datetime | None]
    last_receipt_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    removed_because: Mapped[str | None]


RINGS = Device.removed_at.is_(None) & (
    Device.session_id.is_(None) | exists().where(SignIn.id == Device.session_id, SignIn.ended_at.is_(None))
)
"""Whoever signs out, or is signed out, takes the device along in the same moment."""


class Fitness(StrEnum):
    """How a device does."""

    UNTRIED = "untried"
    WELL = "well"
    SILENT = "silent"
    """The push service took the last push, and the device has not said that it showed it."""
    REMOVED = "removed"
    """It rings no more: its owner took it away or is signed out there, or the push service does not know it."""


def fitness(
    *, last_push_at: datetime | None, last_receipt_at: datetime | None, at: datetime, rings: bool = True
) -> Fitness:
    if not rings:
        return Fitness.REMOVED
    if last_push_at is None:
        return Fitness.UNTRIED
    if last_receipt_at and last_receipt_at >= last_push_at:
        return Fitness.WELL
    return Fitness.SILENT if at - last_push_at > RECEIPT_WITHIN else Fitness.WELL


async def register_device(
    session: AsyncSession,
    *,
    owner: Actor,
    transport: Transport,
    handle: str,
    label: str,
    locale: str,
    at: datetime,
    session_id: uuid.UUID | None = None,
    p256dh: str | None = None,
    auth: str | None = None,
) -> uuid.UUID:
    """The person's device; one registered before is refreshed, and leaves whoever had it until now."""
    if transport == Transport.EMAIL:
        raise InvalidInput(
            N_("Mail goes to your own address: nothing needs registering."), field=["transport"]
        )
    handle = handle.strip()
    if not handle:
        raise InvalidInput(N_("This may not be empty."), field=["handle"])
    if len(handle) > LONGEST_HANDLE:
        raise InvalidInput(
            N_("This is too long: at most {most} characters."), field=["handle"], most=LONGEST_HANDLE
        )
    row = insert(Device).values(
        id=new_id(),
        agent_id=owner.id,
        session_id=session_id,
        transport=transport,
        handle=handle,
        p256dh=p256dh,
        auth=auth,
        label=label,
        locale=best_language(locale),
        created_at=at,
        last_seen_at=at,
    )
    refreshed = ("agent_id", "session_id", "p256dh", "auth", "label", "locale", "last_seen_at")
    registered = await session.execute(
        row.on_conflict_do_update(
            index_elements=["transport", "handle"],
            index_where=text("removed_at IS NULL"),
            set_={name: row.excluded[name] for name in refreshed},
        ).returning(Device.id)
    )
    return registered.scalar_one()


async def remove_devices(
    session: AsyncSession, *which: ColumnElement[bool], because: str, at: datetime
) -> None:
    """They ring no more, from this moment on."""
    await session.execute(
        update(Device)
        .where(*which, Device.removed_at.is_(None))
        .values(removed_at=at, removed_because=because)
    )


async def forget_sign_ins(session: AsyncSession, *, before: datetime) -> None:
    """Those that began before then. One that only ran out is kept as long as a device rings by it."""
    rings = exists().where(Device.session_id == SignIn.id, Device.removed_at.is_(None))
    await session.execute(
        delete(SignIn).where(SignIn.created_at < before, SignIn.ended_at.is_not(None) | ~rings)
    )


async def devices_to_ring(session: AsyncSession | AsyncConnection, agent_id: uuid.UUID) -> list[uuid.UUID]:
    """In the order in which they are tried: the one seen last first."""
    found = await session.execute(
        select(Device.id)
        .where(Device.agent_id == agent_id, RINGS)
        .order_by(Device.last_seen_at.desc(), Device.id)
    )
    return list(found.scalars())

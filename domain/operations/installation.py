"""What holds for this database as a whole. One row."""

import secrets
from datetime import datetime

from sqlalchemy import CheckConstraint, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base


class Installation(Base):
    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, default=1)
    feed_epoch: Mapped[str]
    """Each restore begins a new one: a cursor of another epoch says nothing about this database."""
    held_since: Mapped[datetime | None]
    """The restore after which nobody has confirmed yet that what waits is to be sent."""
    vapid: Mapped[bytes | None]
    """The key pair by which push services know us, sealed."""
    furnished_at: Mapped[datetime | None]
    """When it was given the views that every shop begins with: whoever deletes one does not get it back."""


nothing_is_held = ~select(Installation.id).where(Installation.held_since.is_not(None)).exists()
"""A condition."""


async def feed_epoch(session: AsyncSession) -> str:
    epoch: str | None = await session.scalar(select(Installation.feed_epoch))
    if epoch is None:
        first = insert(Installation).values(id=1, feed_epoch=secrets.token_hex(4))
        await session.execute(first.on_conflict_do_nothing())
        epoch = await session.scalar(select(Installation.feed_epoch))
    return str(epoch)


async def restored(connection: AsyncConnection) -> None:
    """A new epoch, and nothing leaves until somebody confirms."""
    begun = {"feed_epoch": secrets.token_hex(4), "held_since": func.now()}
    row = insert(Installation).values(id=1, **begun)
    await connection.execute(row.on_conflict_do_update(index_elements=["id"], set_=begun))


async def held_since(session: AsyncSession | AsyncConnection) -> datetime | None:
    since: datetime | None = await session.scalar(select(Installation.held_since))
    return since


async def release(session: AsyncSession) -> None:
    await session.execute(update(Installation).values(held_since=None))


async def sealed_vapid(session: AsyncSession) -> bytes | None:
    sealed: bytes | None = await session.scalar(select(Installation.vapid))
    return sealed


async def keep_vapid(session: AsyncSession, sealed: bytes) -> bytes:
    """What is kept from now on: of several at once, the first."""
    row = insert(Installation).values(id=1, feed_epoch=secrets.token_hex(4), vapid=sealed)
    kept = row.on_conflict_do_update(
        index_elements=["id"], set_={"vapid": func.coalesce(Installation.vapid, row.excluded.vapid)}
    )
    return await session.scalar(kept.returning(Installation.vapid)) or sealed

"""What was told of calls before the step that says who calls: a webhook may be overtaken by the next one."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, delete
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.calling.call_steps import Told
from domain.db import Base, Json

FORGOTTEN = timedelta(days=1)
"""A PBX that tells of the ends of calls of its own house never says who called."""


class EarlyCall(Base):
    __tablename__ = "early_call"
    __table_args__ = (Index("ix_early_call_since", "since"),)

    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    call_id: Mapped[str] = mapped_column(primary_key=True)
    steps: Mapped[Json]
    since: Mapped[datetime]


async def remember(
    session: AsyncSession, channel_id: uuid.UUID, call_id: str, said: Told, *, at: datetime
) -> None:
    """The caller lets one at a time have a call."""
    early = await session.get(EarlyCall, (channel_id, call_id))
    if early is None:
        session.add(EarlyCall(channel_id=channel_id, call_id=call_id, steps=said.to_json(), since=at))
    else:
        early.steps = Told.from_json(early.steps).joined(said).to_json()


async def recall(session: AsyncSession, channel_id: uuid.UUID, call_id: str) -> Told:
    """What was told so far, which is a call's now."""
    early = await session.get(EarlyCall, (channel_id, call_id))
    if early is None:
        return Told()
    await session.delete(early)
    return Told.from_json(early.steps)


async def forget(session: AsyncSession, *, at: datetime) -> None:
    await session.execute(delete(EarlyCall).where(EarlyCall.since < at - FORGOTTEN))

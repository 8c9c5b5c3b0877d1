"""Calls that somebody here asks for: each is made once or not at all, for a telephone that rings twice reaches nobody better."""

import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base, new_id
from domain.desk.messages import Call
from domain.work import Queue, Work

OURS = "heddle-"
"""How the ids begin that we give to calls."""
PROMPT = timedelta(minutes=2)
"""A telephone that rings later surprises whom it rings: then it does not."""
HEARD_WITHIN = timedelta(minutes=3)
"""After so long, a call to the same number is another one."""


class DialState(StrEnum):
    WAITING = "waiting"
    ASKED = "asked"
    """The provider is being asked."""
    MADE = "made"
    """Whoever makes it has it: its steps come."""
    REFUSED = "refused"
    """Nobody's telephone rang."""
    UNKNOWN = "unknown"
    """Somebody's may have rung: who asked for it has to decide."""


class Dial(Work, Base):
    __tablename__ = "dial"
    __table_args__ = (Index("ix_dial_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    call_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("item.id"), unique=True)
    state: Mapped[DialState]

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        self.state = DialState.REFUSED


DIALS = Queue(Dial, topic="dials", outward=True)


def our_id(id: uuid.UUID) -> str:
    return f"{OURS}{id.hex}"


def is_ours(call_id: str) -> bool:
    return call_id.startswith(OURS)


async def awaited(session: AsyncSession, channel_id: uuid.UUID, number: str) -> tuple[Dial, Call] | None:
    """A call to this number that we have asked the PBX for, and whose name there we do not know."""
    found = await session.execute(
        select(Dial, Call)
        .join(Call, Call.id == Dial.call_id)
        .where(
            Call.channel_id == channel_id,
            Call.number == number,
            Call.ended_at.is_(None),
            Dial.state.in_((DialState.ASKED, DialState.UNKNOWN)),
            Call.at > func.now() - HEARD_WITHIN,
        )
        .order_by(Dial.id)
        .limit(1)
    )
    row = found.one_or_none()
    return (row.Dial, row.Call) if row else None


async def heard_of(session: AsyncSession, call_id: uuid.UUID) -> None:
    """A step of the call has come: so it was made."""
    unknown = (Dial.call_id == call_id, Dial.state == DialState.UNKNOWN)
    await session.execute(update(Dial).where(*unknown).values(state=DialState.MADE, last_error=None))

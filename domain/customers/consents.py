"""Who wants no more text messages: the word of whoever has the number, to one of the shop's numbers.

What was said, when and by whom is kept as evidence; what holds is the last of it by its own time, so that words may come late,
twice or out of order.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base, Json, new_id

MOST_WORDS = 50
"""Of one number that are kept, the last ones."""


class Wish(StrEnum):
    STOP = "stop"
    START = "start"


class Says(StrEnum):
    CUSTOMER = "customer"
    PROVIDER = "provider"
    """It keeps a list of its own, and refuses to send."""
    AGENT = "agent"
    """The customer agreed elsewhere, as an agent says."""


@dataclass(frozen=True)
class ConsentWord:
    """`word`: one of ours, never a text somebody wrote. `id`: the provider's of the message, by which a repeat is known."""

    wish: Wish
    word: str
    id: str
    at: datetime
    by: Says = Says.CUSTOMER
    agent_id: uuid.UUID | None = None

    def as_json(self) -> Json:
        said: Json = {
            "wish": self.wish, "word": self.word, "id": self.id, "at": self.at.isoformat(), "by": self.by,
        }  # fmt: skip
        return said | ({"agent": str(self.agent_id)} if self.agent_id else {})


class Consent(Base):
    __tablename__ = "consent"
    __table_args__ = (UniqueConstraint("channel_id", "number"), Index("ix_consent_number", "number"))

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"))
    number: Mapped[str]
    """In E.164."""
    stopped_at: Mapped[datetime | None]
    """Since when nothing is sent there."""
    started_at: Mapped[datetime | None]
    """When that was taken back, or agreed to."""
    word: Mapped[str] = mapped_column(default="", server_default="")
    """By which it is as it is."""
    history: Mapped[list[Json]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))

    def add(self, said: ConsentWord) -> None:
        words = sorted([*self.history, said.as_json()], key=_moment)
        self.history = words[-MOST_WORDS:]
        last = self.history[-1]
        self.word = last["word"]
        at = datetime.fromisoformat(last["at"])
        if last["wish"] == Wish.STOP:
            self.stopped_at = at
        else:
            self.stopped_at, self.started_at = None, at


def _moment(said: Json) -> tuple[datetime, bool]:
    """Of two at once, no is said last."""
    return datetime.fromisoformat(said["at"]), said["wish"] == Wish.STOP


async def heed(session: AsyncSession, channel_id: uuid.UUID, number: str, said: ConsentWord) -> bool:
    """Writes down what was said; false for a yes to what nobody has refused so far, which is a word like any other."""
    row = await _held(session, channel_id, number)
    if any(one["id"] == said.id for one in row.history):
        return True
    unasked = said.wish == Wish.START and said.by == Says.CUSTOMER and row.stopped_at is None
    row.add(said)  # an unasked yes too: the no that it answers may come late
    return not unasked


async def _held(session: AsyncSession, channel_id: uuid.UUID, number: str) -> Consent:
    """Whoever writes to it next waits until we are done."""
    await session.execute(
        insert(Consent)
        .values(id=new_id(), channel_id=channel_id, number=number, history=[])
        .on_conflict_do_nothing(index_elements=["channel_id", "number"])
    )
    found = await session.scalars(
        select(Consent)
        .where(Consent.channel_id == channel_id, Consent.number == number)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.one()


async def stopped_at(session: AsyncSession, channel_id: uuid.UUID, number: str) -> datetime | None:
    return await session.scalar(
        select(Consent.stopped_at).where(Consent.channel_id == channel_id, Consent.number == number)
    )

"""A long text message that comes in parts: out of order, twice, or never all of them.

Each part is kept as it comes. All of them make the message; if some are missing after a while it is shown with what came, and
completed where it stands when the rest comes.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Integer, UniqueConstraint, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import one_at_a_time
from domain.arriving.inbound import Arrival, InboundMessage, InboundPart, Waits
from domain.db import Base, new_id
from domain.ways_in.channels import Channel

PATIENCE = timedelta(minutes=3)
"""How long what is incomplete waits for the rest before it is shown."""
ONE_MESSAGE = timedelta(days=1)
"""Providers try for so long; a telephone uses its numbers of messages again and again."""
KEPT_FOR = 2 * ONE_MESSAGE
"""Then nothing comes any more; the message keeps the words."""
MISSING = " […] "


class TextPart(Base):
    __tablename__ = "text_part"
    __table_args__ = (
        UniqueConstraint("channel_id", "external_id"),
        Index("ix_text_part_whole", "whole_id"),
        Index("ix_text_part_sender", "channel_id", "sender", "created_at"),
        Index("ix_text_part_item", "item_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"))
    whole_id: Mapped[uuid.UUID]
    """The same for all parts of a message."""
    external_id: Mapped[str]
    sender: Mapped[str]
    reference: Mapped[str]
    """The sender's own for one message; used again."""
    total: Mapped[int] = mapped_column(Integer)
    number: Mapped[int] = mapped_column(Integer)
    text: Mapped[str]
    at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    item_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("item.id"))
    """The message that shows it."""


@dataclass(frozen=True)
class Whole:
    """What is there of a message."""

    id: uuid.UUID
    parts: Sequence[TextPart]

    @property
    def is_complete(self) -> bool:
        return len(self.parts) == self.parts[0].total

    @property
    def item_id(self) -> uuid.UUID | None:
        return next((part.item_id for part in self.parts if part.item_id), None)

    @property
    def text(self) -> str:
        said, before = "", 0
        for part in self.parts:
            said += (MISSING if part.number > before + 1 else "") + part.text
            before = part.number
        return (said + (MISSING if before < self.parts[0].total else "")).strip()

    def shown_in(self, item_id: uuid.UUID) -> None:
        for part in self.parts:
            part.item_id = item_id

    def as_message(self, part: InboundPart) -> InboundMessage:
        missing = [*range(1, part.total + 1)]
        for one in self.parts:
            missing.remove(one.number)
        return InboundMessage(
            external_id=f"parts/{self.id}",
            claims=part.claims,
            sender_name=part.sender_name,
            thread_key=part.thread_key,
            at=min(one.at for one in self.parts),
            text=self.text,
            particulars={"missing": missing} if missing else None,
        )


async def joined(
    session: AsyncSession, channel: Channel, arrival: Arrival, part: InboundPart, *, at: datetime
) -> Whole | Waits:
    """All that came of the message of this part, once it is to be shown."""
    await one_at_a_time(session, f"parts\n{channel.id}\n{part.thread_key}")
    whole_id = await _kept(session, channel, part, at=at)
    parts = await session.scalars(
        select(TextPart).where(TextPart.whole_id == whole_id).order_by(TextPart.number)
    )
    whole = Whole(whole_id, parts.all())
    until = arrival.received_at + PATIENCE
    if not whole.is_complete and whole.item_id is None and at < until:
        return Waits(until)
    return whole


async def _kept(session: AsyncSession, channel: Channel, part: InboundPart, *, at: datetime) -> uuid.UUID:
    """The message that it is part of: begun by it, or going on."""
    mine = (TextPart.channel_id == channel.id, TextPart.sender == part.thread_key)
    here = await session.scalar(
        select(TextPart.whole_id).where(*mine, TextPart.external_id == part.external_id)
    )
    if here is not None:
        return here
    before = await session.scalars(
        select(TextPart)
        .where(
            *mine,
            TextPart.reference == part.reference,
            TextPart.total == part.total,
            TextPart.created_at > at - ONE_MESSAGE,
        )
        .order_by(TextPart.created_at.desc(), TextPart.id.desc())
    )
    found = before.all()
    latest = [one for one in found if one.whole_id == found[0].whole_id]
    same = next((one for one in latest if one.number == part.number), None)
    if same and same.text == part.text:  # the network has brought it twice, under two ids
        return same.whole_id
    whole_id = latest[0].whole_id if latest and same is None else new_id()
    session.add(
        TextPart(
            id=new_id(),
            channel_id=channel.id,
            whole_id=whole_id,
            external_id=part.external_id,
            sender=part.thread_key,
            reference=part.reference,
            total=part.total,
            number=part.number,
            text=part.text,
            at=part.at,
            created_at=at,
        )
    )
    await session.flush()
    return whole_id

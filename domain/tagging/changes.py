"""A tag that is to become another one, or to go; and how far that is."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base, new_id
from domain.work import Queue, Work


class TagChange(Work, Base):
    __tablename__ = "tag_change"
    __table_args__ = (Index("ix_tag_change_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    tag: Mapped[str]
    into: Mapped[str | None]
    """What it becomes; none: it goes."""
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """None: from the command line."""
    at: Mapped[datetime]
    total: Mapped[int | None] = mapped_column(Integer)
    """Tickets that had it when the work began."""
    done: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    finished_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        self.failed_at = at

    def of(self, before: Sequence[str]) -> list[str]:
        """A ticket's tags, afterwards."""
        after = (self.into if tag == self.tag else tag for tag in before)
        return list(dict.fromkeys(tag for tag in after if tag))


TAG_CHANGES = Queue(TagChange, topic="tag_changes")

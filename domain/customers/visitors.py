"""Who sits before a chat widget: what a browser's session has told us, whether it is here, and how much it may say.

A session has a row from when it says who it is, answers what it is asked before, or writes: most only ever load the page.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    BigInteger,
    Exists,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
    delete,
    exists,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base, Json, new_id, ring
from domain.desk.threads import Thread, news_of_chat
from domain.ways_in.channels import Channel
from domain.work import Queue, Work

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
HERE_FOR = timedelta(seconds=60)
"""How long an open socket or stream counts as one without saying so again."""
MAIL_AFTER = 10
"""Minutes, unless the channel's settings say otherwise (`mail_after_minutes`)."""
SILENT_FOR = timedelta(days=30)
"""After which a session that never wrote is forgotten."""


@dataclass(frozen=True)
class Room:
    """What one session may say."""

    messages: int
    """In a minute."""
    files: int
    """In an hour."""


class TooMany(Exception):
    def __init__(self, what: str, *, seconds: int) -> None:
        super().__init__(what)
        self.seconds = seconds


class Visitor(Work, Base):
    """Due when what it has not read is to be mailed (`domain/answering/absence.py`)."""

    __tablename__ = "visitor"
    __table_args__ = (
        UniqueConstraint("channel_id", "key"),
        Index("ix_visitor_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_visitor_silent", "created_at", postgresql_where=text("wrote_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"))
    key: Mapped[str]
    """As that of its conversations."""
    identity: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """What the shop signed of it: `sub`, `email`, `email_verified`, `name`."""
    answers: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """To what the channel asks before; nobody has proven them."""
    locale: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    wrote_at: Mapped[datetime | None]
    """First."""
    here_until: Mapped[datetime | None]
    left_at: Mapped[datetime | None]
    """Signed out: the session opens nothing any more."""
    minute_began_at: Mapped[datetime | None]
    messages: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """In that minute."""
    hour_began_at: Mapped[datetime | None]
    files: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """In that hour."""
    mailed_seq: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    """Up to here it was sent by mail."""

    def writes(self, *, files: int, room: Room, at: datetime) -> None:
        """Counts a message. Raises TooMany."""
        if self.minute_began_at is None or at - self.minute_began_at >= MINUTE:
            self.minute_began_at, self.messages = at, 0
        if self.hour_began_at is None or at - self.hour_began_at >= HOUR:
            self.hour_began_at, self.files = at, 0
        self.messages, self.files = self.messages + 1, self.files + files
        if self.messages > room.messages:
            raise TooMany("messages", seconds=_left(self.minute_began_at + MINUTE - at))
        if self.files > room.files:
            raise TooMany("files", seconds=_left(self.hour_began_at + HOUR - at))
        self.wrote_at = self.wrote_at or at

    def file_in(self, *, room: Room, at: datetime) -> int:
        """Seconds until another one may come."""
        since = self.hour_began_at
        if since is None or at - since >= HOUR or self.files < room.files:
            return 0
        return _left(since + HOUR - at)

    def is_here(self, *, at: datetime) -> bool:
        return self.here_until is not None and self.here_until > at


def _left(wait: timedelta) -> int:
    return max(1, int(wait.total_seconds()) + 1)


ABSENCES = Queue(Visitor, topic="absences", outward=True)


async def visitor_of(session: AsyncSession, channel_id: uuid.UUID, key: str) -> Visitor | None:
    return await session.scalar(select(Visitor).where(Visitor.channel_id == channel_id, Visitor.key == key))


async def held_visitor(session: AsyncSession, channel_id: uuid.UUID, key: str) -> Visitor:
    """The row, made if there is none. Who holds it is the only one to change what the session has said."""
    row = insert(Visitor).values(id=new_id(), channel_id=channel_id, key=key)
    await session.execute(row.on_conflict_do_nothing(index_elements=["channel_id", "key"]))
    found = await session.scalars(
        select(Visitor)
        .where(Visitor.channel_id == channel_id, Visitor.key == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.one()


async def is_here(session: AsyncSession, channel_id: uuid.UUID, key: str) -> None:
    await session.execute(
        update(Visitor)
        .where(Visitor.channel_id == channel_id, Visitor.key == key)
        .values(here_until=func.now() + HERE_FOR)
    )


async def leaves(session: AsyncSession, channel_id: uuid.UUID, key: str) -> None:
    await session.execute(
        update(Visitor)
        .where(Visitor.channel_id == channel_id, Visitor.key == key)
        .values(left_at=func.now(), here_until=None)
    )
    ring(session, news_of_chat(key))


def has_left(channel_id: uuid.UUID, key: str) -> Exists:
    its = Visitor.channel_id == channel_id, Visitor.key == key
    return exists().where(*its, Visitor.left_at.is_not(None))


async def is_answered(session: AsyncSession, thread: Thread, channel: Channel) -> None:
    """Who does not read it is sent it by mail, after a while. Several answers go together."""
    minutes = channel.config.get("mail_after_minutes", MAIL_AFTER)
    if not minutes or thread.key is None:
        return
    later = func.now() + timedelta(minutes=minutes)
    row = insert(Visitor).values(id=new_id(), channel_id=channel.id, key=thread.key, due_at=later)
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["channel_id", "key"],
            set_={"due_at": func.coalesce(Visitor.due_at, row.excluded.due_at)},
        )
    )


async def forget_silent(session: AsyncSession, *, at: datetime) -> None:
    spoke = exists().where(Thread.channel_id == Visitor.channel_id, Thread.key == Visitor.key)
    await session.execute(
        delete(Visitor).where(Visitor.created_at < at - SILENT_FOR, Visitor.wrote_at.is_(None), ~spoke)
    )

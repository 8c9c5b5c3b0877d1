"""The ways in: mailboxes, chat widgets, Messenger pages, phone lines, SMS numbers."""

import re
import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base, Json, new_id, ring
from domain.errors import InvalidInput
from domain.keys import Keys
from domain.languages import N_

TOPIC = "channels"
"""Rung when there is another one, or one is set up otherwise."""


class ChannelKind(StrEnum):
    EMAIL = "email"
    CHAT = "chat"
    MESSENGER = "messenger"
    PHONE = "phone"
    SMS = "sms"


class Channel(Base):
    __tablename__ = "channel"
    __table_args__ = (Index("uq_channel_address", "kind", text("lower(address)"), unique=True),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[ChannelKind]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    address: Mapped[str | None]
    """What the world calls it: a mail address, a page's id, a number in E.164; none for a chat widget."""
    config: Mapped[Json] = mapped_column(default=dict)
    secrets: Mapped[bytes | None]
    team_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("team.id"))
    calendar_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("calendar.id"))
    """Its office hours; none: somebody is always there."""
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    """Answers do not leave, for a reason that is not one recipient's, and none has left since."""
    refused_at: Mapped[datetime | None]
    """Since when its provider takes nothing from it until it is set up otherwise: a token that has ended."""
    last_error: Mapped[str | None]
    last_error_at: Mapped[datetime | None]

    def secret(self, keys: Keys, name: str) -> str:
        return str(keys.decrypt(self.secrets)[name]) if self.secrets else ""

    def set_up(self, session: AsyncSession, keys: Keys, *, config: Json, secrets: dict[str, str]) -> None:
        self.config, self.secrets = config, keys.encrypt(secrets) if secrets else None
        if self.refused_at:  # by its old settings: whether it carries with these, the next answer shows
            self.refused_at = self.failing_since = self.last_error = None
        ring(session, TOPIC)


_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,60}\Z")


async def add_channel(
    session: AsyncSession,
    keys: Keys,
    *,
    kind: ChannelKind,
    slug: str,
    name: str,
    address: str | None,
    config: Json,
    secrets: dict[str, str],
    at: datetime,
) -> Channel:
    if not _SLUG.match(slug):
        raise InvalidInput(N_("A slug is made of small letters, digits and hyphens."), field=["slug"])
    same_place = (Channel.kind == kind) & (func.lower(Channel.address) == (address or "").lower())
    if await session.scalar(select(Channel.id).where((Channel.slug == slug) | same_place)):
        raise InvalidInput(N_("There is a channel with this slug or address already."), field=["slug"])
    channel = Channel(
        kind=kind,
        slug=slug,
        name=name,
        address=address,
        config=config,
        created_at=at,
        secrets=keys.encrypt(secrets) if secrets else None,
    )
    session.add(channel)
    ring(session, TOPIC)
    return channel


async def change_secret(
    session: AsyncSession, keys: Keys, channel_id: uuid.UUID, name: str, value: str
) -> None:
    """One of them, the others stay."""
    channel = await session.get_one(Channel, channel_id, with_for_update=True)
    secrets = keys.decrypt(channel.secrets) if channel.secrets else {}
    channel.set_up(session, keys, config=channel.config, secrets=secrets | {name: value})


async def channel_called(
    connection: AsyncConnection | AsyncSession, kind: ChannelKind, slug: str
) -> Channel | None:
    """The working channel behind a door; none when there is no such channel or it is switched off."""
    found = await connection.execute(
        select(Channel).where(Channel.kind == kind, Channel.slug == slug, Channel.disabled_at.is_(None))
    )
    return found.scalar_one_or_none()


async def fails_to_send(
    session: AsyncSession, channel_id: uuid.UUID, *, error: str, refused: bool = False
) -> None:
    """`refused`: waiting does not help."""
    failing: Json = {
        "failing_since": func.coalesce(Channel.failing_since, func.now()),
        "last_error": error,
        "last_error_at": func.now(),
    }
    if refused:
        failing["refused_at"] = func.coalesce(Channel.refused_at, func.now())
    await session.execute(update(Channel).where(Channel.id == channel_id).values(failing))


async def sends(session: AsyncSession, channel_id: uuid.UUID) -> None:
    """An answer has left, or its recipient's own server has refused it: the channel carries."""
    failed = Channel.failing_since.is_not(None)
    carries = {"failing_since": None, "refused_at": None, "last_error": None}
    await session.execute(update(Channel).where(Channel.id == channel_id, failed).values(carries))


def is_healthy(*, disabled_at: datetime | None, last_error: str | None) -> bool:
    return disabled_at is None and last_error is None

"""The ways in: mailboxes, chat widgets, Messenger pages, phone lines, SMS numbers."""

import re
import unicodedata
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from cryptography.fernet import InvalidToken
from sqlalchemy import ForeignKey, Index, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import SYSTEM, Actor
from domain.db import Base, Json, database_time, new_id, one_of, ring, session_of
from domain.errors import InvalidInput
from domain.events import EventKind, record
from domain.keys import Keys
from domain.languages import N_

TOPIC = "channels"
"""Rung when there is another one, or one is set up otherwise."""
TURNED_AWAY_APART = timedelta(minutes=1)


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
    secrets_set_at: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """Of each secret, by its name, when it became what it is."""
    retired: Mapped[bytes | None]
    """Secrets that others took the place of and that are still accepted, sealed: by name, each with its end."""
    retired_until: Mapped[datetime | None]
    """The last of those ends."""
    turned_away_at: Mapped[datetime | None]
    """When one of its doors last turned somebody away who did not show its secret."""
    failing_since: Mapped[datetime | None]
    """Answers do not leave, for a reason that is not one recipient's, and none has left since."""
    refused_at: Mapped[datetime | None]
    """Since when its provider takes nothing from it until it is set up otherwise: a token that has ended."""
    last_error: Mapped[str | None]
    last_error_at: Mapped[datetime | None]

    @property
    def shop(self) -> str:
        """What its customers know it by."""
        return str(self.config.get("sender_name") or self.name)

    def change(self, *, by: Actor, at: datetime, **said: Any) -> None:
        """Its `name`, `team_id` or `calendar_id`."""
        changed = [name for name, value in said.items() if getattr(self, name) != value]
        for name in changed:
            setattr(self, name, said[name])
        self.tell(changed, by=by, at=at)

    def set_up(
        self,
        session: AsyncSession,
        keys: Keys,
        *,
        config: Json,
        secrets: dict[str, str],
        by: Actor,
        at: datetime,
    ) -> None:
        before = self.config | _opened(self.secrets, keys)
        if not _opened(self.retired, keys):
            self.retired = self.retired_until = None
        said = config | secrets
        self.config, self.secrets = config, keys.encrypt(secrets) if secrets else None
        if self.refused_at:  # by its old settings: whether it carries with these, the next answer shows
            self.refused_at = self.failing_since = self.last_error = None
        changed = [name for name in before | said if before.get(name) != said.get(name)]
        since = dict.fromkeys([name for name in changed if secrets.get(name)], at.isoformat())
        kept = {name: moment for name, moment in self.secrets_set_at.items() if secrets.get(name)}
        self.secrets_set_at = kept | since
        self.tell(changed, by=by, at=at)
        ring(session, TOPIC)

    def rotate(
        self,
        session: AsyncSession,
        keys: Keys,
        name: str,
        value: str,
        *,
        keep_for: timedelta,
        by: Actor,
        at: datetime,
    ) -> None:
        """The secret before is accepted for so long; with nothing, no earlier one from now on."""
        secrets = _opened(self.secrets, keys)
        retired = _retired(_opened(self.retired, keys))
        before = [Retired(secrets[name], at + keep_for)] if secrets.get(name) and keep_for else []
        retired[name] = [*retired.get(name, ()), *before] if keep_for else []
        lasting = {one: [kept for kept in those if kept.until > at] for one, those in retired.items()}
        ends = [kept.until for those in lasting.values() for kept in those]
        sealed = {one: [kept.to_json() for kept in those] for one, those in lasting.items() if those}
        self.retired = keys.encrypt(sealed) if ends else None
        self.retired_until = max(ends, default=None)
        self.set_up(session, keys, config=self.config, secrets=secrets | {name: value}, by=by, at=at)

    def tell(self, changed: Sequence[str], *, by: Actor, at: datetime) -> None:
        """Names of what is other than before; the history keeps no value of any of them."""
        if changed:
            data = {"channel": str(self.id), "changed": sorted(changed)}
            record(session_of(self), EventKind.CHANNEL_CHANGED, by=by, at=at, data=data)


@dataclass(frozen=True)
class Retired:
    """A secret that another took the place of."""

    value: str
    until: datetime

    def to_json(self) -> list[str]:
        return [self.value, self.until.isoformat()]

    @classmethod
    def from_json(cls, stored: list[str]) -> Self:
        return cls(stored[0], datetime.fromisoformat(stored[1]))


def retired_in(sealed: bytes | None, keys: Keys) -> dict[str, list[Retired]]:
    return _retired(keys.decrypt(sealed) if sealed else {})


def _retired(kept: Json) -> dict[str, list[Retired]]:
    return {name: [Retired.from_json(one) for one in those] for name, those in kept.items()}


def _opened(sealed: bytes | None, keys: Keys) -> Json:
    """None of what was sealed with another HEDDLE_SECRET_KEY: it is given anew."""
    try:
        return keys.decrypt(sealed) if sealed else {}
    except InvalidToken:
        return {}


_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,60}\Z")


def slug_of(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.lower().replace("ł", "l")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60]


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
    by: Actor = SYSTEM,
    at: datetime,
) -> Channel:
    if not _SLUG.match(slug):
        raise InvalidInput(N_("A slug is made of small letters, digits and hyphens."), field=["slug"])
    same_place = (Channel.kind == kind) & (func.lower(Channel.address) == (address or "").lower())
    if await session.scalar(select(Channel.id).where((Channel.slug == slug) | same_place)):
        raise InvalidInput(N_("There is a channel with this slug or address already."), field=["slug"])
    channel = Channel(
        id=new_id(),
        kind=kind,
        slug=slug,
        name=name,
        address=address,
        config=config,
        created_at=at,
        secrets=keys.encrypt(secrets) if secrets else None,
        secrets_set_at={name: at.isoformat() for name, value in secrets.items() if value},
    )
    session.add(channel)
    channel.tell(["added"], by=by, at=at)
    ring(session, TOPIC)
    return channel


async def change_secret(
    session: AsyncSession, keys: Keys, channel_id: uuid.UUID, name: str, value: str
) -> None:
    """One of them, the others stay: a provider gave another."""
    channel = await session.get_one(Channel, channel_id, with_for_update=True)
    secrets = keys.decrypt(channel.secrets) if channel.secrets else {}
    at = await database_time(session)
    channel.set_up(session, keys, config=channel.config, secrets=secrets | {name: value}, by=SYSTEM, at=at)


async def was_turned_away(session: AsyncSession, channel: Channel) -> None:
    """Somebody came to one of its doors without its secret. Anybody may do so: it is written once a minute."""
    long_ago = or_(Channel.turned_away_at.is_(None), Channel.turned_away_at < func.now() - TURNED_AWAY_APART)
    this = update(Channel).where(Channel.id == channel.id, long_ago)
    await session.execute(this.values(turned_away_at=func.now()))


async def forget_retired(session: AsyncSession) -> None:
    """Secrets that nobody accepts any more."""
    over = update(Channel).where(Channel.retired_until <= func.now())
    await session.execute(over.values(retired=None, retired_until=None))


async def channel_called(
    connection: AsyncConnection | AsyncSession, kind: ChannelKind, slug: str
) -> Channel | None:
    """The working channel behind a door; none when there is no such channel or it is switched off."""
    return (await channels_called(connection, kind, [slug])).get(slug)


async def channels_called(
    connection: AsyncConnection | AsyncSession, kind: ChannelKind, slugs: Collection[str]
) -> dict[str, Channel]:
    working = Channel.kind == kind, one_of(Channel.slug, slugs), Channel.disabled_at.is_(None)
    found = await connection.execute(select(Channel).where(*working))
    return {channel.slug: channel for channel in found.scalars()}


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

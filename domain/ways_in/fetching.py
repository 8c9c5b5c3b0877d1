"""Mailboxes that are fetched: how far each has been read, who reads it, and since when it cannot be. Of an exchange that is
listened to, too: who does, and since when nobody can.

The cursor moves in the transaction that keeps the mails, and only for who holds the box: two never fetch the same.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.arriving.inbound import Arrival, keep
from domain.db import Base, Json, one_of
from domain.desk.messages import Item
from domain.ways_in.channels import Channel, ChannelKind

NOW = func.clock_timestamp()
LEASE = timedelta(seconds=30)
"""How long a box stays with who has fallen silent."""


class Box(Base):
    __tablename__ = "fetched_box"

    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    place: Mapped[str | None]
    """The server, the account and the folder whose UIDs these are."""
    uid_validity: Mapped[int | None] = mapped_column(BigInteger)
    """None before it was first seen. Another one than the server's: all UIDs mean something else now."""
    last_uid: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of the last mail that was kept or passed over."""
    older_until: Mapped[int] = mapped_column(BigInteger, default=0)
    """Up to this UID lies what was there when the UIDVALIDITY was first seen: of that, only what came since `since`."""
    since: Mapped[datetime | None]
    """Mails that came into the box before then are not ours to show."""
    tries: Mapped[int] = mapped_column(default=0)
    """How often what comes after `last_uid` could not be fetched, in a row."""
    held_by: Mapped[uuid.UUID | None]
    held_until: Mapped[datetime | None]
    settings: Mapped[str | None]
    """A signature of the settings that were tried last: with others, nobody waits for `again_at`."""
    signed_in_at: Mapped[datetime | None]
    failures: Mapped[int] = mapped_column(default=0)
    """In a row, until something is fetched, or there is nothing to fetch."""
    failing_since: Mapped[datetime | None]
    last_error: Mapped[str | None]
    again_at: Mapped[datetime | None]
    """Not before then."""

    def met(self, *, place: str, uid_validity: int, uid_next: int, days: int, at: datetime) -> None:
        """The server's box has been opened. A new one is read from now on, or from `days` ago; one that the server has
        numbered anew is read again, as far back as it was ours. Many servers give all boxes the same UIDVALIDITY. What may be
        the old one by another name, after it could not be opened for a while, is read from then on."""
        if self.place not in (None, place):
            self.uid_validity = None
        self.place = place
        if uid_validity == self.uid_validity:
            return
        goes_back = self.uid_validity is not None or self.failing_since is not None or days > 0
        if self.uid_validity is None:
            self.since = (self.failing_since or at) - timedelta(days=days)
        self.last_uid = 0 if goes_back else max(0, uid_next - 1)
        self.older_until = max(0, uid_next - 1)
        self.uid_validity, self.tries = uid_validity, 0


@dataclass(frozen=True)
class Fetched:
    """One mail, as the server handed it over."""

    uid: int
    external_id: str
    raw: bytes
    envelope: Json


class BoxLost(Exception):
    """Somebody else has the box now: what was fetched must not be committed."""


async def claim(
    session: AsyncSession, channel_id: uuid.UUID, *, by: uuid.UUID, settings: str, lease: timedelta = LEASE
) -> bool:
    """Whether the box is ours to fetch now, for the length of a lease."""
    await session.execute(insert(Box).values(channel_id=channel_id).on_conflict_do_nothing())
    free = or_(Box.held_until.is_(None), Box.held_until <= NOW, Box.held_by == by)
    may_try = or_(Box.again_at.is_(None), Box.again_at <= NOW, Box.settings.is_distinct_from(settings))
    claimed = await session.execute(
        update(Box)
        .where(Box.channel_id == channel_id, free, may_try)
        .values(held_by=by, held_until=NOW + lease, settings=settings)
        .returning(Box.channel_id)
    )
    return claimed.scalar_one_or_none() is not None


async def renew(
    session: AsyncSession, channel_id: uuid.UUID, *, by: uuid.UUID, lease: timedelta = LEASE
) -> None:
    await _write(session, channel_id, by, held_until=NOW + lease)


async def release(session: AsyncSession, channel_id: uuid.UUID, *, by: uuid.UUID) -> None:
    await session.execute(update(Box).where(_mine(channel_id, by)).values(held_by=None, held_until=None))


async def locked(session: AsyncSession, channel_id: uuid.UUID, *, by: uuid.UUID) -> Box:
    box = await session.scalar(select(Box).where(_mine(channel_id, by)).with_for_update())
    if box is None:
        raise BoxLost(channel_id)
    return box


async def advance(
    session: AsyncSession,
    channel: Channel,
    mails: Iterable[Fetched],
    *,
    by: uuid.UUID,
    uid_validity: int,
    to: int,
) -> None:
    """Keeps the mails and moves the cursor, in one transaction."""
    box = await locked(session, channel.id, by=by)
    if box.uid_validity != uid_validity or to < box.last_uid:
        raise BoxLost(channel.id)
    for mail in mails:
        await keep(session, channel, external_id=mail.external_id, raw=mail.raw, envelope=mail.envelope)
    box.last_uid, box.tries = to, 0
    _works(box)


async def signed_in(session: AsyncSession, channel_id: uuid.UUID, *, by: uuid.UUID) -> None:
    await _write(session, channel_id, by, signed_in_at=NOW)


async def works(session: AsyncSession, channel_id: uuid.UUID, *, by: uuid.UUID) -> None:
    """All that lies in the box has been fetched."""
    _works(await locked(session, channel_id, by=by))


def _works(box: Box) -> None:
    box.failures, box.failing_since, box.last_error, box.again_at = 0, None, None, None


async def fails(
    session: AsyncSession,
    channel_id: uuid.UUID,
    *,
    by: uuid.UUID,
    error: str,
    again_in: float,
    fetching: bool,
) -> None:
    """Not now. The box is free for others as well, but not before its time. `fetching`: a mail was under way."""
    await session.execute(
        update(Box)
        .where(_mine(channel_id, by))
        .values(
            held_by=None,
            held_until=None,
            failures=Box.failures + 1,
            failing_since=func.coalesce(Box.failing_since, NOW),
            last_error=error,
            again_at=NOW + timedelta(seconds=again_in),
            tries=Box.tries + int(fetching),
        )
    )


async def breaks(session: AsyncSession, channel_id: uuid.UUID, *, error: str) -> None:
    """Whoever tries, it cannot even be begun: for its settings, or for a fault of ours."""
    row = insert(Box).values(channel_id=channel_id, failing_since=NOW, last_error=error)
    since = func.coalesce(Box.failing_since, NOW)
    await session.execute(
        row.on_conflict_do_update(
            index_elements=["channel_id"], set_={"failing_since": since, "last_error": error}
        )
    )


async def forget_others(session: AsyncSession, kind: ChannelKind, fetched: Iterable[uuid.UUID]) -> None:
    """Of channels of a kind that are not to be fetched any more nobody hears that they cannot be."""
    of_kind = select(Channel.id).where(Channel.kind == kind)
    failing = or_(Box.failing_since.is_not(None), Box.again_at.is_not(None))
    await session.execute(
        update(Box)
        .where(failing, ~one_of(Box.channel_id, fetched), Box.channel_id.in_(of_kind))
        .values(failing_since=None, last_error=None, again_at=None, failures=0)
    )


async def known(session: AsyncSession, channel: Channel, mails: dict[int, tuple[str, int]]) -> set[int]:
    """Which of them are here already, by Message-ID and size: when a box is read again, they need not be fetched."""
    if not mails:
        return set()
    found = await session.execute(
        select(Item.external_id, func.octet_length(Arrival.raw))
        .join(Arrival, Arrival.id == Item.arrival_id)
        .where(Item.channel_id == channel.id, one_of(Item.external_id, {id for id, _ in mails.values()}))
    )
    here = {tuple(row) for row in found}
    return {uid for uid, mail in mails.items() if mail in here}


def _mine(channel_id: uuid.UUID, by: uuid.UUID) -> ColumnElement[bool]:
    return and_(Box.channel_id == channel_id, Box.held_by == by, Box.held_until > NOW)


async def _write(session: AsyncSession, channel_id: uuid.UUID, by: uuid.UUID, **values: object) -> None:
    written = await session.execute(
        update(Box).where(_mine(channel_id, by)).values(**values).returning(Box.channel_id)
    )
    if written.scalar_one_or_none() is None:
        raise BoxLost(channel_id)

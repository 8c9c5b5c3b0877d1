"""What all visits of one process share, and how much of everything there may be."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from sqlalchemy import exists, select

from domain.addresses import counted_as
from domain.buckets import Buckets
from domain.customers.visitors import has_left
from domain.db import Database
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind, channel_called
from integrations.chat.frames import BadFrame
from integrations.chat.widget import ChatWidget

TYPES_EVERY = 3.0
REMEMBERED = 10_000
MEGABYTE = 1024 * 1024
RATINGS = 10
"""In a minute, of one session."""
SHARE = 10
"""One address takes no more of a channel's seats than a tenth, or what one session may: nobody keeps all others out."""


@dataclass
class Reception:
    """Counts in this process; what is said in a session, and its files, are counted in the database."""

    db: Database
    keys: Keys
    base_url: str
    _sessions: Buckets = field(default_factory=Buckets)
    _bytes: Buckets = field(default_factory=Buckets)
    _ratings: Buckets = field(default_factory=Buckets)
    _open: Counter[str] = field(default_factory=Counter)
    _typed: OrderedDict[str, float] = field(default_factory=OrderedDict)

    async def channel(self, slug: str) -> Channel | None:
        async with self.db.transaction() as session:
            return await channel_called(session, ChannelKind.CHAT, slug)

    async def has_left(self, channel: Channel, key: str) -> bool:
        async with self.db.reading() as connection:
            return bool(await connection.scalar(select(has_left(channel.id, key))))

    async def is_open(self, channel: Channel, key: str) -> bool:
        """The channel works, and who has the session has not signed out."""
        works = exists().where(Channel.id == channel.id, Channel.disabled_at.is_(None))
        async with self.db.reading() as connection:
            return bool(await connection.scalar(select(works & ~has_left(channel.id, key))))

    def begins(self, channel: Channel, widget: ChatWidget, address: str | None) -> None:
        """Somebody without a session comes in."""
        who = f"{channel.slug} {counted_as(address)}"
        if seconds := self._sessions.take(who, 1, per_minute=widget.sessions_per_minute):
            raise BadFrame("too_many_sessions", "too many new sessions from this address", retryAfter=seconds)

    def keeps(self, channel: Channel, widget: ChatWidget, address: str | None, bytes: int) -> None:
        """Whoever comes from there, and however many sessions they began."""
        who = f"{channel.slug} {counted_as(address)}"
        per_minute = widget.megabytes_per_hour * MEGABYTE / 60
        if seconds := self._bytes.take(who, bytes, per_minute=per_minute, minutes=60):
            raise BadFrame("too_many_bytes", "too much comes from this address", retryAfter=seconds)

    def rates(self, key: str) -> None:
        if seconds := self._ratings.take(key, 1, per_minute=RATINGS):
            raise BadFrame("too_many_ratings", "wait a while, then say it again", retryAfter=seconds)

    def check_seat(self, channel: Channel, widget: ChatWidget, key: str, address: str | None) -> None:
        of_one = widget.streams_per_session
        most = (widget.streams, of_one, max(of_one, widget.streams // SHARE))
        taken = (self._open[one] for one in _counted(channel, key, address))
        if any(many >= room for many, room in zip(taken, most, strict=True)):
            raise BadFrame("too_many_streams", "too many sockets and streams are open", retryAfter=30)

    @contextmanager
    def seated(self, channel: Channel, key: str, address: str | None) -> Iterator[None]:
        counted = _counted(channel, key, address)
        self._open.update(counted)
        try:
            yield
        finally:
            self._open.subtract(counted)
            for one in counted:
                if not self._open[one]:
                    del self._open[one]

    def types(self, key: str) -> bool:
        """Is it news that this visitor types?"""
        now = monotonic()
        if now - self._typed.get(key, -TYPES_EVERY) < TYPES_EVERY:
            return False
        self._typed[key] = now
        self._typed.move_to_end(key)
        if len(self._typed) > REMEMBERED:
            self._typed.popitem(last=False)
        return True


def _counted(channel: Channel, key: str, address: str | None) -> tuple[str, str, str]:
    """As what a seat counts: as one of the channel's, of the session's and of the address's."""
    return channel.slug, f"{channel.slug} {key}", f"{channel.slug} from {counted_as(address)}"

"""Ways in that we have to go to ourselves: each is held by one process at a time, by a lease (`domain/ways_in/fetching.py`), as long as
its channel is there, and begun anew when it is set up otherwise."""

import asyncio
import random
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Never, Protocol

import orjson
import structlog
from cryptography.fernet import InvalidToken
from pydantic import ValidationError
from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import SQLAlchemyError

from domain.bell import heard
from domain.db import Database
from domain.keys import Keys
from domain.ways_in import fetching
from domain.ways_in.channels import TOPIC, Channel, ChannelKind
from domain.ways_in.fetching import BoxLost
from integrations.keeping import ChannelSettings

log = structlog.get_logger()

PURPOSE = "mailbox-settings"
UNREADABLE = "Its settings cannot be read: give them anew."


@dataclass(frozen=True)
class Pace:
    """In seconds, but for the lease."""

    lease: timedelta = fetching.LEASE
    """For which a channel stays with who has fallen silent."""
    again: float = 2.0
    """From the first failure to the next try; then twice as long each time, up to `longest`."""
    longest: float = 120.0
    refused: float = 300.0
    """From a refused sign-in to the next: whoever tries faster locks the account."""
    look: float = 5.0
    """From one look at the channels to the next."""

    def after_failure(self, failures: int) -> float:
        """`failures`: before this one, in a row."""
        return min(self.again * 2.0 ** min(failures, 10), self.longest) * random.uniform(0.75, 1.0)

    def after_refusal(self) -> float:
        return self.refused * random.uniform(1.0, 1.25)


class Reader(Protocol):
    """Of one channel, while it is held."""

    settings: Any

    async def read(self) -> float:
        """Until it cannot; after how many seconds to try again."""


class Holder:
    def __init__(
        self,
        db: Database,
        keys: Keys,
        pace: Pace,
        *,
        kind: ChannelKind,
        only: ColumnElement[bool],
        settings: type[ChannelSettings],
        reader: Callable[[Channel, Any, uuid.UUID], Reader],
    ) -> None:
        """`only`: which channels, all of the kind. `reader` is given the settings and under whose name it holds the channel."""
        self.db, self.keys, self.pace = db, keys, pace
        self.me = uuid.uuid4()
        self._of = Channel.disabled_at.is_(None), only
        self._kind, self._settings, self._reader = kind, settings, reader
        self._rounds: dict[uuid.UUID, tuple[_Round, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Until cancelled."""
        with self.db.bell.listening(TOPIC) as changed:
            try:
                while True:
                    changed.clear()
                    try:
                        await self._see_to(await self._wanted())
                    except (SQLAlchemyError, OSError) as failure:
                        log.warning("holding_waits_for_database", error=type(failure).__name__)
                    await heard(changed, self.pace.look)
            finally:
                await self._end(list(self._rounds))

    async def _wanted(self) -> dict[uuid.UUID, tuple[Channel, ChannelSettings]]:
        async with self.db.transaction() as session:
            channels = list(await session.scalars(select(Channel).where(*self._of)))
            await fetching.forget_others(session, self._kind, [channel.id for channel in channels])
        wanted = {}
        for channel in channels:
            try:
                wanted[channel.id] = channel, self._settings.of(channel, self.keys)
            except (ValidationError, InvalidToken) as problem:
                log.error("channel_not_set_up", channel=channel.slug, error=type(problem).__name__)
                async with self.db.transaction() as session:
                    await fetching.breaks(session, channel.id, error=UNREADABLE)
        return wanted

    async def _see_to(self, wanted: dict[uuid.UUID, tuple[Channel, ChannelSettings]]) -> None:
        await self._end(
            [
                id
                for id, (round, task) in self._rounds.items()
                if task.done() or id not in wanted or wanted[id][1] != round.reader.settings
            ]
        )
        for id, (channel, settings) in wanted.items():
            if id not in self._rounds:
                round = _Round(self, channel, self._reader(channel, settings, self.me))
                self._rounds[id] = round, asyncio.create_task(round.run())

    async def _end(self, ids: Sequence[uuid.UUID]) -> None:
        tasks = [self._rounds.pop(id)[1] for id in ids]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Round:
    """One channel, again and again."""

    def __init__(self, holder: Holder, channel: Channel, reader: Reader) -> None:
        self.reader = reader
        self._db, self._keys, self._pace, self._me = holder.db, holder.keys, holder.pace, holder.me
        self._channel = channel

    async def run(self) -> None:
        while True:
            wait = self._pace.look * random.uniform(0.75, 1.0)
            try:
                async with self._db.transaction() as session:
                    mine = await fetching.claim(
                        session,
                        self._channel.id,
                        by=self._me,
                        settings=self._signature(),
                        lease=self._pace.lease,
                    )
                if mine:
                    wait = await self._hold()
            except BoxLost:
                log.warning("channel_lost", channel=self._channel.slug)
            except (SQLAlchemyError, OSError) as failure:
                log.warning("channel_waits_for_database", error=type(failure).__name__)
            except Exception as failure:
                log.error("reading_failed", channel=self._channel.slug, exc_info=failure)
                await self._tell(type(failure).__name__)
                wait = self._pace.longest
            await asyncio.sleep(wait)

    async def _tell(self, error: str) -> None:
        with suppress(SQLAlchemyError, OSError):
            async with self._db.transaction() as session:
                await fetching.breaks(session, self._channel.id, error=error)

    async def _hold(self) -> float:
        """Reads until it cannot; after how many seconds to try again."""
        holding = asyncio.create_task(self._keep_hold())
        reading = asyncio.create_task(self.reader.read())
        try:
            await asyncio.wait((holding, reading), return_when=asyncio.FIRST_COMPLETED)
            return (await reading) if reading.done() else (await holding)
        finally:
            for task in (holding, reading):
                task.cancel()
            await asyncio.gather(holding, reading, return_exceptions=True)
            with suppress(SQLAlchemyError, OSError):
                async with self._db.transaction() as session:
                    await fetching.release(session, self._channel.id, by=self._me)

    async def _keep_hold(self) -> Never:
        """The lease is renewed as long as the channel is read. Ends by BoxLost."""
        while True:
            await asyncio.sleep(self._pace.lease.total_seconds() / 3)
            try:
                async with self._db.transaction() as session:
                    await fetching.renew(session, self._channel.id, by=self._me, lease=self._pace.lease)
            except (SQLAlchemyError, OSError) as failure:
                log.warning("channel_waits_for_database", error=type(failure).__name__)

    def _signature(self) -> str:
        settings = self.reader.settings
        said = settings.config() | settings.secrets()
        return self._keys.sign(PURPOSE, orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode())

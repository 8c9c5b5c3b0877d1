"""The change feed read, resolved and encoded once for all who may see the same and ask for the same.

Each audience has one reader, which keeps the newest batches. Who waits for the next is told it by the reader itself; who does
something else, or cannot take it at once, is rung and comes for it: then it waits there, for one batch at a time.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import structlog
from graphql import VariableNode
from sqlalchemy.exc import SQLAlchemyError

from api.change_topics import ChangeTopic
from api.changes import BATCH, ChangeBatch, read_batch
from api.context import Context, Info, Reading, reading_as
from api.cursors import cursor
from api.desk.attachments import LINKS
from api.selection import Selection, wanted
from api.telling import Telling, Told
from domain import access, events
from domain.db import heard
from domain.events import Place

log = structlog.get_logger()

POLL = 4.0
"""Seconds after which a reader looks even if nobody rang."""
QUIET = 30.0
"""Seconds after which who was told nothing is told where they are."""
KEPT = 50
FRESH = 60.0
"""Seconds for which a batch is told as it was read: links in it do not live for ever."""
PERSONAL = LINKS | {"file", "draft", "timeline"}
"""Fields that are another thing for each: links are signed for whom they are shown to, a draft is one's own, and of a timeline it
is noted who opened it."""


@dataclass(frozen=True)
class Kept:
    since: Place
    reached: Place
    batch: ChangeBatch
    at: float


@dataclass(eq=False)
class Listener:
    """`rung`: there is something that it has to see to itself."""

    reached: Place
    tell: Telling | None
    rung: asyncio.Event = field(default_factory=asyncio.Event)
    waits: bool = False
    said: float = field(default_factory=monotonic)

    @property
    def is_quiet(self) -> bool:
        return monotonic() - self.said >= QUIET

    async def wait(self) -> None:
        self.waits = True
        try:
            await self.rung.wait()
        finally:
            self.waits = False

    def told(self, batch: ChangeBatch) -> ChangeBatch:
        self.said = monotonic()
        return batch

    def hears(self, kept: Kept) -> bool:
        """At once, if it waits for just this."""
        if not self.waits or self.rung.is_set() or self.reached < kept.since:
            return False
        if self.reached < kept.reached and kept.batch.says:
            if not (self.tell and kept.batch.told and self.tell(kept.batch.told)):
                return False
            self.said = monotonic()
        self.reached = max(self.reached, kept.reached)
        return True


class Audience:
    def __init__(self, context: Context, topics: frozenset[ChangeTopic], selection: Selection) -> None:
        """`context`: of one who sees what all of them see."""
        self._context, self._topics, self._selection = context, topics, selection
        self._kept: deque[Kept] = deque(maxlen=KEPT)
        self.place: Place = (-1, -1)
        self.listeners: set[Listener] = set()
        self.reader = asyncio.create_task(self._read_on())
        self.reader.add_done_callback(lambda _: self._ring())

    async def after(self, since: Place) -> Kept | None:
        """The batch that goes on from here; none if there is nothing new."""
        if self.reader.done():
            self.reader.result()
        if self.place < (0, 0):
            return None
        fresh = [kept for kept in self._kept if monotonic() - kept.at < FRESH]
        for kept in fresh:
            if kept.since <= since < kept.reached:
                return kept
        if since >= self.place:
            return None
        below = fresh[0].since if fresh and since < fresh[0].since else self.place
        async with self._reading() as reading:
            batch, reached = await read_batch(
                reading, since, self._topics, BATCH, self._selection, until=below
            )
        if not batch.has_more:
            reached = max(reached, below)
            batch.cursor = cursor(self._context.house, reached)
        return Kept(since, reached, batch, monotonic())

    async def _read_on(self) -> None:
        with self._context.house.db.bell.listening(events.TOPIC) as rung:
            while True:
                rung.clear()
                try:
                    wait = await self._read()
                except (SQLAlchemyError, OSError) as failure:
                    log.warning("feed_waits_for_database", error=type(failure).__name__)
                    wait = 1.0
                for listener in self.listeners:
                    if listener.is_quiet:
                        listener.rung.set()
                await heard(rung, min(wait, QUIET))

    async def _read(self) -> float:
        """Seconds until the next look."""
        async with self._reading() as reading:
            if self.place < (0, 0):
                self.place = await events.newest_place(reading.connection)
                self._ring()
            held_back = await events.any_pending(reading.connection)
            since = self.place
            batch, reached = await read_batch(reading, since, self._topics, BATCH, self._selection)
        if reached > since:
            if batch.says:
                batch.told = await self._resolved(batch)
            self._reached(Kept(since, reached, batch, monotonic()))
        return 0.0 if batch.has_more else events.HELD_BACK if held_back else POLL

    async def _resolved(self, batch: ChangeBatch) -> Told | None:
        """None if something went wrong: then each of them is told what."""
        result = self._context.executor.of(batch, self._context).execute_operation()
        if self._context.executor.is_awaitable(result):
            result = await result
        return None if result.errors else Told(result.data)

    def _reached(self, kept: Kept) -> None:
        self._kept.append(kept)
        self.place = kept.reached
        for listener in self.listeners:
            if not listener.hears(kept):
                listener.rung.set()

    def _ring(self) -> None:
        for listener in self.listeners:
            listener.rung.set()

    def _reading(self) -> AbstractAsyncContextManager[Reading]:
        return reading_as(self._context.house, self._context.actor, self._context.locale)


@asynccontextmanager
async def joined(info: Info, topics: frozenset[ChangeTopic], listener: Listener) -> AsyncIterator[Audience]:
    context: Context = info.context
    audiences, selection = context.house.audiences, wanted(info)
    sight = context.actor if _asks(selection, PERSONAL) else access.sight(context.actor)
    key = (sight, context.locale, topics, context.operation, _variables(info))
    if key not in audiences:
        seeing = replace(context, somebody=sight, loaders={}, chorus=None)
        audiences[key] = Audience(seeing, topics, selection)
    audience = audiences[key]
    audience.listeners.add(listener)
    try:
        yield audience
    finally:
        audience.listeners.discard(listener)
        if not audience.listeners:
            if audiences.get(key) is audience:
                del audiences[key]
            audience.reader.cancel()


def _asks(selection: Selection, fields: frozenset[str]) -> bool:
    return bool(fields & selection.keys()) or any(_asks(below, fields) for below in selection.values())


def _variables(info: Info) -> str:
    """All but the place to begin at."""
    raw: Any = info._raw_info
    since = next(one.value for one in raw.field_nodes[0].arguments or () if one.name.value == "since")
    own = since.name.value if isinstance(since, VariableNode) else None
    return repr(sorted((name, value) for name, value in info.variable_values.items() if name != own))

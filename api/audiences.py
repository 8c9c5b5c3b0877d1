"""The change feed read, resolved and encoded once for all who may see the same and ask for the same.

Each audience has one reader, which keeps the newest batches. Who waits for the next is told it by the reader itself; who does
something else, or cannot take it at once, is rung and comes for it: then it waits there, for one batch at a time.

Agents of the same teams see the same but for what is their own. For them is read twice, as who sees least of them and as who
sees most: if both are told the same, all are, and if not, each reads alone.
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
from api.telling import SharedResult, Telling
from domain import access, events
from domain.actors import Actor
from domain.bell import heard
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

COUNTS = frozenset({"counters"})
"""What is one's own is counted too: hardly ever the same for two."""
AVERAGES = frozenset({"csatAvg"})
"""May be the same for who sees least and most, and another for who is between them."""


@dataclass(frozen=True)
class Kept:
    since: Place
    reached: Place
    batch: ChangeBatch
    people: frozenset[Actor]
    """Who is told it."""
    at: float

    def goes_on_from(self, listener: "Listener") -> bool:
        return listener.sees in self.people and self.since <= listener.reached < self.reached


@dataclass(eq=False)
class Listener:
    """`rung`: there is something that it has to see to itself."""

    reached: Place
    tell: Telling | None
    sees: Actor
    """As whom is read for it."""
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
        if not self.waits or self.rung.is_set() or not kept.goes_on_from(self):
            return False
        if kept.batch.says:
            if not (self.tell and kept.batch.told and self.tell(kept.batch.told)):
                return False
            self.said = monotonic()
        self.reached = kept.reached
        return True


class Audience:
    def __init__(self, context: Context, topics: frozenset[ChangeTopic], selection: Selection) -> None:
        """`context`: of one of them."""
        self._context, self._topics, self._selection = context, topics, selection
        self._kept: deque[Kept] = deque(maxlen=KEPT)
        self.place: Place = (-1, -1)
        self.listeners: set[Listener] = set()
        self.reader = asyncio.create_task(self._read_on())
        self.reader.add_done_callback(lambda _: self._ring())

    async def after(self, listener: Listener) -> Kept | None:
        """The batch that goes on from where they are; none if there is nothing new."""
        since, alone = listener.reached, frozenset([listener.sees])
        if self.reader.done():
            self.reader.result()
        if self.place < (0, 0):
            return None
        fresh = [kept for kept in self._kept if monotonic() - kept.at < FRESH and alone <= kept.people]
        for kept in fresh:
            if kept.goes_on_from(listener):
                return kept
        if since >= self.place:
            return None
        below = fresh[0].since if fresh and since < fresh[0].since else self.place
        async with self._reading(listener.sees) as reading:
            batch, reached = await self._batch(reading, since, until=below)
        if not batch.has_more:
            reached = max(reached, below)
            batch.cursor = cursor(self._context.house, reached)
        return Kept(since, reached, batch, alone, monotonic())

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
        people = frozenset(listener.sees for listener in self.listeners)
        least, *most = access.bounds(people)
        async with self._reading(least) as reading:
            if self.place < (0, 0):
                self.place = await events.newest_place(reading.connection)
                self._ring()
            held_back = await events.any_pending(reading.connection)
            since = self.place
            batch, reached = await self._batch(reading, since)
            others = [
                (actor, await self._batch(replace(reading, actor=actor), since, until=reached))
                for actor in most
                if reached > since
            ]
        if reached > since:
            await self._resolve(batch, least)
            for actor, (other, _) in others:
                other.has_more = batch.has_more
                await self._resolve(other, actor)
                if not batch.is_told_as(other):
                    people = frozenset()
            self._reached(Kept(since, reached, batch, people, monotonic()))
        return 0.0 if batch.has_more else events.HELD_BACK if held_back else POLL

    async def _batch(
        self, reading: Reading, since: Place, until: Place | None = None
    ) -> tuple[ChangeBatch, Place]:
        return await read_batch(reading, since, self._topics, BATCH, self._selection, until)

    async def _resolve(self, batch: ChangeBatch, actor: Actor) -> None:
        """If something goes wrong, each of them is told what."""
        if not batch.says:
            return
        context = replace(self._context, somebody=actor, loaders={}, chorus=None)
        result = context.executor.of(batch, context).execute_operation()
        if context.executor.is_awaitable(result):
            result = await result
        if not result.errors:
            batch.told = SharedResult(result.data)

    def _reached(self, kept: Kept) -> None:
        self._kept.append(kept)
        self.place = kept.reached
        for listener in self.listeners:
            if not listener.hears(kept):
                listener.rung.set()

    def _ring(self) -> None:
        for listener in self.listeners:
            listener.rung.set()

    def _reading(self, actor: Actor) -> AbstractAsyncContextManager[Reading]:
        return reading_as(self._context.house, actor, self._context.locale)


@asynccontextmanager
async def joined(info: Info, topics: frozenset[ChangeTopic], listener: Listener) -> AsyncIterator[Audience]:
    context: Context = info.context
    audiences, selection = context.house.audiences, wanted(info)
    listener.sees = context.actor if _asks(selection, PERSONAL) else access.sight(context.actor)
    key = (
        _group(listener.sees, topics, selection),
        context.locale,
        topics,
        context.operation,
        _variables(info),
    )
    if key not in audiences:
        audiences[key] = Audience(context, topics, selection)
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


def _group(sees: Actor, topics: frozenset[ChangeTopic], selection: Selection) -> Actor:
    counts = ChangeTopic.COUNTERS in topics and _asks(selection, COUNTS)
    return sees if counts or _asks(selection, PERSONAL | AVERAGES) else access.peers(sees)


def _asks(selection: Selection, fields: frozenset[str]) -> bool:
    return bool(fields & selection.keys()) or any(_asks(below, fields) for below in selection.values())


def _variables(info: Info) -> str:
    """All but the place to begin at."""
    raw: Any = info._raw_info
    since = next(one.value for one in raw.field_nodes[0].arguments or () if one.name.value == "since")
    own = since.name.value if isinstance(since, VariableNode) else None
    return repr(sorted((name, value) for name, value in info.variable_values.items() if name != own))

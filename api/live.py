"""The change feed as a stream: read, resolved and encoded once for all who may see the same and ask for the same.

Each audience has one reader, which keeps the newest batches. Who subscribes catches up with it by reading alone, then
takes what the audience read. A subscriber holds one batch at a time: the server closes who does not take it (`api/server.py`), and
who comes late for what is kept catches up anew.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any

import orjson
import strawberry
import structlog
from graphql import ExecutionResult, VariableNode
from sqlalchemy.exc import SQLAlchemyError

from api.change_topics import ChangeTopic
from api.changes import BATCH, ChangeBatch, read_batch, too_old
from api.completion import CompilingExecutor
from api.context import Context, Info, Reading, reading_as
from api.cursors import cursor, place
from api.desk.attachments import LINKS
from api.house import House
from api.scalars import Cursor
from api.selection import Selection, wanted
from domain import access, events
from domain.actors import Actor
from domain.db import heard
from domain.events import Place

log = structlog.get_logger()

POLL = 4.0
"""Seconds after which a reader looks even if nobody rang."""
QUIET = 30.0
"""Seconds after which a stream that has nothing to tell says where it is."""
KEPT = 50
FRESH = 60.0
"""Seconds for which a batch is told as it was read: links in it do not live for ever."""


@dataclass(frozen=True)
class _Kept:
    since: Place
    reached: Place
    batch: ChangeBatch
    at: float


class Audience:
    def __init__(
        self, house: House, actor: Actor, locale: str, topics: frozenset[ChangeTopic], selection: Selection
    ) -> None:
        self._house, self._actor, self._locale = house, actor, locale
        self._topics, self._selection = topics, selection
        self._kept: deque[_Kept] = deque(maxlen=KEPT)
        self.place: Place = (-1, -1)
        self.listeners: set[asyncio.Event] = set()
        """Rung for each batch."""
        self.reader = asyncio.create_task(self._read_on())
        self.reader.add_done_callback(lambda _: self._ring())

    async def after(self, since: Place) -> _Kept | None:
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
            batch.cursor = cursor(self._house, reached)
        return _Kept(since, reached, batch, monotonic())

    async def _read_on(self) -> None:
        db = self._house.db
        with db.bell.listening(events.TOPIC) as rung:
            while True:
                rung.clear()
                try:
                    wait = await self._read()
                except (SQLAlchemyError, OSError) as failure:
                    log.warning("feed_waits_for_database", error=type(failure).__name__)
                    wait = 1.0
                await heard(rung, wait)

    async def _read(self) -> float:
        """Seconds until the next look."""
        async with self._reading() as reading:
            if self.place < (0, 0):
                self._reached(await events.newest_place(reading.connection))
            held_back = await events.any_pending(reading.connection)
            since = self.place
            batch, reached = await read_batch(reading, since, self._topics, BATCH, self._selection)
        if reached > since:
            self._kept.append(_Kept(since, reached, batch, monotonic()))
            self._reached(reached)
        return 0.0 if batch.has_more else events.HELD_BACK if held_back else POLL

    def _reached(self, place: Place) -> None:
        self.place = place
        self._ring()

    def _ring(self) -> None:
        for rung in self.listeners:
            rung.set()

    def _reading(self) -> AbstractAsyncContextManager[Reading]:
        return reading_as(self._house, self._actor, self._locale)


@asynccontextmanager
async def _joined(info: Info, topics: frozenset[ChangeTopic], rung: asyncio.Event) -> AsyncIterator[Audience]:
    context: Context = info.context
    audiences, selection = context.house.audiences, wanted(info)
    # A link to a file is signed for whom it is shown to.
    sight = context.actor if _asks(selection, LINKS) else access.sight(context.actor)
    key = (sight, context.locale, topics, context.operation, _variables(info))
    if key not in audiences:
        audiences[key] = Audience(context.house, context.actor, context.locale, topics, selection)
    audience = audiences[key]
    audience.listeners.add(rung)
    try:
        yield audience
    finally:
        audience.listeners.discard(rung)
        if not audience.listeners:
            if audiences.get(key) is audience:
                del audiences[key]
            audience.reader.cancel()


def _asks(selection: Selection, fields: frozenset[str]) -> bool:
    return bool(fields & selection.keys()) or any(_asks(below, fields) for below in selection.values())


def _variables(info: Info) -> str:
    """All but the place to begin at."""
    raw = info._raw_info
    since = next(one.value for one in raw.field_nodes[0].arguments or () if one.name.value == "since")
    own = since.name.value if isinstance(since, VariableNode) else None
    return repr(sorted((name, value) for name, value in info.variable_values.items() if name != own))


async def _stream(
    info: Info, since: Cursor, topics: list[ChangeTopic] | None = None
) -> AsyncGenerator[ChangeBatch, None]:
    context: Context = info.context
    reached, asked = place(context.house, since), frozenset(topics or ChangeTopic)
    said, rung = monotonic(), asyncio.Event()
    async with context.reading() as reading:
        newest = await events.newest_place(reading.connection) if await too_old(reading, reached) else None
    if newest:
        reached = newest
        yield ChangeBatch.of(context.house, reached, reset_required=True)
    with context.watched(rung) as who:
        while True:
            async with _joined(info, asked, rung) as audience:
                while who.actor == context.somebody:
                    rung.clear()
                    kept = await audience.after(reached)
                    if kept:
                        reached = kept.reached
                        if kept.batch.changes or kept.batch.reset_required:
                            said = monotonic()
                            yield kept.batch
                        continue
                    if monotonic() - said >= QUIET:
                        said = monotonic()
                        yield ChangeBatch.of(context.house, reached)
                        continue  # there may be news by now
                    await heard(rung, said + QUIET - monotonic())
            context.somebody = who.actor
            async with context.reading() as reading:  # refused to whose session has ended
                reached = await events.newest_place(reading.connection)
            yield ChangeBatch.of(context.house, reached, reset_required=True)


@strawberry.type
class ChangeSubscriptions:
    changes: AsyncGenerator[ChangeBatch, None] = strawberry.subscription(
        resolver=_stream,
        description="Batches as they happen, from a cursor on; an empty one now and then says where you are. "
        "`resetRequired` also comes when what you may see has changed.",
    )


class Executor(CompilingExecutor):
    """A batch is resolved and encoded for the first of its audience, and sent to the others as it is."""

    def execute_operation(self, *args: Any, **options: Any) -> Any:
        batch = self.root_value
        if not isinstance(batch, ChangeBatch):
            return super().execute_operation(*args, **options)
        if batch.encoded is None:
            result: Any = super().execute_operation(*args, **options)
            if not isinstance(result, ExecutionResult) or result.errors:
                return result
            batch.encoded = orjson.Fragment(orjson.dumps(result.data))
        return ExecutionResult(data=batch.encoded)  # type: ignore[arg-type]  # JSON already

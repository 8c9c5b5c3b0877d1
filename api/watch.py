"""Who is there still: asked every few seconds, for all streams of a process at once.

A stream outlives the request that opened it. It is rung when its session has ended or its person may see something else, and
learns here who they are now.
"""

import asyncio
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain.actors import Actor
from domain.agents import sign_in, tokens
from domain.db import Database, database_time

log = structlog.get_logger()

POLL = 4.0
"""Seconds: an end is felt in five."""

Shown: TypeAlias = uuid.UUID | str | None
"""An agent's session, or a program's token."""


@dataclass(eq=False)
class Watched:
    shown: Shown
    actor: Actor | None
    rung: asyncio.Event


class Watch:
    def __init__(self, db: Database) -> None:
        self._db = db
        self._streams: set[Watched] = set()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def over(self, shown: Shown, actor: Actor | None, rung: asyncio.Event) -> Iterator[Watched]:
        stream = Watched(shown, actor, rung)
        self._streams.add(stream)
        if self._task is None:
            self._task = asyncio.create_task(self._watch())
        try:
            yield stream
        finally:
            self._streams.discard(stream)
            if not self._streams and self._task:
                self._task.cancel()
                self._task = None

    async def _watch(self) -> None:
        wait = POLL
        while True:
            await asyncio.sleep(wait)
            streams = list(self._streams)  # who comes meanwhile is not asked for
            try:
                there = await still(self._db, {stream.shown for stream in streams})
            except (SQLAlchemyError, OSError) as failure:
                log.warning("watch_waits_for_database", error=type(failure).__name__)
                wait = 1.0
                continue
            wait = POLL
            for stream in streams:
                actor = there.get(stream.shown)
                if actor != stream.actor:
                    stream.actor = actor
                    stream.rung.set()


async def still(db: Database, shown: Collection[Shown]) -> dict[Shown, Actor]:
    """Whoever brought these, with the rights of this moment; who is missing is there no more."""
    sessions = [one for one in shown if isinstance(one, uuid.UUID)]
    programs = [one for one in shown if isinstance(one, str)]
    there: dict[Shown, Actor] = {}
    stale = []
    async with db.asking() as connection:
        if sessions:
            for id, (actor, is_stale) in (await sign_in.still(connection, sessions)).items():
                there[id] = actor
                if is_stale:
                    stale.append(id)
        if programs:
            for token, (actor, _) in (await tokens.programs(connection, programs)).items():
                there[token] = actor
    if stale:
        async with db.transaction() as session:
            await sign_in.still_open(session, stale, at=await database_time(session))
    return there

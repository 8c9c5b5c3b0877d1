"""Connections over which is only read. They stay open, and who asks takes the one that was given back last.

Each statement is a transaction of its own, so nothing is left to undo for the next: SQLAlchemy's pool would ask and tidy up
at each turn, which costs more than a small select.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


@dataclass(frozen=True, eq=False)
class Reader:
    connection: AsyncConnection
    driver: Any
    """asyncpg's own connection, to tell it a select as it is compiled."""

    @property
    def is_open(self) -> bool:
        """The loop hears at once when the other end closes."""
        return not (self.driver.is_closed() or self.connection.invalidated)


class Readers:
    def __init__(self, engine: AsyncEngine, most: int) -> None:
        self.engine = engine
        self.all: set[Reader] = set()
        self._idle: list[Reader] = []
        self._free = asyncio.Semaphore(most)

    @property
    def busy(self) -> int:
        return len(self.all) - len(self._idle)

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Reader]:
        async with self._free:
            reader = await self._taken()
            try:
                yield reader
            finally:
                self._idle.append(reader)

    async def _taken(self) -> Reader:
        while self._idle:
            reader = self._idle.pop()
            if reader.is_open:
                return reader
            await self._close(reader)
        async with AsyncExitStack() as unless_it_fails:
            connection = await unless_it_fails.enter_async_context(self.engine.connect())
            raw: Any = await connection.get_raw_connection()
            unless_it_fails.pop_all()
        reader = Reader(connection, raw.driver_connection)
        self.all.add(reader)
        return reader

    async def _close(self, reader: Reader) -> None:
        self.all.discard(reader)
        with suppress(SQLAlchemyError, OSError):
            await reader.connection.close()

    async def close(self) -> None:
        while self._idle:
            await self._close(self._idle.pop())
        await self.engine.dispose()

"""The bell that wakes who waits, in whatever process, when a transaction has committed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

import asyncpg
import structlog

log = structlog.get_logger()


async def heard(rung: asyncio.Event, seconds: float) -> None:
    """Waits for a ring, at most so long.

    Not by `asyncio.wait_for`: up to Python 3.11 it loses the cancellation that comes together with the ring, and whoever
    waits in a loop is never ended.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await rung.wait()


class Bell:
    """Hears what other transactions rang. It may miss a ring while it reconnects: every listener also polls."""

    CHANNEL = "heddle"

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def listening(self, *topics: str) -> Iterator[asyncio.Event]:
        rung = asyncio.Event()
        for topic in topics:
            self._waiting.setdefault(topic, set()).add(rung)
        try:
            yield rung
        finally:
            for topic in topics:
                self._waiting[topic].discard(rung)
                if not self._waiting[topic]:
                    del self._waiting[topic]

    def start(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._task = asyncio.create_task(self._hear(connect))

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _hear(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        while True:
            try:
                connection = await connect()
                gone = asyncio.Event()
                connection.add_termination_listener(lambda _, gone=gone: gone.set())
                try:
                    await connection.add_listener(self.CHANNEL, lambda *heard: self._rung(str(heard[3])))
                    self._everyone()  # what was rung while nobody heard
                    await gone.wait()
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
                log.warning("bell_lost", error=type(failure).__name__)
            await asyncio.sleep(1)

    def _rung(self, topic: str) -> None:
        for rung in self._waiting.get(topic, ()):
            rung.set()

    def _everyone(self) -> None:
        for topic in self._waiting:
            self._rung(topic)

"""A cheap HTTP client: it shares two cores with what it measures, so it does no more than HTTP/1.1 keep-alive needs."""

import asyncio
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import cast

PATIENCE = 30.0
"""Seconds for the last answers of a burst; also for a server that has just been started."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: benchmark", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Unexpected(Exception):
    """An answer that is no 200, or much too short to be one of the right kind."""


@dataclass
class Burst:
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """Seconds, one for each answer."""
    answer: bytes = b""
    """The body of the last one."""

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def burst(
    port: int, requests: Iterable[bytes], *, connections: int, seconds: float, least: int = 1
) -> Burst:
    """Sends the requests, `connections` at once, until they or the `seconds` are over.

    `least`: the bytes of the shortest body that is a right answer; an error may be quick, but it is short.
    """
    loop = asyncio.get_running_loop()
    made, left, begun = Burst(), iter(requests), perf_counter()
    ended = [loop.create_future() for _ in range(connections)]
    opened: list[asyncio.BaseTransport] = []
    try:
        async with asyncio.timeout(seconds + PATIENCE):
            for end in ended:
                connection = partial(_Connection, made, left, end, least, begun + seconds)
                transport, _ = await loop.create_connection(connection, "127.0.0.1", port)
                opened.append(transport)
            await asyncio.gather(*ended)
    except TimeoutError:
        raise Unexpected(f"no answer within {PATIENCE:.0f} s") from None
    finally:
        for one in opened:
            one.close()
    made.seconds = perf_counter() - begun
    return made


async def ask(port: int, one: bytes) -> bytes:
    return (await burst(port, [one], connections=1, seconds=30)).answer


class _Connection(asyncio.Protocol):
    def __init__(
        self, burst: Burst, left: Iterator[bytes], ended: asyncio.Future[None], least: int, until: float
    ) -> None:
        self._burst, self._left, self._ended, self._least, self._until = burst, left, ended, least, until
        self._received = bytearray()
        self._asked = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._asked = perf_counter()
        following = next(self._left, None) if self._asked < self._until else None
        if following:
            self._transport.write(following)
        elif not self._ended.done():
            self._ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._received, 0, head + 2)
        if length is None:
            return self._refuse("an answer without a length")
        if len(self._received) < head + 4 + int(length[1]):
            return
        body = bytes(self._received[head + 4 :])
        if not self._received.startswith(b"HTTP/1.1 200") or len(body) < self._least:
            return self._refuse(f"{bytes(self._received[:head])!r} {body[:300]!r}")
        self._received.clear()
        self._burst.latencies.append(perf_counter() - self._asked)
        self._burst.answer = body
        self._ask()

    def connection_lost(self, problem: Exception | None) -> None:
        self._refuse("the connection was closed")

    def _refuse(self, why: str) -> None:
        if not self._ended.done():
            self._ended.set_exception(Unexpected(why))

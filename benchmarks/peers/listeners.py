"""Many subscribers in one process: each has a socket of its own, and does no more than notice when it was told something.

Says on its standard output when all of them listen; then, for each line of its input, waits until all of them were told what
the line says, and answers with the times (`perf_counter`, which is the same for all processes of a machine); none for who was
not told.
"""

import asyncio
import json
import os
import sys
from base64 import b64encode
from collections.abc import Sequence
from functools import partial
from time import perf_counter
from typing import cast

import orjson

from api import loops

PATIENCE = 20.0
"""Seconds for one event."""
AT_ONCE = 25
"""Of those who connect."""
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Subscriber(asyncio.Protocol):
    """Speaks `graphql-transport-ws` over unfragmented frames."""

    def __init__(self, token: str, subscription: bytes) -> None:
        self._token, self._subscription = token, subscription
        self._received = bytearray()
        self._is_open = False
        self.listens: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._awaited = b""
        self._told: asyncio.Future[float] | None = None

    def awaits(self, words: bytes) -> asyncio.Future[float]:
        self._awaited, self._told = words, asyncio.get_running_loop().create_future()
        return self._told

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        lines = (
            "GET /graphql HTTP/1.1",
            "host: benchmark",
            "upgrade: websocket",
            "connection: upgrade",
            "sec-websocket-version: 13",
            f"sec-websocket-key: {b64encode(os.urandom(16)).decode()}",
            "sec-websocket-protocol: graphql-transport-ws",
        )
        self._transport.write("\r\n".join([*lines, "", ""]).encode())

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self._is_open:
            head, end, rest = bytes(self._received).partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                return self._fail(f"no socket was opened: {head!r} {rest!r}")
            self._is_open, self._received = True, bytearray(rest)
            self._say({"type": "connection_init", "payload": {"authorization": f"Bearer {self._token}"}})
        while frame := self._next_frame():
            self._heard(*frame)

    def _next_frame(self) -> tuple[int, bytes] | None:
        received = self._received
        if len(received) < 2:
            return None
        size, begin = received[1] & 0x7F, 2
        if size >= 126:
            begin = 4 if size == 126 else 10
            size = int.from_bytes(received[2:begin])
        if len(received) < begin + size:
            return None
        frame = received[0] & 0x0F, bytes(received[begin : begin + size])
        del received[: begin + size]
        return frame

    def _heard(self, kind: int, words: bytes) -> None:
        if kind == PING:
            self._write(PONG, words)
        elif kind == CLOSE:
            self._fail(f"the socket was closed: {words!r}")
        elif self._told and not self._told.done() and self._awaited in words:
            self._told.set_result(perf_counter())
        elif b'"connection_ack"' in words:
            self._write(TEXT, self._subscription)
            self.listens.set_result(None)
        elif b'"type":"error"' in words.replace(b" ", b""):
            self._fail(f"refused: {words!r}")

    def _say(self, message: object) -> None:
        self._write(TEXT, orjson.dumps(message))

    def _write(self, kind: int, words: bytes) -> None:
        """Masked, as clients do: with zeros, which change nothing."""
        size = bytes([0x80 | len(words)]) if len(words) < 126 else b"\xfe" + len(words).to_bytes(2)
        self._transport.write(bytes([0x80 | kind]) + size + bytes(4) + words)

    def connection_lost(self, problem: Exception | None) -> None:
        self._fail("the connection was lost")

    def _fail(self, why: str) -> None:
        for waited in (self.listens, self._told):
            if waited and not waited.done():
                waited.set_exception(RuntimeError(why))


async def _listen() -> None:
    loop = asyncio.get_running_loop()
    asked = json.loads(await asyncio.to_thread(sys.stdin.readline))
    payload = {"query": asked["document"], "variables": asked["variables"]}
    subscription = orjson.dumps({"type": "subscribe", "id": "1", "payload": payload})
    subscribers: list[Subscriber] = []
    tokens: Sequence[str] = asked["tokens"]
    for begin in range(0, asked["many"], AT_ONCE):
        some = range(begin, min(begin + AT_ONCE, asked["many"]))
        opening = (
            loop.create_connection(
                partial(Subscriber, tokens[place % len(tokens)], subscription), "127.0.0.1", asked["port"]
            )
            for place in some
        )
        opened = [subscriber for _, subscriber in await asyncio.gather(*opening)]
        await asyncio.gather(*(subscriber.listens for subscriber in opened))
        subscribers += opened
    _tell("listening")
    while words := (await asyncio.to_thread(sys.stdin.readline)).strip():
        waiting = [subscriber.awaits(words.encode()) for subscriber in subscribers]
        _tell("waiting")
        told, _ = await asyncio.wait(waiting, timeout=PATIENCE)
        _tell(json.dumps([one.result() if one in told else None for one in waiting]))


def _tell(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    loops.run(_listen())

"""What the stand-ins share: an HTTP server, what it received, and what shall go wrong.

The HTTP server is our own, because a stand-in has to misbehave below HTTP: fall silent, reset the connection,
cut an answer short.
"""

import asyncio
import json
import socket
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, Literal, Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

FOREVER = 3600.0  # seconds; a timer, because the loop would let go of a task that waits for nothing

Ending = Literal["whole", "truncated", "reset", "silence"]

T = TypeVar("T")
Kind = TypeVar("Kind", bound=str)


class Received(list[T]):
    """What a stand-in has taken, oldest first. Make it inside the loop that will wait for `next`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._fresh: asyncio.Queue[T] = asyncio.Queue()

    def take(self, item: T) -> None:
        """May be called from any thread."""
        self.append(item)
        self._loop.call_soon_threadsafe(self._fresh.put_nowait, item)

    def next(self, timeout: float) -> Coroutine[Any, Any, T]:
        """The oldest one not handed out yet; TimeoutError after so many seconds."""
        return asyncio.wait_for(self._fresh.get(), timeout)


class Mischief(Generic[Kind]):
    """What shall go wrong next, in order; `done` is what has."""

    def __init__(self) -> None:
        self.done: list[Kind] = []
        self._planned: list[Kind] = []

    def __call__(self, kind: Kind, times: int = 1) -> None:
        self._planned += [kind] * times

    def next(self, *possible: Kind) -> Kind | None:
        """The first planned one, of those possible here if any are named; it counts as done now."""
        for kind in self._planned:
            if not possible or kind in possible:
                self._planned.remove(kind)
                self.done.append(kind)
                return kind
        return None


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def bearer(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ")


@dataclass(frozen=True)
class Answer:
    content: Any  # bytes go out as they are, anything else as JSON
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    ending: Ending = "whole"

    def on_the_wire(self) -> bytes:
        content, kind = self.content, "text/html; charset=utf-8"
        if not isinstance(content, bytes):
            content, kind = json.dumps(content, default=str).encode(), "application/json; charset=UTF-8"
        if self.ending == "truncated":
            content = content[: len(content) // 2]
        headers = {"Content-Type": kind, "Content-Length": str(len(content))} | self.headers
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + content


class HttpFarEnd:
    """An HTTP/1.1 server on a free port of 127.0.0.1, in a thread and a loop of its own: firebase-admin
    refreshes its access token with blocking `requests` inside the caller's loop, where no server could answer.
    """

    url: str

    def answer(self, request: Request) -> Answer:
        """Runs in the server's thread."""
        raise NotImplementedError

    def seen(self) -> dict[str, Any]:
        """What was received, for `GET /_seen`: a stand-in may run in another process."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._stop: Future[None] = Future()
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve(listener)])
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set_result(None)
        self._thread.join()

    async def _serve(self, listener: socket.socket) -> None:
        server = await asyncio.start_server(self._converse, sock=listener)
        await asyncio.wrap_future(self._stop)
        server.close()  # asyncio.run cancels the conversations

    async def _converse(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            while request := await _read(reader):
                answer = Answer(self.seen()) if request.path == "/_seen" else self.answer(request)
                if answer.ending == "silence":
                    await asyncio.sleep(FOREVER)
                wire = answer.on_the_wire()
                writer.write(wire[: len(wire) // 2] if answer.ending == "reset" else wire)
                await writer.drain()
                if answer.ending == "reset":
                    reset(writer.transport)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client hangs up, or we stop
        finally:
            writer.transport.abort()


async def _read(reader: StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    except asyncio.IncompleteReadError:
        return None
    method, target, _ = first.split(" ")
    return Request(method, urlsplit(target).path, dict(parse_qsl(urlsplit(target).query)), headers, body)


def reset(transport: asyncio.WriteTransport) -> None:
    """Hangs up rudely: lingering for 0 seconds makes the kernel send RST instead of FIN."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()

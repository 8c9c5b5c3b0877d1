"""Somebody's webhook receiver: keeps what is posted, and can fail in every way a receiver fails."""

import asyncio
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

FOREVER = 3600

ANSWERS = {
    "well": b"HTTP/1.1 204 No Content\r\n\r\n",
    "broken": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\noh no",
    "unknown": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "gone": b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n",
    "busy": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 600\r\nContent-Length: 0\r\n\r\n",
    "elsewhere": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/inside\r\nContent-Length: 0\r\n\r\n",
    "garbage": b"\x16\x03\x01 what is this \xff\xfe\r\n\r\n",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Le",
    "hanging": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nso far",
    "short": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbut only this",
    "sweet": b"HTTP/1.1 204 No Content\r\nSet-Cookie: id=1\r\n\r\n",
    "endless": b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n",
    "silent": b"",
    "slow": b"HTTP/1.1 200 OK\r\n",
}


async def nobody_at_the_first(host: str, port: int, **_: Any) -> list[Any]:
    """What a name means that has two addresses."""
    first = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0))
    return [first, (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]


@dataclass
class Posted:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    mood: str = "well"
    posted: list[Posted] = field(default_factory=list)
    connections: int = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._hear, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._talking: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task
        self._talking.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._talking.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.posted.append(Posted(head[0].split()[1], headers, body))
        answer = ANSWERS[self.mood]
        writer.write(answer % self.port if self.mood == "elsewhere" else answer)
        await writer.drain()
        match self.mood:
            case "cut":
                writer.transport.abort()
            case "garbage" | "short":
                return False
            case "endless":
                with suppress(ConnectionError):
                    while True:
                        writer.write(b"400\r\n" + b"x" * 1024 + b"\r\n")
                        await writer.drain()
                        await asyncio.sleep(0)
            case "silent" | "hanging":
                await asyncio.sleep(FOREVER)
            case "slow":
                for byte in b"X-Slow: " + b"y" * FOREVER:
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(0.05)
        return self.mood not in ("cut", "endless", "silent", "hanging", "slow")

"""A virus scanner's end: ClamAV's `INSTREAM`, which finds what it was told to look for."""

import asyncio
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from typing import Literal, Self

from demo.farends.server import FOREVER, Mischief

Fault = Literal["nonsense", "hang", "reset", "too_large"]

ANSWERS: dict[Fault, bytes] = {
    "nonsense": b"HTTP/1.1 400 Bad Request\r\n\r\n\0",
    "too_large": b"INSTREAM size limit exceeded. ERROR\0",
}


class ClamdStandIn:
    def __init__(self, infected: bytes = b"EICAR", finding: str = "Eicar-Test-Signature") -> None:
        self.misbehave: Mischief[Fault] = Mischief()
        self.seen: list[bytes] = []
        self._infected, self._finding = infected, finding

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            command = await reader.readuntil(b"\0")
            if command == b"zVERSION\0":
                writer.write(b"ClamAV 1.4.6/27000/Mon Mar  2 12:00:00 2026\0")
            else:
                writer.write(await self._verdict(reader, writer))
            await writer.drain()
        writer.close()

    async def _verdict(self, reader: StreamReader, writer: StreamWriter) -> bytes:
        content = b""
        while length := int.from_bytes(await reader.readexactly(4)):
            content += await reader.readexactly(length)
        self.seen.append(content)
        match self.misbehave.next():
            case "hang":
                await asyncio.sleep(FOREVER)
            case "reset":
                writer.transport.abort()
            case fault if fault:
                return ANSWERS[fault]
        return (
            b"stream: %s FOUND\0" % self._finding.encode() if self._infected in content else b"stream: OK\0"
        )

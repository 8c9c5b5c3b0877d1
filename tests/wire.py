"""A line to a server that can be cut, fall silent, or say what the server never said."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


class Wire:
    port: int

    def __init__(self, to: int) -> None:
        self.to = to
        self.cuts: list[tuple[bytes, int]] = []
        """Bytes at which the line is cut as often, before they are through."""
        self.silent = False
        self.is_down = False
        self.refused: list[bytes] = []
        """What a client may not say: the line is cut before it is through."""
        self.connections = 0
        self.said: list[bytes] = []
        """By the client."""
        self._ends: set[asyncio.StreamWriter] = set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.is_down:
            writer.close()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.to)
        except OSError:
            writer.close()
            return
        self._ends |= {writer, far_writer}
        there = asyncio.create_task(self._pump(reader, far_writer, heard=self.said))
        back = asyncio.create_task(self._pump(far_reader, writer))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            for end in (writer, far_writer):
                end.close()
            self._ends -= {writer, far_writer}

    async def say(self, words: bytes) -> None:
        """To all clients, as if the server did."""
        for end in self._ends:
            end.write(words)

    async def hang_up(self) -> None:
        for end in self._ends:
            await end.drain()
            end.close()

    async def go_down(self) -> None:
        """All lines are cut, and none comes about as long as it `is_down`."""
        self.is_down = True
        await self.hang_up()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: list[bytes] | None = None
    ) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                while self.silent:
                    await asyncio.sleep(0.01)
                if heard is not None:
                    if any(word in chunk for word in self.refused):
                        return
                    heard.append(chunk)
                elif self._cuts(chunk):
                    return
                writer.write(chunk)
                await writer.drain()

    def _cuts(self, chunk: bytes) -> bool:
        for place, (marker, times) in enumerate(self.cuts):
            if times and marker in chunk:
                self.cuts[place] = marker, times - 1
                return True
        return False


@asynccontextmanager
async def wire(to: int) -> AsyncIterator[Wire]:
    """Carries what comes to its port of 127.0.0.1 to another."""
    line = Wire(to)
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        server.close()
        for end in list(line._ends):
            end.close()


@asynccontextmanager
async def parrot(greeting: str, answer: Callable[[str], str]) -> AsyncIterator[int]:
    """A server that says what it likes to each line that it hears; its port."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{greeting}\r\n".encode())
        while line := await reader.readline():
            writer.write(answer(line.decode().strip()).encode())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]

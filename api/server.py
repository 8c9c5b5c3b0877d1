"""The HTTP server: uvicorn, with an end to every wait for the other side.

Whoever connects has a while to say what they want, another for the rest of it, and has to take what was answered: the
half-open are closed, and what is kept for a slow reader is one answer and the 64 KiB below which a transport takes more.
"""

import asyncio
import socket
from dataclasses import dataclass
from typing import Any

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN

LARGEST_HEAD = 32 * 1024
LARGEST_FRAMING = 512 * 1024
"""Of a body in chunks: a byte each takes six."""
READ = 32 * 1024
"""Bytes that who is slow has to take in each of the periods for which a server waits."""
SENT = 256 * 1024
"""Bytes of a body that its sender gets another period for: a file on a slow line."""
PIPELINED = 16
"""Requests that wait on one connection while another is answered."""
LARGEST_FRAME = 64 * 1024
PING = 20.0
AT_ONCE = "heddle.at_once"
"""An extension of ASGI: `write` takes a whole frame (`text_frame`) without a task that waits for its turn."""


@dataclass(frozen=True)
class Patience:
    """In seconds."""

    head: float = 10.0
    body: float = 30.0
    read: float = 30.0


def server(app: ASGIApp, patience: Patience, **options: Any) -> uvicorn.Server:
    class Http(_Http):
        waits = patience

    class Socket(_Socket):
        waits = patience

    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=Http,
            ws=Socket,
            ws_max_size=LARGEST_FRAME,
            ws_per_message_deflate=False,  # bytes that are made once for a thousand would be packed a thousand times
            ws_ping_interval=PING,
            ws_ping_timeout=PING,
            lifespan="off",
            log_level="critical",  # `api/requests.py` says what happened
            access_log=False,
            server_header=False,
            **options,
        )
    )


async def answer(server: uvicorn.Server, connection: socket.socket) -> None:
    """A connection that somebody else has accepted."""

    def protocol() -> asyncio.Protocol:
        config, state = server.config, server.lifespan.state
        return config.http_protocol_class(config=config, server_state=server.server_state, app_state=state)  # type: ignore[call-arg]

    await asyncio.get_running_loop().connect_accepted_socket(protocol, connection)


class _Patient(asyncio.Protocol):
    """Ends the connection of who does not read what was answered, or what is left when it is closed."""

    waits: Patience
    transport: Any

    def connection_made(self, transport: Any) -> None:
        if not isinstance(transport, _Wire):  # a socket takes over that of its handshake
            transport = _Wire(transport, self.waits.read)
        super().connection_made(transport)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.transport.watch()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self.transport.look_away()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport.look_away()
        super().connection_lost(exc)


class _Wire:
    """A transport that is aborted when what it has to send does not get less; asyncio's own waits for ever."""

    def __init__(self, transport: asyncio.Transport, seconds: float) -> None:
        self._transport, self._seconds = transport, seconds
        self._watching: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def close(self) -> None:
        self._transport.close()
        if self._watching is None:
            self.watch()

    def watch(self, before: int | None = None) -> None:
        """Looks again and again: a large file on a slow line gets its time."""
        size = self._transport.get_write_buffer_size()
        if before is not None and before - size < READ:
            self._transport.abort()
        else:
            later = asyncio.get_running_loop().call_later
            self._watching = later(self._seconds, self.watch, size)

    def look_away(self) -> None:
        _cancel(self._watching)
        self._watching = None


class _Http(_Patient, HttpToolsProtocol):
    _late: asyncio.TimerHandle | None = None
    """Runs while something of a request is awaited."""
    _head: int | None = None
    """Bytes so far of a head that is not complete; those of the chunk it began in are not counted."""
    _came = 0
    """Bytes of a body in this period."""
    _around: int | None = None
    """Bytes so far, behind a head, that are no body: the framing of its chunks, and headers that trail them."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await(self.waits.head)

    def data_received(self, data: bytes) -> None:
        if self._late is None:  # another request on a connection that was kept
            self._await(self.waits.head)
        in_head, in_body = self._head is not None, self._around is not None
        super().data_received(data)
        if in_head and self._head is not None:
            self._head += len(data)
            if self._head > LARGEST_HEAD:
                self._refuse(431)
        elif in_body and self._around is not None:
            self._around += len(data)
            if self._around > LARGEST_FRAMING:
                self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0

    def on_headers_complete(self) -> None:
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > LARGEST_HEAD:
            self._refuse(431)
            raise httptools.HttpParserError
        self._head, self._around, self._came = None, 0, 0
        if self.parser.should_upgrade() and self._should_upgrade():
            self._received()
        else:
            self._await(self.waits.body)
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED:
            self._refuse(400)
            raise httptools.HttpParserError

    def on_body(self, body: bytes) -> None:
        if self._around is not None:
            self._around -= len(body)
        self._came += len(body)
        if self._came >= SENT:
            self._came = 0
            self._await(self.waits.body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._received()
        self._around = None
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._received()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400)

    def _await(self, seconds: float) -> None:
        self._received()
        self._late = self.loop.call_later(seconds, self._refuse, 408)

    def _received(self) -> None:
        _cancel(self._late)
        self._late = None

    def _refuse(self, status: int) -> None:
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


class _Socket(_Patient, WebSocketsSansIOProtocol):
    async def run_asgi(self) -> None:
        self.scope["extensions"][AT_ONCE] = {"write": self.write_at_once}
        await super().run_asgi()

    def write_at_once(self, frame: bytes) -> bool:
        """False to whom nothing can be sent, or who has not taken what was sent before."""
        if self.conn.state is not OPEN or self.disconnected or not self.writable.is_set():
            return False
        self.transport.write(frame)
        return True


def text_frame(text: bytes) -> bytes:
    """As it goes to every socket: a server masks nothing, and nothing is packed."""
    return Frame(Opcode.TEXT, text).serialize(mask=False)


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer:
        timer.cancel()

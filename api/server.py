"""The HTTP server: uvicorn, with an end to every wait for the other side.

Whoever connects has `HEAD` seconds to say what they want, `BODY` for the rest of it, and may let nobody wait for longer
than `READ` to take what was answered: the half-open are closed, and what is kept for a slow reader is one answer and the
64 KiB below which a transport takes more.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import httptools
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

LARGEST_HEAD = 32 * 1024
PIPELINED = 16
"""Requests that wait on one connection while another is answered."""
LARGEST_FRAME = 64 * 1024
PING = 20.0


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
            ws_ping_interval=PING,
            ws_ping_timeout=PING,
            lifespan="off",
            log_level="critical",  # `api/requests.py` says what happened
            access_log=False,
            server_header=False,
            **options,
        )
    )


class _Patient(asyncio.Protocol):
    """Closes the connection of who does not read."""

    waits: Patience
    transport: asyncio.Transport
    _unread: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = asyncio.get_running_loop().call_later(self.waits.read, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        _cancel(self._unread)

    def connection_lost(self, exc: Exception | None) -> None:
        _cancel(self._unread)
        super().connection_lost(exc)


class _Http(_Patient, HttpToolsProtocol):
    _late: asyncio.TimerHandle | None = None
    """Runs while something of a request is awaited."""
    _head: int | None = None
    """Bytes so far of a head that is not complete; those of the chunk it began in are not counted."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await(self.waits.head)

    def data_received(self, data: bytes) -> None:
        if self._late is None:  # another request on a connection that was kept
            self._await(self.waits.head)
        began = self._head is not None
        super().data_received(data)
        if began and self._head is not None:
            self._head += len(data)
            if self._head > LARGEST_HEAD:
                self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head = 0

    def on_headers_complete(self) -> None:
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > LARGEST_HEAD:
            self._refuse(431)
            raise httptools.HttpParserError
        self._head = None
        if self.parser.should_upgrade() and self._should_upgrade():
            self._received()
        else:
            self._await(self.waits.body)
        super().on_headers_complete()
        if len(self.pipeline) > PIPELINED:
            self._refuse(400)
            raise httptools.HttpParserError

    def on_message_complete(self) -> None:
        self._received()
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
    pass


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer:
        timer.cancel()

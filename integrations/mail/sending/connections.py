"""The few connections that carry all mail: some for each server, kept as long as they are of use.

Whoever sends borrows one (`async with relays.to(server) as smtp`). It is asked whether it is still there before it is used
again; after a failure, or when the loan is cut short, it is thrown away.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Self, cast
from urllib.parse import unquote, urlsplit

import aiosmtplib

from domain.work import TryLater

MOST = 3
"""Connections to one server."""
MAILS = 100
"""That go over one connection."""
IDLE = 30.0
"""Seconds that one is kept without work."""
STILL_THERE = 5.0
STUCK = 3.0
"""Seconds without any mail taken, after which nobody waits in line for a server: the others' mails have to go on."""
LOOK_AGAIN = 15.0
GOODBYE = 2.0

Token = Callable[[], Awaitable[str]]


@dataclass(frozen=True)
class Patience:
    """In seconds, with one server."""

    opening: float = 15.0
    """Until it has greeted us and let us in."""
    answer: float = 30.0
    mail: float = 40.0
    """For one mail in all, whatever the server does: less than the lease, so that nobody else sends it meanwhile."""


PATIENCE = Patience()


class InLine(TryLater):
    """Other mails are before this one, and their server does not go on. Nothing was tried, nothing is wrong with it."""


@dataclass(frozen=True)
class Server:
    """Where mail is taken, and as whom we come."""

    host: str
    port: int | None = None
    scheme: str = "smtp"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: Token | None = field(default=None, repr=False, compare=False)
    """Gives the access token of who signs in by XOAUTH2."""

    @classmethod
    def at(
        cls, url: str, *, user: str | None = None, password: str | None = None, token: Token | None = None
    ) -> Self:
        parts = urlsplit(url)
        user = user or (unquote(parts.username) if parts.username else None)
        password = password or (unquote(parts.password) if parts.password else None)
        return cls(
            parts.hostname or "localhost", parts.port, parts.scheme, user, None if token else password, token
        )


class _Line:
    """One connection."""

    def __init__(self, smtp: aiosmtplib.SMTP) -> None:
        self.smtp = smtp
        self.carried = 0
        self.closing: asyncio.TimerHandle | None = None


class _Relay:
    def __init__(self, server: Server, patience: Patience) -> None:
        self.server = server
        self._patience = patience
        self._room = asyncio.Semaphore(MOST)
        self._kept: list[_Line] = []
        self._goodbyes: set[asyncio.Task[None]] = set()
        self._moved_at = 0.0
        """When a mail began or ended, of those that need not wait."""

    @asynccontextmanager
    async def borrowed(self) -> AsyncIterator[aiosmtplib.SMTP]:
        await self._turn()
        try:
            line = await self._kept_line() or await self._opened()
            try:
                yield line.smtp
            except (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused):
                self._keep(line)  # it has answered, and the mail was reset
                raise
            except BaseException:
                _abort(line.smtp)
                raise
            self._keep(line)
        finally:
            self._room.release()

    async def _turn(self) -> None:
        if not self._room.locked():
            self._moved_at = _now()
        elif _now() - self._moved_at > STUCK:
            raise InLine(f"{self.server.host} is busy with other mails", after=LOOK_AGAIN)
        try:
            async with asyncio.timeout(STUCK):
                await self._room.acquire()
        except TimeoutError:
            raise InLine(f"{self.server.host} is busy with other mails", after=LOOK_AGAIN) from None

    async def _kept_line(self) -> _Line | None:
        while self._kept:
            line = self._kept.pop()
            if line.closing:
                line.closing.cancel()
            try:
                async with asyncio.timeout(STILL_THERE):
                    await line.smtp.noop()
                return line
            except (aiosmtplib.SMTPException, OSError):
                _abort(line.smtp)
            except BaseException:
                _abort(line.smtp)
                raise
        return None

    async def _opened(self) -> _Line:
        server = self.server
        smtp = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            oauth_token_generator=server.token,
            use_tls=server.scheme == "smtps",
            start_tls=True if server.scheme == "smtp+starttls" else None,
            timeout=self._patience.answer,
        )
        try:
            async with asyncio.timeout(self._patience.opening):
                await smtp.connect()
        except TimeoutError:
            _abort(smtp)
            raise aiosmtplib.SMTPConnectTimeoutError(f"{server.host} has not let us in") from None
        except BaseException:
            _abort(smtp)
            raise
        return _Line(smtp)

    def _keep(self, line: _Line) -> None:
        line.carried, self._moved_at = line.carried + 1, _now()
        if not line.smtp.is_connected:
            return
        if line.carried >= MAILS:
            self._part(line)
            return
        self._kept.append(line)
        line.closing = asyncio.get_running_loop().call_later(IDLE, self._let_go, line)

    def _let_go(self, line: _Line) -> None:
        if line in self._kept:
            self._kept.remove(line)
            self._part(line)

    def _part(self, line: _Line) -> None:
        task = asyncio.create_task(_say_goodbye(line.smtp))
        self._goodbyes.add(task)
        task.add_done_callback(self._goodbyes.discard)

    async def close(self) -> None:
        for line in self._kept:
            if line.closing:
                line.closing.cancel()
            self._part(line)
        self._kept.clear()
        await asyncio.gather(*self._goodbyes)


class Relays:
    """All servers that mail leaves by."""

    def __init__(self, patience: Patience = PATIENCE) -> None:
        self.patience = patience
        self._relays: dict[Server, _Relay] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(relay.close() for relay in self._relays.values()))

    @asynccontextmanager
    async def to(self, server: Server) -> AsyncIterator[aiosmtplib.SMTP]:
        relay = self._relays.setdefault(server, _Relay(server, self.patience))
        relay.server = server  # its token may be another mailbox's by now
        async with relay.borrowed() as smtp:
            yield smtp


async def _say_goodbye(smtp: aiosmtplib.SMTP) -> None:
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(GOODBYE):
            await smtp.quit()
    _abort(smtp)


def _abort(smtp: aiosmtplib.SMTP) -> None:
    """`close` would wait until the other side has read what it does not read."""
    if smtp.transport:
        cast(asyncio.WriteTransport, smtp.transport).abort()  # uvloop's is none of asyncio's classes
    smtp.close()


def _now() -> float:
    return asyncio.get_running_loop().time()

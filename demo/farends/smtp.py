"""Somebody's mail server: takes every mail, delivers none."""

import asyncio
import base64
import email
import email.policy
import socket
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, AnyStr, Literal, Self, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from demo.farends.server import FOREVER, Mischief, Received, reset

BANNER_DELAY = 2.0  # seconds

DRIP = 1.0  # seconds for a byte

Fault = Literal[
    "slow_banner",
    "silent",
    "drip",
    "closing",
    "refuse",
    "greylist",
    "full",
    "hang_at_data",
    "refuse_data",
    "busy",
    "hang",
    "reset_after_dot",
]


@dataclass(frozen=True)
class SentMail:
    envelope_from: str  # empty for automatic mail
    recipients: list[str]
    raw: bytes
    message: EmailMessage
    at: datetime


class SmtpSink:
    """Each fault strikes at its own moment: `slow_banner` and `silent` on connecting, `drip` (all its answers from then on
    a byte a second) too, `closing` (421) at MAIL, `refuse` (550), `greylist` (450) and `full` (452) at one RCPT,
    `hang_at_data` at DATA, the others after the final dot. The mail of `reset_after_dot` is kept: the sender cannot know
    that it arrived. `refusals` says what certain recipients are answered each time.
    """

    host: str
    port: int

    def __init__(self) -> None:
        self.mails: Received[SentMail] = Received()
        self.misbehave: Mischief[Fault] = Mischief()
        self.conversations: list[Conversation] = []
        self.refusals: dict[str, str] = {}
        self.signed_in: list[tuple[str, str]] = []
        """User, and password or token, of each conversation that signed in: everybody may."""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Conversation(self), "127.0.0.1", 0)
        self.host, self.port = self._server.sockets[0].getsockname()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for conversation in self.conversations:
            conversation.wire.abort()
        await self._server.wait_closed()
        await asyncio.sleep(0)  # lets the aborted connections end

    def next_mail(self, timeout: float = 5) -> Coroutine[Any, Any, SentMail]:
        return self.mails.next(timeout)

    # aiosmtpd calls these by name, and sends what they return.

    async def auth_XOAUTH2(self, _: SMTP, words: list[str]) -> AuthResult:
        user, token, *_rest = base64.b64decode(words[1]).decode().split("\x01")
        self.signed_in.append((user.removeprefix("user="), token.removeprefix("auth=Bearer ")))
        return AuthResult(success=True)

    def authenticate(self, _: SMTP, __: Session, ___: Envelope, mechanism: str, given: Any) -> AuthResult:
        if isinstance(given, LoginPassword):
            self.signed_in.append((given.login.decode(), given.password.decode()))
        return AuthResult(success=True)

    async def handle_MAIL(
        self, _: SMTP, __: Session, envelope: Envelope, sender: str, options: list[str]
    ) -> str:
        if self.misbehave.next("closing"):
            return "421 4.3.2 sink.test is closing"
        envelope.mail_from = sender
        envelope.mail_options += options
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, _: SMTP, __: Session, envelope: Envelope, recipient: str, options: list[str]
    ) -> str:
        if recipient in self.refusals:
            return self.refusals[recipient]
        match self.misbehave.next("refuse", "greylist", "full"):
            case "full":
                return f"452 4.2.2 <{recipient}>: the mailbox is full"
            case "refuse":
                return f"550 5.1.1 <{recipient}>: no such person here"
            case "greylist":
                return f"450 4.2.0 <{recipient}>: greylisted, come back later"
        envelope.rcpt_tos.append(recipient)
        envelope.rcpt_options += options
        return "250 2.1.5 OK"

    async def handle_DATA(self, conversation: "Conversation", _: Session, envelope: Envelope) -> str:
        fault = self.misbehave.next("refuse_data", "busy", "hang", "reset_after_dot")
        if fault == "refuse_data":
            return "554 5.7.1 refused by content"
        if fault == "busy":
            return "451 4.3.0 busy, come back later"
        if fault == "hang":
            await asyncio.sleep(FOREVER)
        self.mails.take(sent_mail(envelope))
        if fault == "reset_after_dot":
            reset(conversation.wire)
            await asyncio.sleep(FOREVER)
        return "250 2.0.0 OK"


class Conversation(SMTP):
    _drips = False

    def __init__(self, sink: SmtpSink) -> None:
        super().__init__(
            sink,
            hostname="sink.test",
            enable_SMTPUTF8=True,
            loop=asyncio.get_running_loop(),
            authenticator=sink.authenticate,
            auth_require_tls=False,
        )
        self._sink = sink

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.wire = cast(asyncio.Transport, transport)  # SMTP.transport turns None when the client goes
        self._sink.conversations.append(self)
        super().connection_made(transport)

    async def smtp_DATA(self, argument: str) -> None:
        if self._sink.misbehave.next("hang_at_data"):
            await asyncio.sleep(FOREVER)
        await super().smtp_DATA(argument)

    async def push(self, status: AnyStr) -> None:
        line = status if isinstance(status, str) else status.decode()
        if line.startswith("220 "):
            match self._sink.misbehave.next("slow_banner", "silent", "drip"):
                case "slow_banner":
                    await asyncio.sleep(BANNER_DELAY)
                case "silent":
                    await asyncio.sleep(FOREVER)
                case "drip":
                    self._drips = True
        if not self._drips:
            await super().push(status)
        for byte in f"{line}\r\n".encode() if self._drips else b"":
            self.wire.write(bytes([byte]))
            await asyncio.sleep(DRIP)
        if line.startswith("421 "):
            self.wire.close()


def sent_mail(envelope: Envelope) -> SentMail:
    raw = envelope.original_content or b""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return SentMail(envelope.mail_from or "", envelope.rcpt_tos, raw, message, datetime.now(UTC))


@contextmanager
def deaf() -> Iterator[str]:
    """The address of a server that neither takes a connection nor refuses it: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        host, port = listener.getsockname()
        waiting = [socket.socket() for _ in range(2)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex((host, port))
        try:
            yield f"smtp://{host}:{port}"
        finally:
            for one in waiting:
                one.close()

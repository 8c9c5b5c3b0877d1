"""Somebody's mail server: takes every mail, delivers none."""

import asyncio
import email
import email.policy
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, AnyStr, Literal, Self, cast

from aiosmtpd.smtp import SMTP, Envelope, Session

from demo.farends.server import FOREVER, Mischief, Received, reset

BANNER_DELAY = 2.0  # seconds

Fault = Literal[
    "slow_banner", "closing", "refuse", "greylist", "refuse_data", "busy", "hang", "reset_after_dot"
]


@dataclass(frozen=True)
class SentMail:
    envelope_from: str  # empty for automatic mail
    recipients: list[str]
    raw: bytes
    message: EmailMessage
    at: datetime


class SmtpSink:
    """Each fault strikes at its own moment: `slow_banner` on connecting, `closing` (421) at MAIL, `refuse` (550)
    and `greylist` (450) at one RCPT, the others after the final dot. The mail of `reset_after_dot` is kept: the
    sender cannot know that it arrived.
    """

    host: str
    port: int

    def __init__(self) -> None:
        self.mails: Received[SentMail] = Received()
        self.misbehave: Mischief[Fault] = Mischief()
        self.conversations: list[Conversation] = []

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
        match self.misbehave.next("refuse", "greylist"):
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
    def __init__(self, sink: SmtpSink) -> None:
        super().__init__(sink, hostname="sink.test", enable_SMTPUTF8=True, loop=asyncio.get_running_loop())
        self._sink = sink

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.wire = cast(asyncio.Transport, transport)  # SMTP.transport turns None when the client goes
        self._sink.conversations.append(self)
        super().connection_made(transport)

    async def push(self, status: AnyStr) -> None:
        line = status if isinstance(status, str) else status.decode()
        if line.startswith("220 ") and self._sink.misbehave.next("slow_banner"):
            await asyncio.sleep(BANNER_DELAY)
        await super().push(status)
        if line.startswith("421 "):
            self.wire.close()


def sent_mail(envelope: Envelope) -> SentMail:
    raw = envelope.original_content or b""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return SentMail(envelope.mail_from or "", envelope.rcpt_tos, raw, message, datetime.now(UTC))

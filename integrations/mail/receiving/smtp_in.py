"""Mail delivered straight to Heddle, by SMTP or LMTP: 550 to who is no channel of ours, 250 only when the original is safe."""

import asyncio
import hashlib
from typing import Any

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from domain.arriving.inbound import keep
from domain.db import Database
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mail.addresses import Recipient, recipient
from integrations.mail.reading.parse import LARGEST_MAIL
from integrations.mail.reading.words import one_line

log = structlog.get_logger()

LONGEST_LINE = 1024 * 1024
"""Longer than the 1,000 bytes of RFC 5321: what others let through is somebody's mail."""
MOST_RECIPIENTS = 1_000
MOST_CONNECTIONS = 64
PATIENCE = 300.0
"""Seconds from one command to the next, and for all of a mail."""

KEPT = "250 2.0.0 kept"
NOBODY = "550 5.1.1 nobody here has this address"
LATER = "451 4.3.0 try again later"
SWITCHED_OFF = "451 4.3.0 this address has just been switched off"


class Handler:
    def __init__(self, db: Database, keys: Keys) -> None:
        self._db = db
        self._keys = keys

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", responses[-1]]

    async def handle_RCPT(
        self, server: "Smtp", session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients at once"
        meant = recipient(self._keys, address)
        try:
            if meant is None:
                return NOBODY
            if meant.mailbox not in server.known:  # whether it still is will be asked when the mail is here
                if await self._channel(meant) is None:
                    return NOBODY
                server.known.add(meant.mailbox)
        except (SQLAlchemyError, OSError):
            return LATER
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        try:
            answers = await self._keep(session, envelope)
        except Exception as failure:  # aiosmtpd would answer one that we do not know with a final refusal
            known = isinstance(failure, SQLAlchemyError | OSError)
            log.warning("mail_not_kept", error=type(failure).__name__, exc_info=None if known else failure)
            answers = [LATER] * len(envelope.rcpt_tos)
        if isinstance(server, Lmtp):
            return "\r\n".join(answers)
        return next((answer for answer in answers if answer != KEPT), KEPT)

    async def handle_exception(self, failure: Exception) -> str:
        """A fault of ours: as above."""
        log.error("mail_not_taken", exc_info=failure)
        return LATER

    async def _keep(self, session: Session, envelope: Envelope) -> list[str]:
        """For each recipient in turn, what became of it."""
        raw = bytes(envelope.original_content or b"")
        recipients = [meant for address in envelope.rcpt_tos if (meant := recipient(self._keys, address))]
        # A signed address says more than the bare one of the same mailbox.
        mailboxes = {
            meant.mailbox: meant for meant in sorted(recipients, key=lambda meant: meant.thread_number or 0)
        }
        answers = {}
        async with self._db.transaction() as transaction:
            for meant in mailboxes.values():
                channel = (await transaction.scalars(_channel_query(meant))).one_or_none()
                answers[meant.mailbox] = KEPT if channel else SWITCHED_OFF
                if channel:
                    await keep(
                        transaction,
                        channel,
                        external_id=hashlib.sha256(raw).hexdigest(),
                        raw=raw,
                        envelope={
                            "peer": session.peer[0] if session.peer else None,
                            "from": _said(envelope.mail_from),
                            "thread": meant.thread_number,
                        },
                    )
        return [answers[meant.mailbox] for meant in recipients]

    async def _channel(self, meant: Recipient) -> Channel | None:
        async with self._db.transaction() as session:
            found = await session.scalars(_channel_query(meant))
            return found.one_or_none()


def _said(sender: str | None) -> str:
    """Empty for the null sender of bounces, which aiosmtpd calls `<>`."""
    plain = one_line((sender or "").encode("utf-8", "replace").decode())
    return "" if plain == "<>" else plain


def _channel_query(meant: Recipient) -> Select[Channel]:
    return select(Channel).where(
        Channel.kind == ChannelKind.EMAIL,
        func.lower(Channel.address) == meant.mailbox,
        Channel.disabled_at.is_(None),
    )


class Guests:
    """Whoever is connected."""

    def __init__(self, most: int = MOST_CONNECTIONS) -> None:
        self.most = most
        self.here: set[Smtp] = set()

    def dismiss(self) -> None:
        for guest in list(self.here):
            _turn_away(guest.transport, b"421 4.3.2 closing\r\n")


class Smtp(SMTP):
    line_length_limit = LONGEST_LINE

    def __init__(self, handler: Handler, guests: Guests, **options: Any) -> None:
        super().__init__(handler, **options)
        self._guests = guests
        self.known: set[str] = set()
        """Mailboxes of ours that were named on this connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._guests.here.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._guests.here.discard(self)
        super().connection_lost(error)


class _OneTooMany(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        _turn_away(transport, b"421 4.3.2 too many connections\r\n")


def _turn_away(transport: Any, words: bytes) -> None:
    transport.write(words)
    transport.close()


class Lmtp(Smtp, LMTP):
    """Answers a mail once for each of its recipients, as RFC 2033 has it; aiosmtpd's own answers it once."""

    _to_answer = 1
    _is_in_mail = False

    async def smtp_DATA(self, arg: str) -> None:
        self._to_answer = len(self.envelope.rcpt_tos) if self.envelope else 1
        try:
            await super().smtp_DATA(arg)
        finally:
            self._is_in_mail = False

    async def push(self, status: str | bytes) -> None:
        said = status if isinstance(status, str) else status.decode()
        if self._is_in_mail and "\r\n" not in said:  # too large, or a fault of ours: for everybody
            said = "\r\n".join([said] * self._to_answer)
        self._is_in_mail = said.startswith("354")
        await super().push(said)


async def listen(
    db: Database,
    keys: Keys,
    *,
    host: str,
    port: int,
    hostname: str,
    lmtp: bool = False,
    guests: Guests | None = None,
    patience: float = PATIENCE,
) -> asyncio.Server:
    handler, guests, door = Handler(db, keys), guests or Guests(), Lmtp if lmtp else Smtp

    def guest() -> asyncio.BaseProtocol:
        if len(guests.here) >= guests.most:
            return _OneTooMany()
        return door(
            handler,
            guests,
            hostname=hostname,
            ident="Heddle",
            data_size_limit=LARGEST_MAIL,
            enable_SMTPUTF8=True,
            decode_data=False,
            timeout=patience,
        )

    return await asyncio.get_running_loop().create_server(guest, host, port)

"""Mail delivered straight to Heddle: 550 to who is no channel of ours, 250 only when the original is safe."""

import asyncio
import hashlib

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import Select, func, select
from sqlalchemy.exc import SQLAlchemyError

from domain.channels import Channel, ChannelKind
from domain.db import Database
from domain.inbound import keep
from domain.keys import Keys
from integrations.mail.addresses import Recipient, recipient

log = structlog.get_logger()

LARGEST_MAIL = 50 * 1024 * 1024


class Handler:
    def __init__(self, db: Database, keys: Keys) -> None:
        self._db = db
        self._keys = keys

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        meant = recipient(self._keys, address)
        try:
            if meant is None or await self._channel(meant) is None:
                return "550 5.1.1 nobody here has this address"
        except (SQLAlchemyError, OSError):
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = envelope.original_content or b""
        recipients = [meant for address in envelope.rcpt_tos if (meant := recipient(self._keys, address))]
        # A signed address says more than the bare one of the same mailbox.
        mailboxes = {
            meant.mailbox: meant for meant in sorted(recipients, key=lambda meant: meant.thread_number or 0)
        }
        try:
            async with self._db.transaction() as transaction:
                for meant in mailboxes.values():
                    channel = (await transaction.scalars(_channel_query(meant))).one_or_none()
                    if channel is None:
                        return "451 4.3.0 this address has just been switched off"
                    await keep(
                        transaction,
                        channel,
                        external_id=hashlib.sha256(raw).hexdigest(),
                        raw=raw,
                        envelope={
                            "peer": session.peer[0] if session.peer else None,
                            "from": envelope.mail_from or "",
                            "thread": meant.thread_number,
                        },
                    )
        except (SQLAlchemyError, OSError) as failure:
            log.warning("mail_not_kept", error=type(failure).__name__)
            return "451 4.3.0 try again later"
        return "250 2.0.0 kept"

    async def _channel(self, meant: Recipient) -> Channel | None:
        async with self._db.transaction() as session:
            found = await session.scalars(_channel_query(meant))
            return found.one_or_none()


def _channel_query(meant: Recipient) -> Select[Channel]:
    return select(Channel).where(
        Channel.kind == ChannelKind.EMAIL,
        func.lower(Channel.address) == meant.mailbox,
        Channel.disabled_at.is_(None),
    )


async def listen(db: Database, keys: Keys, *, host: str, port: int, hostname: str) -> asyncio.Server:
    handler = Handler(db, keys)
    return await asyncio.get_running_loop().create_server(
        lambda: SMTP(
            handler,
            hostname=hostname,
            ident="Heddle",
            data_size_limit=LARGEST_MAIL,
            enable_SMTPUTF8=True,
            decode_data=False,
        ),
        host,
        port,
    )

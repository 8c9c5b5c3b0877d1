"""Who signed in, read whose contact, exported, or changed rights: rows that are only ever added.

The database refuses to change or delete them. Whoever gets around that breaks the chain: each row, in the order in which
they were committed, holds the SHA-256 over the one before and itself. Rows are chained seconds after they were written,
so that no two writers wait for each other. The end of the chain is logged: kept elsewhere, it proves that nothing was cut off.
"""

import asyncio
import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from time import monotonic
from typing import Any

import structlog
from sqlalchemy import BigInteger, Identity, Index, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.bell import Bell, heard
from domain.db import XID8, Base, Database, Json, ring
from domain.events import HORIZON

log = structlog.get_logger()

TOPIC = "audit"
POLL = 10.0
EVERY = 3600.0
"""Seconds between two lines in the log that say where the chain ends."""
BATCH = 500
CHAINING = 4_811_900_218
"""The advisory lock of the one who chains."""


class AuditKind(StrEnum):
    SIGNED_IN = "signed_in"
    SIGN_IN_FAILED = "sign_in_failed"
    SIGNED_OUT = "signed_out"
    SESSION_ENDED = "session_ended"
    SESSION_REUSED = "session_reused"
    """A refresh token came twice: one of the two who showed it is a thief."""
    PASSWORD_CHANGED = "password_changed"
    PASSWORD_LINK_ASKED = "password_link_asked"
    SECOND_FACTOR_SET = "second_factor_set"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    AGENT_ADDED = "agent_added"
    AGENT_CHANGED = "agent_changed"
    TEAM_SAVED = "team_saved"
    TEAM_DELETED = "team_deleted"
    SHOP_CHANGED = "shop_changed"
    TOKEN_CREATED = "token_created"
    TOKEN_REVOKED = "token_revoked"
    WEBHOOK_SAVED = "webhook_saved"
    WEBHOOK_SECRET_ROTATED = "webhook_secret_rotated"
    WEBHOOK_DELETED = "webhook_deleted"
    CHANNEL_CONNECTED = "channel_connected"
    CONTACT_FIELD_SAVED = "contact_field_saved"
    CONTACT_FIELD_ARCHIVED = "contact_field_archived"
    TICKET_FIELD_SAVED = "ticket_field_saved"
    TICKET_FIELD_ARCHIVED = "ticket_field_archived"
    MACRO_SAVED = "macro_saved"
    """One that others see, as one that is deleted."""
    MACRO_DELETED = "macro_deleted"
    INFECTED_OPENED = "infected_opened"
    """A file in which something harmful was found."""
    CONTACT_READ = "contact_read"
    CALL_STARTED = "call_started"
    IMPORTED = "imported"
    EXPORTED = "exported"
    EXPORT_FETCHED = "export_fetched"
    ERASURE_ASKED = "erasure_asked"
    ERASURE_WITHDRAWN = "erasure_withdrawn"
    ERASED = "erased"
    UNSEALED = "unsealed"
    """What had been erased was read, for the reason that `data` gives."""
    SEALED_DESTROYED = "sealed_destroyed"
    PRIVACY_CHANGED = "privacy_changed"
    CHANNEL_ADDED = "channel_added"
    CHANNEL_CHANGED = "channel_changed"
    CHANNEL_SECRET_ROTATED = "channel_secret_rotated"
    CHANNEL_DISABLED = "channel_disabled"
    CHANNEL_ENABLED = "channel_enabled"
    SENDER_BLOCKED = "sender_blocked"
    SENDER_UNBLOCKED = "sender_unblocked"
    RETENTION_APPLIED = "retention_applied"
    SURVEY_SAVED = "survey_saved"
    SURVEY_DELETED = "survey_deleted"
    VIEW_SAVED = "view_saved"
    """The shop's."""
    VIEW_DELETED = "view_deleted"
    NUMBER_SAVED = "number_saved"
    """A number of the shop, and where it stands."""
    NUMBER_DELETED = "number_deleted"
    POLICY_SAVED = "policy_saved"
    POLICY_DELETED = "policy_deleted"
    CALENDAR_SAVED = "calendar_saved"
    CALENDAR_DELETED = "calendar_deleted"
    TAG_RENAMED = "tag_renamed"
    TAG_REMOVED = "tag_removed"
    TASK_TEMPLATE_SAVED = "task_template_saved"
    TASK_TEMPLATE_ARCHIVED = "task_template_archived"


class AuditEntry(Base):
    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_unchained", "xid", "seq", postgresql_where=text("hash IS NULL")),
        Index(None, "contact_id", "seq"),
        Index(None, "agent_id", "seq"),
        Index(None, "actor_id", "seq"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    xid: Mapped[int] = mapped_column(XID8, server_default=func.pg_current_xact_id())
    at: Mapped[datetime]
    kind: Mapped[AuditKind]
    actor_kind: Mapped[str]
    actor_id: Mapped[uuid.UUID | None]
    address: Mapped[str | None]
    """Of the network."""
    agent_id: Mapped[uuid.UUID | None]
    """Whose account or rights."""
    contact_id: Mapped[uuid.UUID | None]
    data: Mapped[Json] = mapped_column(default=dict)
    position: Mapped[int | None] = mapped_column(BigInteger, unique=True)
    hash: Mapped[bytes | None]


def note(
    session: AsyncSession,
    kind: AuditKind,
    *,
    by: Actor,
    at: datetime,
    address: str | None = None,
    agent_id: uuid.UUID | None = None,
    contact_id: uuid.UUID | None = None,
    data: Json | None = None,
) -> None:
    session.add(
        AuditEntry(
            at=at,
            kind=kind,
            actor_kind=by.kind,
            actor_id=by.id,
            address=address,
            agent_id=agent_id,
            contact_id=contact_id,
            data=data or {},
        )
    )
    ring(session, TOPIC)


async def note_reads(
    session: AsyncSession, contact_ids: Collection[uuid.UUID], *, by: Actor, address: str | None
) -> None:
    """That these contacts were read, now. In one statement: a screen waits for it."""
    said: Json = {
        "kind": AuditKind.CONTACT_READ,
        "actor_kind": by.kind,
        "actor_id": by.id,
        "address": address,
        "data": {},
    }
    noted = (
        insert(AuditEntry)
        .values([{**said, "at": func.now(), "contact_id": id} for id in contact_ids])
        .returning(AuditEntry.seq)
        .cte("noted")
    )
    await session.execute(select(func.pg_notify(Bell.CHANNEL, TOPIC)).select_from(noted).limit(1))


def _link(before: bytes, row: Any) -> bytes:
    said = [
        row.position,
        row.seq,
        row.at.astimezone(UTC).isoformat(),
        row.kind,
        row.actor_kind,
        *(str(id) if id else None for id in (row.actor_id, row.agent_id, row.contact_id)),
        row.address,
        row.data,
    ]
    return hashlib.sha256(before + json.dumps(said, sort_keys=True).encode()).digest()


async def chain(session: AsyncSession) -> int:
    """How many rows were chained: of those below which nothing can still appear."""
    await session.execute(select(func.pg_advisory_xact_lock(CHAINING)))
    end = await end_of_chain(session)
    rows = await session.scalars(
        select(AuditEntry)
        .where(AuditEntry.hash.is_(None), AuditEntry.xid < HORIZON)
        .order_by(AuditEntry.xid, AuditEntry.seq)
        .limit(BATCH)
    )
    chained = rows.all()
    for row in chained:
        row.position = end.position + 1
        row.hash = _link(end.hash, row)
        end = End(row.position, row.hash)
        await session.flush()
    return len(chained)


@dataclass(frozen=True)
class End:
    position: int = 0
    hash: bytes = b""


async def end_of_chain(session: AsyncSession | AsyncConnection) -> End:
    last = select(AuditEntry.position, AuditEntry.hash).where(AuditEntry.position.is_not(None))
    row = (await session.execute(last.order_by(AuditEntry.position.desc()).limit(1))).one_or_none()
    return End(row.position, row.hash) if row else End()


async def broken_at(connection: AsyncConnection) -> int | None:
    """The first position at which the chain is not what it was; none if it is whole."""
    end = End()
    async for row in _chained(connection):
        if row.position != end.position + 1 or bytes(row.hash) != _link(end.hash, row):
            return end.position + 1
        end = End(row.position, bytes(row.hash))
    return None


async def _chained(connection: AsyncConnection) -> AsyncIterator[Any]:
    after, table = 0, AuditEntry.__table__
    while True:
        rows = await connection.execute(
            select(table).where(table.c.position > after).order_by(table.c.position).limit(5000)
        )
        read = rows.all()
        for row in read:
            yield row
        if not read:
            return
        after = read[-1].position


async def run(db: Database) -> None:
    said, said_at = End(), -EVERY
    with db.bell.listening(TOPIC) as rung:
        while True:
            rung.clear()
            chained = 0
            try:
                async with db.transaction() as session:
                    chained = await chain(session)
                    end = await end_of_chain(session)
                if end != said and monotonic() - said_at >= EVERY:
                    log.info("audit_chain", position=end.position, hash=end.hash.hex())
                    said, said_at = end, monotonic()
            except (SQLAlchemyError, OSError) as failure:
                log.warning("audit_waits_for_database", error=type(failure).__name__)
            if chained < BATCH:
                await heard(rung, POLL)
                await asyncio.sleep(0.5)  # an older transaction ends meanwhile, and one link holds many rows

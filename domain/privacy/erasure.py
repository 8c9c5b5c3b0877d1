"""Erasing a person, in two states, as Spanish law has it ("bloqueo", art. 32 LOPDGDD).

    asked ──an admin confirms──▶ sealing ──▶ sealed ──the period is over──▶ destroyed
      └──withdrawn

Sealed: all that names or quotes the person has left its rows, and is kept only as parts encrypted with a key of the
erasure's own, which nothing in the house reads but `heddle contact unseal`. Destroyed: the key and the parts are gone.
With a period of 0 days nothing is kept at all. How the rows are emptied: `domain/privacy/sealing.py`; which: `domain/privacy/holdings.py`.
"""

import base64
import secrets
import uuid
from collections.abc import AsyncIterator, Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ForeignKey, Index, Integer, delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import audit
from domain.actors import SYSTEM, Actor
from domain.audit import AuditKind
from domain.customers.contacts import Contact
from domain.customers.survivors import same_person
from domain.db import Base, Database, Json, new_id, one_of, ring
from domain.desk.tickets import Ticket
from domain.errors import Conflict, InvalidInput, Undecided
from domain.keys import Keys
from domain.languages import N_
from domain.work import Queue, Work


class ErasureState(StrEnum):
    ASKED = "asked"
    WITHDRAWN = "withdrawn"
    SEALING = "sealing"
    SEALED = "sealed"
    DESTROYED = "destroyed"


class AlreadyErasing(Conflict):
    code = "ALREADY_ERASING"
    sentence = N_("This was confirmed already: what is taken out is not put back.")


class Erasure(Work, Base):
    __tablename__ = "erasure"
    __table_args__ = (
        Index("uq_erasure_contact", "contact_id", unique=True, postgresql_where=text("withdrawn_at IS NULL")),
        Index("ix_erasure_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_erasure_destroy", "destroy_at", postgresql_where=text("destroyed_at IS NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"))
    asked_at: Mapped[datetime]
    asked_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """None: by the command line; so below."""
    withdrawn_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    confirmed_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    sealed_days: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    wrapped_key: Mapped[bytes | None]
    """The key of the parts, encrypted with the house's."""
    looked_for: Mapped[bytes | None]
    """The person's addresses and numbers, encrypted, while originals that became no message are looked through."""
    step: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    reached_id: Mapped[uuid.UUID | None]
    """The last row of the step that was emptied."""
    parts: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    emptied: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """How many rows, by table."""
    sealed_at: Mapped[datetime | None]
    destroy_at: Mapped[datetime | None]
    destroyed_at: Mapped[datetime | None]

    async def confirm(
        self, session: AsyncSession, keys: Keys, *, by: Actor, at: datetime, days: int, takes_two: bool
    ) -> None:
        if self.confirmed_at:
            if self.due_at is None and self.sealed_at is None:  # it was given up
                self._begin(session)
            return
        if await waits_for_decision(session, self.contact_id):
            raise Undecided(field=["confirm"])
        if takes_two and by.agent_id == self.asked_by_id:
            raise InvalidInput(
                N_("Somebody else than who asked for it has to confirm this."), field=["confirm"]
            )
        self.confirmed_at, self.confirmed_by_id, self.sealed_days = at, by.agent_id, days
        if days:
            made = base64.b64encode(secrets.token_bytes(32)).decode()
            self.wrapped_key = keys.encrypt({"key": made})
        self._begin(session)

    def _begin(self, session: AsyncSession) -> None:
        self.due_at = func.now()
        ring(session, ERASURES.topic)

    def withdraw(self, *, at: datetime) -> None:
        if self.confirmed_at:
            raise AlreadyErasing(field=["id"])
        self.withdrawn_at = self.withdrawn_at or at

    def key(self, keys: Keys) -> bytes | None:
        return base64.b64decode(keys.decrypt(self.wrapped_key)["key"]) if self.wrapped_key else None

    async def destroy(self, session: AsyncSession, *, at: datetime) -> None:
        await session.execute(delete(SealedPart).where(SealedPart.erasure_id == self.id))
        self.wrapped_key, self.destroyed_at = None, at


def state_of(row: Any) -> ErasureState:
    if row.withdrawn_at:
        return ErasureState.WITHDRAWN
    if row.confirmed_at is None:
        return ErasureState.ASKED
    if row.destroyed_at:
        return ErasureState.DESTROYED
    return ErasureState.SEALED if row.sealed_at else ErasureState.SEALING


ERASURES = Queue(Erasure, topic="erasures", lease=timedelta(minutes=10))


class SealedPart(Base):
    """Some rows, or a piece of a stored file, that nothing in the house can read without the erasure's key."""

    __tablename__ = "sealed_part"

    erasure_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("erasure.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    sealed: Mapped[bytes]


NONCE = 12


def _where(erasure_id: uuid.UUID, number: int) -> bytes:
    """A part opens only in its own place."""
    return f"{erasure_id}/{number}".encode()


async def keep_sealed(session: AsyncSession, erasure: Erasure, key: bytes | None, content: bytes) -> None:
    if key is None:
        return
    nonce, erasure.parts = secrets.token_bytes(NONCE), erasure.parts + 1
    sealed = nonce + AESGCM(key).encrypt(nonce, content, _where(erasure.id, erasure.parts))
    row = insert(SealedPart).values(erasure_id=erasure.id, number=erasure.parts, sealed=sealed)
    await session.execute(row)


async def opened_parts(db: Database, keys: Keys, erasure: Erasure) -> AsyncIterator[bytes]:
    """One after the other, in the order in which they were taken. Whoever asks has said why (`domain/privacy/unsealing.py`)."""
    key = erasure.key(keys)
    if key is None:
        return
    for number in range(1, erasure.parts + 1):
        one = select(SealedPart.sealed).where(
            SealedPart.erasure_id == erasure.id, SealedPart.number == number
        )
        async with db.reading() as connection:
            sealed: bytes = (await connection.execute(one)).scalar_one()
        yield AESGCM(key).decrypt(sealed[:NONCE], sealed[NONCE:], _where(erasure.id, number))


async def ask(session: AsyncSession, contact: Contact, *, by: Actor, at: datetime) -> Erasure:
    """The one there is, or a new one."""
    asked = insert(Erasure).values(id=new_id(), contact_id=contact.id, asked_at=at, asked_by_id=by.agent_id)
    await session.execute(
        asked.on_conflict_do_nothing(
            index_elements=["contact_id"], index_where=Erasure.withdrawn_at.is_(None)
        )
    )
    found = await session.scalars(
        select(Erasure)
        .where(Erasure.contact_id == contact.id, Erasure.withdrawn_at.is_(None))
        .with_for_update()
    )
    return found.one()


async def is_under_way(session: AsyncSession, contact_ids: Collection[uuid.UUID]) -> bool:
    """Confirmed and not done, of one of these or of whom they became. Whoever asks holds the moves (`domain/joining/moves.py`), as
    whoever confirms does: so nobody becomes somebody else in between."""
    people = select(func.coalesce(Contact.canonical_id, Contact.id)).where(one_of(Contact.id, contact_ids))
    under_way = select(Erasure.id).where(
        Erasure.contact_id.in_(people), Erasure.confirmed_at.is_not(None), Erasure.sealed_at.is_(None)
    )
    return await session.scalar(under_way.limit(1)) is not None


async def waits_for_decision(session: AsyncSession, contact_id: uuid.UUID) -> bool:
    """What a complaint consists of is not taken away before the customer has their answer."""
    undecided = select(Ticket.id).where(same_person(Ticket.contact_id, contact_id), Ticket.undecided)
    return await session.scalar(undecided.limit(1)) is not None


async def destroy_due(session: AsyncSession, *, at: datetime) -> int:
    """What was sealed for as long as the shop keeps it is destroyed; of how many people."""
    over = await session.scalars(
        select(Erasure)
        .where(Erasure.destroy_at <= at, Erasure.destroyed_at.is_(None))
        .with_for_update(skip_locked=True)
    )
    found = over.all()
    for erasure in found:
        await erasure.destroy(session, at=at)
        about = {"erasure": str(erasure.id)}
        audit.note(
            session, AuditKind.SEALED_DESTROYED, by=SYSTEM, at=at, contact_id=erasure.contact_id, data=about
        )
    return len(found)

"""Mail from Heddle itself to the people of the shop: invitations, resets, warnings.

Sealed while it waits, for it may hold a link that opens an account; once sent, only that it was sent is kept.
"""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.alerting import ledger
from domain.chorus import Reads
from domain.db import Base, new_id, one_of, ring
from domain.keys import Keys
from domain.work import Queue, Work


class SystemMail(Work, Base):
    __tablename__ = "system_mail"
    __table_args__ = (
        Index("ix_system_mail_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_system_mail_delivery", "delivery_id", postgresql_where=text("delivery_id IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    sealed: Mapped[bytes | None]
    """`to`, `subject` and `text`; none once it was sent or given up."""
    delivery_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("delivery.id"))
    """Of the notice that it brings."""
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        self.sealed = None
        if self.delivery_id:
            said = ": ".join(filter(None, ("MAIL_REFUSED", self.last_error)))
            await ledger.mail_failed(session, self.delivery_id, error=said)

    async def withdraw(self, session: AsyncSession, why: str) -> None:
        """It is not to go any more."""
        self.sealed = None
        if self.delivery_id:
            await ledger.mail_failed(session, self.delivery_id, error=why)

    async def left(self, session: AsyncSession, *, at: datetime) -> None:
        """The relay has it."""
        self.sealed, self.sent_at = None, at
        if self.delivery_id:
            await ledger.mail_left(session, self.delivery_id, at=at)


SYSTEM_MAIL = Queue(SystemMail, topic="system_mail", outward=True)


@dataclass(frozen=True)
class Unsent:
    """A mail that the relay has not taken yet."""

    tries: int
    error: str | None
    """What the relay said last."""


async def waiting_for_the_relay(
    connection: Reads, delivery_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, Unsent]:
    """By delivery. To the ledger a mail is sent when it is queued here: until it has left, this is what is true."""
    mail = SystemMail
    found = await connection.execute(
        select(mail.delivery_id, mail.attempts, mail.last_error).where(
            one_of(mail.delivery_id, delivery_ids), mail.due_at.is_not(None)
        )
    )
    return {row.delivery_id: Unsent(row.attempts, row.last_error) for row in found}


def post(
    session: AsyncSession,
    keys: Keys,
    *,
    to: str,
    subject: str,
    text: str,
    at: datetime,
    delivery_id: uuid.UUID | None = None,
) -> None:
    sealed = keys.encrypt({"to": to, "subject": subject, "text": text})
    session.add(
        SystemMail(id=new_id(), sealed=sealed, delivery_id=delivery_id, created_at=at, due_at=func.now())
    )
    ring(session, SYSTEM_MAIL.topic)

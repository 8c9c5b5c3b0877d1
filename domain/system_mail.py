"""Mail from Heddle itself to the people of the shop: invitations, resets, warnings.

Sealed while it waits, for it may hold a link that opens an account; once sent, only that it was sent is kept.
"""

import uuid
from datetime import datetime

from sqlalchemy import Index, func, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base, new_id, ring
from domain.keys import Keys
from domain.work import Queue, Work


class SystemMail(Work, Base):
    __tablename__ = "system_mail"
    __table_args__ = (Index("ix_system_mail_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    sealed: Mapped[bytes | None]
    """`to`, `subject` and `text`; none once it was sent or given up."""
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    def give_up(self, *, at: datetime) -> None:
        self.sealed = None


SYSTEM_MAIL = Queue(SystemMail, topic="system_mail", outward=True)


def post(session: AsyncSession, keys: Keys, *, to: str, subject: str, text: str, at: datetime) -> None:
    sealed = keys.encrypt({"to": to, "subject": subject, "text": text})
    session.add(SystemMail(id=new_id(), sealed=sealed, created_at=at, due_at=func.now()))
    ring(session, SYSTEM_MAIL.topic)

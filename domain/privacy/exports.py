"""Everything about one person in one zip, for that person (GDPR art. 15 and 20): made in the background, fetched by a link,
and gone after a week."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, Index, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.customers.contacts import Contact
from domain.db import Base, new_id, ring
from domain.desk.files import Files, new_key
from domain.work import Queue, Work

KEPT_FOR = timedelta(days=7)


class ContactExport(Work, Base):
    __tablename__ = "contact_export"
    __table_args__ = (
        Index(None, "contact_id"),
        Index("ix_contact_export_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"))
    asked_at: Mapped[datetime]
    asked_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    file: Mapped[str | None]
    """The key of the zip; none once it is gone."""
    bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    finished_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        self.failed_at = at


EXPORTS = Queue(ContactExport, topic="exports", lease=timedelta(minutes=20))


async def ask(session: AsyncSession, contact: Contact, *, by: Actor, at: datetime) -> ContactExport:
    """The one that is being made, or a new one."""
    asked = await session.scalar(
        select(ContactExport).where(
            ContactExport.contact_id == contact.id,
            ContactExport.asked_by_id == by.agent_id,
            ContactExport.due_at.is_not(None),
        )
    )
    if asked is None:
        asked = ContactExport(
            id=new_id(),
            contact_id=contact.id,
            asked_at=at,
            asked_by_id=by.agent_id,
            file=new_key(),
            due_at=func.now(),
        )
        session.add(asked)
        ring(session, EXPORTS.topic)
    return asked


async def discard_old(session: AsyncSession, files: Files, *, at: datetime) -> int:
    """How many zips went because their week is over."""
    old = await session.scalars(
        select(ContactExport)
        .where(ContactExport.file.is_not(None), ContactExport.asked_at < at - KEPT_FOR)
        .with_for_update(skip_locked=True)
    )
    found = old.all()
    for export in found:
        await files.delete(str(export.file))
        export.file = export.due_at = None
    return len(found)

"""Everything about one person in one zip, for that person (GDPR art. 15 and 20): made in the background, fetched by a link,
and gone after a week. What is in it: `domain/privacy/dossier.py`."""

import uuid
from datetime import datetime, timedelta

import structlog
from sqlalchemy import BigInteger, ForeignKey, Index, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.customers.contacts import Contact
from domain.db import Base, Database, database_time, new_id, ring
from domain.desk.files import Files, new_key
from domain.hands import work
from domain.privacy import dossier
from domain.work import Lease, Queue, Work

log = structlog.get_logger()

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


class Exporter:
    def __init__(self, db: Database, files: Files) -> None:
        self._db, self._files = db, files

    async def run(self) -> None:
        await work(self._db, EXPORTS, self.make)

    async def make(self, asked: ContactExport, lease: Lease[ContactExport]) -> None:
        if asked.file is None:  # the person was erased before it was begun
            async with self._db.transaction() as session:
                await lease.give_up(session, error=None)
            return
        # Straight to where it will lie: whoever dies here leaves nothing that the row does not name.
        async with self._files.writing(asked.file) as out:
            await dossier.write(self._db, self._files, asked.contact_id, out)
            size = out.tell()
        async with self._db.transaction() as session:
            done = await lease.settle(
                session, bytes=size, finished_at=await database_time(session), last_error=None
            )
        if done.file is None:  # or while it was made
            await self._files.delete(asked.file)
        log.info("contact_exported", export=str(asked.id))


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

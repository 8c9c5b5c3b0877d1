"""What somebody who knows found in a stored file: a row for each file, looked at before it is let out.

A file waits until it is found clean, or until somebody who may says that it need not. Where nothing looks through files,
they are let out at once, and looked at should that change.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, and_, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import SYSTEM
from domain.db import Base, new_id, one_of, ring
from domain.desk.files import Files
from domain.desk.messages import Attachment, Item
from domain.errors import Refused
from domain.events import EventKind
from domain.languages import N_
from domain.work import Queue, Work


class ScanState(StrEnum):
    WAITING = "waiting"
    CLEAN = "clean"
    INFECTED = "infected"
    UNSCANNED = "unscanned"
    """Nobody looks, nobody could, or it was let out unseen."""


class Scan(Work, Base):
    __tablename__ = "scan"
    __table_args__ = (Index("ix_scan_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    file: Mapped[str] = mapped_column(unique=True)
    """The key of the stored bytes."""
    scanned_at: Mapped[datetime | None]
    infection: Mapped[str | None]
    """As the scanner calls it."""
    opened_at: Mapped[datetime | None]
    """Let out although nobody had looked."""


SCANS = Queue(Scan, topic="scans", lease=timedelta(minutes=2), patience=timedelta(days=365))

LET_OUT = or_(
    Scan.id.is_(None),  # older than this table
    and_(Scan.infection.is_(None), or_(Scan.scanned_at.is_not(None), Scan.opened_at.is_not(None))),
)
"""A condition on a file, joined by its key from outside."""


def state_of(scan: Any, *, due_at: datetime | None) -> ScanState:
    """By its columns, or by nothing in them where there is no row."""
    if scan.infection:
        return ScanState.INFECTED
    if scan.scanned_at:
        return ScanState.CLEAN
    return ScanState.WAITING if due_at and not scan.opened_at else ScanState.UNSCANNED


class FileInfected(Refused):
    code = "FILE_INFECTED"
    sentence = N_("{name} is infected ({infection}): it is not sent.")


class FileWaits(Refused):
    code = "FILE_WAITS"
    sentence = N_("{name} has not been looked through yet: try again in a moment.")


async def ask(session: AsyncSession, files: Files, keys: Iterable[str]) -> None:
    """For bytes that were just stored, in the transaction that writes down whose they are."""
    waits = files.scanned
    rows = [
        {"id": new_id(), "file": key, "due_at": func.now() if waits else None, "opened_at": None if waits else func.now()}
        for key in keys
    ]  # fmt: skip
    if rows:
        await session.execute(insert(Scan).values(rows).on_conflict_do_nothing())
        ring(session, SCANS.topic)


async def begin(session: AsyncSession, *, scanned: bool) -> None:
    """At a start, which may be with other settings than the last. What nobody has looked through waits for whoever does now."""
    unseen = and_(Scan.scanned_at.is_(None), Scan.due_at.is_(None) if scanned else Scan.due_at.is_not(None))
    later = {"due_at": func.now()} if scanned else {"due_at": None, "opened_at": func.now()}
    await session.execute(
        update(Scan).where(unseen).values(**later).execution_options(synchronize_session=False)
    )


async def forget(session: AsyncSession, keys: Iterable[str]) -> None:
    """With the bytes."""
    await session.execute(delete(Scan).where(one_of(Scan.file, keys)))


async def check_sendable(session: AsyncSession, named: dict[str, str], *, at_once: bool) -> None:
    """Refuses infected files, and those that still wait where nobody can wait for them. `named`: by key, what each is called."""
    kept = select(Scan).where(one_of(Scan.file, named), ~LET_OUT)
    for scan in await session.scalars(kept):
        if scan.infection:
            raise FileInfected(field=["attachmentIds"], name=named[scan.file], infection=scan.infection)
        if at_once or scan.due_at is None:
            raise FileWaits(field=["attachmentIds"], name=named[scan.file])


async def held_back(session: AsyncSession, keys: Iterable[str]) -> list[Scan]:
    """Of these files, what is not let out."""
    return list(await session.scalars(select(Scan).where(one_of(Scan.file, keys), ~LET_OUT)))


async def let_out(session: AsyncSession, id: uuid.UUID, *, at: datetime) -> Scan:
    """Unseen."""
    scan = await session.get_one(Scan, id, with_for_update=True)
    scan.opened_at = at
    return scan


async def told(session: AsyncSession, scan: Scan, *, at: datetime) -> None:
    """Whoever shows the message learns what was found."""
    theirs = select(Item).join(Attachment, Attachment.item_id == Item.id).where(Attachment.file == scan.file)
    for item in await session.scalars(theirs):
        data = {"infected": scan.infection is not None}
        item.tell(EventKind.ATTACHMENT_SCANNED, by=SYSTEM, at=at, data=data)

"""A spreadsheet is taken over, row by row: in the background, in short transactions that also write down how far it is.

A dry run does the same and takes each row back. The file goes when the last row is done.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

import structlog
from sqlalchemy import ForeignKey, Index, Integer, delete, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import fields
from domain.actors import Actor, Role
from domain.agents.sign_in import actor_by_id
from domain.answering.uploads import Upload
from domain.db import Base, Database, Json, database_time, new_id, ring
from domain.desk.files import Files
from domain.errors import InvalidInput, NotAllowed, NotFound, Refused
from domain.fields import FieldSubject
from domain.hands import work
from domain.importing import sheets
from domain.importing.sheets import ImportKind, Line
from domain.languages import N_
from domain.work import Lease, Queue, Work

log = structlog.get_logger()

AT_ONCE = 25
"""Rows of one transaction."""
IN_A_ROW = 40
"""Transactions, until the row is given back: others wait too."""
TOLD = 100
"""Problems that are kept; the rest is only counted."""


class Outcome(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


class Take(Protocol):
    """What is done for a row."""

    async def __call__(self, session: AsyncSession, line: Line, *, by: Actor, at: datetime) -> Outcome: ...


class Import(Work, Base):
    __tablename__ = "import"
    __table_args__ = (Index("ix_import_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[ImportKind]
    dry_run: Mapped[bool]
    file: Mapped[str | None]
    """The key of the spreadsheet; none once it is done with."""
    asked_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"))
    asked_at: Mapped[datetime]
    total: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Rows; known once it has begun."""
    done: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    updated: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    unchanged: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    refused: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    unknown: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    """Names of columns that were left out."""
    problems: Mapped[list[Json]] = mapped_column(JSONB, default=list, server_default=text("'[]'"))
    """The first of them: `line`, `column`, `code`, and the sentence with what fills it. Never a word of a customer's."""
    finished_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        self.failed_at = at


IMPORTS = Queue(Import, topic="imports", lease=timedelta(minutes=5))


async def start(
    session: AsyncSession, kind: ImportKind, upload_id: uuid.UUID, *, dry_run: bool, by: Actor, at: datetime
) -> Import:
    """Takes the file over from who has uploaded it."""
    mine = (Upload.id == upload_id, Upload.agent_id == by.agent_id, Upload.finished_at.is_not(None))
    file = await session.scalar(delete(Upload).where(*mine).returning(Upload.file))
    if file is None or by.agent_id is None:
        raise NotFound(field=["fileId"])
    started = Import(
        id=new_id(),
        kind=kind,
        dry_run=dry_run,
        file=file,
        asked_by_id=by.agent_id,
        asked_at=at,
        due_at=func.now(),
    )
    session.add(started)
    ring(session, IMPORTS.topic)
    return started


@dataclass
class Tally:
    """What became of some rows."""

    outcomes: dict[Outcome, int]
    problems: list[Json]


async def take_all(
    session: AsyncSession, lines: Sequence[Line], take: Take, *, dry_run: bool, by: Actor, at: datetime
) -> Tally:
    """Each in a savepoint of its own: one that is refused leaves nothing, and holds up no other."""
    tally = Tally(dict.fromkeys(Outcome, 0), [])
    for line in lines:
        savepoint = await session.begin_nested()
        try:
            if not line.is_whole:
                raise InvalidInput(N_("This row has more cells than the first line has names."))
            tally.outcomes[await take(session, line, by=by, at=at)] += 1
            await session.flush()
        except Refused as refusal:
            await savepoint.rollback()
            tally.problems.append(_problem(line, refusal))
        else:
            await (savepoint.rollback() if dry_run else savepoint.commit())
    return tally


def _problem(line: Line, refusal: Refused) -> Json:
    return {
        "line": line.number,
        "column": refusal.field[0] if refusal.field else None,
        "code": refusal.code,
        "sentence": refusal.sentence,
        "values": {name: str(value) for name, value in refusal.values.items()},
    }


class Importer:
    def __init__(self, db: Database, files: Files, takes: Mapping[ImportKind, Take]) -> None:
        self._db, self._files, self._takes = db, files, takes

    async def run(self) -> None:
        await work(self._db, IMPORTS, self.go_on)

    async def go_on(self, asked: Import, lease: Lease[Import]) -> None:
        if asked.file is None:
            return await self._end(asked, lease)
        raw = await self._files.get(asked.file)
        try:
            async with self._db.transaction() as session:
                by = await actor_by_id(session, asked.asked_by_id)
                if by is None or by.role != Role.ADMIN:
                    raise NotAllowed  # whoever asked has left, or is no admin any more
                own = await own_columns(session, asked.kind)
            sheet = await asyncio.to_thread(sheets.read, raw, asked.kind, own)
        except Refused as refusal:
            async with self._db.transaction() as session:
                await lease.hold(session, problems=[_problem(Line(1, {}, {}), refusal)])
                await lease.give_up(session, error=refusal.code)
            return None
        async with self._db.transaction() as session:
            row = await lease.hold(session, total=len(sheet.lines), unknown=list(sheet.unknown))
        for _ in range(IN_A_ROW):
            if row.done >= len(sheet.lines):
                return await self._end(row, lease)
            row = await self._step(row, lease, sheet.lines[row.done : row.done + AT_ONCE], by)
        async with self._db.transaction() as session:
            await lease.go_on(session)
        return None

    async def _step(self, row: Import, lease: Lease[Import], lines: Sequence[Line], by: Actor) -> Import:
        async with self._db.transaction() as session:
            now = await database_time(session)
            tally = await take_all(session, lines, self._takes[row.kind], dry_run=row.dry_run, by=by, at=now)
            told = [*row.problems, *tally.problems][:TOLD]
            counts = {name.value: getattr(row, name) + count for name, count in tally.outcomes.items()}
            return await lease.hold(
                session,
                done=row.done + len(lines),
                refused=row.refused + len(tally.problems),
                problems=told,
                **counts,
            )

    async def _end(self, row: Import, lease: Lease[Import]) -> None:
        """The bytes first: should this transaction fail, the row still says that something is to be done."""
        if row.file:
            await self._files.delete(row.file)
        async with self._db.transaction() as session:
            await lease.settle(session, file=None, finished_at=await database_time(session), last_error=None)
        log.info("imported", kind=row.kind, rows=row.done, refused=row.refused, dry_run=row.dry_run)


async def own_columns(session: AsyncSession, kind: ImportKind) -> frozenset[str]:
    """What the shop has named itself: the fields of its contacts."""
    return (
        frozenset(await fields.labels(session, FieldSubject.CONTACT))
        if kind == ImportKind.CONTACTS
        else frozenset()
    )


async def sweep(session: AsyncSession, files: Files) -> None:
    """Spreadsheets of those that were given up."""
    left = await session.scalars(
        select(Import)
        .where(Import.file.is_not(None), Import.failed_at.is_not(None))
        .with_for_update(skip_locked=True)
    )
    for row in left.all():
        await files.delete(str(row.file))
        row.file = None

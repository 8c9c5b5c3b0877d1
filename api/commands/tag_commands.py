"""The tags of tickets: `heddle tag list`, `rename`, `remove`."""

import asyncio

from cyclopts import App
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.commands.columns import print_table
from api.running import house_here
from domain import audit
from domain.actors import SYSTEM
from domain.audit import AuditKind
from domain.db import Database, database_time
from domain.errors import NotFound
from domain.settings import WrongSetting
from domain.tagging import renaming
from domain.tagging.changes import TagChange
from domain.tagging.counting import open_tickets
from domain.tagging.tags import Tag

tag = App(name="tag", version_flags=[])

LOOK_AGAIN = 0.2


@tag.command(name="list")
async def list_tags() -> None:
    """The tags, by name, and how many open tickets have each."""
    async with house_here() as (house, _), house.db.reading() as connection:
        names = (await connection.scalars(select(Tag.name).distinct().order_by(Tag.name))).all()
        counted = await open_tickets(connection, names, to=SYSTEM)
    print_table([(name, f"{counted.get(name, 0)} open") for name in names])


@tag.command
async def rename(old: str, new: str) -> None:
    """On all tickets, and wherever policies, skills, macros, views and webhooks name it. Into a tag that there is already: it is that
    one from then on."""
    async with house_here() as (house, _):
        async with house.db.transaction() as session:
            change = await _begun(session, old, new)
        done = await _finished(house.db, change)
    print(f"{change.tag!r} is {change.into!r} now, on {done} tickets.")


@tag.command
async def remove(name: str) -> None:
    """From all tickets; not while a rule that several people use names it."""
    async with house_here() as (house, _):
        async with house.db.transaction() as session:
            change = await _begun(session, name, None)
        done = await _finished(house.db, change)
    print(f"{change.tag!r} is gone from {done} tickets.")


async def _begun(session: AsyncSession, old: str, new: str | None) -> TagChange:
    now = await database_time(session)
    try:
        if new is None:
            change = await renaming.remove(session, old, by=SYSTEM, at=now)
        else:
            change = await renaming.rename(session, old, new, by=SYSTEM, at=now)
    except NotFound:
        raise WrongSetting(f"There is no tag {old!r}: `heddle tag list` shows them.") from None
    kind = AuditKind.TAG_RENAMED if new else AuditKind.TAG_REMOVED
    audit.note(session, kind, by=SYSTEM, at=now)
    return change


async def _finished(db: Database, change: TagChange) -> int:
    """Worked on here too: perhaps nothing else runs. On how many tickets."""
    work = asyncio.create_task(renaming.run(db))
    try:
        while True:
            async with db.reading() as connection:
                how_far = select(
                    TagChange.done, TagChange.finished_at, TagChange.failed_at, TagChange.last_error
                )
                row = (await connection.execute(how_far.where(TagChange.id == change.id))).one()
            if row.finished_at:
                return int(row.done)
            if row.failed_at:
                raise WrongSetting(f"It was given up: {row.last_error}")
            await asyncio.sleep(LOOK_AGAIN)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

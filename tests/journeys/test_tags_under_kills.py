"""`kill -9` while a tag is renamed, and people who go on putting the old one on: each ticket is changed once, and the list is right."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import func, select, update

from domain.actors import SYSTEM
from domain.arriving.opening import open_ticket
from domain.customers.contacts import add_contact
from domain.db import Database, database_time
from domain.desk.survivors import locked
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind
from domain.tagging import renaming
from domain.tagging.changes import TagChange
from domain.tagging.tags import Tag
from tests.conftest import another_database
from tests.factories import NOON

TICKETS = 300
WORKER = """
import asyncio, sys
from domain.db import Database
from domain.tagging import renaming

async def work():
    db = Database(sys.argv[1])
    await db.open()
    await renaming.run(db)

asyncio.run(work())
"""


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(await another_database(database_url, "tags"))
    yield database
    await database.close()


async def test_a_killed_worker_renames_a_tag_on_every_ticket_once_while_people_put_it_on(
    db: Database,
) -> None:
    ids = await _tagged(db)
    async with db.transaction() as session:
        await renaming.rename(session, "mug", "cup", by=SYSTEM, at=await database_time(session))

    async with asyncio.timeout(120):
        for seen in (1, 120):
            await _killed_after(db, seen)
        worker = _worker(db)
        try:
            late = ids[:20]
            for id in late:
                await _put_on(db, id)
            await _finished(db)
            await _put_on(db, ids[-1])
        finally:
            worker.kill()
            worker.wait()

    async with db.transaction() as session:
        having = {row[0]: row[1] for row in await session.execute(select(Ticket.id, Ticket.tags))}
        listed = set(await session.scalars(select(Tag.name)))
    late_ones = {id for id, tags in having.items() if "mug" in tags}
    assert ids[-1] in late_ones
    assert late_ones <= {*late, ids[-1]}
    assert all("cup" in tags for tags in having.values())
    assert listed == {"cup", "mug"}
    changes = await _renamed(db)
    assert {id: changes[id] for id in ids[20:]} == dict.fromkeys(ids[20:], 1)


async def _tagged(db: Database) -> list[uuid.UUID]:
    async with db.transaction() as session:
        ada = add_contact(session, name="Ada", locale=None, by=SYSTEM, at=NOON)
        await session.flush()
        made = [open_ticket(session, ada, subject="Mug", by=SYSTEM, at=NOON) for _ in range(TICKETS)]
        await session.flush()
        for ticket in made:
            ticket.change(by=SYSTEM, at=NOON, add_tags=["mug"])
        return sorted(one.id for one in made)


async def _put_on(db: Database, id: uuid.UUID) -> None:
    async with db.transaction() as session:
        (await locked(session, id)).change(by=SYSTEM, at=await database_time(session), add_tags=["mug"])


async def _killed_after(db: Database, seen: int) -> None:
    """A worker dies in the middle; its lease ends at once, so that nobody waits for a minute."""
    process = _worker(db)
    while (await _renamed(db)).total() < seen:
        await asyncio.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    async with db.transaction() as session:
        due = update(TagChange).where(TagChange.due_at.is_not(None))
        await session.execute(due.values(due_at=func.now(), deaths=0))


def _worker(db: Database) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", WORKER, db.url])


async def _finished(db: Database) -> None:
    while True:
        async with db.reading() as connection:
            if await connection.scalar(select(TagChange.finished_at)):
                return
        await asyncio.sleep(0.05)


async def _renamed(db: Database) -> "Counter[object]":
    async with db.reading() as connection:
        renamed = select(Event.ticket_id).where(
            Event.kind == EventKind.TICKET_CHANGED, Event.data.has_key("all_tickets")
        )
        return Counter((await connection.execute(renamed)).scalars())

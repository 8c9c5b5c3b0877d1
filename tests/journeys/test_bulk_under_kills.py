"""`kill -9` while many tickets are changed: each is changed once."""

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

from domain.actors import SYSTEM, Actor, Role
from domain.arriving.opening import open_ticket
from domain.customers.contacts import add_contact
from domain.db import Database, database_time
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind
from domain.ids import public_id
from domain.working import bulk, undoing
from domain.working.changing import Change
from domain.working.edits import Edit, EditedTicket, EditState, Outcome
from tests.conftest import another_database
from tests.factories import NOON, an_agent

TICKETS = 200
WORKER = """
import asyncio, sys
from domain.db import Database
from domain.working import bulk

async def work():
    db = Database(sys.argv[1])
    await db.open()
    await bulk.run(db)

asyncio.run(work())
"""


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(await another_database(database_url, "bulk"))
    yield database
    await database.close()


async def test_a_killed_worker_leaves_no_ticket_out_and_changes_none_twice(db: Database) -> None:
    ben, ids = await _many(db)
    async with db.transaction() as session:
        now = await database_time(session)
        change = Change(priority=1, add_tags=["recall"])
        edit = await bulk.begin(session, ids, change, by=ben, at=now)

    async with asyncio.timeout(120):
        for seen in (1, 80):
            await _killed_after(db, seen)
        await _finished(db, EditState.DONE)

    assert await _changes(db) == Counter(dict.fromkeys(ids, 1))
    async with db.transaction() as session:
        await undoing.undo_bulk(session, edit.id, by=ben, at=await database_time(session))
    async with asyncio.timeout(120):
        await _finished(db, EditState.UNDONE)
    async with db.transaction() as session:
        states = await session.execute(select(EditedTicket.state, func.count()).group_by(EditedTicket.state))
        assert [tuple(row) for row in states] == [(Outcome.UNDONE, TICKETS)]
        assert set(await session.scalars(select(Ticket.priority))) == {3}
        assert all(tags == [] for tags in await session.scalars(select(Ticket.tags)))
    assert await _changes(db) == Counter(dict.fromkeys(ids, 2))


async def _many(db: Database) -> tuple[Actor, list[uuid.UUID]]:
    async with db.transaction() as session:
        ben = (await an_agent(session, "Ben", Role.AGENT)).as_actor()
        ada = add_contact(session, name="Ada", locale=None, by=SYSTEM, at=NOON)
        await session.flush()
        made = [open_ticket(session, ada, subject="Mug", by=SYSTEM, at=NOON) for _ in range(TICKETS)]
        await session.flush()
        return ben, sorted((one.id for one in made), key=lambda id: public_id("Ticket", id))


async def _killed_after(db: Database, seen: int) -> None:
    """A worker dies in the middle; its lease ends at once, so that nobody waits for a minute."""
    process = _worker(db)
    while await _done(db) < seen:
        await asyncio.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    async with db.transaction() as session:
        await session.execute(update(Edit).where(Edit.due_at.is_not(None)).values(due_at=func.now()))


def _worker(db: Database) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", WORKER, db.url])


async def _done(db: Database) -> int:
    async with db.reading() as connection:
        done = select(func.count()).where(EditedTicket.state == Outcome.DONE)
        return await connection.scalar(done) or 0


async def _finished(db: Database, state: EditState) -> None:
    processes = [_worker(db), _worker(db)]
    try:
        while True:
            async with db.reading() as connection:
                if await connection.scalar(select(Edit.state)) == state:
                    return
            await asyncio.sleep(0.05)
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def _changes(db: Database) -> "Counter[object]":
    async with db.reading() as connection:
        changed = select(Event.ticket_id).where(Event.kind == EventKind.TICKET_CHANGED)
        return Counter((await connection.execute(changed)).scalars())

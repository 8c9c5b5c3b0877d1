"""The history is read in the order in which it was committed."""

import asyncio
from datetime import UTC, date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain import events
from domain.actors import SYSTEM
from domain.db import Database
from domain.events import EventKind, Place, record
from domain.writing import Writing

NOW = datetime.now(UTC)


async def read(db: Database, place: Place) -> tuple[list[str], Place]:
    async with db.transaction() as session:
        found = await events.since(session, place, 100)
    return [event.data["name"] for event in found], (found[-1].xid, found[-1].seq) if found else place


async def test_a_slow_transactions_event_is_not_skipped(clean: Database) -> None:
    async with clean.transaction() as session:
        place = await events.newest_place(session)
    seen: list[str] = []

    async with Writing(clean.engine) as slow:
        await slow.begin()
        record(slow, EventKind.AGENT_ADDED, by=SYSTEM, at=NOW, data={"name": "slow"})
        await slow.flush()
        async with clean.transaction() as quick:
            record(quick, EventKind.AGENT_ADDED, by=SYSTEM, at=NOW, data={"name": "quick"})
        early, place = await read(clean, place)
        seen += early
        async with clean.transaction() as session:
            assert await events.any_pending(session)
        await slow.commit()
    async with asyncio.timeout(20):
        while len(seen) < 2:  # an older transaction of another test may hold the feed back
            late, place = await read(clean, place)
            seen += late

    assert early == []
    assert sorted(seen) == ["quick", "slow"]
    assert (await read(clean, place))[0] == []


async def test_each_year_has_its_partition(clean: Database) -> None:
    async with clean.transaction() as session:
        await events.ensure_partitions(session, date(2031, 11, 30))
        await events.ensure_partitions(session, date(2031, 11, 30))
        at = datetime(2032, 2, 29, 12, tzinfo=UTC)
        record(session, EventKind.AGENT_ADDED, by=SYSTEM, at=at, data={"name": "leap"})
        await session.flush()

        where = await session.scalar(text("SELECT tableoid::regclass::text FROM event"))

    assert where == "event_2032"


async def test_what_fell_beside_the_partitions_moves_into_its_own_when_it_is_made(
    session: AsyncSession,
) -> None:
    record(
        session, EventKind.AGENT_ADDED, by=SYSTEM, at=datetime(2041, 5, 9, tzinfo=UTC), data={"name": "early"}
    )
    await session.flush()

    await events.ensure_partitions(session, date(2041, 4, 1))

    where = await session.scalar(text("SELECT tableoid::regclass::text FROM event"))
    assert where == "event_2041"

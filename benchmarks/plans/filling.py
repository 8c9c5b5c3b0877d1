"""Fills what the data set leaves empty, and makes the history as long as years make it."""

import asyncio
from pathlib import Path

import asyncpg

from domain.db import Database, database_time
from domain.events import ensure_partitions
from domain.finding.lexemes import Kept

SQL = Path(__file__).with_name("filling.sql")
YEARS = 10

EARLIER = """
INSERT INTO event (at, recorded_at, xid, kind, actor_kind, actor_id, ticket_id, contact_id, thread_id, item_id, data)
SELECT at - $1 * interval '1 day', recorded_at - $1 * interval '1 day', xid, kind, actor_kind, actor_id,
       md5(ticket_id::text || $1)::uuid, md5(contact_id::text || $1)::uuid, thread_id, md5(item_id::text || $1)::uuid, data
FROM event WHERE seq <= $2
"""


async def fill(db: Database, events: int) -> None:
    """`events`: rows of the history, at least."""
    connection = await db.connect()
    try:
        await _lexemes(connection)
        await connection.execute(SQL.read_text("utf-8"))
        async with db.transaction() as session:
            today = (await database_time(session)).date()
            for year in range(today.year - YEARS, today.year):
                await ensure_partitions(session, today.replace(year=year, day=1))
        await _earlier(connection, events)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def _lexemes(connection: asyncpg.Connection) -> None:
    """As the index writes them: the texts are few, and stand on many messages."""
    texts = await connection.fetch("SELECT text FROM item UNION SELECT subject FROM ticket")

    def written() -> list[tuple[str, str]]:
        rows = []
        for (text,) in texts:
            kept = Kept()
            kept.text(text)
            rows.append((text, kept.written()))
        return rows

    await connection.execute("CREATE TEMPORARY TABLE lexemes (text text PRIMARY KEY, lexemes text)")
    await connection.copy_records_to_table("lexemes", records=await asyncio.to_thread(written))
    await connection.execute("ALTER TABLE lexemes ALTER lexemes TYPE tsvector USING lexemes::tsvector")


async def _earlier(connection: asyncpg.Connection, events: int) -> None:
    """The same happened to others before, again and again."""
    there = await connection.fetchval("SELECT count(*) FROM event")
    last = await connection.fetchval("SELECT max(seq) FROM event")
    times = -(-events // there) - 1
    for time in range(1, times + 1):
        await connection.execute(EARLIER, time * YEARS * 365 // times, last)

"""Reads the history in commit order and writes a notice for everybody who is to be told."""

import asyncio
from contextlib import suppress

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from domain import events, notices
from domain.db import Database, database_time
from domain.events import Reader
from notifications.recipients import recipients

log = structlog.get_logger()

NAME = "notifications"
BATCH = 200
POLL = 2.0
HELD_BACK = 0.02
"""Seconds to wait for an older transaction that holds back what is committed already."""


async def dispatch(session: AsyncSession) -> int:
    """How many events were read. One process reads at a time: the others find the reader's row taken."""
    reader = await session.scalar(select(Reader).where(Reader.name == NAME).with_for_update(skip_locked=True))
    if reader is None:
        return 0
    read = await events.since(session, (reader.xid, reader.seq), BATCH)
    now = await database_time(session)
    for event in read:
        for agent_id in await recipients(session, event):
            await notices.address(
                session, agent_id=agent_id, event_seq=event.seq, alert_id=event.alert_id, at=now
            )
    if read:
        reader.xid, reader.seq = read[-1].xid, read[-1].seq
    return len(read)


async def begin(session: AsyncSession) -> None:
    """A reader that never read starts at the beginning of what happens from now on."""
    xid, seq = await events.newest_place(session)
    await session.execute(insert(Reader).values(name=NAME, xid=xid, seq=seq).on_conflict_do_nothing())


async def run(db: Database) -> None:
    with db.bell.listening(events.TOPIC) as rung:
        while True:
            rung.clear()
            pending, read = False, 0
            try:
                async with db.transaction() as session:
                    # Asked first: what an older transaction holds back now is read below, or looked for again soon.
                    pending = await events.any_pending(session)
                    read = await dispatch(session)
            except (SQLAlchemyError, OSError) as failure:
                log.warning("dispatch_waits_for_database", error=type(failure).__name__)
            if read == BATCH:
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), HELD_BACK if pending else POLL)

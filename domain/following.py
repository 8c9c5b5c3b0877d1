"""Reads the history in commit order, each event once, in one process at a time."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from domain import events
from domain.db import Database, heard
from domain.events import Event, Reader

log = structlog.get_logger()

BATCH = 200
POLL = 2.0

Take = Callable[[AsyncSession, Event], Awaitable[None]]
"""What is done for one event, in the transaction in which the reader moves on."""

TakeAll = Callable[[AsyncSession, Sequence[Event]], Awaitable[None]]
"""The same for all that was read at once."""

Step = Callable[[AsyncSession], Awaitable[bool]]
"""Whether there may be more to do at once."""


FROM_THE_FIRST: events.Place = (0, 0)


async def begin(session: AsyncSession, name: str, place: events.Place | None = None) -> None:
    """A reader that never read starts there, or at the beginning of what happens from now on."""
    xid, seq = place or await events.newest_place(session)
    await session.execute(insert(Reader).values(name=name, xid=xid, seq=seq).on_conflict_do_nothing())


async def unread_since(connection: AsyncConnection) -> dict[str, datetime | None]:
    """Of each reader, when what it should read next was recorded; none if it has read what there is."""
    readers = await connection.execute(select(Reader.name, Reader.xid, Reader.seq))
    found = {}
    for name, xid, seq in readers.all():
        unread = select(Event.recorded_at).where(events.after((xid, seq))).order_by(Event.xid, Event.seq)
        found[name] = await connection.scalar(unread.limit(1))
    return found


async def skip(session: AsyncSession, until: datetime, *, but: Collection[str] = ()) -> None:
    """Readers leave out what was recorded before then; some read all of it."""
    last = select(Event.xid, Event.seq).where(Event.recorded_at < until)
    place = (await session.execute(last.order_by(Event.xid.desc(), Event.seq.desc()).limit(1))).one_or_none()
    skipping = select(Reader).where(Reader.name.not_in(but)).with_for_update()
    for reader in (await session.scalars(skipping)).all():
        if place and (reader.xid, reader.seq) < tuple(place):
            reader.xid, reader.seq = place


async def held(session: AsyncSession, name: str) -> Reader | None:
    """One process reads at a time: the others find the reader's row taken."""
    reader: Reader | None = await session.scalar(
        select(Reader).where(Reader.name == name).with_for_update(skip_locked=True)
    )
    return reader


async def next_of(session: AsyncSession, reader: Reader) -> Sequence[Event]:
    """What comes next; the reader has read it when this transaction commits."""
    read = await events.since(session, (reader.xid, reader.seq), BATCH)
    if read:
        reader.xid, reader.seq = read[-1].xid, read[-1].seq
    return read


def each(take: Take) -> TakeAll:
    async def take_all(session: AsyncSession, read: Sequence[Event]) -> None:
        for event in read:
            await take(session, event)

    return take_all


async def read_on(session: AsyncSession, name: str, take: Take) -> int:
    return await read_all(session, name, each(take))


async def read_all(session: AsyncSession, name: str, take: TakeAll) -> int:
    """How many events were read."""
    reader = await held(session, name)
    read = await next_of(session, reader) if reader else ()
    await take(session, read)
    return len(read)


async def follow(db: Database, name: str, take: Take) -> None:
    await follow_all(db, name, each(take))


async def follow_all(db: Database, name: str, take: TakeAll) -> None:
    async def step(session: AsyncSession) -> bool:
        return await read_all(session, name, take) == BATCH

    await turn(db, name, step)


async def turn(db: Database, name: str, step: Step) -> None:
    """A transaction for each step; after one that left nothing, until something happens."""
    with db.bell.listening(events.TOPIC) as rung:
        while True:
            rung.clear()
            pending = more = False
            try:
                async with db.transaction() as session:
                    # Asked first: what an older transaction holds back now is read below, or looked for again soon.
                    pending = await events.any_pending(session)
                    more = await step(session)
            except (SQLAlchemyError, OSError) as failure:
                log.warning("reader_waits_for_database", reader=name, error=type(failure).__name__)
            if more:
                continue
            await heard(rung, events.HELD_BACK if pending else POLL)

"""Reads the history in commit order, each event once, in one process at a time.

What cannot be done for an event is tried three times; then the reader leaves it out and says so, and those after it go on. What passes
(no connection, a deadlock) is tried until it does.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import BigInteger, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import events
from domain.bell import heard
from domain.db import Base, Database, new_id
from domain.events import Event, Reader
from domain.work import DEATHS, back_off, passes

log = structlog.get_logger()

BATCH = 200
POLL = 2.0
TOLD_FOR = timedelta(days=30)
"""What was left out."""

Take = Callable[[AsyncSession, Event], Awaitable[None]]
"""What is done for one event, in the transaction in which the reader moves on."""

TakeAll = Callable[[AsyncSession, Sequence[Event]], Awaitable[None]]
"""The same for all that was read at once."""

Step = Callable[[AsyncSession], Awaitable[bool]]
"""Whether there may be more to do at once."""


Wait = Callable[[int], float]
"""Seconds, after so many tries in vain."""

Mend = Callable[[], Awaitable[None]]
"""After a step that failed for good."""


class LeftOut(Base):
    """An event that a reader could not take."""

    __tablename__ = "left_out"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    reader: Mapped[str]
    event_seq: Mapped[int] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str]
    """Its kind: the log has all of it."""


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


async def skip(session: AsyncSession, until: datetime, *, only: Collection[str]) -> None:
    """These readers leave out what was recorded before then."""
    last = select(Event.xid, Event.seq).where(Event.recorded_at < until)
    place = (await session.execute(last.order_by(Event.xid.desc(), Event.seq.desc()).limit(1))).one_or_none()
    skipping = select(Reader).where(Reader.name.in_(only)).with_for_update()
    for reader in (await session.scalars(skipping)).all():
        if place and (reader.xid, reader.seq) < tuple(place):
            reader.xid, reader.seq = place


async def held(session: AsyncSession, name: str) -> Reader | None:
    """One process reads at a time: the others find the reader's row taken."""
    reader: Reader | None = await session.scalar(
        select(Reader).where(Reader.name == name).with_for_update(skip_locked=True)
    )
    return reader


async def next_of(session: AsyncSession, reader: Reader, most: int = BATCH) -> Sequence[Event]:
    """What comes next; the reader has read it when this transaction commits."""
    read = await events.since(session, (reader.xid, reader.seq), most)
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


async def read_all(session: AsyncSession, name: str, take: TakeAll, most: int = BATCH) -> int:
    """How many events were read."""
    reader = await held(session, name)
    read = await next_of(session, reader, most) if reader else ()
    await take(session, read)
    return len(read)


async def follow(db: Database, name: str, take: Take, *, wait: Wait = back_off) -> None:
    await follow_all(db, name, each(take), wait=wait)


async def follow_all(db: Database, name: str, take: TakeAll, *, wait: Wait = back_off) -> None:
    async def step(session: AsyncSession) -> bool:
        return await read_all(session, name, take) == BATCH

    async def mend() -> None:
        await one_by_one(db, name, take, wait=wait)

    await turn(db, name, step, mend)


async def one_by_one(db: Database, name: str, take: TakeAll, *, wait: Wait = back_off) -> None:
    """The events of a batch that failed, each in a transaction of its own: one that cannot be taken holds up no other."""
    tries = 0
    seq: int | None = None

    async def noted(session: AsyncSession, read: Sequence[Event]) -> None:
        nonlocal seq
        seq = read[0].seq if read else None
        await take(session, read)

    for _ in range(BATCH):
        seq = None
        try:
            async with db.transaction() as session:
                if not await read_all(session, name, noted, most=1):
                    return
            tries = 0
        except Exception as failure:
            if seq is None or isinstance(failure, OSError) or passes(failure):
                raise
            tries += 1
            if tries < DEATHS:
                await asyncio.sleep(wait(tries))
                continue
            log.error("event_left_out", reader=name, seq=seq, exc_info=failure)
            async with db.transaction() as session:
                await _leave_out(session, name, seq, type(failure).__name__)
            tries = 0


async def _leave_out(session: AsyncSession, name: str, seq: int, error: str) -> None:
    """Unless another process reads now."""
    reader = await held(session, name)
    if reader is None:
        return
    for event in await events.since(session, (reader.xid, reader.seq), 1):
        if event.seq == seq:
            reader.xid, reader.seq = event.xid, event.seq
            session.add(LeftOut(reader=name, event_seq=seq, error=error))


async def left_out(connection: AsyncConnection) -> dict[str, int]:
    """How many events each reader has left out lately."""
    counted = await connection.execute(select(LeftOut.reader, func.count()).group_by(LeftOut.reader))
    return {row[0]: row[1] for row in counted}


async def forget_left_out(session: AsyncSession, *, at: datetime) -> None:
    await session.execute(delete(LeftOut).where(LeftOut.at < at - TOLD_FOR))


async def turn(db: Database, name: str, step: Step, mend: Mend | None = None) -> None:
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
            except Exception as failure:
                more = await _failed(name, failure, mend)
            if more:
                continue
            await heard(rung, events.HELD_BACK if pending else POLL)


async def _failed(name: str, failure: Exception, mend: Mend | None) -> bool:
    """Whether it was mended."""
    if isinstance(failure, OSError) or passes(failure):
        log.warning("reader_waits_for_database", reader=name, error=type(failure).__name__)
        return False
    log.error("reader_failed", reader=name, exc_info=failure)
    if mend is None:
        return False
    try:
        await mend()
    except Exception as again:
        return await _failed(name, again, None)
    return True

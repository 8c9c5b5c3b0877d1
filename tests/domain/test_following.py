"""A reader of the history goes on, whatever it meets there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain import following
from domain.actors import SYSTEM
from domain.db import Database
from domain.errors import InvalidInput
from domain.events import Event, EventKind, Reader, record
from domain.following import LeftOut
from domain.languages import N_
from tests.factories import NOON

NAME = "reads along"
Take = Callable[[AsyncSession, Event], Awaitable[None]]


@pytest.fixture
async def history(clean: Database) -> list[int]:
    async with clean.transaction() as session:
        await following.begin(session, NAME, following.FROM_THE_FIRST)
        for number in range(5):
            record(session, EventKind.AGENT_ADDED, by=SYSTEM, at=NOON, data={"number": number})
    async with clean.transaction() as session:
        return list(await session.scalars(select(Event.seq).order_by(Event.seq)))


@contextlib.asynccontextmanager
async def reading(db: Database, take: Take) -> AsyncIterator["asyncio.Task[None]"]:
    reader = asyncio.create_task(following.follow(db, NAME, take, wait=lambda _: 0.0))
    try:
        yield reader
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)


async def has_read(db: Database, seq: int) -> None:
    async with asyncio.timeout(20):
        while True:
            async with db.reading() as connection:
                if (await connection.scalar(select(Reader.seq).where(Reader.name == NAME)) or 0) >= seq:
                    return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("lasting", ["refused", "sql"])
async def test_an_event_that_cannot_be_taken_is_tried_three_times_left_out_and_told_and_the_others_are_taken_once(
    clean: Database, history: list[int], lasting: str
) -> None:
    tries = 0

    async def take(session: AsyncSession, event: Event) -> None:
        nonlocal tries
        if event.seq == history[2]:
            tries += 1
            if lasting == "refused":
                raise InvalidInput(N_("This may not be empty."))
            await session.execute(text("SELECT 1 / 0"))
        record(session, EventKind.AGENT_CHANGED, by=SYSTEM, at=NOON, data={"of": event.seq})

    async def only_added(session: AsyncSession, event: Event) -> None:
        if event.kind == EventKind.AGENT_ADDED:
            await take(session, event)

    async with reading(clean, only_added) as reader:
        await has_read(clean, history[-1])
        assert not reader.done()

    async with clean.transaction() as session:
        made = await session.scalars(select(Event).where(Event.kind == EventKind.AGENT_CHANGED))
        assert sorted(one.data["of"] for one in made) == [*history[:2], *history[3:]]
        (left,) = (await session.scalars(select(LeftOut))).all()
        assert (left.reader, left.event_seq) == (NAME, history[2])
        assert await following.left_out(await session.connection()) == {NAME: 1}
    assert tries == 4  # with all of the batch, then three times alone


async def test_what_passes_is_tried_until_it_does(clean: Database, history: list[int]) -> None:
    tries = 0

    async def take(session: AsyncSession, event: Event) -> None:
        nonlocal tries
        if event.seq == history[2] and (tries := tries + 1) < 3:
            raise ConnectionResetError

    async with reading(clean, take):
        await has_read(clean, history[-1])

    async with clean.transaction() as session:
        assert not (await session.scalars(select(LeftOut))).all()

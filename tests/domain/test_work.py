"""Rows that wait to be worked on."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from domain import hands
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState, keep
from domain.db import Database
from domain.hands import work
from domain.keys import Keys
from domain.ways_in.channels import ChannelKind
from domain.work import Lease, LeaseLost, TryLater
from tests.factories import a_channel


@pytest.fixture
async def waiting(clean: Database, keys: Keys) -> Database:
    """Three arrivals."""
    async with clean.transaction() as session:
        mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
        for position in range(3):
            await keep(session, mailbox, external_id=str(position), raw=b"x")
    return clean


async def claim(db: Database, limit: int = 10) -> list[tuple[Arrival, Lease[Arrival]]]:
    async with db.transaction() as session:
        return list(await ARRIVALS.claim(session, limit))


async def states(db: Database) -> list[ArrivalState]:
    async with db.transaction() as session:
        return list(await session.scalars(select(Arrival.state).order_by(Arrival.id)))


async def test_two_workers_never_hold_the_same_row(waiting: Database) -> None:
    first, second = await claim(waiting, 2), await claim(waiting)

    assert [row.external_id for row, _ in first + second] == ["0", "1", "2"]
    assert await claim(waiting) == []


async def test_a_lease_that_ran_out_can_be_taken_and_its_former_holder_cannot_settle(
    waiting: Database,
) -> None:
    (_, late), *_ = await claim(waiting, 1)
    await _run_out(waiting)

    again = await claim(waiting, 1)

    assert [row.id for row, _ in again] == [late.id]
    with pytest.raises(LeaseLost):
        async with waiting.transaction() as session:
            await late.settle(session, state=ArrivalState.PLACED)
    assert ArrivalState.PLACED not in await states(waiting)


async def test_a_row_that_kills_its_worker_three_times_is_set_aside_and_takes_no_other_along(
    waiting: Database,
) -> None:
    """The second of three mails kills whoever reads it."""
    for _ in range(20):
        claimed = await claim(waiting, 3)
        for row, lease in claimed:
            if row.external_id == "1":
                break
            async with waiting.transaction() as session:
                await lease.settle(session, state=ArrivalState.PLACED)
        async with waiting.transaction() as session:
            await ARRIVALS.set_aside(session)
        await _run_out(waiting)

    assert await states(waiting) == [ArrivalState.PLACED, ArrivalState.FAILED, ArrivalState.PLACED]


async def test_a_hand_goes_on_when_its_lease_was_lost_and_then_the_work_failed(waiting: Database) -> None:
    done: list[str] = []

    async def do(row: Arrival, lease: Lease[Arrival]) -> None:
        if row.external_id == "0" and not done:
            done.append("lost")
            await _run_out(waiting)
            assert len(await claim(waiting)) > 0
            raise TryLater("too late", after=1e18)
        done.append(row.external_id)

    working = asyncio.create_task(work(waiting, ARRIVALS, do, poll=0.02, batch=3))
    async with asyncio.timeout(30):
        while len(done) < 3:
            await asyncio.sleep(0.02)
    assert not working.done()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_not_now_is_tried_again_and_a_bug_is_given_up(
    waiting: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hands, "back_off", lambda attempt: 0.01)
    tries: dict[str, int] = {}

    async def do(row: Arrival, lease: Lease[Arrival]) -> None:
        tries[row.external_id] = tries.get(row.external_id, 0) + 1
        if row.external_id == "0" and tries["0"] < 5:
            raise TryLater("busy")
        if row.external_id == "1":
            raise ZeroDivisionError("a bug")
        async with waiting.transaction() as session:
            await lease.settle(session, state=ArrivalState.PLACED)

    working = asyncio.create_task(work(waiting, ARRIVALS, do, poll=0.02))
    async with asyncio.timeout(30):
        while ArrivalState.WAITING in await states(waiting):
            await asyncio.sleep(0.02)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

    assert tries == {"0": 5, "1": 3, "2": 1}
    assert await states(waiting) == [ArrivalState.PLACED, ArrivalState.FAILED, ArrivalState.PLACED]


async def _run_out(db: Database) -> None:
    async with db.transaction() as session:
        past: Any = func.now() - timedelta(seconds=1)
        await session.execute(update(Arrival).where(Arrival.due_at.is_not(None)).values(due_at=past))


@pytest.mark.parametrize("failure", [ValueError("one of them"), LeaseLost()])
async def test_what_cannot_be_done_together_is_done_alone_and_the_hand_goes_on(
    waiting: Database, failure: Exception
) -> None:
    async def together(claimed: Any, alone: Any) -> None:
        raise failure

    async def place(arrival: Arrival, lease: Lease[Arrival]) -> None:
        async with waiting.transaction() as session:
            await lease.settle(session, state=ArrivalState.PLACED)

    working = asyncio.create_task(work(waiting, ARRIVALS, place, batch=10, together=together))
    async with asyncio.timeout(30):
        while await states(waiting) != [ArrivalState.PLACED] * 3:
            await asyncio.sleep(0.02)

    assert not working.done()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)

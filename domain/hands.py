"""The hands that work a queue off: each claims rows and does them, and what fails is tried later or given up."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain.bell import heard
from domain.db import Database, database_time
from domain.work import DEATHS, LONGEST_WAIT, Lease, LeaseLost, Queue, Row, TryLater, back_off, passes

log = structlog.get_logger()

Claimed = Sequence[tuple[Row, Lease[Row]]]
Together = Callable[[Claimed[Row], Callable[[Row, Lease[Row]], Awaitable[None]]], Awaitable[None]]


async def work(
    db: Database,
    queue: Queue[Row],
    do: Callable[[Row, Lease[Row]], Awaitable[None]],
    *,
    hands: int = 1,
    batch: int = 1,
    poll: float = 2.0,
    together: Together[Row] | None = None,
) -> None:
    """Works on the queue until cancelled. `hands` rows at a time; each hand claims `batch` and does them in order.

    A row late in a slow batch may lose its lease before its turn: then it is somebody else's, and skipped. `together`: does a batch
    at once, in order, and hands back to be done alone what cannot be done so.
    """

    async def alone(row: Row, lease: Lease[Row]) -> None:
        try:
            if monotonic() - lease.since > queue.lease.total_seconds() - queue.longest:
                async with db.transaction() as session:
                    row = await lease.renew(session, seconds=queue.lease.total_seconds())
        except LeaseLost:
            log.warning("lease_lost", queue=queue.topic, id=str(lease.id))
        else:
            await _one(db, queue, do, row, lease)

    async def all_of(claimed: Claimed[Row], together: Together[Row]) -> None:
        """Whatever happens to them together, each gets its turn alone."""
        try:
            await together(claimed, alone)
        except Exception as failure:
            log.warning("not_done_together", queue=queue.topic, exc_info=failure)
            for row, lease in claimed:
                await alone(row, lease)

    async def hand() -> None:
        with db.bell.listening(queue.topic) as rung:
            while True:
                rung.clear()
                try:
                    async with db.transaction() as session:
                        claimed = await queue.claim(session, batch)
                        if not claimed:
                            await queue.set_aside(session)
                    if together and len(claimed) > 1:
                        await all_of(claimed, together)
                    else:
                        for row, lease in claimed:
                            await _one(db, queue, do, row, lease)
                    if claimed:
                        continue
                except (SQLAlchemyError, OSError) as failure:
                    log.warning("queue_waits_for_database", queue=queue.topic, error=type(failure).__name__)
                    await asyncio.sleep(1)
                await heard(rung, poll)

    async with asyncio.TaskGroup() as group:
        for _ in range(hands):
            group.create_task(hand())


async def _one(
    db: Database,
    queue: Queue[Row],
    do: Callable[[Row, Lease[Row]], Awaitable[None]],
    row: Row,
    lease: Lease[Row],
) -> None:
    """Does one row. Whatever happens to it, the hand goes on to the next."""
    try:
        async with asyncio.timeout(queue.longest):
            await do(row, lease)
    except LeaseLost:
        log.warning("lease_lost", queue=queue.topic, id=str(lease.id))
    except Exception as failure:
        try:
            await _failed(db, queue, row, lease, failure)
        except LeaseLost:
            log.warning("lease_lost", queue=queue.topic, id=str(lease.id))


async def _failed(db: Database, queue: Queue[Row], row: Row, lease: Lease[Row], failure: Exception) -> None:
    """Not now, or never: what passes is tried until the queue's patience ends, a bug three times."""
    after, patient, error = back_off(row.failures + 1), True, f"{type(failure).__name__}: {failure}"[:500]
    if isinstance(failure, TryLater):
        after, error = min(failure.after or after, LONGEST_WAIT), str(failure)
    elif isinstance(failure, OSError | TimeoutError) or passes(failure):
        log.warning("work_to_repeat", queue=queue.topic, id=str(lease.id), error=type(failure).__name__)
    else:
        log.error("work_failed", queue=queue.topic, id=str(lease.id), exc_info=failure)
        patient = row.failures + 1 < DEATHS
    async with db.transaction() as session:
        waiting = await lease.retry(session, after=after, error=error)
        now = await database_time(session)
        if not patient or now - (waiting.failing_since or now) > queue.patience:
            await lease.give_up(session, error=error)

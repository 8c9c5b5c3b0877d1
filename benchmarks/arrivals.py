"""From an original that is safe to a message on a ticket: one worker process opens what lies in the mailroom."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from statistics import median
from time import perf_counter
from typing import Any

from sqlalchemy import func, insert, select, text

from benchmarks.bench import Bench, Measured, Table, number
from benchmarks.beside import database_beside
from benchmarks.data.letters import Letter, mails, messenger_bodies
from benchmarks.data.loading import load
from benchmarks.processes import Child, Meter, started
from benchmarks.rounds import middle
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState
from domain.db import new_id, ring
from domain.desk.messages import Item
from domain.ways_in.channels import ChannelKind

WARMING = 32
LOOK = 0.05
"""Seconds between two looks at how much is left."""
LONGEST = 60.0
"""Seconds for a round."""


@dataclass
class Opened:
    """By one worker, in its shop."""

    bench: Bench
    worker: Child
    rates: list[float] = field(default_factory=list)
    app: list[float | None] = field(default_factory=list)
    database: list[float | None] = field(default_factory=list)

    def row(self) -> list[str]:
        spent = (number(middle(costs), 2) for costs in (self.app, self.database))
        return [f"{self.bench.sizes.tickets:,} tickets", number(middle(self.rates), 0), *spent]

    def cost(self) -> float:
        return (middle(self.app) or 0.0) + (middle(self.database) or 0.0)


async def measure(bench: Bench) -> Measured:
    sizes = bench.sizes
    many = sizes.messenger // sizes.rounds, sizes.mails // sizes.rounds
    await _tidy_up(bench)
    async with small_shop(bench) as small:
        with (
            started("worker", "benchmarks.peers.worker", bench.orders) as worker,
            started("small_worker", "benchmarks.peers.worker", small.orders) as small_worker,
        ):
            full, few = Opened(bench, worker), Opened(small, small_worker)
            for opened in (full, few):
                await _open(replace(opened, rates=[], app=[], database=[]), "warming", WARMING, WARMING)
            for turn in range(sizes.rounds):
                for opened in (full, few) if turn % 2 else (few, full):
                    await _open(opened, f"arrival{turn}", *many)
    table = Table(
        "Arrivals to messages on tickets, one worker",
        ("", "messages/s", "CPU ms: worker", "database"),
        [few.row(), full.row()],
        "Four small Messenger messages to one small mail; half of the senders are new. Flat is a cost that does not grow with the tickets.",
    )
    figures = {"messages_per_second": median(full.rates)}
    if few.cost():
        figures |= {"message_cpu_ms": full.cost(), "message_cost_growth": full.cost() / few.cost()}
    return Measured(table, figures)


async def _tidy_up(bench: Bench) -> None:
    """After what was measured before: the database would do so while arrivals are opened, and it would count for them."""
    async with bench.db.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text("VACUUM ANALYZE"))


@asynccontextmanager
async def small_shop(bench: Bench) -> AsyncIterator[Bench]:
    """A shop with far fewer tickets, in a database beside the large one."""
    sizes = replace(
        bench.sizes,
        tickets=bench.sizes.few_tickets,
        contacts=bench.sizes.few_tickets // 4,
        messages=bench.sizes.few_tickets * 5,
    )
    async with database_beside(bench, "small") as db:
        shop = await load(db, bench.keys, sizes)
        yield replace(bench, sizes=sizes, db=db, shop=shop, orders=bench.orders | {"database": db.url})


async def _open(opened: Opened, name: str, chats: int, letters: int) -> None:
    bench = opened.bench
    app, database = Meter(opened.worker.processor), Meter(bench.postgres)
    rows = list(_rows(bench, name, chats, letters))
    async with bench.db.transaction() as session:
        before = await session.scalar(select(func.count()).select_from(Item))
        await session.execute(insert(Arrival), rows)
        ring(session, ARRIVALS.topic)
    begun, left = perf_counter(), len(rows)
    while left:
        await asyncio.sleep(LOOK)
        async with bench.db.reading() as connection:
            waiting = select(func.count()).select_from(Arrival).where(Arrival.due_at.is_not(None))
            left = await connection.scalar(waiting) or 0
        if perf_counter() - begun > LONGEST:
            raise RuntimeError(f"after {LONGEST:.0f} s {left} of {len(rows)} arrivals still wait")
    seconds = perf_counter() - begun
    async with bench.db.reading() as connection:
        after = await connection.scalar(select(func.count()).select_from(Item))
    if (after or 0) - (before or 0) != len(rows):
        raise RuntimeError(f"of {len(rows)} arrivals {(after or 0) - (before or 0)} became messages")
    opened.rates.append(len(rows) / seconds)
    opened.app.append(app.milliseconds(len(rows)))
    opened.database.append(database.milliseconds(len(rows)))


def _rows(bench: Bench, name: str, chats: int, letters: int) -> Iterator[dict[str, Any]]:
    """Mixed as they would come; all due at once."""
    share = max(1, chats // max(1, letters))
    post = mails(name, letters)
    for place, body in enumerate(messenger_bodies(name, chats)):
        yield _row(bench, ChannelKind.MESSENGER, Letter(body, {}))
        if place % share == share - 1 and (letter := next(post, None)):
            yield _row(bench, ChannelKind.EMAIL, letter)
    yield from (_row(bench, ChannelKind.EMAIL, letter) for letter in post)


def _row(bench: Bench, kind: ChannelKind, letter: Letter) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "id": new_id(),
        "channel_id": bench.shop.channels[kind].id,
        "external_id": sha256(letter.raw).hexdigest(),
        "raw": letter.raw,
        "envelope": letter.envelope,
        "received_at": now,
        "state": ArrivalState.WAITING,
        "due_at": now,
    }

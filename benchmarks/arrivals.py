"""From an original that is safe to a message on a ticket: one worker process opens what lies in the mailroom."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from time import perf_counter
from typing import Any

from sqlalchemy import func, insert, select

from benchmarks.bench import Bench, Measured, Table, number
from benchmarks.data.letters import Letter, mails, messenger_bodies
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
    rates: list[float] = field(default_factory=list)
    app: list[float | None] = field(default_factory=list)
    database: list[float | None] = field(default_factory=list)


async def measure(bench: Bench) -> Measured:
    sizes, opened = bench.sizes, Opened()
    with started("worker", "benchmarks.peers.worker", bench.orders) as worker:
        await _open(bench, worker, "warming", WARMING, WARMING, Opened())
        for turn in range(sizes.rounds):
            many = sizes.messenger // sizes.rounds, sizes.mails // sizes.rounds
            await _open(bench, worker, f"arrival{turn}", *many, opened)
    rate = middle(opened.rates)
    row = ["Heddle, one worker", number(rate, 0)]
    row += [number(middle(spent), 2) for spent in (opened.app, opened.database)]
    table = Table(
        "Arrivals to messages on tickets",
        ("", "messages/s", "CPU ms: worker", "database"),
        [row],
        "Four small Messenger messages to one small mail; half of the senders are new.",
    )
    return Measured(table, {"messages_per_second": rate} if rate else {})


async def _open(bench: Bench, worker: Child, name: str, chats: int, letters: int, opened: Opened) -> None:
    app, database = Meter(worker.processor), Meter(bench.postgres)
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

"""A thousand live subscribers: something happens on a ticket; how long until the last of them has been told?"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.bench import Bench, Measured, Table, number
from benchmarks.client import ask
from benchmarks.graphql import graphql
from benchmarks.peers.listeners import PATIENCE
from benchmarks.processes import ROOT, Child, Meter
from benchmarks.rounds import middle
from benchmarks.screens import operation
from domain.actors import SYSTEM
from domain.db import database_time
from domain.desk.tickets import Ticket
from domain.ids import public_id

CONNECTING = 120.0
"""Seconds, at most, until all of them listen."""
PAUSE = 0.3
"""Seconds between two events."""
FIELDS = "id number subject status priority tags updatedAt seq contact { name } assignee { name } clock { state dueAt }"
CHANGES = (
    "subscription($since: Cursor!) { changes(since: $since, topics: [TICKETS]) "
    f"{{ changes {{ ... on TicketChanged {{ ticket {{ {FIELDS} }} }} }} }} }}"
)
EACH = f"subscription($id: ID!) {{ ticket(id: $id) {{ {FIELDS} }} }}"


class NotAll(Exception):
    """Some do not even listen."""


@dataclass
class Told:
    name: str
    child: Child
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    app: list[float | None] = field(default_factory=list)

    def row(self) -> list[str]:
        return [self.name, *(number(middle(spent), 0) for spent in (self.p50, self.p99, self.app))]


async def measure(bench: Bench) -> Measured:
    ticket_id = bench.shop.long_tickets[0]
    since = json.loads(await ask(bench.product.port, graphql(bench, "{ changeCursor }")))
    variables = {"since": since["data"]["changeCursor"]}
    rounds, missing = bench.sizes.rounds, ""
    phone = Told("Heddle, all that a phone asks", bench.product)
    heddle = Told("Heddle, the ticket's row", bench.product)
    each = Told("Strawberry + ORM, resolved for each", bench.usual_graphql)
    try:
        await _tell(bench, phone, operation("Live"), variables, events=2 * rounds)
        await _tell(bench, heddle, CHANGES, variables, events=2 * rounds)
        await _tell(bench, each, EACH, {"id": public_id("Ticket", ticket_id)}, events=3)
    except NotAll:
        missing = f" Not all of them listened within {CONNECTING:.0f} s."
    table = Table(
        f"One event, {bench.sizes.subscribers:,} subscribers",
        ("", "p50 ms", "p99 ms", "CPU ms: app"),
        [one.row() for one in (phone, heddle, each)],
        "From before the commit until the bytes are in the subscriber's process; all are signed in as one who manages. "
        "`Live` of docs/operations, and the same row of the ticket from both." + missing,
    )
    named = (
        ("subscribers_p99_ms", phone),
        ("subscribers_small_p99_ms", heddle),
        ("subscribers_usual_p99_ms", each),
    )
    return Measured(table, {name: median(told.p99) for name, told in named if told.p99})


async def _tell(bench: Bench, told: Told, document: str, variables: dict[str, Any], *, events: int) -> None:
    async with _listening(bench, told.child, document, variables) as listeners:
        for turn in range(events + 1):
            app, words = Meter(told.child.processor), f"{told.name} {turn}."
            begun, arrived = await _happens(bench, listeners, words)
            if turn:  # the first warms
                waited = sorted(1000 * (at - begun if at else PATIENCE) for at in arrived)
                told.p50.append(waited[len(waited) // 2])
                told.p99.append(waited[int(len(waited) * 0.99)])
                told.app.append(app.milliseconds(1))
            await asyncio.sleep(PAUSE)


async def _happens(bench: Bench, listeners: "Listeners", words: str) -> tuple[float, list[float | None]]:
    """When the ticket got another subject and a note, and when each subscriber heard of it."""
    await listeners.expect(words)
    async with bench.db.transaction() as session:
        now = await database_time(session)
        ticket = await session.get_one(Ticket, bench.shop.long_tickets[0])
        ticket.subject = words
        ticket.note(words, by=SYSTEM, at=now)
        await session.flush()
        begun = perf_counter()
    return begun, await listeners.heard()


@dataclass(frozen=True)
class Listeners:
    process: asyncio.subprocess.Process

    async def expect(self, words: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{words}\n".encode())
        await self._line()

    async def heard(self) -> list[float | None]:
        return list(json.loads(await self._line()))

    async def _line(self) -> bytes:
        assert self.process.stdout
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), CONNECTING)
        except TimeoutError:
            raise NotAll from None
        if not line:
            raise RuntimeError("the subscribers have left")
        return line


@asynccontextmanager
async def _listening(
    bench: Bench, child: Child, document: str, variables: dict[str, Any]
) -> AsyncIterator[Listeners]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.peers.listeners"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    asked = {"port": child.port, "many": bench.sizes.subscribers, "tokens": [bench.shop.token]}
    try:
        listeners = Listeners(process)
        await listeners.expect(json.dumps(asked | {"document": document, "variables": variables}))
        yield listeners
    finally:
        assert process.stdin
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()

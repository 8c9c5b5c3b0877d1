"""`kill -9` in the middle of intake, and a restart: every accepted input is in the ticket, once.

What a killed worker held is taken up again after its lease, a minute. The quick proof lets what it held fall due at
once; the slow one waits, while what came later is worked on.
"""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Boolean, exists, func, literal_column, or_, select, text, update

from domain.actors import Role
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState
from domain.customers.contacts import Contact
from domain.db import Database, database_time
from domain.desk.messages import Call, Item, Message
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind
from domain.keys import Keys
from domain.sla.clocks import Clock
from domain.ways_in.channels import ChannelKind
from domain.work import DEATHS
from tests.client import Client
from tests.conftest import another_database
from tests.factories import a_channel, a_promise
from tests.journeys.senders import Crowd, Doors

SEED = 4
SECRET = "a secret for killed processes that is long enough"


class Point(Enum):
    """Where it is killed, while it holds several that are not placed."""

    HELD = "anywhere"
    WRITING = "something is in a ticket, in a transaction that has not ended"
    HALF_WAY = "something is in a ticket whose arrival is not settled: so it is of what is opened alone, as calls are"


@pytest.mark.parametrize("leases_last", [False, pytest.param(True, marks=pytest.mark.slow)])
async def test_what_was_accepted_survives_kill_9_and_is_there_once(
    db: Database, tmp_path: Path, leases_last: bool
) -> None:
    dice = random.Random(SEED)
    async with asyncio.timeout(300), heddle(db, tmp_path) as house:
        crowd = Crowd(house.doors, SEED)

        async with asyncio.TaskGroup() as sending:
            for sender in crowd.everybody():
                sending.create_task(sender)
            points = list(Point) * (2 if leases_last else 1)
            dice.shuffle(points)
            try:
                while points:
                    await house.in_the_middle(points[-1], placed=dice.randint(5, 30))
                    if await house.cut_short(points[-1], leases_last=leases_last):
                        points.pop()
                    await house.start()
            finally:  # a sender may not hear that it is cancelled
                crowd.enough.set()
        await house.nothing_waits()

        async with Client(house.doors.address, db, "Mia", Role.MANAGER) as mia:
            shown = await tickets(mia)
    assert crowd.inputs >= 200
    assert sorted(items for _, items in shown) == sorted(map(sorted, crowd.said.values()))
    assert len({contact for contact, _ in shown}) == len(crowd.said)
    assert await rows(db) == wanted(crowd)
    assert house.complaints() == []


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """One of its own, with the four channels and a promise: what a process writes is not rolled back."""
    database = Database(await another_database(database_url, "crashes"))
    async with database.transaction() as session:
        for kind in (ChannelKind.EMAIL, ChannelKind.CHAT, ChannelKind.MESSENGER, ChannelKind.PHONE):
            await a_channel(session, Keys(SECRET), kind)
        await a_promise(session)
        for statement in TAKES_ITS_TIME:
            await session.execute(text(statement))
    yield database
    await database.close()


WRITING = """SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
  WHERE datname = current_database() AND relation = 'item'::regclass AND mode = 'RowExclusiveLock'"""
TAKES_ITS_TIME = (
    "CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.03); RETURN NULL; END $$",
    "CREATE TRIGGER linger BEFORE UPDATE OF state ON arrival FOR EACH STATEMENT EXECUTE FUNCTION linger()",
)
"""So that one can see what is written and not settled."""


class Heddle:
    """`heddle serve` as a process of its own, that can be killed and comes back at the same address."""

    def __init__(self, db: Database, folder: Path) -> None:
        # Below those the kernel gives to who connects: asking again and again for one of these while nobody listens
        # ends in a connection with oneself.
        self.doors = Doors(*_free_ports(20_000, 30_000))
        self._db = db
        self._folder = folder
        self._log = folder / "log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
        settings = {
            "HEDDLE_DATABASE_URL": self._db.url,
            "HEDDLE_SECRET_KEY": SECRET,
            "HEDDLE_DATA": str(self._folder),
            "HEDDLE_SMTP_IN_PORT": str(self.doors.smtp),
        }
        async with self._db.transaction() as session:
            self._started_at = await database_time(session)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                Path(sys.executable).with_name("heddle"),
                *("serve", "--port", str(self.doors.http)),
                cwd=self._folder,
                env=outside | settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        async with asyncio.timeout(30), httpx.AsyncClient(base_url=self.doors.address) as http:
            while True:
                assert self._process.returncode is None, self._log.read_text()
                with suppress(httpx.TransportError):
                    if (await http.get("/healthz")).is_success:
                        return
                await asyncio.sleep(0.02)

    async def in_the_middle(self, point: Point, *, placed: int) -> None:
        """Returns when so many more have been placed and the worker is there.

        Never while one would die for the third time: it would be set aside, as a row should that kills its workers.
        """
        goal = (await self._arrivals()).placed + placed
        async with asyncio.timeout(40):
            while True:
                now = await self._arrivals()
                if now.placed >= goal and now.held > 1 and not now.dying and _is_at(point, now):
                    return
                await asyncio.sleep(0.005)

    async def cut_short(self, point: Point, *, leases_last: bool) -> bool:
        """Kills it. Did it leave arrivals with nobody to finish them, at this point?"""
        await self.end()
        left = await self._arrivals()
        if not leases_last:
            held = Arrival.deaths > 0, Arrival.due_at > func.now()
            async with self._db.transaction() as session:
                await session.execute(update(Arrival).where(*held).values(due_at=Arrival.received_at))
        return bool(left.half_way if point is Point.HALF_WAY else left.held)

    async def nothing_waits(self) -> None:
        while (await self._arrivals()).waiting:
            await asyncio.sleep(0.05)

    def complaints(self) -> list[str]:
        """What it says when something went wrong that no crash explains."""
        wrong = ("failed", "error", "Traceback", "lease_lost", "work_to_repeat")
        return [line for line in self._log.read_text().splitlines() if any(word in line for word in wrong)]

    async def end(self) -> None:
        if self._process and self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def _arrivals(self) -> Any:
        count = func.count()
        held = Arrival.deaths > 0, Arrival.due_at > self._started_at + ARRIVALS.lease
        dying = or_(Arrival.deaths >= DEATHS, (Arrival.deaths == DEATHS - 1) & (Arrival.due_at <= func.now()))
        written = exists().where(Item.arrival_id == Arrival.id)
        async with self._db.reading() as connection:
            counted: Any = await connection.execute(
                select(
                    count.filter(Arrival.state == ArrivalState.PLACED).label("placed"),
                    count.filter(Arrival.state == ArrivalState.WAITING).label("waiting"),
                    count.filter(*held).label("held"),
                    count.filter(dying).label("dying"),
                    count.filter(*held, written).label("half_way"),
                    literal_column(f"EXISTS ({WRITING})", Boolean()).label("writing"),
                )
            )
            return counted.one()


def _is_at(point: Point, now: Any) -> bool:
    match point:
        case Point.HELD:
            return True
        case Point.WRITING:
            return bool(now.writing)
        case Point.HALF_WAY:
            return bool(now.half_way)


@asynccontextmanager
async def heddle(db: Database, folder: Path) -> AsyncIterator[Heddle]:
    house = Heddle(db, folder)
    try:
        await house.start()
        yield house
    finally:
        await house.end()


def _free_ports(first: int, last: int) -> tuple[int, int]:
    free: list[int] = []
    while len(free) < 2:
        port = random.randrange(first, last)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            free.append(port)
    return free[0], free[1]


TICKETS = """query($after: String) { tickets(first: 10, after: $after) {
  edges { node { id contact { id } } } pageInfo { endCursor hasNextPage } } }"""

TIMELINE = """query($id: ID!, $before: String) { ticket(id: $id) { timeline(first: 20, before: $before) {
  edges { node { ... on Message { text } ... on Call { number state } } } pageInfo { endCursor hasNextPage } } } }"""


async def tickets(agent: Client) -> list[tuple[str, list[str]]]:
    """Of each ticket the contact, and what was said in it."""
    found: list[tuple[str, list[str]]] = []
    page: dict[str, Any] = {"pageInfo": {"endCursor": None, "hasNextPage": True}}
    while page["pageInfo"]["hasNextPage"]:
        page = (await agent.ask(TICKETS, after=page["pageInfo"]["endCursor"]))["tickets"]
        for ticket in (edge["node"] for edge in page["edges"]):
            found.append((ticket["contact"]["id"], await said(agent, ticket["id"])))
    return found


async def said(agent: Client, ticket_id: str) -> list[str]:
    """Messages by their text, calls by number and end; sorted."""
    found: list[str] = []
    page: dict[str, Any] = {"pageInfo": {"endCursor": None, "hasNextPage": True}}
    while page["pageInfo"]["hasNextPage"]:
        answer = await agent.ask(TIMELINE, id=ticket_id, before=page["pageInfo"]["endCursor"])
        page = answer["ticket"]["timeline"]
        for item in (edge["node"] for edge in page["edges"]):
            if "text" in item:
                found.append(item["text"])
            elif "state" in item:
                found.append(f"{item['number']} {item['state']}")
    return sorted(found)


async def rows(db: Database) -> dict[str, int]:
    told = Event.kind == EventKind.MESSAGE_RECEIVED
    counts = {
        "arrivals": select(func.count(Arrival.id)),
        "placed arrivals": select(func.count(Arrival.id)).where(Arrival.state == ArrivalState.PLACED),
        "messages": select(func.count(Message.id)),
        "calls": select(func.count(Call.id)),
        "message_received": select(func.count(Event.seq)).where(told),
        "messages told of": select(func.count(Event.item_id.distinct())).where(told),
        "contacts": select(func.count(Contact.id)),
        "tickets": select(func.count(Ticket.id)),
        "promises": select(func.count(Clock.id)),
    }
    async with db.reading() as connection:
        return {name: (await connection.execute(query)).scalar_one() for name, query in counts.items()}


def wanted(crowd: Crowd) -> dict[str, int]:
    items = [item for items in crowd.said.values() for item in items]
    calls = sum(item.endswith(("ENDED", "MISSED")) for item in items)
    customers, messages = len(crowd.said), len(items) - calls
    return {
        "arrivals": crowd.inputs,
        "placed arrivals": crowd.inputs,
        "messages": messages,
        "calls": calls,
        "message_received": messages,
        "messages told of": messages,
        "contacts": customers,
        "tickets": customers,
        "promises": customers,
    }

"""A list of fifty tickets and a ticket with sixty messages, asked of Heddle and of other helpdesks in turn, one request at a time."""

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from itertools import repeat
from pathlib import Path
from time import perf_counter

from sqlalchemy import make_url, text

from benchmarks import inbox, report, ticket
from benchmarks.bench import Measured, Table
from benchmarks.client import Unexpected, ask, request
from benchmarks.data.loading import load
from benchmarks.data.tickets import LONG
from benchmarks.graphql import graphql_body
from benchmarks.helpdesks.django_helpdesk import LIST, Installed, NotSetUp, installed
from benchmarks.processes import Child, postgres_in, started
from benchmarks.rounds import COLUMNS, Rounds
from benchmarks.sizes import Sizes
from domain.db import Database
from domain.ids import public_id
from domain.keys import Keys
from domain.migrations import migrate

TICKETS = 20_000
PATIENCE = 60.0
RT = "Request Tracker 5 was not measured: nothing here sets it up."


@dataclass
class Page:
    name: str
    child: Child
    request: bytes
    rounds: Rounds = field(default_factory=Rounds)


async def measured(url: str, folder: Path, sizes: Sizes) -> Measured:
    sizes = replace(sizes, tickets=TICKETS, contacts=TICKETS // 4, messages=TICKETS * 5)
    secret = secrets.token_urlsafe(48)
    keys, db = Keys(secret), Database(url)
    with ExitStack() as processes:
        try:
            await migrate(db)
            shop = await load(db, keys, sizes)
            orders = {"database": url, "secret": secret, "folder": str(folder)}
            heddle = processes.enter_context(started("product", "benchmarks.peers.product", orders))
            headers = {"content_type": "application/json", "authorization": f"Bearer {shop.token}"}
            id = public_id("Ticket", shop.long_tickets[0])
            bodies = (
                graphql_body(inbox.DOCUMENT, first=inbox.FIRST),
                graphql_body(ticket.DOCUMENT, id=id, first=ticket.FIRST),
            )
            ours = [Page("Heddle", heddle, request("POST", "/graphql", body, **headers)) for body in bodies]
            theirs, missing = [], RT
            try:
                other = await asyncio.to_thread(
                    processes.enter_context,
                    installed(folder, await _beside(db, "django"), tickets=TICKETS, long=LONG),
                )
                theirs = await _pages(other)
            except NotSetUp as why:
                missing += f" django-helpdesk could not be set up: {why}"
            await _measure([*ours, *theirs], sizes, folder)
        finally:
            await db.close()
    return _told(ours, theirs, missing)


async def _beside(db: Database, name: str) -> str:
    """The address, as libpq has it, of another database of the same server."""
    async with db.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    other = make_url(db.url).set(database=name, drivername="postgresql")
    return other.render_as_string(hide_password=False)


async def _pages(other: Installed) -> list[Page]:
    paths = LIST.format(first=inbox.FIRST), f"/tickets/{other.long_ticket}/"
    pages = [
        Page("django-helpdesk", other.child, request("GET", path, cookie=other.cookie)) for path in paths
    ]
    patience = perf_counter() + PATIENCE
    while True:
        with suppress(OSError, Unexpected):
            await ask(other.child.port, pages[0].request)
            return pages
        if perf_counter() > patience:
            raise NotSetUp(f"it does not answer within {PATIENCE:.0f} s")
        await asyncio.sleep(0.2)


async def _measure(pages: Sequence[Page], sizes: Sizes, folder: Path) -> None:
    postgres = postgres_in(folder)
    for turn in range(sizes.rounds + 1):
        for page in pages:
            kept = page.rounds if turn else Rounds()  # the first warms
            asked = repeat(page.request, sizes.requests)
            await kept.add(page.child, postgres, asked, connections=1, seconds=sizes.seconds, least=5_000)


def _told(ours: Sequence[Page], theirs: Sequence[Page], missing: str) -> Measured:
    lists, views = [[pages[place] for pages in (ours, theirs) if pages] for place in (0, 1)]
    rows = [page.rounds.row(f"{page.name}, list of {inbox.FIRST}") for page in lists]
    rows += [page.rounds.row(f"{page.name}, {LONG} messages") for page in views]
    figures = {}
    if theirs:
        figures["lists_vs_django_helpdesk"] = ours[0].rounds.against(theirs[0].rounds)
        figures["tickets_vs_django_helpdesk"] = ours[1].rounds.against(theirs[1].rounds)
    compared = "".join(f" {name}: {value:.1f}." for name, value in figures.items())
    note = f"{TICKETS:,} tickets in each; the pages that their own screens ask.{compared} {missing}"
    return Measured(Table(report.HELPDESKS, ("", *COLUMNS), rows, note), figures)

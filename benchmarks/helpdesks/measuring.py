"""A list of fifty tickets and a ticket with sixty messages, asked of Heddle and of other helpdesks in turn, one request at a time."""

import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

from benchmarks import inbox, report, ticket
from benchmarks.bench import Measured, Table
from benchmarks.client import request
from benchmarks.data.loading import Shop, load
from benchmarks.data.tickets import LONG
from benchmarks.graphql import graphql_body
from benchmarks.helpdesks import django_helpdesk, request_tracker
from benchmarks.helpdesks.setting_up import Helpdesk, NotSetUp, Page, Shown, standing
from benchmarks.processes import Child, postgres_in, started
from benchmarks.rounds import COLUMNS, Rounds
from benchmarks.sizes import Sizes
from domain.db import Database
from domain.ids import public_id
from domain.keys import Keys
from domain.migrations import migrate

OTHERS: Sequence[Helpdesk] = (django_helpdesk, request_tracker)
TICKETS = 20_000


async def measured(url: str, folder: Path, sizes: Sizes) -> Measured:
    sizes = replace(sizes, tickets=TICKETS, contacts=TICKETS // 4, messages=TICKETS * 5)
    secret = secrets.token_urlsafe(48)
    keys, db = Keys(secret), Database(url)
    async with AsyncExitStack() as processes:
        processes.push_async_callback(db.close)
        await migrate(db)
        shop = await load(db, keys, sizes)
        orders = {"database": url, "secret": secret, "folder": str(folder)}
        heddle = processes.enter_context(started("product", "benchmarks.peers.product", orders))
        shown, said = [_ours(heddle, shop)], []
        for other in OTHERS:
            try:
                theirs = await processes.enter_async_context(
                    standing(other, db, folder, tickets=TICKETS, long=LONG, first=inbox.FIRST)
                )
            except NotSetUp as why:
                said.append(f"{other.NAME} was not measured: {why}.")
            else:
                shown.append(theirs)
                said.append(f"{other.NAME} is {theirs.version}.")
        lists = list(chain.from_iterable(one.lists for one in shown))
        tickets = list(chain.from_iterable(one.tickets for one in shown))
        await _measure([*lists, *tickets], sizes, folder)
    return _told(lists, tickets, said)


def _ours(heddle: Child, shop: Shop) -> Shown:
    headers = {"content_type": "application/json", "authorization": f"Bearer {shop.token}"}
    id = public_id("Ticket", shop.long_tickets[0])
    bodies = (
        graphql_body(inbox.DOCUMENT, first=inbox.FIRST),
        graphql_body(ticket.DOCUMENT, id=id, first=ticket.FIRST),
    )
    one, other = (Page("Heddle", heddle, request("POST", "/graphql", body, **headers)) for body in bodies)
    return Shown("", [one], [other])


async def _measure(pages: Sequence[Page], sizes: Sizes, folder: Path) -> None:
    postgres = postgres_in(folder)
    for turn in range(sizes.rounds + 1):
        for page in pages:
            kept = page.rounds if turn else Rounds()  # the first warms
            asked = repeat(page.request, sizes.requests)
            await kept.add(page.child, postgres, asked, connections=1, seconds=sizes.seconds, least=5_000)


def _told(lists: Sequence[Page], tickets: Sequence[Page], said: Sequence[str]) -> Measured:
    rows = [page.rounds.row(f"{page.name}, list of {inbox.FIRST}") for page in lists]
    rows += [page.rounds.row(f"{page.name}, {LONG} messages") for page in tickets]
    figures = {
        f"{what}_vs_{page.key}": pages[0].rounds.against(page.rounds)
        for what, pages in (("lists", lists), ("tickets", tickets))
        for page in pages[1:]
    }
    compared = "".join(f" {name}: {value:.1f}." for name, value in figures.items())
    note = (
        f"{TICKETS:,} tickets in each, in databases of one PostgreSQL server; the pages that their own screens ask."
        f"{compared} {' '.join(said)}"
    )
    return Measured(Table(report.HELPDESKS, ("", *COLUMNS), rows, note), figures)

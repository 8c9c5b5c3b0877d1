"""What the benchmarks measure is there: their data load into today's tables, all peers answer alike, and every measure measures."""

import shutil
from dataclasses import replace
from pathlib import Path

import httpx
import orjson
import pytest
from sqlalchemy.ext.asyncio import async_sessionmaker

from api.house import House
from benchmarks import inbox, report, ticket
from benchmarks.__main__ import folder, run
from benchmarks.data.loading import Shop, load
from benchmarks.peers.floor import INBOX, SENTENCES, TICKET, TOLD
from benchmarks.peers.usual_graphql import usual
from benchmarks.screens import operation
from benchmarks.sizes import QUICK
from domain.operations.postgres import embedded
from tests.client import Client

SMALL = replace(QUICK, contacts=100, tickets=400, messages=2_000, few_tickets=100)


@pytest.fixture
async def shop(house: House, anybody: Client) -> Shop:
    made = await load(house.db, house.keys, SMALL)
    anybody.token = made.token
    return made


async def test_the_benchmarks_data_are_what_the_screens_show(anybody: Client, shop: Shop) -> None:
    page = (await anybody.ask(inbox.DOCUMENT, first=inbox.FIRST))["tickets"]
    today = await anybody.ask(operation("MToday"))

    assert len(page["edges"]) == inbox.FIRST
    assert shop.running_clocks > 0
    due = [edge["node"]["clock"]["dueAt"] for edge in today["risk"]["edges"]]
    assert due
    assert due == sorted(due)
    counted = today["counters"]
    assert counted["breached"]
    assert counted["open"] > counted["unassigned"] > 0
    assert {agent["presence"] for agent in today["agents"]} != {"OFFLINE"}


async def test_the_floor_shows_the_same_pages(house: House, anybody: Client, shop: Shop) -> None:
    page = await anybody.ask(inbox.DOCUMENT, first=inbox.FIRST)
    id = page["tickets"]["edges"][0]["node"]["id"]
    shown = await anybody.ask(ticket.DOCUMENT, id=id, first=ticket.FIRST)

    floor = await house.db.connect()
    await floor.execute("SET timezone = 'UTC'")
    pages = [
        await floor.fetchval(INBOX, inbox.FIRST),
        await floor.fetchval(TICKET, id, ticket.FIRST, TOLD, SENTENCES),
    ]
    await floor.close()

    assert [orjson.loads(one)["data"] for one in pages] == [page, shown]


async def test_strawberry_the_usual_way_shows_the_same_inbox(
    house: House, anybody: Client, shop: Shop
) -> None:
    app = usual(async_sessionmaker(house.db.engine, expire_on_commit=False), house.db)
    asked = {"query": inbox.DOCUMENT, "variables": {"first": inbox.FIRST}}
    transport = httpx.ASGITransport(app)

    async with httpx.AsyncClient(transport=transport, base_url="http://usual") as client:
        stranger = await client.post("/graphql", json=asked)
        signed_in = {"authorization": f"Bearer {shop.token}"}
        said = (await client.post("/graphql", json=asked, headers=signed_in)).json()

    assert stranger.status_code == 401
    assert said["data"] == await anybody.ask(inbox.DOCUMENT, first=inbox.FIRST)


@pytest.mark.slow
async def test_all_that_is_promised_to_machines_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "FILE", shutil.copy(report.FILE, tmp_path / "results.md"))
    sizes = replace(
        SMALL, rounds=1, requests=40, seconds=1.0, subscribers=20, messenger=20, mails=5, patience=900.0
    )

    with folder() as data, embedded(data, durable=False) as url:
        measured = await run(sizes, data, url, profile=False)

    figures = {name: value for one in measured for name, value in one.figures.items()}
    assert figures.keys() >= set(report.FIGURES)
    assert all(value > 0 for value in figures.values())

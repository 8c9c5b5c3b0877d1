"""What the benchmarks measure is there: their data loads into today's tables, and their inbox answers."""

from dataclasses import replace

from api.house import House
from benchmarks import inbox
from benchmarks.data.loading import load
from benchmarks.sizes import QUICK
from tests.client import Client


async def test_the_benchmarks_data_is_an_inbox(house: House, anybody: Client) -> None:
    sizes = replace(QUICK, contacts=100, tickets=400, messages=2_000)

    shop = await load(house.db, house.keys, sizes)

    anybody.token = shop.token
    page = (await anybody.ask(inbox.DOCUMENT, first=inbox.FIRST))["tickets"]
    assert len(page["edges"]) == inbox.FIRST
    assert shop.running_clocks > 0

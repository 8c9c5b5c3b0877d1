"""One process that opens what arrived, as `heddle worker` does."""

import asyncio

from api.memory import settled
from benchmarks.peers.product import house
from benchmarks.peers.serving import Orders, dismissed, run
from integrations.mailroom import Mailroom


async def _work(orders: Orders) -> None:
    opened = house(orders)
    await opened.db.open()
    settled()
    working = asyncio.create_task(Mailroom(opened.db, opened.keys, opened.files).run())
    leaving = asyncio.create_task(dismissed())
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
    finally:
        await opened.db.close()


if __name__ == "__main__":
    run(_work)

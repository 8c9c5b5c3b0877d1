"""Where somebody is in the change feed."""

import asyncio

from api.house import House
from domain.events import any_pending
from tests.client import Client


async def cursor_of(house: House, client: Client) -> str:
    """After all that happened so far."""
    await all_told(house)
    return str((await client.ask("{ changeCursor }"))["changeCursor"])


async def all_told(house: House) -> None:
    """Until the feed tells all that happened so far: an older transaction, even another test's, may hold something back."""
    async with asyncio.timeout(20):
        while await _pending(house):
            await asyncio.sleep(0.02)


async def _pending(house: House) -> bool:
    async with house.db.reading() as connection:
        return await any_pending(connection)

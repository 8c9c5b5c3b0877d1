"""Who waits for a lock that the test holds."""

import asyncio

from sqlalchemy import text

from api.house import House

WAITING = text(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def who_waits(house: House) -> int:
    """Once somebody does."""
    async with asyncio.timeout(30):
        while True:
            async with house.db.reading() as connection:
                if pid := await connection.scalar(WAITING):
                    return int(pid)
            await asyncio.sleep(0.01)


async def cut_off_who_waits(house: House) -> None:
    """The connection to the database ends."""
    waiting = await who_waits(house)
    async with house.db.reading() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": waiting})

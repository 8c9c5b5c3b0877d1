import asyncio

from sqlalchemy import text

from domain.bell import heard
from domain.db import Database, ring

CUT_OFF = text("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                  WHERE datname = current_database() AND query ILIKE 'LISTEN%'""")


async def test_a_bell_that_lost_its_line_wakes_who_waits_and_hears_the_next_ring(clean: Database) -> None:
    with clean.bell.listening("a topic") as rung:
        while not rung.is_set():
            await rings(clean)
            await heard(rung, 0.1)
        rung.clear()

        async with clean.reading() as connection:
            await connection.execute(CUT_OFF)
        async with asyncio.timeout(30):
            await rung.wait()
            rung.clear()
            await rings(clean)
            await rung.wait()


async def rings(db: Database) -> None:
    async with db.transaction() as session:
        ring(session, "a topic")


async def test_who_waits_for_a_ring_can_be_ended_though_it_rings_at_that_moment() -> None:
    rung = asyncio.Event()

    async def listen() -> None:
        while True:
            rung.clear()
            await heard(rung, 60)

    for _ in range(20):
        listening = asyncio.create_task(listen())
        await asyncio.sleep(0.001)
        rung.set()
        listening.cancel()
        done, _ = await asyncio.wait({listening}, timeout=1)
        assert done == {listening}


async def test_a_wait_ends_in_time_or_with_a_ring() -> None:
    rung = asyncio.Event()

    async with asyncio.timeout(30):
        await heard(rung, 0.01)
        asyncio.get_running_loop().call_later(0.01, rung.set)
        await heard(rung, 60)

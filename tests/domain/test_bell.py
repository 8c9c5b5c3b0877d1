import asyncio

from domain.bell import heard


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

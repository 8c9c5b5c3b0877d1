"""Works on a queue, as a worker does, until nothing waits."""

from collections.abc import Awaitable, Callable
from typing import Any

from api.house import House
from domain.work import Queue


async def worked_off(house: House, queue: Queue[Any], do: Callable[[Any, Any], Awaitable[None]]) -> None:
    while True:
        async with house.db.transaction() as session:
            claimed = await queue.claim(session, 10)
        if not claimed:
            return
        for row, lease in claimed:
            await do(row, lease)

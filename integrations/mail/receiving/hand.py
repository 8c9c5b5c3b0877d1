"""A thread that does what blocks, one thing after the other."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Hand:
    """Nobody waits for it at the end of the process: what it waits for may never come."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        Thread(target=self._work, name=name, daemon=True).start()

    async def do(self, job: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        future: Future[T] = Future()
        self._jobs.put((future, lambda: job(*args, **kwargs)))
        return await asyncio.wrap_future(future)

    def rest(self, last: Callable[[], None]) -> None:
        """Ends, after what it does now and this."""
        self._jobs.put((Future(), last))
        self._jobs.put(None)

    def _work(self) -> None:
        while todo := self._jobs.get():
            future, job = todo
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except BaseException as failure:
                future.set_exception(failure)

"""Coroutines side by side, within the task that awaits them.

`asyncio.gather` makes a task of each, which takes a twentieth of a page's time. These are begun in their order at once, and wait
together. If one fails, the others are cancelled and waited for, as in an `asyncio.TaskGroup`. None of them may count on a task
of its own (`asyncio.timeout`, `asyncio.current_task`).
"""

import asyncio
from collections.abc import Collection, Generator, Iterable, Sequence
from types import coroutine
from typing import TYPE_CHECKING, Any

Future = asyncio.Future[Any]

if TYPE_CHECKING:
    gathered = asyncio.gather  # of the same types
else:

    async def gathered(*readers):
        if len(readers) == 1:
            return [await readers[0]]
        return await _gathered([one if hasattr(one, "send") else one.__await__() for one in readers])


@coroutine
def _gathered(readers: Sequence[Any]) -> Generator[Any, Any, list[Any]]:
    together = _Together(readers)
    together.begin()
    while waiting := together.waiting:
        try:
            if None in waiting.values():
                yield
            else:
                yield from _any_of(waiting.values())
        except asyncio.CancelledError as cancelled:
            together.fail(cancelled)
        together.go_on([place for place, one in waiting.items() if one is None or one.done()])
    if together.failure:
        raise together.failure
    return together.found


class _Together:
    def __init__(self, readers: Sequence[Any]) -> None:
        self._readers = readers
        self.found: list[Any] = [None] * len(readers)
        self.waiting: dict[int, Future | None] = {}
        """By place, for what each waits; none: for the loop's next turn."""
        self.failure: BaseException | None = None
        self._doomed: set[int] = set()
        """They are to hear that they are cancelled."""

    def begin(self) -> None:
        for place, reader in enumerate(self._readers):
            if self.failure:
                reader.close()
            else:
                self._step(place, reader)

    def go_on(self, places: Iterable[int]) -> None:
        for place in places:
            del self.waiting[place]
            self._step(place, self._readers[place])

    def _step(self, place: int, reader: Any) -> None:
        try:
            if place in self._doomed:
                self._doomed.discard(place)
                future = reader.throw(asyncio.CancelledError())
            else:
                future = reader.send(None)
        except StopIteration as ended:
            self.found[place] = ended.value
        except BaseException as failure:
            if not self.failure:
                self.fail(failure)
        else:
            if future is not None:
                future._asyncio_future_blocking = False  # as a task says that it waits now
            self.waiting[place] = future

    def fail(self, failure: BaseException) -> None:
        self.failure = failure
        self._doomed |= self.waiting.keys()
        for future in self.waiting.values():
            if future is not None:
                future.cancel()


def _any_of(futures: Collection[Any]) -> Generator[Any, Any, None]:
    if len(futures) == 1:
        (one,) = futures
        one._asyncio_future_blocking = True
        try:
            yield one
        except BaseException as thrown:
            if not _is_its_own(thrown, one):
                raise
        return
    rung = asyncio.get_running_loop().create_future()

    def ring(_: Future) -> None:
        if not rung.done():
            rung.set_result(None)

    for one in futures:
        one.add_done_callback(ring)
    try:
        yield from rung
    finally:
        for one in futures:
            one.remove_done_callback(ring)


def _is_its_own(thrown: BaseException, future: Any) -> bool:
    """How the future ended, which whoever waits for it will hear from itself; not somebody's word to us."""
    if not future.done():
        return False
    if future.cancelled():
        return isinstance(thrown, asyncio.CancelledError)
    return future.exception() is thrown

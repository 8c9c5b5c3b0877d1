"""How often somebody may ask: a bucket of operations for each principal. Passwords are also counted in the database
(`domain/agents/tries.py`)."""

import time
from collections.abc import Callable

from domain.buckets import Buckets
from domain.errors import TooManyTries


class Rates:
    def __init__(
        self, per_minute: int, anonymous_per_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_minute = {True: per_minute, False: anonymous_per_minute}
        self._buckets = Buckets(clock)

    def take(self, principal: str, operations: int, *, signed_in: bool) -> None:
        seconds = self._buckets.take(principal, operations, per_minute=self._per_minute[signed_in])
        if seconds:
            raise TooManyTries(seconds=seconds)

"""How often somebody may ask: a bucket of operations for each principal that fills again as time goes by.

Counted in this process; each further process has buckets of its own. Passwords are also counted in the database
(`domain/tries.py`).
"""

import time
from collections import OrderedDict
from collections.abc import Callable

from domain.errors import TooManyTries

KEPT = 10_000
"""Principals; who has not asked for longest is forgotten first, and begins with a full bucket."""


class Rates:
    def __init__(
        self, per_minute: int, anonymous_per_minute: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = {True: per_minute / 60, False: anonymous_per_minute / 60}
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What is left, and when that was."""

    def take(self, principal: str, operations: int, *, signed_in: bool) -> None:
        rate, now = self._rate[signed_in], self._clock()
        full = rate * 60
        left, at = self._left.get(principal, (full, now))
        left = min(full, left + (now - at) * rate) - operations
        if left < 0:
            raise TooManyTries(seconds=int(-left / rate) + 1)
        self._left[principal] = left, now
        self._left.move_to_end(principal)
        if len(self._left) > KEPT:
            self._left.popitem(last=False)

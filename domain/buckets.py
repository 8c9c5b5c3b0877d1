"""How often somebody may do something: a bucket for each name, which fills again as time goes by.

Counted in this process; each further process has buckets of its own.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

KEPT = 10_000
"""Names; who has not asked for longest is forgotten first, and begins with a full bucket."""


class Buckets:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What is left, and when that was."""

    def take(self, name: str, amount: int, *, per_minute: float, minutes: float = 1) -> int:
        """0 when it was there; otherwise nothing is taken, and these are the seconds until it will be. A bucket holds what comes
        in so many `minutes`."""
        rate, most, now = per_minute / 60, per_minute * minutes, self._clock()
        left, at = self._left.get(name, (most, now))
        left = min(most, left + (now - at) * rate) - amount
        if left < 0:
            return int(-left / rate) + 1
        self._left[name] = left, now
        self._left.move_to_end(name)
        if len(self._left) > KEPT:
            self._left.popitem(last=False)
        return 0

"""What this process has written down lately, so as not to write it again."""

import time
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Remembered(Generic[Key]):
    def __init__(self, seconds: float, most: int) -> None:
        self._seconds, self._most = seconds, most
        self._at: OrderedDict[Key, float] = OrderedDict()

    def unknown(self, keys: Iterable[Key]) -> list[Key]:
        oldest = time.monotonic() - self._seconds
        return [key for key in dict.fromkeys(keys) if self._at.get(key, oldest) <= oldest]

    def remember(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._at[key] = time.monotonic()
            self._at.move_to_end(key)
        while len(self._at) > self._most:
            self._at.popitem(last=False)

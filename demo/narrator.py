"""What the demo prints: what happens, when, and what of it was seen."""

import asyncio
import os
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

WIDTH = 100
MARGIN = 12
"""Columns taken by the clock and the mark."""

PATIENCE = 10.0
"""Seconds in which something has to be seen, unless it is given longer."""

BOLD, DIM, GREEN, RED = "1", "2", "32", "31"

T = TypeVar("T")


class NotSeen(Exception):
    """An observation that failed."""

    def __init__(self, what: str, *, expected: object, seen: object) -> None:
        super().__init__(what)
        self.what, self.expected, self.seen = what, expected, seen


class Narrator:
    def __init__(self) -> None:
        self._since = time.monotonic()
        self._coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._told = "Heddle starts"
        self._observations = 0

    def chapter(self, title: str) -> None:
        print(f"\n{self._in(BOLD, title)}", flush=True)

    def tell(self, what: str) -> None:
        """What begins now."""
        self._told = what
        self._line(" ", what)

    def saw(self, what: str) -> None:
        self._observations += 1
        self._line(self._in(GREEN, "✓"), what)

    def check(self, what: str, seen: T, *, equals: T) -> None:
        if seen != equals:
            raise NotSeen(what, expected=equals, seen=seen)
        self.saw(what)

    async def see(
        self, what: str, ask: Callable[[], Awaitable[T]], *, equals: T, within: float = PATIENCE
    ) -> None:
        """Asks until the answer is the expected one."""
        deadline = time.monotonic() + within
        while (seen := await ask()) != equals:
            if time.monotonic() > deadline:
                raise NotSeen(what, expected=equals, seen=seen)
            await asyncio.sleep(0.05)
        self.saw(what)

    async def awaits(self, what: str, coming: Awaitable[T]) -> T:
        """The one thing that comes, in its own time; what it is like is for the caller to check."""
        try:
            return await coming
        except TimeoutError:
            raise NotSeen(what, expected="it comes in time", seen="nothing") from None

    def failed(self, why: Exception, log: Iterable[str]) -> None:
        match why:
            case NotSeen():
                what, expected, seen = why.what, why.expected, why.seen
            case TimeoutError():
                what, expected, seen = self._told, "the whole story in time", "it took longer"
            case _:
                what, expected, seen = self._told, "it goes well", f"{type(why).__name__}: {why}"
        self._line(self._in(RED, "✗"), what)
        self._below(f"expected  {_short(expected)}")
        self._below(f"seen      {_short(seen)}")
        self._below("The server's log ends:")
        for line in log:
            self._below(line)

    def end(self) -> None:
        self.chapter(f"Every step was seen: {self._observations} observations in {self._seconds:.0f} s.")

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._since

    def _below(self, text: str) -> None:
        for line in textwrap.wrap(text, WIDTH - MARGIN):
            print(" " * MARGIN + line, flush=True)

    def _line(self, mark: str, what: str) -> None:
        first, *others = textwrap.wrap(what, WIDTH - MARGIN)
        print(f"{self._in(DIM, f'{self._seconds:6.1f} s')}  {mark} {first}", flush=True)
        self._below(" ".join(others))

    def _in(self, style: str, text: str) -> str:
        return f"\033[{style}m{text}\033[0m" if self._coloured else text


def _short(value: Any) -> str:
    return textwrap.shorten(value if isinstance(value, str) else repr(value), 700)

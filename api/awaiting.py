"""Coroutines that are put away when nobody comes for them.

Who is cancelled before the first step never gets to what was to be awaited there: where a sibling fails, or who asked has left,
graphql-core leaves its coroutines, and the resolvers' in them, and Python complains of each.
"""

from collections.abc import Coroutine, Generator
from inspect import iscoroutine
from typing import Any


class Awaited:
    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()

    def __del__(self) -> None:
        self._coroutine.close()


def put_away(found: Any) -> Any:
    """Itself, if it is no coroutine."""
    return Awaited(found) if iscoroutine(found) else found

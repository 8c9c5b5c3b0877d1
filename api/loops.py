"""The event loop of what runs for long: uvloop's, but on Windows, for which there is none."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

if sys.platform == "win32":
    new_event_loop = asyncio.new_event_loop
else:
    from uvloop import new_event_loop

__all__ = ["new_event_loop", "on_a_loop", "run"]

P = ParamSpec("P")
T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def on_a_loop(command: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """The command as one that is typed."""

    @wraps(command)
    def typed(*args: P.args, **options: P.kwargs) -> T:
        return run(command(*args, **options))

    return typed

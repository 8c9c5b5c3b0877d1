"""The event loop of what runs for long: uvloop's, but on Windows, for which there is none."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

if sys.platform == "win32":
    new_event_loop = asyncio.new_event_loop
else:
    # uvloop looks names up in libuv's threads, of which there are four: two name servers that are silent would hold up the rest.
    os.environ.setdefault("UV_THREADPOOL_SIZE", "32")
    from uvloop import new_event_loop

__all__ = ["new_event_loop", "run", "runs_for_long", "told_to_leave"]

P = ParamSpec("P")
T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(main)


def runs_for_long(command: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Runs it here; whoever reads the command line would run it on asyncio's own loop."""

    @wraps(command)
    def running(*args: P.args, **options: P.kwargs) -> T:
        return run(command(*args, **options))

    return running


def told_to_leave() -> asyncio.Event:
    """Set when a signal asks this process to end; from now on it does not end by itself."""
    told = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, told.set)
    return told

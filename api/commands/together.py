"""Several processes that answer at one address: `heddle serve`, which deals out who comes, and its children.

Each has a house of its own. A child gets connections through a socket, whose end says that it shall leave, or that its parent is gone.
"""

import asyncio
import os
import socket
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from api.commands.answering import answering
from api.logs import log_to_stderr
from api.loops import run, told_to_leave
from api.memory import loading
from api.running import house_here

if TYPE_CHECKING:
    from uvicorn import Server

log = structlog.get_logger()

FAREWELL = 6.0
"""Seconds in which a child that shall leave does so."""
AGAIN = 1.0
"""Seconds until the next try: another child in the place of one that died, another connection where no more files may be opened."""
WORD = b"."

Taker = Callable[[socket.socket], bool]
"""Takes a connection over, or says that it cannot."""


@contextmanager
def counted_as_one() -> Iterator[None]:
    """Whichever process is asked for `/metrics` tells of them all. To be entered before the library that counts is imported."""
    with tempfile.TemporaryDirectory(prefix="heddle-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield


@asynccontextmanager
async def dealt(
    door: socket.socket, server: "Server", children: int, data: Path, told: asyncio.Event
) -> AsyncIterator[None]:
    """Until it is `told`, who comes to `door` is answered by `server` or by a child, by turns."""
    takers = deque[Taker]([_Here(server)])
    async with asyncio.TaskGroup() as group:
        dealing = group.create_task(_deal(door, takers))
        for _ in range(children):
            group.create_task(_place(takers, data, told))
        try:
            stop = asyncio.create_task(told.wait())
            stop.add_done_callback(lambda _: dealing.cancel())
            yield
        finally:
            told.set()


async def _deal(door: socket.socket, takers: deque[Taker]) -> None:
    with door:
        door.setblocking(False)
        while True:
            try:
                connection, _ = await asyncio.get_running_loop().sock_accept(door)
            except OSError as failure:
                log.warning("connection_not_accepted", error=failure.strerror)
                await asyncio.sleep(AGAIN)
                continue
            takers.rotate(-1)
            while not takers[0](connection):
                takers.rotate(-1)


class _Here:
    def __init__(self, server: "Server") -> None:
        self._server = server
        self._begun = set[asyncio.Task[None]]()

    def __call__(self, connection: socket.socket) -> bool:
        beginning = asyncio.create_task(self._answer(connection))
        self._begun.add(beginning)
        beginning.add_done_callback(self._begun.discard)
        return True

    async def _answer(self, connection: socket.socket) -> None:
        from api.server import answer

        with suppress(OSError):  # who came has left
            await answer(self._server, connection)


def _there(child: socket.socket, connection: socket.socket) -> bool:
    try:
        socket.send_fds(child, [WORD], [connection.fileno()])
    except OSError:  # it has as many before it as the socket holds, or is dead
        return False
    connection.close()
    return True


async def _place(takers: deque[Taker], data: Path, told: asyncio.Event) -> None:
    """Always has a child that takes."""
    from prometheus_client.multiprocess import mark_process_dead

    leaving = asyncio.create_task(told.wait())
    while not told.is_set():
        ours, theirs = socket.socketpair()
        with ours:
            try:
                child = await _child(theirs, data)
            except OSError as failure:
                log.error("answering_process_not_started", error=failure.strerror)
                await asyncio.wait([leaving], timeout=AGAIN)
                continue
            ended = asyncio.create_task(child.wait())
            taking = asyncio.create_task(_taking(ours, takers, child.pid))
            await asyncio.wait((ended, leaving), return_when=asyncio.FIRST_COMPLETED)
            taking.cancel()
            await asyncio.wait([taking])
        if told.is_set():
            await asyncio.wait([ended], timeout=FAREWELL)
            with suppress(ProcessLookupError):
                child.kill()
            await ended
        else:
            log.error("answering_process_ended", pid=child.pid, status=child.returncode)
            await asyncio.wait([leaving], timeout=AGAIN)
        mark_process_dead(child.pid)  # type: ignore[no-untyped-call]


async def _child(given: socket.socket, data: Path) -> Process:
    with given:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", __name__, str(given.fileno())),
            env=os.environ | {"HEDDLE_DATA": str(data)},
            stdin=DEVNULL,
            stdout=DEVNULL,
            pass_fds=[given.fileno()],
            start_new_session=True,  # Ctrl-C is for its parent
        )


async def _taking(child: socket.socket, takers: deque[Taker], pid: int) -> None:
    """It takes as soon as it says so, and as long as this is not cancelled."""
    child.setblocking(False)
    with suppress(OSError):
        if await asyncio.get_running_loop().sock_recv(child, len(WORD)):
            taker = partial(_there, child)
            takers.append(taker)
            log.info("answering_process_ready", pid=pid)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                takers.remove(taker)


async def _take(given: socket.socket) -> None:
    """What a child does."""
    given.setblocking(False)
    async with house_here() as (house, _):
        told, loop = told_to_leave(), asyncio.get_running_loop()
        async with answering(house, [], told) as here:
            take = _Here(here.server)

            def come() -> None:
                try:
                    word, connections, *_ = socket.recv_fds(given, len(WORD), 1)
                except ConnectionResetError:
                    word, connections = b"", []
                for connection in connections:
                    take(socket.socket(fileno=connection))
                if not word:
                    loop.remove_reader(given)
                    told.set()

            loop.add_reader(given, come)
            given.send(WORD)
            await here.ended


if __name__ == "__main__":
    loading()
    log_to_stderr()
    with socket.socket(fileno=int(sys.argv[1])) as given:
        run(_take(given))

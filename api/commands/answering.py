"""A process that answers on HTTP until it is told to leave."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.house import House
from api.memory import settled
from domain.settings import WrongSetting

if TYPE_CHECKING:
    from uvicorn import Server

HIGHEST_PORT = 65_535


def bound(host: str, port: int) -> socket.socket:
    """The address is ours before anything else begins."""
    if not 0 <= port <= HIGHEST_PORT:
        raise WrongSetting(f"--port {port}: the highest there is, is {HIGHEST_PORT}.")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        door = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as failure:
        raise WrongSetting(
            f"--port {port}: {host} cannot be listened on there: {failure.strerror}."
        ) from None
    # Handed on to each connection: otherwise an answer in two writes may wait 40 ms for the other side's word. uvloop sees to it by
    # itself, asyncio only where a socket says that it is TCP, and this one does not.
    door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return door


@dataclass(frozen=True)
class Answering:
    server: "Server"
    ended: asyncio.Task[None]


@asynccontextmanager
async def answering(
    house: House, doors: Sequence[socket.socket], told: asyncio.Event
) -> AsyncIterator[Answering]:
    """Until it is told to leave: then whoever is connected gets three seconds."""
    from api.app import application
    from api.server import Patience, server

    serving = server(application(house), Patience(), timeout_graceful_shutdown=3)
    serving.capture_signals = nullcontext  # type: ignore[assignment]  # it would raise them again while we leave
    settled()
    ended = asyncio.create_task(serving.serve(sockets=list(doors)))

    async def leave() -> None:
        await told.wait()
        serving.should_exit = True

    leaving = asyncio.create_task(leave())
    try:
        while not (serving.started or ended.done()):  # noqa: ASYNC110 - it takes a few turns
            await asyncio.sleep(0)
        yield Answering(serving, ended)
    finally:
        told.set()
        await asyncio.wait([leaving, ended])

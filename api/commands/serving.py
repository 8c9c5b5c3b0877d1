"""What runs and answers until it is told to stop: `heddle serve` and `heddle worker`."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from api.commands.ways_in import announce
from api.house import House
from api.loops import runs_for_long
from api.memory import settled
from api.running import Settings, house_here, load_settings, mail_door
from api.workers import hired, working
from domain.settings import WrongSetting

HIGHEST_PORT = 65_535


@runs_for_long
async def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    data: Annotated[
        Path | None,
        Parameter(help="The folder of the embedded database and the stored files; otherwise HEDDLE_DATA."),
    ] = None,
    workers: Annotated[
        bool, Parameter(help="With --no-workers only the doors; run `heddle worker` beside it.")
    ] = True,
) -> None:
    settings = _settings(data)
    loading = asyncio.get_running_loop().run_in_executor(
        None, import_module, "api.app"
    )  # while the database starts
    with bound(host, port) as door:
        async with house_here(settings) as (house, _), mail_door(house, settings):
            async for line in announce(house.db, doors=True, workers=workers):
                print(line, flush=True)
            await loading
            work = await hired(house, settings) if workers else nullcontext()
            async with _answering(house, door) as answering, work:
                await answering


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


@asynccontextmanager
async def _answering(house: House, door: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    """The doors are open, until the task ends: before the workers, who all have something to do at first."""
    from api.app import application
    from api.server import Patience
    from api.server import server as serving

    server = serving(application(house), Patience(), timeout_graceful_shutdown=3)
    server.capture_signals = nullcontext  # type: ignore[assignment]  # it would raise them again while we leave
    _when_told(lambda: setattr(server, "should_exit", True))
    host, port, *_ = door.getsockname()
    print(f"Heddle answers at http://{host}:{port}", flush=True)
    settled()
    answering = asyncio.create_task(server.serve(sockets=[door]))
    try:
        while not (server.started or answering.done()):  # noqa: ASYNC110 - it takes a few turns
            await asyncio.sleep(0)
        yield answering
    finally:
        server.should_exit = True
        await asyncio.wait([answering])


def _when_told(stop: Callable[[], None]) -> None:
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop)


@runs_for_long
async def worker(*, data: Path | None = None) -> None:
    async with house_here(_settings(data)) as (house, settings), working(house, settings):
        async for line in announce(house.db, doors=False, workers=True):
            print(line, flush=True)
        stop = asyncio.Event()
        _when_told(stop.set)
        settled()
        print("Heddle works.", flush=True)
        await stop.wait()


def _settings(data: Path | None) -> Settings:
    settings = load_settings()
    if data:
        settings.domain.data = data
    return settings

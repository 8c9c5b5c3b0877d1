"""What runs and answers until it is told to stop: `heddle serve` and `heddle worker`."""

import asyncio
import sys
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from api.commands.answering import answering, bound
from api.commands.together import counted_as_one, dealt
from api.commands.ways_in import announce
from api.loops import runs_for_long, told_to_leave
from api.memory import settled
from api.running import Settings, house_here, load_settings, mail_door
from api.workers import hired, working
from domain.settings import WrongSetting


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
    processes: Annotated[
        int,
        Parameter(
            validator=Number(gte=1, lte=64),
            help="How many answer at the address, at best one for each processor; each takes its memory and its connections. The first one works, too.",
        ),
    ] = 1,
) -> None:
    settings = _settings(data)
    if processes > 1 and sys.platform == "win32":
        raise WrongSetting("--processes: on Windows one process answers at an address.")
    with bound(host, port) as door, counted_as_one() if processes > 1 else nullcontext():
        loading = asyncio.get_running_loop().run_in_executor(
            None, import_module, "api.app"
        )  # while the database starts
        async with house_here(settings) as (house, _), mail_door(house, settings):
            async for line in announce(house.db, doors=True, workers=workers):
                print(line, flush=True)
            await loading
            work = await hired(house, settings) if workers else nullcontext()
            host, port, *_ = door.getsockname()
            told, alone = told_to_leave(), processes == 1
            async with answering(house, [door] if alone else [], told) as here, work:
                print(f"Heddle answers at http://{host}:{port}", flush=True)
                others = dealt(door, here.server, processes - 1, settings.domain.data, told)
                async with nullcontext() if alone else others:
                    await here.ended


@runs_for_long
async def worker(*, data: Path | None = None) -> None:
    async with house_here(_settings(data)) as (house, settings), working(house, settings):
        async for line in announce(house.db, doors=False, workers=True):
            print(line, flush=True)
        told = told_to_leave()
        settled()
        print("Heddle works.", flush=True)
        await told.wait()


def _settings(data: Path | None) -> Settings:
    settings = load_settings()
    if data:
        settings.domain.data = data
    return settings

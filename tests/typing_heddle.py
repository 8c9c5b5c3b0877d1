"""`heddle`, as it is typed: a process of its own each time, forked from one that has loaded it already."""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

PATIENCE = 60.0
EVERYTHING = (
    "api.commands.serving",
    "api.commands.setting_up",
    "api.commands.channel_commands",
    "api.schema",
)

_forking = multiprocessing.get_context("forkserver")
_forking.set_forkserver_preload(["api.cli", *EVERYTHING])


def heddle(
    *arguments: str, folder: Path, stdin: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as place:
        ways = [Path(place) / name for name in ("stdin", "stdout", "stderr")]
        ways[0].write_text(stdin)
        environment = {"PATH": "/usr/bin:/bin", **settings}
        process = _forking.Process(target=_typed, args=(arguments, folder, ways, environment))
        process.start()
        process.join(PATIENCE)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"heddle {' '.join(arguments)}")
        said = [way.read_text() if way.exists() else "" for way in ways[1:]]
    return subprocess.CompletedProcess(arguments, process.exitcode, *said)


def _typed(
    arguments: tuple[str, ...], folder: Path, ways: list[Path], environment: Mapping[str, str]
) -> None:
    for number, way in enumerate(ways):
        opened = os.open(way, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = os.fdopen(0)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["heddle", *arguments]
    from api.cli import main

    main()

"""Processes of the benchmark, and the processor time that processes have used.

A child gets its listening socket as an inherited descriptor and its orders as one line of JSON on its standard input;
when that ends, for whatever reason, the child leaves.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FAREWELL = 5.0
LAST_WORDS = 500


@dataclass(frozen=True)
class Processor:
    """Processor time of a process; with `family`, of its children too, those that have ended included."""

    pid: int | None
    family: bool = False

    def seconds(self) -> float | None:
        """None where the system does not tell (no /proc)."""
        if self.pid is None or (own := _stat(self.pid)) is None:
            return None
        ticks = own.used
        if self.family:
            ticks += own.used_by_ended_children
            ticks += sum(child.used for child in map(_stat, _pids()) if child and child.parent == self.pid)
        return ticks / os.sysconf("SC_CLK_TCK")


class Meter:
    """Processor time from now on."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._before = processor.seconds()

    def milliseconds(self, each_of: int) -> float | None:
        after = self._processor.seconds()
        if self._before is None or after is None or not each_of:
            return None
        return (after - self._before) * 1000 / each_of


@dataclass(frozen=True)
class Child:
    name: str
    port: int
    processor: Processor


@contextmanager
def started(name: str, module: str, orders: dict[str, str]) -> Iterator[Child]:
    """`python -m module`, which answers on `port` as soon as it can: until then, connections wait.

    What it logs goes to a file of its name.
    """
    with (
        socket.create_server(("127.0.0.1", 0), backlog=1_024) as listening,
        (Path(orders["folder"]) / f"{name}.log").open("ab") as log,
    ):
        port: int = listening.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            cwd=ROOT,
            pass_fds=[listening.fileno()],
            start_new_session=True,  # Ctrl-C is for us; the child hears of it by the end of its input
            stderr=log,
        )
        told = orders | {"socket": str(listening.fileno())}
    assert process.stdin
    try:
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
        yield Child(name, port, Processor(process.pid))
    except Exception:
        if said := Path(log.name).read_text(errors="replace")[-LAST_WORDS:]:
            sys.stderr.write(f"{name} said last: {said}\n")
        raise
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(FAREWELL)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def postgres_in(folder: Path) -> Processor:
    """All the server processes of the embedded database that lives there."""
    try:
        pid = int((folder / "postgres/cluster/postmaster.pid").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return Processor(None)
    return Processor(pid, family=True)


def resident(pid: int) -> float | None:
    """Megabytes that a process and its children hold; what they share counts once."""
    sizes = [_proportional(one) for one in (pid, *_children(pid))]
    return sum(size for size in sizes if size) / 1024 if sizes[0] else None


def _proportional(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), None)


def _children(pid: int) -> list[int]:
    return [child for child in _pids() if (stat := _stat(child)) and stat.parent == pid]


@dataclass(frozen=True)
class _Stat:
    parent: int
    used: int
    used_by_ended_children: int


def _stat(pid: int) -> _Stat | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return _Stat(int(fields[1]), int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14]))


def _pids() -> Iterator[int]:
    with suppress(OSError):
        yield from (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())

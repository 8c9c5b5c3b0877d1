"""`heddle serve` on a database that exists: how long until it answers, how much memory it holds, what it has imported by then."""

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from time import perf_counter

import httpx

from benchmarks import inbox
from benchmarks.bench import Bench, Measured, Table, number
from benchmarks.client import burst
from benchmarks.comparing import CONNECTIONS
from benchmarks.graphql import graphql
from benchmarks.processes import ROOT, free_port, resident
from benchmarks.screens import operation

STARTS = 3
IDLE = 3.0
"""Seconds after which a process that has answered counts as idle."""
PATIENCE = 180.0
REQUESTS = 300
MOST = 8
HEAVY = (
    "firebase_admin",
    "google",
    "twilio",
    "fbmessenger",
    "obstore",
    "boto3",
    "PIL",
    "alembic",
    "babel",
    "phonenumbers",
)
NOWHERE = "127.0.0.1:1"

_IMPORT = re.compile(r"^import time: +(\d+) \| +\d+ \| +([\w.]+)$", re.MULTILINE)


async def measure(bench: Bench) -> Measured:
    took = []
    for _ in range(STARTS):
        async with _served(bench) as (seconds, pid, port):
            took.append(seconds)
            if len(took) == STARTS:
                await asyncio.sleep(IDLE)
                idle = resident(pid)
                for document in (operation("MToday"), inbox.DOCUMENT):
                    asked = [graphql(bench, document, first=inbox.FIRST)] * REQUESTS
                    await burst(port, asked, connections=CONNECTIONS, seconds=30)
                busy = resident(pid)
    imports = await _imports(bench)
    seconds = median(took)
    packages = Counter[str]()
    for module, microseconds in imports.items():
        packages[module.partition(".")[0]] += microseconds
    rows = [["until `/healthz` answers, s", number(seconds, 2)]]
    rows += [["resident, idle, MB", number(idle)], ["resident, after the pages, MB", number(busy)]]
    rows += [
        [f"imports of {name}, ms", number(spent / 1000, 0)] for name, spent in packages.most_common(MOST)
    ]
    loaded = ", ".join(name for name in HEAVY if name in packages) or "none"
    note = (
        f"`heddle serve` with all its workers on the loaded database. Of {', '.join(HEAVY)} an idle process has imported: {loaded}. "
        f"{len(imports):,} modules; their own time, while each is noted."
    )
    table = Table("Start and size", ("", ""), rows, note)
    figures = {"start_seconds": seconds}
    figures |= {name: size for name, size in (("idle_mb", idle), ("busy_mb", busy)) if size}
    return Measured(table, figures)


@asynccontextmanager
async def _served(
    bench: Bench, *python: str, log: Path | None = None
) -> AsyncIterator[tuple[float, int, int]]:
    """Seconds until it answered, the process and its port."""
    port = free_port()
    begun = perf_counter()
    with (log or Path(os.devnull)).open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *python, "-m", "api.cli", "serve", "--port", str(port)),
            cwd=ROOT,
            env=_environment(bench),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=said,
        )
    try:
        await _answers(port)
        yield perf_counter() - begun, process.pid, port
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> None:
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient() as client:
        while True:
            with suppress(httpx.TransportError):
                if (await client.get(f"http://127.0.0.1:{port}/healthz")).is_success:
                    return
            await asyncio.sleep(0.01)


def _environment(bench: Bench) -> dict[str, str]:
    """Nothing of what it might send leaves this machine."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
    return outside | {
        "HEDDLE_DATABASE_URL": bench.orders["database"],
        "HEDDLE_SECRET_KEY": bench.orders["secret"],
        "HEDDLE_DATA": bench.orders["folder"],
        "HEDDLE_OPERATIONS_PER_MINUTE": "1000000000",
        "HEDDLE_SMTP_URL": f"smtp://{NOWHERE}",
        "HEDDLE_GRAPH_URL": f"http://{NOWHERE}",
    }


async def _imports(bench: Bench) -> dict[str, int]:
    """Microseconds of each module's own, as the interpreter notes them."""
    log = Path(bench.orders["folder"]) / "imports.log"
    async with _served(bench, "-X", "importtime", log=log):
        await asyncio.sleep(IDLE)
    return {name: int(spent) for spent, name in _IMPORT.findall(log.read_text(errors="replace"))}

"""`heddle serve` on a database that exists: how long until it answers, how much memory it holds, what it has imported by then."""

import asyncio
import re
from collections import Counter
from pathlib import Path
from statistics import median

from benchmarks import inbox
from benchmarks.bench import Bench, Measured, Table, number
from benchmarks.client import burst
from benchmarks.comparing import CONNECTIONS
from benchmarks.graphql import graphql
from benchmarks.processes import resident
from benchmarks.screens import operation
from benchmarks.served import served

STARTS = 3
IDLE = 3.0
"""Seconds after which a process that has answered counts as idle."""
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
_IMPORT = re.compile(r"^import time: +(\d+) \| +\d+ \| +([\w.]+)$", re.MULTILINE)


async def measure(bench: Bench) -> Measured:
    took = []
    for _ in range(STARTS):
        async with served(bench) as (seconds, pid, port):
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


async def _imports(bench: Bench) -> dict[str, int]:
    """Microseconds of each module's own, as the interpreter notes them."""
    log = Path(bench.orders["folder"]) / "imports.log"
    async with served(bench, python=("-X", "importtime"), log=log):
        await asyncio.sleep(IDLE)
    return {name: int(spent) for spent, name in _IMPORT.findall(log.read_text(errors="replace"))}

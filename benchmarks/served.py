"""`heddle serve` as it is typed, on the loaded database."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from time import perf_counter

import httpx

from benchmarks.bench import Bench
from benchmarks.processes import ROOT, Child, Processor, free_port

PATIENCE = 180.0
NOWHERE = "127.0.0.1:1"
READY = b"answering_process_ready"


@asynccontextmanager
async def served(
    bench: Bench, *options: str, python: Sequence[str] = (), log: Path | None = None
) -> AsyncIterator[tuple[float, int, int]]:
    """Seconds until it answered, the process and its port."""
    port = free_port()
    begun = perf_counter()
    with (log or Path(os.devnull)).open("wb") as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *python, "-m", "api.cli", "serve", "--port", str(port), *options),
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


@asynccontextmanager
async def served_by_two(bench: Bench) -> AsyncIterator[Child]:
    """One for each of two processors, as floor and database use both."""
    log = Path(bench.orders["folder"]) / "two.log"
    async with served(bench, "--no-workers", "--processes", "2", log=log) as (_, pid, port):
        async with asyncio.timeout(PATIENCE):
            while READY not in log.read_bytes():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.1)
        yield Child("two", port, Processor(pid, family=True))


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

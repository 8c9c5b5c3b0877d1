"""`./run bench [--quick] [--json] [--profile]`."""

import argparse
import asyncio
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter

import orjson
from sqlalchemy import func, select

from api.logs import log_to_stderr
from api.loops import new_event_loop
from benchmarks import (
    arrivals,
    deadlines,
    inbox,
    mail,
    next_due,
    profiling,
    replying,
    report,
    starting,
    subscribers,
    ticket,
    today,
    two_processes,
    webhooks,
)
from benchmarks.assigning import report as assigning
from benchmarks.bench import Bench, Measured
from benchmarks.data.loading import load
from benchmarks.helpdesks import measuring as helpdesks
from benchmarks.plans import report as plans
from benchmarks.processes import postgres_in, started
from benchmarks.sizes import FULL, QUICK, Sizes
from domain.db import Database
from domain.keys import Keys
from domain.migrations import migrate
from domain.operations.postgres import embedded

MEASUREMENTS = (
    inbox.measure, ticket.measure, today.measure, next_due.measure, starting.measure, replying.measure,
    webhooks.measure, arrivals.measure, subscribers.measure,
)  # fmt: skip
"""In this order: those that write come last, and what a started house finds to do is measured before."""


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


@contextmanager
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="heddle-benchmark-"))
    try:
        made.chmod(0o711)
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


async def run(sizes: Sizes, data: Path, url: str, *, profile: bool) -> list[Measured]:
    begun = perf_counter()
    secret = secrets.token_urlsafe(48)
    keys, db = Keys(secret), Database(url)
    orders = {"database": url, "secret": secret, "folder": str(data)}
    measured: list[Measured] = []
    with ExitStack() as children:
        try:
            await migrate(db)
            shop = await load(db, keys, sizes)
            say(f"The data set was loaded in {perf_counter() - begun:.0f} s.\n")
            peers = (
                children.enter_context(started(name, f"benchmarks.peers.{name}", orders))
                for name in ("product", "floor", "usual", "usual_graphql")
            )
            bench = Bench(sizes, db, keys, shop, orders, postgres_in(data), *peers)
            try:
                async with asyncio.timeout(sizes.patience - (perf_counter() - begun)) as limit:
                    for measure in MEASUREMENTS:
                        measured.append(await measure(bench))
                        say(report.written(measured[-1].table) + "\n")
                    if profile:
                        profiled = await profiling.profile(bench, data)
                        say(report.written(profiled) + "\n")
                        report.keep(profiled)
            except TimeoutError:
                if not limit.expired():
                    raise
                say(f"Time is up after {sizes.patience:.0f} s: the rest was not measured.")
            async with db.reading() as connection:
                version = await connection.scalar(select(func.current_setting("server_version")))
            report.save(sizes, str(version), measured)
        finally:
            await db.close()
    return measured


def prove_deadlines(sizes: Sizes) -> None:
    """Leaves with 1 if one was missed, came early or twice."""
    with folder() as data:
        deadlines.keep_commit_times(data)
        with embedded(data, durable=False) as url:
            table, holds = asyncio.run(deadlines.measured(url, data, sizes))
    say(report.written(table))
    report.keep(table)
    if not holds:
        sys.exit(1)


def main() -> None:
    options = argparse.ArgumentParser(prog="./run bench", description="Measures Heddle beside its peers.")
    options.add_argument("--quick", action="store_true", help="a small data set; within ten minutes")
    options.add_argument("--json", action="store_true", help="the last line is one JSON object")
    options.add_argument("--profile", action="store_true", help="where the application's time goes, too")
    options.add_argument(
        "what",
        nargs="?",
        choices=["two_processes", "deadlines", "mail", "assigning", "peers", "plans"],
        help="only this; otherwise all of the rest",
    )
    chosen = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave by the door: whoever was started is ended
    log_to_stderr()
    sizes = QUICK if chosen.quick else FULL
    if chosen.what == "deadlines":
        prove_deadlines(sizes)
        return
    with (
        folder() as data,
        embedded(data, durable=False) as url,
        asyncio.Runner(loop_factory=new_event_loop) as runner,
    ):
        if chosen.what == "mail":
            table = runner.run(mail.measured(url, data, sizes))
            say(report.written(table))
            report.keep(table)
            return
        if chosen.what == "peers":
            compared = runner.run(helpdesks.measured(url, data, sizes))
            say(report.written(compared.table))
            report.keep(compared.table)
            say(orjson.dumps(compared.figures).decode())
            return
        if chosen.what in ("assigning", "plans"):
            whole = (
                assigning.measured(url) if chosen.what == "assigning" else plans.measured(url, data, sizes)
            )
            table, holds = runner.run(whole)
            say(report.written(table))
            report.keep(table)
            if not holds:
                sys.exit(1)
            return
        if chosen.what:
            say(two_processes.told(runner.run(two_processes.measured(url, data))))
            return
        measured = runner.run(run(sizes, data, url, profile=chosen.profile))
    if chosen.json:
        say(report.machine_line(measured))


if __name__ == "__main__":
    main()

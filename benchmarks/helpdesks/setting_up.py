"""How another helpdesk is set up, started and, at the end, ended."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Protocol

from sqlalchemy import make_url, text

from benchmarks.client import Unexpected, ask, request
from benchmarks.processes import FAREWELL, LAST_WORDS, Child, Processor
from benchmarks.rounds import Rounds
from domain.db import Database

PATIENCE = 60.0
LISTED = b"Order "
"""How the subject of each of its tickets begins."""
SAID = b"When will my parcel come?"
"""In each of its messages."""


class NotSetUp(Exception):
    """Says why."""


@dataclass(frozen=True)
class Filled:
    """One with tickets, which `order` starts. `lists` and `tickets` are paths, by the name of who answers."""

    version: str
    order: Sequence[str]
    environment: Mapping[str, str]
    port: int
    cookie: str
    lists: Mapping[str, str]
    tickets: Mapping[str, str]


class Helpdesk(Protocol):
    NAME: str

    def set_up(self, folder: Path, url: str, *, tickets: int, long: int, first: int) -> Filled:
        """What it writes lies in the folder, or in the database, which is empty. `url`: as libpq has it."""


@dataclass
class Page:
    name: str
    child: Child
    request: bytes
    rounds: Rounds = field(default_factory=Rounds)

    @property
    def key(self) -> str:
        return _key(self.name)


@dataclass
class Shown:
    version: str
    lists: list[Page]
    tickets: list[Page]


@asynccontextmanager
async def standing(
    helpdesk: Helpdesk, db: Database, folder: Path, *, tickets: int, long: int, first: int
) -> AsyncIterator[Shown]:
    """Its pages, which it answers. Its database is a new one, beside ours."""
    own = folder / _key(helpdesk.NAME)
    own.mkdir()
    url = await _beside(db, _key(helpdesk.NAME))
    filled = await asyncio.to_thread(helpdesk.set_up, own, url, tickets=tickets, long=long, first=first)
    with _started(helpdesk.NAME, filled, own / "log") as child:
        shown = Shown(
            filled.version, _pages(child, filled, filled.lists), _pages(child, filled, filled.tickets)
        )
        await _answers(shown.lists[0], own / "log")
        for pages, words, times in ((shown.lists, LISTED, first), (shown.tickets, SAID, long)):
            for page in pages:
                if (await ask(child.port, page.request)).count(words) < times:
                    raise NotSetUp(f"a page of {page.name} does not show what it was given")
        yield shown


async def _beside(db: Database, name: str) -> str:
    async with db.engine.connect() as connection:
        alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await alone.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    other = make_url(db.url).set(database=name, drivername="postgresql")
    return other.render_as_string(hide_password=False)


@contextmanager
def _started(name: str, filled: Filled, log: Path) -> Iterator[Child]:
    with log.open("ab") as said:
        process = subprocess.Popen(
            filled.order, env=filled.environment, stderr=said, stdout=said, start_new_session=True
        )
    try:
        yield Child(name, filled.port, Processor(process.pid, family=True))
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(FAREWELL)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _pages(child: Child, filled: Filled, paths: Mapping[str, str]) -> list[Page]:
    return [Page(name, child, request("GET", path, cookie=filled.cookie)) for name, path in paths.items()]


async def _answers(page: Page, log: Path) -> None:
    patience = perf_counter() + PATIENCE
    while True:
        try:
            await ask(page.child.port, page.request)
            return
        except (OSError, Unexpected) as why:
            if perf_counter() > patience:
                raise NotSetUp(f"it does not answer within {PATIENCE:.0f} s: {why} {_end(log)}") from None
        await asyncio.sleep(0.2)


def _end(log: Path) -> str:
    return log.read_text(errors="replace").strip()[-LAST_WORDS:]


def _key(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower())


def said_by(order: Sequence[str | Path], environment: Mapping[str, str] = os.environ) -> str:
    """By a program that ends well."""
    done = subprocess.run(order, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotSetUp(done.stderr.strip()[-LAST_WORDS:])
    return done.stdout

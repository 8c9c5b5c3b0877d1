"""Where the product's processor time goes: the application is asked in this process, and sampled.

A sample is what Python runs when the processor's clock ticks; time in C counts for the function that called it. Waiting
for the database costs no processor time, so it does not appear.
"""

import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, repeat
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from starlette.types import ASGIApp

from api.app import application
from api.house import House
from benchmarks import inbox, replying, report, ticket
from benchmarks.bench import Bench, Table, number
from benchmarks.graphql import graphql_body
from benchmarks.peers.product import BUSY
from benchmarks.processes import ROOT
from benchmarks.screens import operation
from domain.desk.files import Folder
from domain.ids import public_id

REQUESTS = 300
WARMING = 30
TICK = 0.001
TOP = 12
DECODER = "_jsonb_decoder"
"""Of SQLAlchemy, called by asyncpg for each value of JSON: what ticked while asyncpg decodes is told of in the first Python it calls."""

Samples = Counter[CodeType]

_REFUSED = re.compile(rb'"errors":|"userErrors":\[\{')


async def profile(bench: Bench, data: Path) -> Table:
    app = application(
        House(bench.db, bench.keys, Folder(data / "files"), "http://heddle.test", settings=BUSY)
    )
    sampled = {}
    for name, bodies in (await _pages(bench)).items():
        for _ in range(WARMING):
            await _ask(app, next(bodies), bench.shop.token)
        with _sampled() as samples:
            for _ in range(REQUESTS):
                await _ask(app, next(bodies), bench.shop.token)
        sampled[name] = _by_package(samples)
    return _table(sampled)


async def _pages(bench: Bench) -> dict[str, Iterator[bytes]]:
    """Of each what is sent, again and again."""
    long = [public_id("Ticket", id) for id in bench.shop.long_tickets]
    answers, send = replying.inputs(await replying.answerable(bench)), operation("Send")
    return {
        "inbox page": repeat(graphql_body(inbox.DOCUMENT, first=inbox.FIRST)),
        "ticket page": cycle([graphql_body(ticket.DOCUMENT, id=id, first=ticket.FIRST) for id in long]),
        "answer": (graphql_body(send, input=said) for said in answers),
    }


async def _ask(app: ASGIApp, body: bytes, token: str) -> None:
    status: list[int] = []
    said: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        status.extend([message["status"]] if "status" in message else [])
        said.append(message.get("body", b""))

    headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {token}".encode())]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql",
        "raw_path": b"/graphql",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    if status != [200] or _REFUSED.search(b"".join(said)):
        raise RuntimeError(f"the application answered {status}: {said}")


@contextmanager
def _sampled() -> Iterator[Samples]:
    samples: Samples = Counter()

    def take(signum: int, frame: FrameType | None) -> None:
        if frame:
            samples[frame.f_code] += 1

    before = signal.signal(signal.SIGPROF, take)
    signal.setitimer(signal.ITIMER_PROF, TICK, TICK)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _by_package(samples: Samples) -> Counter[str]:
    packages = Counter[str]()
    for code, times in samples.items():
        packages[_package(code)] += times
    return packages


def _table(sampled: dict[str, Counter[str]]) -> Table:
    everywhere = sum(sampled.values(), Counter[str]())
    rows = [
        [name, *(f"{number(100 * packages[name] / packages.total())} %" for packages in sampled.values())]
        for name, _ in everywhere.most_common(TOP)
    ]
    note = (
        f"{REQUESTS} of each, one after the other, {everywhere.total():,} samples. Generated code completes what was read; time in C "
        f"(the driver's decoding, the encoding of JSON) counts for the function that called it."
    )
    return Table(report.PROFILE, ("", *sampled), rows, note)


def _package(code: CodeType) -> str:
    if code.co_name == DECODER:
        return "asyncpg"
    parts = Path(code.co_filename).parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    if Path(code.co_filename).is_relative_to(ROOT):
        return Path(code.co_filename).relative_to(ROOT).parts[0]
    return "python" if parts[0] == "/" else "generated code"

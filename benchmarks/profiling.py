"""Where the product's processor time goes on the inbox page: the application is asked in this process, and sampled.

A sample is what Python runs when the processor's clock ticks; time in C counts for the function that called it. Waiting
for the database costs no processor time, so it does not appear.
"""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from starlette.types import ASGIApp

from api.app import application
from api.house import House
from benchmarks import inbox
from benchmarks.bench import Bench, Table, number
from benchmarks.graphql import graphql_body
from benchmarks.peers.product import BUSY
from benchmarks.processes import ROOT
from domain.desk.files import Folder

REQUESTS = 300
WARMING = 30
TICK = 0.001
TOP = 8

Samples = Counter[CodeType]


async def profile(bench: Bench, data: Path) -> list[Table]:
    app = application(
        House(bench.db, bench.keys, Folder(data / "files"), "http://heddle.test", settings=BUSY)
    )
    body = graphql_body(inbox.DOCUMENT, first=inbox.FIRST)
    for _ in range(WARMING):
        await _ask(app, body, bench.shop.token)
    with _sampled() as samples:
        for _ in range(REQUESTS):
            await _ask(app, body, bench.shop.token)
    return _tables(samples)


async def _ask(app: ASGIApp, body: bytes, token: str) -> None:
    status: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        status.extend([message["status"]] if "status" in message else [])

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
    if status != [200]:
        raise RuntimeError(f"the inbox answered {status}")


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


def _tables(samples: Samples) -> list[Table]:
    all, packages = samples.total(), Counter[str]()
    for code, times in samples.items():
        packages[_package(code)] += times

    def share(times: int) -> str:
        return f"{number(100 * times / all)} %"

    functions = [
        [
            f"{_package(code)}: {code.co_qualname} ({Path(code.co_filename).name}:{code.co_firstlineno})",
            share(times),
        ]
        for code, times in samples.most_common(TOP)
    ]
    return [
        Table("Inbox page: own processor time by package", ("", "share"), [
            [name, share(times)] for name, times in packages.most_common(TOP)
        ]),
        Table(f"The {TOP} functions with most time of their own", ("", "share"), functions, f"{all:,} samples."),
    ]  # fmt: skip


def _package(code: CodeType) -> str:
    parts = Path(code.co_filename).parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1].removesuffix(".py")
    if Path(code.co_filename).is_relative_to(ROOT):
        return Path(code.co_filename).relative_to(ROOT).parts[0]
    return "python" if parts[0] == "/" else "generated code"

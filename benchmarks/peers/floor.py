"""The floor: the same pages by one SQL statement that builds the JSON, and nothing around it.

It asks nobody who they are. Nothing that keeps rows in PostgreSQL and answers over HTTP can be much quicker.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qs

import asyncpg
import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from api.desk import system_events
from benchmarks.peers.serving import Orders, answer, run, usual_server
from domain.desk import history
from domain.joining import reasons

POOL = 20

Connections: TypeAlias = "asyncio.Queue[asyncpg.Connection[Any]]"

_folder = Path(__file__).parent
INBOX = (_folder / "inbox.sql").read_text()
TICKET = (_folder / "ticket.sql").read_text()
TOLD = list(history.TOLD)
SENTENCES = orjson.dumps(system_events.SENTENCES | reasons.JOINS, option=orjson.OPT_NON_STR_KEYS).decode()


def floor(connections: Connections) -> ASGIApp:
    pages: dict[str, Callable[[dict[str, str]], tuple[Any, ...]]] = {
        "/inbox": lambda asked: (INBOX, int(asked["first"])),
        "/ticket": lambda asked: (TICKET, asked["id"], int(asked["first"]), TOLD, SENTENCES),
    }

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked = {name: value for name, (value,) in parse_qs(scope["query_string"].decode()).items()}
        connection = await connections.get()
        try:
            body = await connection.fetchval(*pages[scope["path"]](asked))
        finally:
            connections.put_nowait(connection)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


async def _serve(orders: Orders) -> None:
    connections: Connections = asyncio.LifoQueue()
    url = orders["database"].replace("+asyncpg", "")
    opened = [await asyncpg.connect(url, server_settings={"timezone": "UTC"}) for _ in range(POOL)]
    for connection in opened:
        connections.put_nowait(connection)
    try:
        await answer(usual_server(floor(connections)), orders)
    finally:
        for connection in opened:
            connection.terminate()


if __name__ == "__main__":
    run(_serve)

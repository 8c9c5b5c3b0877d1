"""Two processes that answer and two that work, on one database: how long a change on one takes to a stream on the other."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import quantiles
from time import perf_counter
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from domain.actors import SYSTEM, Role
from domain.agents.passwords import hash_password
from domain.agents.staff import add_agent
from domain.arriving.opening import open_ticket
from domain.customers.contacts import Contact
from domain.db import Database, database_time, new_id
from domain.ids import public_id
from domain.migrations import migrate

ROOT = Path(__file__).parent.parent
EMAIL = "mia@shop.example"
SIGN_IN = "mutation($input: SignInInput!) { signIn(input: $input) { accessToken } }"
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
LIVE = """subscription($since: Cursor!) { changes(since: $since) { changes {
  ... on TimelineAppended { item { ... on Note { text } } } } } }"""


async def measure(db: Database, secret: str, folder: Path, changes: int) -> list[float]:
    """Seconds from asking for each change on one process until the other's stream has told it."""
    password = secrets.token_urlsafe(12)
    ticket_id = await _a_shop(db, await hash_password(password))
    async with AsyncExitStack() as stack:
        one, other = [await stack.enter_async_context(_answering(db, secret, folder)) for _ in range(2)]
        for _ in range(2):
            await stack.enter_async_context(_process(db, secret, folder, "worker"))
        asker = await stack.enter_async_context(httpx.AsyncClient(base_url=one, timeout=30))
        token = (await _ask(asker, SIGN_IN, {"email": EMAIL, "password": password}))["signIn"]["accessToken"]
        asker.headers["authorization"] = f"Bearer {token}"
        since = (await asker.post("/graphql", json={"query": "{ changeCursor }"})).json()["data"][
            "changeCursor"
        ]
        listener = await stack.enter_async_context(_listening(other, token, since))
        took = []
        for number in range(changes):
            begun = perf_counter()
            await _ask(asker, NOTE, {"ticketId": ticket_id, "text": f"Note {number}."})
            while f"Note {number}." not in str(await asyncio.wait_for(listener.recv(), 30)):
                pass
            took.append(perf_counter() - begun)
        return took


async def measured(url: str, folder: Path, changes: int = 500) -> list[float]:
    db = Database(url)
    try:
        await migrate(db)
        return await measure(db, secrets.token_urlsafe(48), folder, changes)
    finally:
        await db.close()


def told(took: list[float]) -> str:
    percentiles = quantiles(took, n=100, method="inclusive")
    return (
        f"{len(took)} changes on one process, told by a stream of the other: "
        f"p50 {percentiles[49] * 1000:.1f} ms, p99 {percentiles[98] * 1000:.1f} ms, the asking included."
    )


async def _a_shop(db: Database, password_hash: str) -> str:
    async with db.transaction() as session:
        now = await database_time(session)
        await add_agent(
            session, email=EMAIL, name="Mia", role=Role.MANAGER, password_hash=password_hash, at=now
        )
        contact = Contact(id=new_id(), name="Ada", created_at=now)
        session.add(contact)
        await session.flush()
        ticket = open_ticket(session, contact, subject="A parcel", by=SYSTEM, at=now)
        await session.flush()
        return public_id("Ticket", ticket.id)


async def _ask(asker: httpx.AsyncClient, query: str, input: dict[str, Any]) -> dict[str, Any]:
    variables = {"input": {**input, "clientMutationId": secrets.token_hex(8)}}
    answer = (await asker.post("/graphql", json={"query": query, "variables": variables})).json()
    return dict(answer["data"])


@asynccontextmanager
async def _listening(address: str, token: str, since: str) -> AsyncIterator[ClientConnection]:
    url = address.replace("http", "ws") + "/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"]) as stream:  # type: ignore[list-item]
        await stream.send(
            json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}})
        )
        await stream.recv()
        payload = {"query": LIVE, "variables": {"since": since}}
        await stream.send(json.dumps({"type": "subscribe", "id": "1", "payload": payload}))
        yield stream


@asynccontextmanager
async def _answering(db: Database, secret: str, folder: Path) -> AsyncIterator[str]:
    async with _process(db, secret, folder, "serve", "--no-workers", "--port", "0") as said:
        yield said.rpartition(" ")[2]


@asynccontextmanager
async def _process(db: Database, secret: str, folder: Path, *order: str) -> AsyncIterator[str]:
    """Yields what it says first: then it is ready."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HEDDLE_")}
    settings = {"HEDDLE_DATABASE_URL": db.url, "HEDDLE_SECRET_KEY": secret, "HEDDLE_DATA": str(folder)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "api.cli", *order),
        cwd=ROOT,
        env={**inherited, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert process.stdout
        yield (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    finally:
        process.terminate()
        await process.wait()

"""A visitor before the chat: by the socket, and by requests with a stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import orjson
from sqlalchemy import select
from websockets.asyncio.client import ClientConnection, connect

from api.house import House
from domain.answering.replies import Extras, send
from domain.arriving.inbound import ARRIVALS
from domain.certificates import trusted
from domain.customers.contacts import Identity, IdentityKind
from domain.desk.tickets import Ticket
from domain.ways_in.channels import ChannelKind
from integrations.mailroom import Mailroom
from tests.factories import NOON, SETTINGS, an_agent

KEY = SETTINGS[ChannelKind.CHAT]["identity_key"]
PATIENCE = 10


class Visitor:
    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, **frame: Any) -> dict[str, Any]:
        await self.socket.send(orjson.dumps(frame).decode())
        return await self.hear()

    async def hear(self, *types: str) -> dict[str, Any]:
        """The next frame, or the next of these types."""
        while True:
            frame: dict[str, Any] = orjson.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))
            if not types or frame["type"] in types:
                return frame


@asynccontextmanager
async def visiting(door: str, slug: str = "chat", **headers: str) -> AsyncIterator[Visitor]:
    async with connect(
        f"{door.replace('http', 'ws')}/chat/{slug}", additional_headers=headers, max_queue=None
    ) as socket:
        yield Visitor(socket)


class Poster:
    """Says by requests what the socket says by frames."""

    def __init__(self, door: str, slug: str = "chat", **headers: str) -> None:
        self.http = httpx.AsyncClient(
            base_url=f"{door}/chat/{slug}/", headers=headers, timeout=PATIENCE, verify=trusted()
        )
        self.greeting: dict[str, Any] = {}

    async def __aenter__(self) -> "Poster":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def greets(self, **frame: Any) -> dict[str, Any]:
        self.greeting = (await self.http.post("session", json=frame)).raise_for_status().json()
        self.http.headers["authorization"] = f"Bearer {self.greeting['session']}"
        return self.greeting

    async def posts(self, path: str, **frame: Any) -> httpx.Response:
        return await self.http.post(path, json=frame)

    async def says(self, path: str, **frame: Any) -> dict[str, Any]:
        return dict((await self.posts(path, **frame)).json())

    async def sends(self, id: str, *files: tuple[str, bytes, str], text: str = "") -> httpx.Response:
        form = {"message": orjson.dumps({"id": id, "text": text}).decode()}
        return await self.http.post("files", data=form, files=[("file", file) for file in files])

    @asynccontextmanager
    async def stream(self, **asked: str) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """Its frames, each with the `last` id that EventSource would remember."""
        headers = {"last-event-id": asked.pop("last")} if "last" in asked else {}
        async with self.http.stream("GET", "events", params=asked, headers=headers) as answer:
            if answer.status_code != 200:
                await answer.aread()
                answer.raise_for_status()
            assert answer.headers["content-type"].startswith("text/event-stream")

            async def frames() -> AsyncIterator[dict[str, Any]]:
                last = ""
                async for line in answer.aiter_lines():
                    if line.startswith("id: "):
                        last = line.removeprefix("id: ")
                    if line.startswith("data: "):
                        yield {**orjson.loads(line.removeprefix("data: ")), "last": last}

            yield frames()


async def messages_of(frames: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The next so many that are messages."""
    found = []
    async with asyncio.timeout(PATIENCE):
        async for frame in frames:
            if frame["type"] == "message":
                found.append(frame)
            if len(found) == count:
                break
    return found


def signed(**claims: Any) -> str:
    said = {"sub": "7", "email": "ada@example.org", "email_verified": True, "aud": "chat"}
    said["exp"] = datetime.now(UTC) + timedelta(minutes=5)
    return jwt.encode({**said, **claims}, claims.pop("key", KEY))


async def placed(house: House) -> None:
    """Everything that arrived is placed."""
    mailroom = Mailroom(house.db, house.keys, house.files)
    async with house.db.transaction() as session:
        claimed = await ARRIVALS.claim(session, 2000)
    for arrival, lease in claimed:
        await mailroom.open(arrival, lease)


async def answer(house: House, text: str, extras: Extras | None = None, by: Any = None) -> None:
    """To who came last."""
    async with house.db.transaction() as session:
        newest = (
            select(Identity).where(Identity.kind == IdentityKind.CHAT).order_by(Identity.created_at.desc())
        )
        identity = (await session.scalars(newest.limit(1))).one()
        latest = select(Ticket).where(Ticket.contact_id == identity.contact_id)
        ticket = (await session.scalars(latest.order_by(Ticket.number.desc()).limit(1))).one()
        by = by or (await an_agent(session, f"Ben{text[:1]}")).as_actor()
        await send(
            session,
            house.keys,
            ticket,
            to=identity,
            text=text,
            by=by,
            at=NOON,
            last_seen_seq=10**15,
            extras=extras or Extras(),
        )

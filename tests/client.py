"""An integrator: asks GraphQL over HTTP, and listens over a socket."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx
import orjson
from argon2 import PasswordHasher
from websockets.asyncio.client import connect

from domain.actors import Role
from domain.certificates import trusted
from domain.db import Database
from tests.factories import an_agent

PASSWORD = "a password for tests"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD_HASH = QUICK.hash(PASSWORD)

SIGN_IN = """mutation($input: SignInInput!) {
  signIn(input: $input) { accessToken expiresAt viewer { agent { id } } userErrors { code message field } }
}"""


class Client:
    """Somebody who asks; with a name, an agent of the shop who is signed in."""

    def __init__(
        self, address: str, db: Database | None = None, name: str = "", role: Role = Role.AGENT
    ) -> None:
        self._db, self._name, self._role = db, name, role
        self.address = address
        self.http = httpx.AsyncClient(base_url=address, timeout=20, verify=trusted())
        self.token = ""
        self.agent_id = ""

    async def __aenter__(self) -> Self:
        if self._db:
            async with self._db.transaction() as session:
                await an_agent(session, self._name, self._role, password_hash=PASSWORD_HASH)
            signed_in = await self.do(SIGN_IN, email=f"{self._name.lower()}@shop.example", password=PASSWORD)
            self.token = signed_in["accessToken"]
            self.agent_id = signed_in["viewer"]["agent"]["id"]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def post(
        self, query: str, variables: dict[str, Any] | None = None, **headers: str
    ) -> httpx.Response:
        if self.token:
            headers.setdefault("authorization", f"Bearer {self.token}")
        return await self.http.post(
            "/graphql", json={"query": query, "variables": variables or {}}, headers=headers
        )

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = (await self.post(query, variables)).json()
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    async def errors(self, query: str, **variables: Any) -> list[dict[str, Any]]:
        errors: list[dict[str, Any]] = (await self.post(query, variables)).json()["errors"]
        return errors

    async def do(self, mutation: str, **input: Any) -> dict[str, Any]:
        """The payload of a mutation with one `input`, under a fresh clientMutationId unless one is given."""
        data = await self.ask(mutation, input={"clientMutationId": str(uuid.uuid4()), **input})
        (payload,) = data.values()
        return dict(payload)

    async def refused(self, mutation: str, **input: Any) -> list[str]:
        """The codes of the user errors."""
        return [error["code"] for error in (await self.do(mutation, **input))["userErrors"]]

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Stream"]:
        """A socket that knows who we are."""
        address = self.address.replace("http", "ws") + "/graphql"
        async with connect(address, subprotocols=["graphql-transport-ws"], max_queue=None) as socket:  # type: ignore[list-item]
            stream = Stream(socket)
            await stream.say(type="connection_init", payload={"authorization": f"Bearer {self.token}"})
            assert (await stream.hear())["type"] == "connection_ack"
            yield stream

    @asynccontextmanager
    async def listening(self, subscription: str, **variables: Any) -> AsyncIterator["Stream"]:
        async with self.connected() as stream:
            await stream.ask("1", subscription, **variables)
            yield stream

    @asynccontextmanager
    async def events(
        self, subscription: str, **variables: Any
    ) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
        """The data of each server-sent event."""
        headers = {"authorization": f"Bearer {self.token}", "accept": "text/event-stream"}
        asked = {"query": subscription, "variables": variables}
        async with self.http.stream("POST", "/graphql/stream", json=asked, headers=headers) as answer:
            assert answer.headers["content-type"] == "text/event-stream", await answer.aread()

            async def told() -> AsyncIterator[dict[str, Any]]:
                async for line in answer.aiter_lines():
                    if line.startswith("data: {"):
                        payload = orjson.loads(line.removeprefix("data: "))
                        assert "errors" not in payload, payload
                        yield payload["data"]

            yield told()


class Stream:
    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def say(self, **frame: Any) -> None:
        await self._socket.send(orjson.dumps(frame).decode())

    async def ask(self, id: str, query: str, **variables: Any) -> None:
        await self.say(type="subscribe", id=id, payload={"query": query, "variables": variables})

    async def hear(self) -> dict[str, Any]:
        frame: dict[str, Any] = orjson.loads(await self._socket.recv())
        return frame

    async def next(self) -> dict[str, Any]:
        """The data of the next event."""
        frame = await self.hear()
        assert frame["type"] == "next", frame
        payload: dict[str, Any] = frame["payload"]
        assert "errors" not in payload, payload
        data: dict[str, Any] = payload["data"]
        return data

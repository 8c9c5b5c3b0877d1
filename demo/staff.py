"""The people of the shop, with their apps: whatever they know and do goes through GraphQL."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from demo.narrator import NotSeen

Json = dict[str, Any]

TICKET = """
query Ticket($id: ID!) {
  ticket(id: $id) {
    id number subject status seq
    contact { id name identities { channel label verified verifiedBy } openTickets { id } }
    assignee { name }
    threads { channel joinedBecause { code text } }
    clock { metric state targetSeconds dueAt breachedAt }
    replyChannels { id channel canReply }
    timeline(first: 100) {
      edges {
        node {
          __typename
          ... on Message {
            id channel direction author text senderVerified delivery
            attachments { name mime bytes url }
          }
          ... on Call { direction callState: state number }
          ... on Note { text }
        }
      }
    }
  }
}
"""

INBOX = "query Inbox { tickets(first: 20) { totalCount edges { node { id number contact { name } } } } }"

LIVE = """
subscription Live($since: Cursor!) {
  changes(since: $since) { changes { __typename ... on AlertChanged { alert { state } } } }
}
"""


class Colleague:
    """Somebody who is signed in."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self._url = url
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=10)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def sign_in(self, email: str, password: str) -> Json:
        done = await self.do(
            "signIn", "accessToken viewer { role agent { id name } }", email=email, password=password
        )
        self._authorization = f"Bearer {done['accessToken']}"
        self._http.headers["Authorization"] = self._authorization
        viewer: Json = done["viewer"]
        return viewer

    async def receipt(self, said: Json) -> None:
        """The phone's own word, for which it needs no session."""
        (await self._http.post("/push/receipt", json=said, headers={"authorization": ""})).raise_for_status()

    async def ask(self, document: str, **variables: Any) -> Json:
        answer = await self._http.post("/graphql", json={"query": document, "variables": variables})
        said: Json = answer.json()
        if "errors" in said:
            raise NotSeen("GraphQL answers", expected=document, seen=said["errors"])
        data: Json = said["data"]
        return data

    async def do(self, mutation: str, wanted: str, **input: Any) -> Json:
        """One mutation; of its payload what is wanted. A refusal ends the story."""
        kind = mutation[0].upper() + mutation[1:] + "Input"
        data = await self.ask(
            f"mutation Do($input: {kind}!) {{"
            f" {mutation}(input: $input) {{ {wanted} userErrors {{ code message }} }} }}",
            input=input | {"clientMutationId": secrets.token_hex(8)},
        )
        payload: Json = data[mutation]
        if payload["userErrors"]:
            raise NotSeen(f"{mutation} is done", expected="no refusal", seen=payload["userErrors"])
        return payload

    async def inbox(self) -> list[Json]:
        return [edge["node"] for edge in (await self.ask(INBOX))["tickets"]["edges"]]

    async def ticket(self, id: str) -> "Ticket":
        return Ticket((await self.ask(TICKET, id=id))["ticket"])

    async def download(self, link: str) -> bytes:
        """The link is signed: whoever has it needs no token."""
        async with httpx.AsyncClient(trust_env=False) as http:
            return (await http.get(link)).raise_for_status().content

    @asynccontextmanager
    async def live(self) -> AsyncIterator[list[Json]]:
        """What the open app is told from now on, as it comes."""
        since = (await self.ask("{ changeCursor }"))["changeCursor"]
        protocol = Subprotocol("graphql-transport-ws")
        address = f"{self._url.replace('http', 'ws', 1)}/graphql"
        told: list[Json] = []
        async with connect(address, subprotocols=[protocol], proxy=None) as socket:
            hello = {"type": "connection_init", "payload": {"authorization": self._authorization}}
            query = {"query": LIVE, "variables": {"since": since}}
            await socket.send(json.dumps(hello))
            await socket.send(json.dumps({"type": "subscribe", "id": "live", "payload": query}))

            async def listen() -> None:
                async for frame in socket:
                    said = json.loads(frame)
                    if said["type"] == "next":
                        told.extend(said["payload"]["data"]["changes"]["changes"])

            listening = asyncio.create_task(listen())
            try:
                yield told
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)


class Ticket:
    """What a ticket's screen shows."""

    def __init__(self, shown: Json) -> None:
        self.shown = shown

    def threads(self) -> list[tuple[str, str]]:
        """Each with the reason why it is there."""
        return [(one["channel"], one["joinedBecause"]["code"]) for one in self.shown["threads"]]

    def said(self) -> list[str]:
        """Oldest first, without what the system tells."""
        return [_in_words(item) for item in self.items()]

    def items(self) -> list[Json]:
        nodes = [edge["node"] for edge in reversed(self.shown["timeline"]["edges"])]
        return [node for node in nodes if node["__typename"] != "SystemEvent"]

    def messages(self, direction: str) -> list[Json]:
        return [item for item in self.items() if item.get("direction") == direction and "text" in item]

    def deliveries(self) -> list[tuple[str, str]]:
        return [(item["channel"], item["delivery"]) for item in self.messages("OUT")]

    def identities(self) -> list[tuple[str, str | None]]:
        """Each with what proved it."""
        return [(one["channel"], one["verifiedBy"]) for one in self.shown["contact"]["identities"]]

    def last_used(self) -> str | None:
        """Of the channels that can carry words."""
        return next((one["channel"] for one in self.shown["replyChannels"] if one["canReply"]), None)

    def address(self, channel: str) -> str:
        """The identity to answer to."""
        return next(str(one["id"]) for one in self.shown["replyChannels"] if one["channel"] == channel)

    def promise(self) -> str | None:
        return self.shown["clock"]["state"] if self.shown["clock"] else None


def _in_words(item: Json) -> str:
    match item["__typename"]:
        case "Message":
            return f"{item['channel']} {item['direction']}"
        case "Call":
            return f"PHONE {item['callState']}"
        case kind:
            return str(kind).upper()

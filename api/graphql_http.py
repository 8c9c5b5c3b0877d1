"""`/graphql`: a plain ASGI route. FastAPI's own way through dependencies costs a millisecond a request."""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from api import explorer
from api.context import Context
from api.house import House
from api.schema import schema
from domain.languages import best_language

LARGEST_BODY = 64 * 1024

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class GraphQLDoor(GraphQL[Context, None]):
    def __init__(self, house: House) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
        )
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, _at_most(LARGEST_BODY, receive), send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        context = Context(self._house, None, None, best_language(*_languages(request.headers)))
        await self._recognise(context, request.headers.get("authorization"))
        return context

    async def on_ws_connect(self, context: Context) -> Any:
        """A browser cannot set headers on a socket: the token comes with `connection_init`."""
        await self._recognise(context, str((context.connection_params or {}).get("authorization") or ""))
        if context.somebody is None:
            raise ConnectionRejectionError
        return await super().on_ws_connect(context)

    async def _recognise(self, context: Context, authorization: str | None) -> None:
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return
        context.token = token.strip()
        context.somebody = await context.still()
        if context.somebody:
            context.locale = context.somebody.locale

    def parse_json(self, data: str | bytes) -> Any:
        try:
            return self.decode_json(data)
        except json.JSONDecodeError:
            raise HTTPException(400, "The body is one JSON object with a `query`.") from None

    def decode_json(self, data: str | bytes) -> object:
        """What the body of a request, or a frame of a socket, says: one object, with texts that can be stored."""
        try:
            said = _storable(json.loads(data))
        except (ValueError, RecursionError) as failure:
            raise json.JSONDecodeError(str(failure), "", 0) from None
        if not isinstance(said, dict):
            raise json.JSONDecodeError("not an object", "", 0)
        return said

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data, default=str)


def _at_most(most: int, receive: Receive) -> Receive:
    """Refuses a body that grows larger while it comes."""
    came = 0

    async def counted() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        if came > most:
            raise HTTPException(413, f"A request has at most {most // 1024} KiB.")
        return message

    return counted


def _storable(said: Any) -> Any:
    """PostgreSQL takes neither NUL nor half a letter (a surrogate without the other), in no text at all."""
    match said:
        case str():
            return _UNSTORABLE.sub("", said)
        case list():
            return [_storable(one) for one in said]
        case dict():
            return {_storable(name): _storable(value) for name, value in said.items()}
        case _:
            return said


def _languages(headers: Mapping[str, str]) -> list[str]:
    return [part.split(";")[0].strip() for part in headers.get("accept-language", "").split(",")]


def routes(house: House) -> list[BaseRoute]:
    door = GraphQLDoor(house)

    async def schema_text(request: Request) -> Response:
        return Response(schema.as_str(), media_type="text/plain; charset=utf-8")

    async def get(request: Request) -> Response:
        return await explorer.page(request)

    return [
        Route("/graphql", get, methods=["GET"]),
        Route("/graphql", door),
        WebSocketRoute("/graphql", door),
        Route("/schema.graphql", schema_text, methods=["GET"]),
        *explorer.routes,
    ]

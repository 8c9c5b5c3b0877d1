"""`/graphql`: a plain ASGI route. FastAPI's own way through dependencies costs a millisecond a request."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL

from api import explorer
from api.context import Context
from api.house import House
from api.schema import schema
from domain.languages import best_language
from domain.sign_in import actor_of


class GraphQLDoor(GraphQL[Context, None]):
    def __init__(self, house: House) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL],
        )
        self._house = house

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
        async with self._house.db.reading() as connection:
            context.somebody = await actor_of(connection, token.strip())
        context.token = token.strip()
        if context.somebody:
            context.locale = context.somebody.locale

    def encode_json(self, data: object) -> bytes:
        return orjson.dumps(data, default=str)


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

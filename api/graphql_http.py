"""`/graphql`: a plain ASGI route. FastAPI's own way through dependencies costs a millisecond a request."""

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson
import structlog
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from strawberry.asgi import ASGIWebSocketAdapter, GraphQL
from strawberry.exceptions import ConnectionRejectionError
from strawberry.http.exceptions import WebSocketDisconnected
from strawberry.subscriptions import GRAPHQL_SSE_PROTOCOL, GRAPHQL_TRANSPORT_WS_PROTOCOL

from api import auth, explorer
from api.bodies import at_most
from api.context import Context
from api.house import House
from api.schema import schema
from api.telling import TellingHandler
from domain.languages import preferred_language

LARGEST_BODY = 64 * 1024
OPERATIONS = 20
"""That run at the same time on one socket."""
INIT_WAIT = timedelta(seconds=10)

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class TextSocket(ASGIWebSocketAdapter):
    """A browser does not read binary frames as JSON."""

    async def send_json(self, message: Mapping[str, object]) -> None:
        try:
            await self.ws.send_text(self.view.encode_json_string(message))
        except WebSocketDisconnect as gone:
            raise WebSocketDisconnected from gone


class GraphQLDoor(GraphQL[Context, None]):
    """Subscriptions come by one protocol: `graphql-transport-ws` on a socket, or server-sent events."""

    websocket_adapter_class = TextSocket
    graphql_transport_ws_handler_class = TellingHandler

    def __init__(self, house: House, protocol: str = GRAPHQL_TRANSPORT_WS_PROTOCOL) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            allow_queries_via_get=False,
            subscription_protocols=[protocol],
            connection_init_wait_timeout=INIT_WAIT,
            max_subscriptions_per_connection=OPERATIONS,
        )
        self._house = house

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        too_large = HTTPException(413, f"A request has at most {LARGEST_BODY // 1024} KiB.")
        try:
            await super().__call__(scope, at_most(LARGEST_BODY, receive, too_large), send)
        finally:
            if context := scope.get("heddle"):
                await context.let_go()

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        if isinstance(request, Request):
            await request.body()  # who sends it slowly holds no connection meanwhile
        context = request.scope["heddle"] = Context(
            self._house,
            preferred_language(request.headers.get("accept-language", "")),
            address=request.client.host if request.client else None,
            response=response if isinstance(response, Response) else None,
            keeps=isinstance(request, Request),
        )
        context.token = auth.bearer(request.headers.get("authorization"))
        if context.token:
            await self._recognise(context)
        elif token := auth.cookie(self._house, request):
            context.token = token
            await self._recognise(context)
            if context.somebody:
                auth.check_csrf(self._house, request, context.session_id)
        return context

    async def on_ws_connect(self, context: Context) -> Any:
        """A page elsewhere cannot set headers on a socket: the token comes with `connection_init`."""
        if token := auth.bearer(str((context.connection_params or {}).get("authorization") or "")):
            context.token = token
            await self._recognise(context)
        if context.somebody is None:
            raise ConnectionRejectionError
        return await super().on_ws_connect(context)

    async def _recognise(self, context: Context) -> None:
        chorus = context.singing()
        async with chorus:
            holder = await auth.holder_of(chorus, context.token or "")
        context.somebody = holder.actor if holder else None
        context.session_id = holder.session_id if holder else None
        if holder:
            if holder.session_id:  # a program has no language of its own
                context.locale = holder.actor.locale
            structlog.contextvars.bind_contextvars(who=context.principal)
            if holder.is_stale:
                await context.let_go()
                await auth.note_use(self._house, holder, context.address)

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


def routes(house: House) -> list[BaseRoute]:
    door = GraphQLDoor(house)

    async def schema_text(request: Request) -> Response:
        return Response(schema.as_str(), media_type="text/plain; charset=utf-8")

    async def get(request: Request) -> Response:
        return await explorer.page(request)

    return [
        Route("/graphql", get, methods=["GET"]),
        Route("/graphql", door),
        Route("/graphql/stream", GraphQLDoor(house, GRAPHQL_SSE_PROTOCOL)),
        WebSocketRoute("/graphql", door),
        Route("/schema.graphql", schema_text, methods=["GET"]),
        *explorer.routes,
    ]

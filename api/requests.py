"""Around every request and socket: an id that is in the answer and in each line of the log, one line, and a count.

The line has the route and no address, no variable and nothing a customer wrote.
"""

import re
import secrets
from collections.abc import Iterable
from time import perf_counter
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from api import metrics

log = structlog.get_logger()

HEADER = b"x-request-id"
_SANE = re.compile(rb"[A-Za-z0-9._-]{8,100}")
CLIENT_LEFT = 499
UNKNOWN = "unknown"


class Requests:
    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._paths: dict[Any, str] = {
            route.endpoint: route.path for route in routes if isinstance(route, Route | WebSocketRoute)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun, status = perf_counter(), CLIENT_LEFT
        id = _id(scope)

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.accept"):
                status = message.get("status", 101)
                message["headers"] = [*message.get("headers", ()), (HEADER, id)]
            elif message["type"] == "websocket.close" and status != 101:
                status = 403
            await send(message)

        with (
            structlog.contextvars.bound_contextvars(request_id=id.decode()),
            metrics.under_way(scope["type"]),
        ):
            try:
                await self._app(scope, receive, answered)
            except ClientDisconnect:
                pass
            except ClientDisconnected:
                raise  # from a socket, before it was opened: the server expects to hear of it
            except Exception as failure:
                status = 500
                log.error("request_failed", exc_info=failure)
                raise
            finally:
                seconds = perf_counter() - begun
                route = self._paths.get(scope.get("endpoint"), UNKNOWN)
                method = scope.get("method", "SOCKET")
                metrics.answered(method, route, status, seconds)
                log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


def _id(scope: Scope) -> bytes:
    """The caller's own, if it is one that can stand in a log."""
    given = next((value for name, value in scope["headers"] if name == HEADER), b"")
    return bytes(given) if _SANE.fullmatch(given) else secrets.token_hex(8).encode()

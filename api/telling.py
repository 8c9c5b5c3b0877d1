"""The same told to a thousand sockets: by a write for each, and nobody who listens is woken for it.

The usual way of a result, through the generators of its subscription, GraphQL's execution, Strawberry's extensions and ASGI's
layers, costs several times what the write does.
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeAlias

import orjson
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)

from api.context import Context
from api.server import AT_ONCE, text_frame


class SharedResult:
    """The result of an operation without errors, as it is sent to all who asked the same."""

    def __init__(self, data: Any) -> None:
        self.json = orjson.dumps(data)
        self.data = orjson.Fragment(self.json)
        self._last: tuple[str, bytes] = "", b""

    def frame(self, id: str) -> bytes:
        """As the operation of this id is told on a socket."""
        if id != self._last[0] or not self._last[1]:
            message = {"id": id, "type": "next", "payload": {"data": self.data}}
            self._last = id, text_frame(orjson.dumps(message))
        return self._last[1]


Telling: TypeAlias = Callable[[SharedResult], bool]
"""False if it could not be told at once."""

telling: ContextVar[Telling | None] = ContextVar("telling", default=None)
"""Of the operation that runs in this task."""


class TellingHandler(BaseGraphQLTransportWSHandler[Context, None]):
    async def run_operation(self, operation: Operation[Context, None]) -> None:
        socket: Any = self.websocket
        if server := socket.ws.scope.get("extensions", {}).get(AT_ONCE):
            telling.set(partial(self._tell, operation, server["write"]))
        await super().run_operation(operation)

    def _tell(
        self, operation: Operation[Context, None], write: Callable[[bytes], bool], told: SharedResult
    ) -> bool:
        is_open = self.operations.get(operation.id) is operation
        return is_open and write(told.frame(operation.id))

"""What is counted, at `/metrics`, in the text format of Prometheus.

Requests, operations and sockets are those of this process; what waits is read from the database when it is asked for.
"""

import hmac
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from api.auth import bearer
from api.house import House
from domain.db import database_time
from domain.following import unread_since
from domain.operations.installation import held_since
from domain.queues import waiting

disable_created_metrics()  # type: ignore[no-untyped-call]
_registry = CollectorRegistry()
ProcessCollector(
    registry=_registry
)  # its memory, processor time and open files, under the names everybody uses
_requests = Histogram(
    "heddle_request_seconds", "How long requests took, sockets until they closed.", ["method", "route", "status"],
    registry=_registry,
)  # fmt: skip
_operations = Counter(
    "heddle_operations", "Fields at the root of GraphQL requests.", ["field", "refused"], registry=_registry
)
_under_way = Gauge("heddle_under_way", "Requests and sockets that are open.", ["type"], registry=_registry)
_waiting = Gauge("heddle_queue_waiting", "Rows that are due.", ["queue"], registry=_registry)
_oldest = Gauge(
    "heddle_queue_oldest_seconds", "How long the oldest of them is due.", ["queue"], registry=_registry
)
_lag = Gauge(
    "heddle_reader_lag_seconds", "Since when a reader of the feed has not read what it may.", ["reader"],
    registry=_registry,
)  # fmt: skip
_held = Gauge("heddle_held", "1 while nothing leaves, after a restore.", registry=_registry)
_connections = Gauge("heddle_database_connections", "Of this process, in use.", registry=_registry)


@contextmanager
def under_way(type: str) -> Iterator[None]:
    with _under_way.labels(type).track_inprogress():
        yield


def answered(method: str, route: str, status: int, seconds: float) -> None:
    _requests.labels(method, route, str(status)).observe(seconds)


def asked(fields: Iterable[str], *, refused: bool) -> None:
    for field in fields:
        _operations.labels(field, "yes" if refused else "no").inc()


async def _read_waiting(connection: AsyncConnection) -> None:
    now = await database_time(connection)
    for queue in await waiting(connection):
        _waiting.labels(queue.topic).set(queue.count)
        _oldest.labels(queue.topic).set(_since(queue.oldest, now))
    for reader, since in (await unread_since(connection)).items():
        _lag.labels(reader).set(_since(since, now))
    _held.set(await held_since(connection) is not None)


def _since(moment: datetime | None, now: datetime) -> float:
    return (now - moment).total_seconds() if moment else 0.0


def routes(house: House) -> list[BaseRoute]:
    async def metrics(request: Request) -> Response:
        """With the token of the settings; where none is set, for whoever asks on this machine."""
        if token := house.settings.metrics_token:
            given = bearer(request.headers.get("authorization")) or ""
            allowed = hmac.compare_digest(given.encode(), token.encode())
        else:
            allowed = request.client is not None and request.client.host in ("127.0.0.1", "::1")
        if not allowed:
            return Response(status_code=404)
        async with house.db.reading() as connection:
            await _read_waiting(connection)
        _connections.set(house.db.connections_in_use())
        return Response(generate_latest(_registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics, methods=["GET"])]

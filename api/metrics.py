"""What is counted, at `/metrics`, in the text format of Prometheus.

Requests, operations and sockets are those of this process, or of all that answer at its address; what waits is read from the
database when it is asked for.
"""

import hmac
import os
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
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
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
TOGETHER = "PROMETHEUS_MULTIPROC_DIR" in os.environ
"""Several processes answer at one address: the library counts in files of that folder (`api/commands/together.py`)."""

_registry = CollectorRegistry()
_requests = Histogram(
    "heddle_request_seconds", "How long requests took, sockets until they closed.", ["method", "route", "status"],
    registry=_registry,
)  # fmt: skip
_operations = Counter(
    "heddle_operations", "Fields at the root of GraphQL requests.", ["field", "refused"], registry=_registry
)
_under_way = Gauge(
    "heddle_under_way", "Requests and sockets that are open.", ["type"], registry=_registry, multiprocess_mode="livesum",
)  # fmt: skip
_told = _registry
if TOGETHER:
    _told = CollectorRegistry()
    MultiProcessCollector(_told)  # type: ignore[no-untyped-call]
else:
    ProcessCollector(registry=_told)  # memory, processor time, open files, under the names everybody uses


@contextmanager
def under_way(type: str) -> Iterator[None]:
    with _under_way.labels(type).track_inprogress():
        yield


def answered(method: str, route: str, status: int, seconds: float) -> None:
    _requests.labels(method, route, str(status)).observe(seconds)


def asked(fields: Iterable[str], *, refused: bool) -> None:
    for field in fields:
        _operations.labels(field, "yes" if refused else "no").inc()


class _Read(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


async def _state(house: House) -> _Read:
    due = GaugeMetricFamily("heddle_queue_waiting", "Rows that are due.", labels=["queue"])
    oldest = GaugeMetricFamily(
        "heddle_queue_oldest_seconds", "How long the oldest of them is due.", labels=["queue"]
    )
    lag = GaugeMetricFamily(
        "heddle_reader_lag_seconds", "Since when a reader of the feed has not read what it may.", labels=["reader"]
    )  # fmt: skip
    async with house.db.reading() as connection:
        now = await database_time(connection)
        for queue in await waiting(connection):
            due.add_metric([queue.topic], queue.count)
            oldest.add_metric([queue.topic], _since(queue.oldest, now))
        for reader, since in (await unread_since(connection)).items():
            lag.add_metric([reader], _since(since, now))
        is_held = await held_since(connection) is not None
    held = GaugeMetricFamily("heddle_held", "1 while nothing leaves, after a restore.", is_held)
    connections = GaugeMetricFamily(
        "heddle_database_connections", "Of the process that says this, in use.", house.db.connections_in_use()
    )
    return _Read([due, oldest, lag, held, connections])


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
        state = CollectorRegistry()
        state.register(await _state(house))
        return Response(generate_latest(_told) + generate_latest(state), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics, methods=["GET"])]

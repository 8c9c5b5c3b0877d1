"""Spans reach a collector: the far end is a plain HTTP server that keeps what is posted."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import uvicorn
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.house import House
from api.settings import ApiSettings
from tests.client import Client
from tests.doors import answering, running


@asynccontextmanager
async def collecting(kept: list[ExportTraceServiceRequest]) -> AsyncIterator[str]:
    async def traces(request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        kept.append(ExportTraceServiceRequest.FromString(body))
        return Response()

    app = Starlette(routes=[Route("/v1/traces", traces, methods=["POST"])])
    async with running(uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical"))) as address:
        yield address


async def test_a_request_is_a_span_with_its_route_and_fields(
    house: House, ben: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    kept: list[ExportTraceServiceRequest] = []
    async with collecting(kept) as collector:
        settings = ApiSettings.model_construct(otlp_url=collector)
        async with answering(replace(house, settings=settings)) as door, Client(door) as client:
            client.token = ben.token
            await client.ask("{ viewer { role } }")
            await client.http.get("/feedback/of-ada?s=signed")
            async with asyncio.timeout(30):
                while "/feedback/{token}" not in str(kept):
                    await asyncio.sleep(0.02)

    span, _ = [span for one in kept for span in one.resource_spans[0].scope_spans[0].spans]
    attributes = {one.key: one.value for one in span.attributes}
    assert span.name == "POST /graphql"
    assert attributes["http.route"].string_value == "/graphql"
    assert [field.string_value for field in attributes["graphql.fields"].array_value.values] == ["viewer"]
    assert not [secret for secret in (ben.token, "of-ada", "signed") if secret in str(kept)]

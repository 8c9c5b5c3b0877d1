"""What every webhook shares: a bounded body that is well-formed JSON, and one insert before the answer."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from typing import Any, Never
from urllib.parse import parse_qsl

from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request

from domain.arriving.inbound import keep
from domain.db import Database, Json
from domain.ways_in.channels import Channel, ChannelKind, channel_called, was_turned_away
from integrations.objects import object_of

LARGEST_BODY = 1024 * 1024


async def channel_of(db: Database, kind: ChannelKind, request: Request) -> Channel:
    async with db.transaction() as session:
        channel = await channel_called(session, kind, request.path_params["channel"])
    if channel is None:
        raise HTTPException(404, "no such channel")
    return channel


async def turn_away(
    db: Database, channel: Channel, why: str, headers: Mapping[str, str] | None = None
) -> Never:
    """401 to who does not show the channel's secret; the channel's test tells of it, for somebody may have mistyped it."""
    async with db.transaction() as session:
        await was_turned_away(session, channel)
    raise HTTPException(401, why, headers)


async def body_of(request: Request, *, largest: int = LARGEST_BODY) -> bytes:
    return b"".join([part async for part in parts_of(request, largest=largest)])


async def parts_of(request: Request, *, largest: int) -> AsyncIterator[bytes]:
    """A body as it comes."""
    too_large = HTTPException(413, f"a body has at most {largest} bytes")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > largest:
        raise too_large
    came = 0
    async for part in request.stream():
        came += len(part)
        if came > largest:
            raise too_large
        yield part


def public_url(base_url: str, request: Request) -> str:
    """As whoever asks was told it: never from the Host header, which anybody can write."""
    path: bytes = request.scope["raw_path"]
    query: bytes = request.scope["query_string"]
    asked = path + (b"?" + query if query else b"")
    return base_url + asked.decode("ascii", "replace")


def basic_password(request: Request) -> str:
    """The password of HTTP Basic, under any name; "" where none is shown."""
    scheme, _, shown = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(shown.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def form_of(body: bytes) -> FormData:
    """Of `application/x-www-form-urlencoded`; 400 for what is none."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=500)
    except ValueError:
        raise HTTPException(400, "the body is not a form") from None
    return FormData([*pairs])


def well_formed(body: bytes) -> dict[str, Any]:
    try:
        return object_of(body)
    except ValueError:
        raise HTTPException(400, "the body is not a JSON object") from None


async def keep_body(db: Database, channel: Channel, body: bytes, envelope: Json | None = None) -> None:
    async with db.transaction() as session:
        await keep(
            session, channel, external_id=hashlib.sha256(body).hexdigest(), raw=body, envelope=envelope
        )

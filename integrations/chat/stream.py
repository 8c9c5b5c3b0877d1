"""The chat by requests and a stream, for networks that let no socket through: frames go up by POST and come down as
server-sent events."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import orjson
from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from domain.access import may_see
from domain.actors import visitor
from domain.desk.files import Files
from domain.desk.messages import Attachment
from domain.desk.scans import LET_OUT, Scan
from integrations.chat.forms import LARGEST_FORM, boundary_of, read_form
from integrations.chat.frames import LARGEST_FRAME, BadFrame, Frame, read_frame
from integrations.chat.identity import key_of_ticket, session_id
from integrations.chat.links import is_linked
from integrations.chat.reception import Reception
from integrations.chat.telling import Telling
from integrations.chat.visit import Visit
from integrations.serving import stored
from integrations.webhook import body_of, parts_of

DOORS = {
    "messages": "message",
    "typing": "typing",
    "read": "read",
    "ack": "ack",
    "identify": "identify",
    "logout": "logout",
    "file": "file",
    "rating": "rating",
}
"""Which frame is posted where."""

UPLOADS_AT_ONCE = 8
"""In one process: each is held whole. While it comes it lies on the disk, so that who sends slowly keeps nobody waiting."""

PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, POST",
    "Access-Control-Allow-Headers": "authorization, content-type, last-event-id",
    "Access-Control-Max-Age": "600",
}
EVENTS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Answer = Callable[[Request, Visit], Awaitable[Response]]


def routes(reception: Reception, files: Files) -> list[Route]:
    uploads = asyncio.Semaphore(UPLOADS_AT_ONCE)

    def door(path: str, answer: Answer, method: str) -> Route:
        async def opened(request: Request) -> Response:
            return await _at_the_door(reception, request, answer)

        return Route(f"/chat/{{channel}}/{path}", opened, methods=[method, "OPTIONS"])

    async def session(request: Request, visit: Visit) -> Response:
        return _said(await visit.hello({**await _frame(request), "type": "hello"}))

    def post(type: str) -> Answer:
        async def posted(request: Request, visit: Visit) -> Response:
            frame = await _frame(request)
            await visit.come_back(_bearer(request) or str(frame.get("session") or ""))
            return _said(await visit.take({**frame, "type": type}) or {"type": "ok"})

        return posted

    async def upload(request: Request, visit: Visit) -> Response:
        await visit.come_back(_bearer(request))
        boundary = boundary_of(request.headers.get("content-type", ""))
        await visit.check_room()
        with SpooledTemporaryFile(max_size=LARGEST_FRAME) as kept:
            await _spooled(request, kept)
            async with uploads:
                body = await asyncio.to_thread(kept.read)
                form = await asyncio.to_thread(read_form, body, boundary)
                if "session" in form.frame:
                    raise BadFrame("bad_form", "the session stands in the header Authorization")
                return _said(await visit.keep(form.frame, form.files, (body, boundary)))

    async def events(request: Request, visit: Visit) -> Response:
        key = await _reader(reception, request, visit)
        seq = request.headers.get("last-event-id") or request.query_params.get("seq") or "0"
        if not (seq.isascii() and seq.isdecimal() and len(seq) < 19):
            raise BadFrame("bad_number", "seq is a whole number")
        reception.check_seat(visit.channel, visit.widget, key, visit.address)
        return _Events(reception, visit, Telling(reception, visit.channel, key, int(seq)), key)

    async def download(request: Request, visit: Visit) -> Response:
        attachment = await _linked(reception, request, visit)
        if attachment is None:
            raise BadFrame("no_file", "there is no such file, or the link is out of date")
        now = datetime.now(UTC)
        return await stored(files, attachment.file, name=attachment.name, mime=attachment.mime, at=now)

    return [
        door("session", session, "POST"),
        door("files", upload, "POST"),
        *(door(path, post(type), "POST") for path, type in DOORS.items()),
        door("events", events, "GET"),
        door("files/{id}", download, "GET"),
    ]


async def _at_the_door(reception: Reception, request: Request, answer: Answer) -> Response:
    """The channel is there, the page may stand where it does, and the browser is told that it may read the answer."""
    origin = request.headers.get("origin")
    channel = await reception.channel(request.path_params["channel"])
    if channel is None:
        return _refused(BadFrame("no_channel", "there is no such channel"), {})
    visit = Visit(reception, channel, address=request.client.host if request.client else None)
    if not visit.widget.welcomes(origin):
        return _refused(BadFrame("origin", "the chat may not stand on this page"), {"Vary": "Origin"})
    may_read = {"Access-Control-Allow-Origin": "*"}
    if origin and visit.widget.origins:
        may_read = {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=may_read | PREFLIGHT)
    try:
        answered = await answer(request, visit)
    except BadFrame as bad:
        return _refused(bad, may_read)
    answered.headers.update(may_read)
    return answered


def _refused(bad: BadFrame, headers: Mapping[str, str]) -> Response:
    later = {"Retry-After": str(bad.said["retryAfter"])} if "retryAfter" in bad.said else {}
    return _said(bad.frame(), bad.status, {**headers, **later})


def _said(frame: Frame, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    kept = {"Cache-Control": "no-store", **(headers or {})}
    return Response(orjson.dumps(frame), status, kept, media_type="application/json")


async def _frame(request: Request) -> Frame:
    return read_frame(await _body(request, LARGEST_FRAME) or b"{}")


async def _body(request: Request, largest: int) -> bytes:
    try:
        return await body_of(request, largest=largest)
    except HTTPException as refusal:
        raise BadFrame("too_large", str(refusal.detail)) from None


async def _spooled(request: Request, kept: IO[bytes]) -> None:
    try:
        async for part in parts_of(request, largest=LARGEST_FORM):
            kept.write(part)
    except HTTPException as refusal:
        raise BadFrame("too_large", str(refusal.detail)) from None
    kept.seek(0)


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _reader(reception: Reception, request: Request, visit: Visit) -> str:
    """Whose stream: a page that can send headers shows the session, EventSource a ticket."""
    slug, keys = visit.channel.slug, reception.keys
    key = session_id(keys, slug, _bearer(request))
    if key is None and (ticket := request.query_params.get("ticket")):
        key = key_of_ticket(keys, slug, ticket, now=time.time())
    if key is None or await reception.has_left(visit.channel, key):
        raise BadFrame("no_session", "a stream needs the session, or a ticket that is not out of date")
    return key


async def _linked(reception: Reception, request: Request, visit: Visit) -> Any:
    asked = request.query_params
    key = asked.get("v", "")
    try:
        id = uuid.UUID(request.path_params["id"])
    except ValueError:
        return None
    until, signature = asked.get("u", ""), asked.get("s", "")
    if not is_linked(reception.keys, visit.channel.slug, key, id, until=until, signature=signature):
        return None
    if await reception.has_left(visit.channel, key):
        return None
    theirs = may_see(Attachment, visitor(visit.channel.id, key))
    async with reception.db.transaction() as session:
        return await session.scalar(
            select(Attachment)
            .outerjoin(Scan, Scan.file == Attachment.file)
            .where(Attachment.id == id, Attachment.file.is_not(None), LET_OUT, theirs)
        )


class _Events(StreamingResponse):
    def __init__(self, reception: Reception, visit: Visit, telling: Telling, key: str) -> None:
        super().__init__(_events(telling), media_type="text/event-stream", headers=EVENTS)
        self._seated = reception.seated(visit.channel, key, visit.address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._seated:
            await super().__call__(scope, receive, send)


async def _events(telling: Telling) -> AsyncIterator[bytes]:
    yield b"retry: 3000\n\n"
    async for frame in telling.frames():
        if frame is None:
            yield b": still here\n\n"
            continue
        id = b"id: %d\n" % frame["seq"] if frame["type"] == "message" else b""
        yield id + b"data: " + orjson.dumps(frame) + b"\n\n"

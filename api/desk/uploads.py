"""`POST /files`: a file that is to go along with an answer. Its body as it is with `?name=…`, or the one file of a form.

Answers `{"id", "name", "bytes", "mime"}`; `messageSend(attachmentIds:)` takes the id, within a day.
"""

from collections.abc import AsyncIterator

from cross_web import HTTPException as Refusal
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api import auth
from api.bodies import at_most
from api.house import House
from domain.actors import Actor, ActorKind
from domain.answering import uploads
from domain.answering.uploads import LARGEST, READ, Upload, plain_name, type_of
from domain.db import database_time
from domain.desk import scans
from domain.desk.files import new_key
from domain.errors import Refused
from domain.ids import public_id
from domain.languages import preferred_language

AROUND = 64 * 1024
"""Bytes of a form around its file."""
PIECE = 1 << 20


def routes(house: House) -> list[Route]:
    async def upload(request: Request) -> Response:
        actor = await _agent(house, request)
        if actor is None or actor.agent_id is None:
            raise HTTPException(401)
        try:
            async with house.db.transaction() as session:
                await uploads.check_room(session, actor.agent_id)
        except Refused as refusal:
            language = preferred_language(request.headers.get("accept-language", ""))
            told = {"code": refusal.code, "message": refusal.in_language(language)}
            return JSONResponse(told, status_code=429)
        if request.headers.get("content-type", "").startswith("multipart/form-data"):
            kept = await _from_form(house, request)
        else:
            kept = await _stored(
                house,
                request.query_params.get("name", ""),
                request.headers.get("content-type", ""),
                request.stream(),
            )
        try:
            async with house.db.transaction() as session:
                kept.agent_id, kept.created_at = actor.agent_id, await database_time(session)
                kept.finished_at = kept.created_at
                session.add(kept)
                await scans.ask(session, house.files, [kept.file])
                await session.flush()
                answer = {
                    "id": public_id("Attachment", kept.id),
                    "name": kept.name,
                    "bytes": kept.bytes,
                    "mime": kept.mime,
                }
        except BaseException:  # bytes that no row names would be nobody's to sweep
            await house.files.delete(kept.file)
            raise
        return JSONResponse(answer, status_code=201)

    return [Route("/files", upload, methods=["POST"])]


async def _agent(house: House, request: Request) -> Actor | None:
    """A person of the shop, by the same tokens and cookies as for GraphQL."""
    by_header = auth.bearer(request.headers.get("authorization"))
    token = by_header or auth.cookie(house, request)
    if not token:
        return None
    async with house.db.asking() as connection:
        holder = await auth.holder_of(connection, token)
    if holder is None or holder.actor.kind != ActorKind.AGENT:
        return None
    if not by_header:
        try:
            auth.check_csrf(house, request, holder.session_id)
        except Refusal as refusal:
            raise HTTPException(refusal.status_code, refusal.reason) from None
    return holder.actor


async def _from_form(house: House, request: Request) -> Upload:
    request._receive = at_most(LARGEST + AROUND, request._receive, _too_large())
    try:
        async with request.form(max_files=1, max_fields=10) as form:
            file = next((value for value in form.values() if isinstance(value, UploadFile)), None)
            if file is None:
                raise HTTPException(400, "A form with one file.")
            return await _stored(house, file.filename or "", file.content_type or "", _pieces(file))
    except MultiPartException as problem:
        raise HTTPException(400, problem.message) from None


async def _pieces(file: UploadFile) -> AsyncIterator[bytes]:
    while piece := await file.read(PIECE):
        yield piece


async def _stored(house: House, name: str, given: str, content: AsyncIterator[bytes]) -> Upload:
    """Written piece by piece to where it will lie; nothing is left of what is too large or cut off."""
    key, size, begins = new_key(), 0, b""
    async with house.files.writing(key) as out:
        async for piece in content:
            size += len(piece)
            if size > LARGEST:
                raise _too_large()
            begins = begins if len(begins) >= READ else (begins + piece)[:READ]
            out.write(piece)
        if not size:
            raise HTTPException(400, "The file is empty.")
    named = plain_name(name)
    return Upload(name=named, mime=type_of(named, given, begins), bytes=size, file=key)


def _too_large() -> HTTPException:
    return HTTPException(413, f"A file has at most {LARGEST // 1024 // 1024} MB.")

"""A file goes up by a link: to a bucket, past us; to a folder, by `PUT /files/uploads/{id}`. For people of the shop."""

import time
import uuid
from collections.abc import AsyncIterator
from datetime import datetime

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.context import Info
from api.errors import UserError
from api.house import House
from api.mutations import changed, mutation
from domain import access
from domain.actors import Actor
from domain.answering import upload_links
from domain.answering.uploads import Upload
from domain.db import Json
from domain.desk.buckets import UPLOAD_LIVES
from domain.desk.files import AWAITED, UploadLink, new_key
from domain.ids import public_id, row_id

PURPOSE = "upload-link"


@strawberry.input(description="`bytes`: exactly so many have to come.")
class FileUploadStartInput:
    name: str
    mime: str
    bytes: int
    client_mutation_id: strawberry.ID


@strawberry.input
class FileUploadFinishInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class UploadHeader:
    name: str
    value: str


@strawberry.type(
    description="Send the bytes there, by this method and with these headers; then `fileUploadFinish`."
)
class FileUpload:
    attachment_id: strawberry.ID
    method: str
    url: str
    headers: list[UploadHeader]
    expires_at: datetime


@strawberry.type(description="A file that waits to be sent: for a day, by who laid it there.")
class WaitingFile:
    id: strawberry.ID
    name: str
    mime: str = strawberry.field(description="As its first bytes say.")
    bytes: int


@strawberry.type
class FileUploadStartPayload:
    upload: FileUpload | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class FileUploadFinishPayload:
    file: WaitingFile | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _start(info: Info, input: FileUploadStartInput) -> FileUploadStartPayload:
    house = info.context.house

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        upload = await upload_links.begin(
            session, name=input.name, mime=input.mime, bytes=input.bytes, by=actor, at=now
        )
        return {"id": str(upload.id), "at": now.isoformat(), "file": upload.file}

    done = await changed(info, input, change)
    upload, at = await _own(info, uuid.UUID(done["id"])), datetime.fromisoformat(done["at"])
    # Where it was awaited, also for who asks once more: the finished file lies elsewhere, and stays as it was looked through.
    file = done.get("file") or new_key(AWAITED)  # results of before did not name it
    to = house.files.upload(file, bytes=upload.bytes, mime=upload.mime, at=at)
    to = to or _by_our_door(house, upload, at)
    return FileUploadStartPayload(
        upload=FileUpload(
            attachment_id=strawberry.ID(public_id("Attachment", upload.id)),
            method="PUT",
            url=to.url,
            headers=[UploadHeader(name=name, value=value) for name, value in to.headers.items()],
            expires_at=at + UPLOAD_LIVES,
        )
    )


async def _finish(info: Info, input: FileUploadFinishInput) -> FileUploadFinishPayload:
    house, id = info.context.house, row_id("Attachment", input.id)
    upload = await _own(info, id)
    settled = None if upload.finished_at else await upload_links.settle(house.files, upload)

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if settled:
            await upload_links.finish(session, house.files, id, settled, by=actor, at=now)
        return {}

    try:
        await changed(info, input, change)
        upload = await _own(info, id)
    finally:  # of the two copies one is left, and it is the row's
        if settled:
            left = settled.awaited if upload.file == settled.file else settled.file
            await house.files.delete(left)
    return FileUploadFinishPayload(
        file=WaitingFile(
            id=strawberry.ID(public_id("Attachment", upload.id)),
            name=upload.name,
            mime=upload.mime,
            bytes=upload.bytes,
        )
    )


async def _own(info: Info, id: uuid.UUID) -> Upload:
    async with info.context.house.db.transaction() as session:
        return await access.one(session, Upload, id, to=info.context.actor)


def _by_our_door(house: House, upload: Upload, at: datetime) -> UploadLink:
    until = int((at + UPLOAD_LIVES).timestamp())
    signature = house.keys.sign(PURPOSE, upload.id, upload.bytes, until)
    url = f"{house.base_url}/files/uploads/{upload.id}?b={upload.bytes}&u={until}&s={signature}"
    return UploadLink(url, {"content-type": upload.mime})


def routes(house: House) -> list[Route]:
    async def lay(request: Request) -> Response:
        id, size = _signed(house, request)
        key = new_key(AWAITED)
        async with house.files.writing(key) as out:
            async for piece in _at_most(size, request.stream()):
                out.write(piece)
            if out.tell() != size:
                raise HTTPException(400, f"The link is for {size} bytes, and {out.tell()} have come.")
        left: str | None = key
        try:
            async with house.db.transaction() as session:
                left = await upload_links.arrived(session, id, file=key) or key
        finally:
            if left:
                await house.files.delete(left)
        if left == key:
            raise HTTPException(409, "It is finished already.")
        return Response(status_code=204)

    return [Route("/files/uploads/{id}", lay, methods=["PUT"])]


async def _at_most(size: int, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    come = 0
    async for piece in content:
        come += len(piece)
        if come > size:
            raise HTTPException(413, f"The link is for {size} bytes.")
        yield piece


def _signed(house: House, request: Request) -> tuple[uuid.UUID, int]:
    asked = request.query_params
    try:
        id = uuid.UUID(request.path_params["id"])
        size, until = int(asked.get("b", "")), int(asked.get("u", ""))
    except ValueError:
        raise HTTPException(404) from None
    if until < time.time() or not house.keys.signed(asked.get("s", ""), PURPOSE, id, size, until):
        raise HTTPException(404)
    return id, size


@strawberry.type
class UploadLinkMutations:
    file_upload_start: FileUploadStartPayload = mutation(
        resolver=_start,
        description="Asks for a link by which a file goes up, past GraphQL. It lives 15 minutes.",
    )
    file_upload_finish: FileUploadFinishPayload = mutation(
        resolver=_finish,
        description="The bytes are there: from now on the file can be sent. Nothing can be done with it before.",
    )

"""`/files/{attachment}`, its small `/preview`, `/files/original/{item}`: a stored file, or a mail as it came, for who was given its link.

Links live ten minutes and die with the permission. What is not looked through yet, or infected, nobody gets by them; an
infected file has a link of its own, for an admin who asked for it by a word.
"""

import time
import uuid

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.house import House
from domain.access import may_see
from domain.actors import Actor, Role
from domain.agents.sign_in import actor_by_id
from domain.db import database_time
from domain.desk import originals
from domain.desk.messages import Attachment
from domain.desk.scans import LET_OUT, Scan
from integrations.pictures.previews import MIME, Previews, may_have_one
from integrations.serving import HEADERS, named, served, stored

PURPOSE, PREVIEW, ORIGINAL, INFECTED = "file-link", "preview-link", "original-link", "infected-link"
LIVES = 600


def link(house: House, actor: Actor, attachment_id: uuid.UUID) -> str:
    return _link(house, actor, PURPOSE, f"files/{attachment_id}", attachment_id)


def preview_link(house: House, actor: Actor, attachment_id: uuid.UUID) -> str:
    return _link(house, actor, PREVIEW, f"files/{attachment_id}/preview", attachment_id)


def original_link(house: House, actor: Actor, item_id: uuid.UUID) -> str:
    return _link(house, actor, ORIGINAL, f"files/original/{item_id}", item_id)


def infected_link(house: House, actor: Actor, attachment_id: uuid.UUID) -> str:
    return _link(house, actor, INFECTED, f"files/{attachment_id}/infected", attachment_id)


def _link(house: House, actor: Actor, purpose: str, path: str, id: uuid.UUID) -> str:
    until = int(time.time()) + LIVES
    signature = house.keys.sign(purpose, id, actor.id, until)
    return f"{house.base_url}/{path}?a={actor.id}&u={until}&s={signature}"


def routes(house: House) -> list[Route]:
    previews = Previews(house.db, house.files)

    async def download(request: Request) -> Response:
        attachment_id, agent_id = _signed(house, request, PURPOSE)
        async with house.db.transaction() as session:
            actor = await actor_by_id(session, agent_id)
            file = await _let_out(session, attachment_id, actor)
            now = await database_time(session)
        return await stored(house.files, file.file, name=file.name, mime=file.mime, at=now)

    async def preview(request: Request) -> Response:
        attachment_id, agent_id = _signed(house, request, PREVIEW)
        async with house.db.transaction() as session:
            file = await _let_out(session, attachment_id, await actor_by_id(session, agent_id))
        if not may_have_one(file.mime, file.bytes):
            raise HTTPException(404)
        drawn = await previews.of(attachment_id, file.file)
        if drawn is None:
            raise HTTPException(404)
        return served(drawn, name="preview.webp", mime=MIME)

    async def infected(request: Request) -> Response:
        attachment_id, agent_id = _signed(house, request, INFECTED)
        async with house.db.transaction() as session:
            actor = await actor_by_id(session, agent_id)
            file = await _seen(session, attachment_id, actor)
        if not actor or actor.role != Role.ADMIN or not file:
            raise HTTPException(404)
        return served(await house.files.get(file.file), name=f"{file.name}.infected", mime="", inline=False)

    async def original(request: Request) -> Response:
        item_id, agent_id = _signed(house, request, ORIGINAL)
        async with house.db.transaction() as session:
            actor = await actor_by_id(session, agent_id)
            mail = actor and await originals.original(session, item_id, to=actor)
        if not mail:
            raise HTTPException(404)
        name = f"{(mail.subject or 'message')[:100]}.eml"
        return Response(
            mail.raw,
            media_type="message/rfc822",
            headers=HEADERS | {"Content-Disposition": named(name, inline=False)},
        )

    return [
        Route("/files/original/{id}", original, methods=["GET"]),
        Route("/files/{id}", download, methods=["GET"]),
        Route("/files/{id}/preview", preview, methods=["GET"]),
        Route("/files/{id}/infected", infected, methods=["GET"]),
    ]


async def _seen(
    session: AsyncSession, id: uuid.UUID, actor: Actor | None
) -> Row[tuple[str, str, str, int, bool]] | None:
    if actor is None:
        return None
    file = select(
        Attachment.file, Attachment.name, Attachment.mime, Attachment.bytes, LET_OUT.label("let_out")
    )
    found = await session.execute(
        file.outerjoin(Scan, Scan.file == Attachment.file).where(
            Attachment.id == id, Attachment.file.is_not(None), may_see(Attachment, actor)
        )
    )
    return found.one_or_none()  # type: ignore[return-value]  # a file is there: asked for


async def _let_out(
    session: AsyncSession, id: uuid.UUID, actor: Actor | None
) -> Row[tuple[str, str, str, int, bool]]:
    file = await _seen(session, id, actor)
    if file is None:
        raise HTTPException(404)
    if not file.let_out:
        raise HTTPException(403, "This file is infected, or has not been looked through yet.")
    return file


def _signed(house: House, request: Request, purpose: str) -> tuple[uuid.UUID, uuid.UUID]:
    asked = request.query_params
    try:
        id, agent_id = uuid.UUID(request.path_params["id"]), uuid.UUID(asked.get("a", ""))
        until = int(asked.get("u", ""))
    except ValueError:
        raise HTTPException(404) from None
    if until < time.time() or not house.keys.signed(asked.get("s", ""), purpose, id, agent_id, until):
        raise HTTPException(404)
    return id, agent_id

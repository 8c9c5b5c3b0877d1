"""`/files/{attachment}`, `/files/original/{item}`: a stored file, or a mail as it came, for who was given its link.

Links live ten minutes and die with the permission.
"""

import time
import uuid

from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.house import House
from domain.access import may_see
from domain.actors import Actor
from domain.agents.sign_in import actor_by_id
from domain.desk import originals
from domain.desk.messages import Attachment
from integrations.serving import HEADERS, named, served

PURPOSE, ORIGINAL = "file-link", "original-link"
LIVES = 600


def link(house: House, actor: Actor, attachment_id: uuid.UUID) -> str:
    return _link(house, actor, PURPOSE, "files", attachment_id)


def original_link(house: House, actor: Actor, item_id: uuid.UUID) -> str:
    return _link(house, actor, ORIGINAL, "files/original", item_id)


def _link(house: House, actor: Actor, purpose: str, path: str, id: uuid.UUID) -> str:
    until = int(time.time()) + LIVES
    signature = house.keys.sign(purpose, id, actor.id, until)
    return f"{house.base_url}/{path}/{id}?a={actor.id}&u={until}&s={signature}"


def routes(house: House) -> list[Route]:
    async def download(request: Request) -> Response:
        attachment_id, agent_id = _signed(house, request, PURPOSE)
        async with house.db.transaction() as session:
            actor = await actor_by_id(session, agent_id)
            attachment = actor and await session.scalar(
                select(Attachment).where(Attachment.id == attachment_id, may_see(Attachment, actor))
            )
        if not attachment or not attachment.file:
            raise HTTPException(404)
        return served(await house.files.get(attachment.file), name=attachment.name, mime=attachment.mime)

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
    ]


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

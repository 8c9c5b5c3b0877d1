"""`/files/{attachment}`: a stored file for who was given its link. Links live ten minutes and die with the permission."""

import time
import uuid
from urllib.parse import quote

from sqlalchemy import select
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.house import House
from domain.access import may_see
from domain.actors import Actor
from domain.messages import Attachment
from domain.sign_in import actor_by_id

PURPOSE = "file-link"
LIVES = 600

# Shown in the page; everything else is saved, whatever it says it is.
SHOWN = {"image/jpeg", "image/png", "image/gif", "image/webp"}


def link(house: House, actor: Actor, attachment_id: uuid.UUID) -> str:
    until = int(time.time()) + LIVES
    signature = house.keys.sign(PURPOSE, attachment_id, actor.id, until)
    return f"{house.base_url}/files/{attachment_id}?a={actor.id}&u={until}&s={signature}"


def routes(house: House) -> list[Route]:
    async def download(request: Request) -> Response:
        attachment_id, agent_id = _signed(house, request)
        async with house.db.transaction() as session:
            actor = await actor_by_id(session, agent_id)
            attachment = actor and await session.scalar(
                select(Attachment).where(Attachment.id == attachment_id, may_see(Attachment, actor))
            )
        if not attachment or not attachment.file:
            raise HTTPException(404)
        shown = attachment.mime in SHOWN
        name = quote(attachment.name.replace("/", "_"))
        return Response(
            await house.files.get(attachment.file),
            media_type=attachment.mime if shown else "application/octet-stream",
            headers={
                "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{name}",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "private, max-age=600",
            },
        )

    return [Route("/files/{attachment}", download, methods=["GET"])]


def _signed(house: House, request: Request) -> tuple[uuid.UUID, uuid.UUID]:
    asked = request.query_params
    try:
        attachment_id, agent_id = uuid.UUID(request.path_params["attachment"]), uuid.UUID(asked.get("a", ""))
        until = int(asked.get("u", ""))
    except ValueError:
        raise HTTPException(404) from None
    if until < time.time() or not house.keys.signed(
        asked.get("s", ""), PURPOSE, attachment_id, agent_id, until
    ):
        raise HTTPException(404)
    return attachment_id, agent_id

"""`/complaints/{id}/file`: the whole case, to be printed or kept as a PDF, for who was given its link.

Links live ten minutes and die with the permission. It loads nothing, and nothing in it runs.
"""

import base64
import hashlib
import time
import uuid

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from api.complaints.case_page import STYLE, page
from api.house import House
from domain import audit, shop
from domain.actors import Actor
from domain.agents.sign_in import actor_by_id
from domain.audit import AuditKind
from domain.complaints.case_file import CaseFile, case_file
from domain.db import database_time
from domain.desk.files import Files
from domain.languages import LANGUAGES
from domain.sla.policies import default_hours
from integrations.serving import named

PURPOSE = "case-file-link"
LIVES = 600

_style = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"sandbox; default-src 'none'; style-src 'sha256-{_style}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def link(house: House, actor: Actor, complaint_id: uuid.UUID, language: str | None, *, notes: bool) -> str:
    until, chosen = int(time.time()) + LIVES, language if language in LANGUAGES else ""
    signature = house.keys.sign(PURPOSE, complaint_id, actor.id, until, chosen, notes)
    asked = f"a={actor.id}&u={until}&l={chosen}&n={int(notes)}&s={signature}"
    return f"{house.base_url}/complaints/{complaint_id}/file?{asked}"


def routes(house: House) -> list[Route]:
    async def file(request: Request) -> Response:
        complaint_id, agent_id = _signed(house, request)
        notes = request.query_params.get("n") == "1"
        async with house.db.transaction() as session:
            actor, now = await actor_by_id(session, agent_id), await database_time(session)
            connection = await session.connection()
            case = actor and await case_file(connection, complaint_id, to=actor, notes=notes)
            if not actor or not case:
                raise HTTPException(404)
            locale = request.query_params.get("l") or await shop.language(session)
            hours = await default_hours(session)
            audit.note(
                session,
                AuditKind.CONTACT_READ,
                by=actor,
                at=now,
                address=request.client.host if request.client else None,
                contact_id=case.complaint.contact_id,
                data={"complaint": str(complaint_id)},
            )
        digests = await _digests(house.files, case)
        shown = page(case, digests, locale=locale, zone=hours.zone if hours else None, at=now)
        name = f"complaint-{case.complaint.number}.html"
        return Response(
            shown, media_type="text/html", headers=HEADERS | {"Content-Disposition": named(name, inline=True)}
        )

    return [Route("/complaints/{id}/file", file, methods=["GET"])]


async def _digests(files: Files, case: CaseFile) -> dict[str, str]:
    """SHA-256 of what the attachments hold, by their keys."""
    found = {}
    for attachment in (one for some in case.attachments.values() for one in some if one.file):
        digest = hashlib.sha256()
        try:
            async for part in files.parts(attachment.file):
                digest.update(part)
        except FileNotFoundError:
            continue
        found[attachment.file] = digest.hexdigest()
    return found


def _signed(house: House, request: Request) -> tuple[uuid.UUID, uuid.UUID]:
    asked = request.query_params
    try:
        id, agent_id = uuid.UUID(request.path_params["id"]), uuid.UUID(asked.get("a", ""))
        until = int(asked.get("u", ""))
    except ValueError:
        raise HTTPException(404) from None
    words = (id, agent_id, until, asked.get("l", ""), asked.get("n") == "1")
    if until < time.time() or not house.keys.signed(asked.get("s", ""), PURPOSE, *words):
        raise HTTPException(404)
    return id, agent_id

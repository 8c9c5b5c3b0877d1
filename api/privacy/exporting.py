"""All that is held about a person, as one file: asked for, looked at, and fetched at `/exports/{id}` by a signed link.

Links live ten minutes and die with the permission; the file itself lives a week. Each fetching is in the audit.
"""

import time
import uuid
from datetime import datetime
from enum import Enum
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from api.context import Info, Reading, plain
from api.errors import UserError
from api.house import House
from api.mutations import changed, mutation
from api.node import Node
from api.paging import page_size
from domain import access, audit
from domain.access import may_see
from domain.actors import Actor
from domain.agents.sign_in import actor_by_id
from domain.audit import AuditKind
from domain.customers.survivors import same_person
from domain.db import Json, database_time
from domain.ids import public_id, row_id
from domain.privacy import exports

PURPOSE = "export-link"
LIVES = 600


@strawberry.enum
class ExportState(Enum):
    MAKING = "making"
    READY = "ready"
    FAILED = "failed"
    GONE = "gone"


@strawberry.type(description="All that is held about a contact, as one zip.")
class ContactExport(Node):
    contact_id: strawberry.ID
    state: ExportState
    asked_at: datetime
    bytes: int | None
    url: str | None = strawberry.field(
        description="Good for ten minutes and for who asked; ask again for another."
    )
    gone_at: datetime = strawberry.field(description="When the file is deleted.")


def _state(row: Any) -> ExportState:
    if row.failed_at:
        return ExportState.FAILED
    if row.file is None:
        return ExportState.GONE
    return ExportState.READY if row.finished_at else ExportState.MAKING


def _shown(reading: Reading, row: Any) -> ContactExport:
    state = _state(row)
    ready = state is ExportState.READY
    return plain(
        ContactExport,
        {
            "id": public_id("ContactExport", row.id),
            "contact_id": strawberry.ID(public_id("Contact", row.contact_id)),
            "state": state,
            "asked_at": row.asked_at,
            "bytes": row.bytes if ready else None,
            "url": link(reading.house, reading.actor, row.id) if ready else None,
            "gone_at": row.asked_at + exports.KEPT_FOR,
        },
    )


async def _contact_exports(info: Info, contact_id: strawberry.ID, first: int = 10) -> list[ContactExport]:
    table, contact = exports.ContactExport.__table__, row_id("Contact", contact_id, field="contactId")
    async with info.context.reading() as reading:
        rows = await reading.connection.execute(
            select(table)
            .where(may_see(exports.ContactExport, reading.actor), same_person(table.c.contact_id, contact))
            .order_by(table.c.id.desc())
            .limit(page_size(first))
        )
        return [_shown(reading, row) for row in rows]


@strawberry.input
class ContactExportInput:
    contact_id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class ContactExportPayload:
    export: ContactExport | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _contact_export(info: Info, input: ContactExportInput) -> ContactExportPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        id = row_id("Contact", input.contact_id, field="contactId")
        contact = await access.contact(session, id, to=actor)
        asked = await exports.ask(session, contact, by=actor, at=now)
        return {"export": str(asked.id), "contact": str(contact.id)}

    done = await changed(info, input, change)
    table = exports.ContactExport.__table__
    async with info.context.reading() as reading:
        found = await reading.connection.execute(select(table).where(table.c.id == uuid.UUID(done["export"])))
        return ContactExportPayload(export=_shown(reading, found.one()))


@strawberry.type
class ExportQueries:
    contact_exports: list[ContactExport] = strawberry.field(
        resolver=_contact_exports, description="Newest first: how far each is, and the link to it."
    )


@strawberry.type
class ExportMutations:
    contact_export: ContactExportPayload = mutation(
        resolver=_contact_export,
        description="Makes a zip of all that is held about a contact, in the background: ask `contactExports` how far it is.",
    )


def link(house: House, actor: Actor, export_id: uuid.UUID) -> str:
    until = int(time.time()) + LIVES
    signature = house.keys.sign(PURPOSE, export_id, actor.id, until)
    return f"{house.base_url}/exports/{export_id}?a={actor.id}&u={until}&s={signature}"


def routes(house: House) -> list[Route]:
    async def download(request: Request) -> Response:
        export_id, agent_id = _signed(house, request)
        async with house.db.transaction() as session:
            actor = await actor_by_id(session, agent_id)
            table = exports.ContactExport
            export = actor and await session.scalar(
                select(table).where(
                    table.id == export_id, may_see(table, actor), table.finished_at.is_not(None)
                )
            )
            if not actor or not export or not export.file or not await house.files.has(export.file):
                raise HTTPException(404)
            audit.note(
                session,
                AuditKind.EXPORT_FETCHED,
                by=actor,
                at=await database_time(session),
                address=request.client.host if request.client else None,
                contact_id=export.contact_id,
                data={"export": str(export.id)},
            )
        return StreamingResponse(
            house.files.parts(export.file),
            media_type="application/zip",
            headers={
                "Content-Disposition": f'attachment; filename="contact-{export.contact_id}.zip"',
                "Content-Length": str(export.bytes),
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
            },
        )

    return [Route("/exports/{export}", download, methods=["GET"])]


def _signed(house: House, request: Request) -> tuple[uuid.UUID, uuid.UUID]:
    asked = request.query_params
    try:
        export_id, agent_id = uuid.UUID(request.path_params["export"]), uuid.UUID(asked.get("a", ""))
        until = int(asked.get("u", ""))
    except ValueError:
        raise HTTPException(404) from None
    if until < time.time() or not house.keys.signed(asked.get("s", ""), PURPOSE, export_id, agent_id, until):
        raise HTTPException(404)
    return export_id, agent_id

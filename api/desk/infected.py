"""A file in which something harmful was found, for an admin who wants it all the same."""

import uuid
from datetime import datetime

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info
from api.desk.files import infected_link
from api.errors import UserError
from api.mutations import changed, mutation
from domain import access
from domain.actors import Actor
from domain.db import Json
from domain.desk.messages import Attachment
from domain.desk.scans import LET_OUT, Scan
from domain.errors import InvalidInput, NotFound
from domain.ids import row_id
from domain.languages import N_


@strawberry.input(description="`confirm`: the file's name, so that nobody does it by accident.")
class InfectedFileOpenInput:
    id: strawberry.ID
    confirm: str
    client_mutation_id: strawberry.ID


@strawberry.type
class InfectedFileOpenPayload:
    url: str | None = strawberry.field(
        default=None,
        description="A link for this admin that lives ten minutes. The file is saved, never shown.",
    )
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _open(info: Info, input: InfectedFileOpenInput) -> InfectedFileOpenPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        id = row_id("Attachment", input.id)
        attachment = await access.one(session, Attachment, id, to=actor)
        held_back = select(Scan.id).where(Scan.file == attachment.file, ~LET_OUT)
        if await session.scalar(held_back) is None:
            raise NotFound(field=["id"])
        if input.confirm != attachment.name:
            raise InvalidInput(N_("Write the file's name to confirm."), field=["confirm"])
        return {"attachment": str(id)}

    done = await changed(info, input, change)
    context = info.context
    return InfectedFileOpenPayload(
        url=infected_link(context.house, context.actor, uuid.UUID(done["attachment"]))
    )


@strawberry.type
class InfectedMutations:
    infected_file_open: InfectedFileOpenPayload = mutation(
        resolver=_open, description="Of a file that nobody else gets: infected, or not looked through."
    )

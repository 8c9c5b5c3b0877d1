"""Drafts: each agent's own, kept while they type."""

import uuid
from datetime import datetime

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, plain
from api.customers.identities import CHANNELS
from api.errors import OkPayload
from api.mutations import mutation
from api.selection import Selection
from domain import access
from domain.access import may_see
from domain.answering.uploads import Upload
from domain.db import begin_request, one_of
from domain.ids import public_id, row_id
from domain.ways_in.channels import ChannelKind
from domain.working import drafts


@strawberry.type(description="What the reader has begun to write on the ticket: nobody else sees it.")
class Draft:
    body: str
    channel: ChannelKind | None = strawberry.field(
        description="By which it would go; null of a note, or when the address is gone."
    )
    identity_id: strawberry.ID | None
    cc: list[str]
    bcc: list[str]
    attachment_ids: list[strawberry.ID] = strawberry.field(
        description="Those that are still there: a file waits for a day to be sent."
    )
    updated_at: datetime


@strawberry.input(
    description="An empty body throws it away. `writtenAt`: when the words were typed, by the server's clock (`serverTime` says how "
    "far off one's own is); now, if left out. Older words than those that are kept change nothing: then `ok` is false and "
    "`userErrors` is empty. The same request may come again. It is gone when `messageSend` has sent the answer."
)
class DraftSaveInput:
    ticket_id: strawberry.ID
    identity_id: strawberry.ID | None = strawberry.field(default=None, description="To whom; none of a note.")
    body: str
    cc: list[str] = strawberry.field(default_factory=list)
    bcc: list[str] = strawberry.field(default_factory=list)
    attachment_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    written_at: datetime | None = None


async def drafts_of(reading: Reading, ids: list[uuid.UUID], selection: Selection) -> dict[uuid.UUID, Draft]:
    """The reader's own, by ticket."""
    if reading.actor.agent_id is None:
        return {}
    asked = {"ids": ids, "agent": reading.actor.agent_id}
    rows = (await reading.connection.execute(drafts.DRAFTS, asked)).all()
    files = {uuid.UUID(id) for row in rows for id in row.files}
    there: set[uuid.UUID] = set()
    if files and "attachmentIds" in selection:
        mine = select(Upload.id).where(one_of(Upload.id, files), may_see(Upload, reading.actor))
        there = set((await reading.connection.execute(mine)).scalars())
    return {
        row.matter: plain(
            Draft,
            {
                "body": row.body,
                "channel": CHANNELS.get(row.kind),
                "identity_id": public_id("Identity", row.identity_id) if row.identity_id else None,
                "cc": row.cc,
                "bcc": row.bcc,
                "attachment_ids": [
                    public_id("Attachment", id) for id in map(uuid.UUID, row.files) if id in there
                ],
                "updated_at": row.written_at,
            },
        )
        for row in rows
    }


async def _draft_save(info: Info, input: DraftSaveInput) -> OkPayload:
    async with info.context.house.db.transaction() as session:
        return OkPayload(ok=await _kept(session, info, input))


async def _kept(session: AsyncSession, info: Info, input: DraftSaveInput) -> bool:
    now, actor = await begin_request(session), info.context.actor
    ticket = await access.ticket(session, row_id("Ticket", input.ticket_id, field="ticketId"), to=actor)
    identity = input.identity_id
    written = drafts.Written(
        body=input.body,
        identity_id=row_id("Identity", identity, field="identityId") if identity else None,
        cc=input.cc,
        bcc=input.bcc,
        files=[row_id("Attachment", id, field="attachmentIds") for id in input.attachment_ids],
    )
    return await drafts.save(session, ticket, written, by=actor, written_at=input.written_at or now, at=now)


@strawberry.type
class DraftMutations:
    draft_save: OkPayload = mutation(resolver=_draft_save)

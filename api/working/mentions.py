"""Notes that call the reader."""

import uuid
from typing import Any

import strawberry
from sqlalchemy import select

from api.context import Info, plain
from api.desk.tickets import Ticket, tickets_by_id
from api.desk.timeline import Note, items_by_id
from api.paging import PageInfo, cursor_of, page_info, page_size, place_of
from api.selection import wanted
from domain.access import may_see
from domain.desk.messages import Item
from domain.desk.tickets import Ticket as TicketRow
from domain.working.mentions import Mention as MentionRow


@strawberry.type(description="A note that calls the reader.")
class Mention:
    note: Note
    ticket: Ticket


@strawberry.type
class MentionEdge:
    cursor: str
    node: Mention


@strawberry.type
class MentionConnection:
    edges: list[MentionEdge]
    page_info: PageInfo


async def _mentions(info: Info, first: int = 25, after: str | None = None) -> MentionConnection:
    size, asked = page_size(first), wanted(info).below("edges", "node")
    item = Item.__table__.c
    async with info.context.reading() as reading:
        query = (
            select(item.id, item.at, item.ticket_id)
            .join(MentionRow, MentionRow.item_id == item.id)
            .join(TicketRow, TicketRow.id == item.ticket_id)
            .where(MentionRow.agent_id == reading.actor.agent_id, may_see(TicketRow, reading.actor))
        )
        if after:
            query = query.where(MentionRow.item_id < place_of("mentions", after)[1])
        query = query.order_by(MentionRow.item_id.desc()).limit(size + 1)
        rows = (await reading.connection.execute(query)).all()
        shown = rows[:size]
        notes: dict[uuid.UUID, Any] = {}
        tickets: dict[uuid.UUID, Ticket] = {}
        if shown and "note" in asked:
            notes = dict(await items_by_id(reading, [row.id for row in shown], asked["note"]))
        if shown and "ticket" in asked:
            tickets = await tickets_by_id(reading, {row.ticket_id for row in shown}, asked["ticket"])
    edges = [
        MentionEdge(
            cursor=cursor_of("mentions", row.at, row.id),
            node=plain(Mention, {"note": notes.get(row.id), "ticket": tickets.get(row.ticket_id)}),
        )
        for row in shown
    ]
    return MentionConnection(edges=edges, page_info=page_info(edges, after=after, more=len(rows) > size))


@strawberry.type
class MentionQueries:
    mentions: MentionConnection = strawberry.field(
        resolver=_mentions, description="Of oneself, in tickets that one sees, newest first."
    )

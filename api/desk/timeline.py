"""What a history is made of: messages, calls, notes, and what happened, told in the reader's language."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

import strawberry
from sqlalchemy import Select, select

from api.agents.staff import Agent, agents_by_id
from api.calling.calls import Call, Calls, calls_of
from api.computed import computed
from api.context import Info, Reading, by, nothing, plain
from api.desk.attachments import Attached, attached_to
from api.desk.messages import Message, message_of
from api.desk.system_events import SystemEvent, given_to, told
from api.feedback.feedback import words_of
from api.node import Node
from api.scalars import BigInt
from api.selection import Selection, wanted
from domain.access import may_see, sight
from domain.actors import Actor
from domain.db import one_of, one_of_given
from domain.desk import history, messages
from domain.desk.history import Written
from domain.desk.messages import ItemKind
from domain.desk.survivors import became
from domain.desk.tickets import Ticket
from domain.events import EventKind
from domain.gathering import gathered
from domain.ids import public_id
from domain.working.mentions import Mention


@strawberry.type(description="What only the shop sees.")
class Note(Node):
    seq: BigInt
    ticket_id: strawberry.ID
    author: str
    at: datetime
    text: str
    mentions: list[Agent] = strawberry.field(description="Whom it calls, at most twenty.")


TimelineItem = Annotated[Message | Call | Note | SystemEvent, strawberry.union("TimelineItem")]


async def items_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, TimelineItem]:
    """Items of tickets that this person sees."""
    found = await reading.connection.objects(Written, _by_id(sight(reading.actor)), {"ids": list(ids)})
    return dict(zip([row.id for row in found], await timeline_items(reading, found, selection), strict=True))


@lru_cache(1000)
def _by_id(actor: Actor) -> Select[Any]:
    item = messages.Item.__table__.c
    seen = history.ITEMS.join(Ticket, Ticket.id == item.ticket_id).where(may_see(Ticket, actor))
    return seen.where(one_of_given(item.id))


async def read_item(info: Info, id: str, field: str) -> Any:
    """As it is now, for the payload's field of that name."""
    async with info.context.reading() as reading:
        asked = uuid.UUID(id)
        return (await items_by_id(reading, [asked], wanted(info).below(field))).get(asked)


async def timeline_items(reading: Reading, rows: Sequence[Any], selection: Selection) -> list[TimelineItem]:
    """GraphQL objects of what was `Written`, and of events."""
    items = {
        kind: [row for row in rows if isinstance(row, Written) and row.kind == kind] for kind in ItemKind
    }
    events = [row for row in rows if not isinstance(row, Written)]
    happened_at = (
        {event.ticket_id for event in events if event.ticket_id} if "ticketId" in selection else set()
    )
    attached, calls, agents, moved, called, words = await gathered(
        attached_to(reading, items[ItemKind.MESSAGE], selection),
        calls_of(reading, items[ItemKind.CALL], selection),
        agents_by_id(reading, [id for event in events for id in (event.actor_id, given_to(event))]),
        became(reading.connection, happened_at) if happened_at else nothing(),
        mentioned_in(reading, items[ItemKind.NOTE]) if "mentions" in selection else nothing(),
        words_of(reading, [event for event in events if event.kind == EventKind.FEEDBACK_GIVEN]),
    )
    return [
        _item(reading, row, attached, calls, called, agents, words, moved.get(row.ticket_id, row.ticket_id))
        for row in rows
    ]


async def mentioned_in(reading: Reading, notes: Sequence[Written]) -> dict[uuid.UUID, list[Agent]]:
    """Whom notes call, by note."""
    ids = [note.id for note in notes]
    found = await reading.connection.execute(select(Mention.__table__).where(one_of(Mention.item_id, ids)))
    called = found.all()
    agents = await agents_by_id(reading, [one.agent_id for one in called])
    return {id: [agents[one.agent_id] for one in group] for id, group in by("item_id", called).items()}


def _item(
    reading: Reading,
    row: Any,
    attached: Attached,
    calls: Calls,
    called: dict[uuid.UUID, list[Agent]],
    agents: dict[uuid.UUID | None, Agent],
    words: dict[int, str],
    ticket_id: uuid.UUID | None,
) -> TimelineItem:
    """`ticket_id`: where it belongs now; an event keeps the ticket at which it happened."""
    if not isinstance(row, Written):
        return plain(
            SystemEvent,
            {
                "seq": row.seq,
                "at": row.at,
                "belongs_to": ticket_id,
                "id": public_id("SystemEvent", row.seq),
                "text": told(row, agents, reading.locale, words.get(row.seq, "")),
            },
        )
    author = row.agent_name or row.author
    match row.kind:
        case ItemKind.MESSAGE:
            return message_of(reading, row, attached, author, ticket_id)
        case ItemKind.CALL:
            return calls[row.id]
        case _:
            return plain(
                Note,
                {
                    "seq": row.seq,
                    "at": row.at,
                    "belongs_to": ticket_id,
                    "id": public_id("Note", row.id),
                    "author": author,
                    "text": row.text,
                    "mentions": called.get(row.id, []),
                },
            )


def _ticket_id(item: Any) -> str | None:
    return public_id("Ticket", item.belongs_to) if item.belongs_to else None


for kind in (Message, Note, SystemEvent):
    computed(kind, ticket_id=_ticket_id)

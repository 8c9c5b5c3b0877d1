"""What a history is made of: messages, calls, notes, and what happened, told in the reader's language."""

import asyncio
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
from api.desk.attachments import Attached, Attachment, attached_to
from api.desk.system_events import SystemEvent, given_to, told
from api.feedback.feedback import words_of
from api.node import Node
from api.scalars import BigInt
from api.selection import Selection, wanted
from domain.access import may_see, sight
from domain.actors import Actor
from domain.answering import addressing, delivery_problems
from domain.db import Json, one_of, one_of_given
from domain.desk import history, messages, revisions
from domain.desk.history import Written
from domain.desk.messages import DeliveryState, Direction, ItemKind
from domain.desk.survivors import became
from domain.desk.tickets import Ticket
from domain.events import EventKind
from domain.ids import public_id
from domain.ways_in.channels import ChannelKind
from domain.working.mentions import Mention
from integrations.mail.reading import markup

MOST_RECIPIENTS = 100
"""Of a mail that came in: it may name a thousand."""

strawberry.enum(Direction)
strawberry.enum(DeliveryState, name="MessageDelivery")
strawberry.enum(addressing.Role, name="RecipientRole")


@strawberry.type(description="Whom a mail names.")
class MailAddress:
    name: str
    address: str


@strawberry.type(description="To whom a mail went, and whether that side took it.")
class MessageRecipient:
    address: str
    name: str
    role: addressing.Role
    refused: str | None = strawberry.field(description="What the recipient's side said.")


@strawberry.type(description="What somebody put on a message, without a word.")
class Reaction:
    emoji: str
    from_shop: bool = strawberry.field(description="Otherwise from the customer.")
    at: datetime


@strawberry.type(
    description="Where a chat's visitor was, as the page says. Do not open `url` without asking."
)
class MessagePage:
    url: str
    title: str
    referrer: str


@strawberry.type(description="What a chat's visitor answered before the first message. Nobody has proven it.")
class MessageAnswer:
    name: str
    label: str
    value: str


@strawberry.type(description="What a customer or an agent wrote.")
class Message(Node):
    seq: BigInt
    ticket_id: strawberry.ID
    channel: ChannelKind
    direction: Direction
    author: str
    at: datetime
    text: str
    folded: str = strawberry.field(
        description="The text to read: without the mails it quotes and without a signature. The same as `text` when in doubt."
    )
    quoted_hidden: bool = strawberry.field(description="Is there more in `text`?")
    to: list[MailAddress] = strawberry.field(description="Of a mail.")
    cc: list[MailAddress]
    original: str | None = strawberry.field(
        description="A link to the mail as it came, for this person, that lives ten minutes; none when it is kept no more."
    )
    written: strawberry.Private[str | None]
    """The HTML of a mail."""
    pictures: strawberry.Private[dict[str, str]]
    """Links to those that the page shows, by content id."""
    automatic: bool = strawberry.field(
        description="Written by no person: an out-of-office note, a newsletter."
    )
    sender_verified: bool = strawberry.field(description="Is it proven that this customer wrote it?")
    delivery: DeliveryState | None = strawberry.field(description="Of an answer of ours.")
    delivery_error: str | None = strawberry.field(
        description="Why it has not left, in the reader's language; on the next line what the provider said. Of one that is "
        "`QUEUED` too: it is tried again."
    )
    reactions: list[Reaction] = strawberry.field(description="Those that stand, at most one of each side.")
    edited_at: datetime | None = strawberry.field(description="`text` is what its writer made of it then.")
    unsent_at: datetime | None = strawberry.field(
        description="Its writer took it back: no word of it is kept here."
    )
    also_to: list[str] = strawberry.field(
        description="Other mailboxes of ours to which the same mail came: it is one message."
    )
    claims_to_be_us: bool = strawberry.field(
        description="The sender's address is an agent's or a mailbox of ours. Anybody can write it: nothing says that it was one of us."
    )
    undo_until: datetime | None = strawberry.field(
        description="Until then `messageUndo` takes it back; none once it is on its way."
    )
    recipients: list[MessageRecipient] = strawberry.field(
        description="Of a mail; those of `Bcc` are ours alone."
    )
    side: bool = strawberry.field(
        description="Said to or by somebody else about the ticket: never the customer's word, nor for the customer."
    )
    page: MessagePage | None = strawberry.field(
        description="Of a chat's message: the page of the shop on which it was written."
    )
    answers: list[MessageAnswer] = strawberry.field(
        description="Of a chat's first message: at most ten, to what the channel asks before."
    )
    attachments: list[Attachment]
    row: strawberry.Private[Any]
    reading: strawberry.Private[Any]

    @strawberry.field(
        description="Of a mail: safe to show. It loads the pictures that came along, by links that live ten minutes, and those from "
        "elsewhere only when asked for: who loads them tells their sender."
    )
    def html(self, remote_images: bool = False) -> str | None:
        if self.written is None:
            return None
        return markup.shown(self.written, self.pictures, remote_images=remote_images)


@strawberry.type(description="What only the shop sees.")
class Note(Node):
    seq: BigInt
    ticket_id: strawberry.ID
    author: str
    at: datetime
    text: str
    mentions: list[Agent] = strawberry.field(description="Whom it calls, at most twenty.")


TimelineItem = Annotated[Message | Call | Note | SystemEvent, strawberry.union("TimelineItem")]


READ_FOR = {
    "folded": {"folded", "quotedHidden"},
    "html": {"html"},
    "mail": {"to", "cc", "alsoTo", "claimsToBeUs", "recipients"},
    "particulars": {"deliveryError", "reactions", "editedAt", "unsentAt", "page", "answers"},
    "arrival_id": {"original"},
    "last_error": {"deliveryError"},
    "due_at": {"undoUntil"},
    "attempts": {"undoUntil"},
}
"""Columns of `history.ITEMS` with the fields that are made of them; of the others some are made for every item."""


def unread(selection: Selection) -> frozenset[str]:
    return frozenset(column for column, fields in READ_FOR.items() if not fields & selection.keys())


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
    attached, calls, agents, moved, called, words = await asyncio.gather(
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
    shared = {"seq": row.seq, "at": row.at, "belongs_to": ticket_id}
    if not isinstance(row, Written):
        return plain(
            SystemEvent,
            {
                **shared,
                "id": public_id("SystemEvent", row.seq),
                "text": told(row, agents, reading.locale, words.get(row.seq, "")),
            },
        )
    author = row.agent_name or row.author
    match row.kind:
        case ItemKind.MESSAGE:
            return plain(
                Message,
                {
                    **shared,
                    "channel": row.channel,
                    "direction": row.direction,
                    "author": author,
                    "text": row.text,
                    "original": attached.originals.get(row.id),
                    "pictures": attached.pictures.get(row.id, {}),
                    "automatic": bool(row.automatic),
                    "sender_verified": bool(row.sender_verified),
                    "delivery": row.delivery,
                    "side": bool(row.side),
                    "row": row,
                    "reading": reading,
                    "attachments": attached.attachments.get(row.id, []),
                },
            )
        case ItemKind.CALL:
            return calls[row.id]
        case _:
            note = {"id": public_id("Note", row.id), "author": author, "text": row.text}
            return plain(Note, {**shared, **note, "mentions": called.get(row.id, [])})


computed(
    Message,
    id=lambda message: public_id("Message", message.row.id),
    written=lambda message: message.row.html,
    folded=lambda message: message.row.folded or message.text,
    quoted_hidden=lambda message: message.folded != message.text,
    to=lambda message: _addresses(message.row.mail, "to"),
    cc=lambda message: _addresses(message.row.mail, "cc"),
    delivery_error=lambda message: delivery_problems.told(
        message.row.particulars, message.row.last_error, message.reading.locale
    ),
    reactions=lambda message: [
        Reaction(emoji=one.emoji, from_shop=one.from_shop, at=one.at)
        for one in revisions.reactions_of(message.row.particulars)
    ],
    edited_at=lambda message: revisions.edited_at(message.row.particulars),
    unsent_at=lambda message: revisions.unsent_at(message.row.particulars),
    also_to=lambda message: (message.row.mail or {}).get("also", []),
    claims_to_be_us=lambda message: bool((message.row.mail or {}).get("from_ourselves")),
    undo_until=lambda message: _undo_until(message.reading, message.row),
    recipients=lambda message: [
        MessageRecipient(address=one.address, name=one.name, role=one.role, refused=one.refused)
        for one in addressing.recipients(message.row.mail)[:MOST_RECIPIENTS]
    ],
    page=lambda message: _page(message.row.particulars),
    answers=lambda message: [
        MessageAnswer(name=one["name"], label=one["label"], value=one["value"])
        for one in (message.row.particulars or {}).get("answers", ())
    ],
)


def _ticket_id(item: Any) -> str | None:
    return public_id("Ticket", item.belongs_to) if item.belongs_to else None


for kind in (Message, Note, SystemEvent):
    computed(kind, ticket_id=_ticket_id)


def _page(particulars: Json | None) -> MessagePage | None:
    page = (particulars or {}).get("page")
    if not page:
        return None
    return MessagePage(url=page["url"], title=page.get("title", ""), referrer=page.get("referrer", ""))


def _undo_until(reading: Reading, row: Any) -> datetime | None:
    waits = row.delivery == DeliveryState.QUEUED and not row.attempts and row.due_at
    return row.due_at if waits and row.due_at > reading.at else None


def _addresses(mail: Json | None, field: str) -> list[MailAddress]:
    return [MailAddress(name=name, address=address) for name, address in (mail or {}).get(field, [])]

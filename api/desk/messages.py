"""Messages as their readers see them: what was written, by whom, and what became of it."""

import uuid
from datetime import datetime
from typing import Any

import strawberry

from api.computed import computed
from api.context import Reading, plain
from api.desk.attachments import Attached, Attachment
from api.desk.replied import RepliedMessage
from api.node import Node
from api.scalars import BigInt
from api.selection import Selection
from domain.answering import addressing, delivery_problems
from domain.db import Json
from domain.desk import revisions
from domain.desk.messages import DeliveryState, Direction
from domain.ids import public_id
from domain.languages import as_said
from domain.ways_in.channels import ChannelKind
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
    payload: str | None = strawberry.field(
        description="Of Messenger: which button or quick reply was pressed, as whoever made it named it for programs; `text` is what stands on it."
    )
    replies_to: RepliedMessage | None = strawberry.field(
        description="Of Messenger: the message at which its writer pointed to answer it."
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


READ_FOR = {
    "folded": {"folded", "quotedHidden"},
    "html": {"html"},
    "mail": {"to", "cc", "alsoTo", "claimsToBeUs", "recipients"},
    "particulars": {
        "deliveryError",
        "reactions",
        "editedAt",
        "unsentAt",
        "page",
        "answers",
        "payload",
        "repliesTo",
    },
    "arrival_id": {"original"},
    "last_error": {"deliveryError"},
    "due_at": {"undoUntil"},
    "attempts": {"undoUntil"},
}
"""Columns of `history.ITEMS` with the fields that are made of them; of the others some are made for every item."""


def unread(selection: Selection) -> frozenset[str]:
    return frozenset(column for column, fields in READ_FOR.items() if not fields & selection.keys())


def message_of(
    reading: Reading, row: Any, attached: Attached, author: str, ticket_id: uuid.UUID | None
) -> Message:
    id = row.id
    return plain(
        Message,
        {
            "seq": row.seq,
            "at": row.at,
            "belongs_to": ticket_id,
            "author": author,
            "channel": row.channel,
            "direction": row.direction,
            "text": row.text,
            "original": attached.originals.get(id),
            "pictures": attached.pictures.get(id, {}),
            "automatic": bool(row.automatic),
            "sender_verified": bool(row.sender_verified),
            "delivery": row.delivery,
            "side": bool(row.side),
            "row": row,
            "reading": reading,
            "replies_to": attached.replied.get(id),
            "attachments": attached.attachments.get(id, []),
        },
    )


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
        MessageRecipient(
            address=one.address,
            name=one.name,
            role=one.role,
            refused=as_said(message.reading.locale, one.refused),
        )
        for one in addressing.recipients(message.row.mail)[:MOST_RECIPIENTS]
    ],
    payload=lambda message: (message.row.particulars or {}).get("payload"),
    page=lambda message: _page(message.row.particulars),
    answers=lambda message: [
        MessageAnswer(name=one["name"], label=one["label"], value=one["value"])
        for one in (message.row.particulars or {}).get("answers", ())
    ],
)


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

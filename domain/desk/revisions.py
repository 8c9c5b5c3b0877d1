"""What becomes of a message after it was said: changed, taken back, given a heart.

Providers tell of it late, twice, in any order, and before the message itself. `revised` gives the same in whichever order
they come; what comes before its message is remembered by its original, which is read again when the message is here.

In `Message.particulars`: `edited` (`number` and `at`), `unsent_at`, and `reactions`, by who gave them (`customer` or `shop`),
each with `emoji` and `at`; one that was taken away stays, without an emoji, so that it is not given again by an older word.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain import shop
from domain.abreast import one_at_a_time
from domain.actors import SYSTEM, customer
from domain.arriving.afterwards import InboundEdit, InboundReaction, InboundUnsent, Revision
from domain.arriving.inbound import Arrival
from domain.arriving.placing import first_words
from domain.db import Base, Json, new_id, one_of
from domain.desk.messages import Attachment, Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.events import EventKind
from domain.joining.matters import matter_of
from domain.joining.named_numbers import NamedNumber, note_numbers
from domain.telling import tell
from domain.ways_in.channels import Channel, ChannelKind

REMEMBERED = timedelta(days=30)
"""How long a message may be awaited: of most that never come, what was said lies before the channel was ours."""

CHANGEABLE = (ChannelKind.MESSENGER,)
"""In which channels anything becomes of a message."""

CUSTOMER, SHOP = "customer", "shop"

KINDS = {
    InboundEdit: EventKind.MESSAGE_EDITED,
    InboundUnsent: EventKind.MESSAGE_UNSENT,
    InboundReaction: EventKind.MESSAGE_REACTED,
}


class AwaitedMessage(Base):
    """A message that is not here, and an original that tells what became of it."""

    __tablename__ = "awaited_message"
    __table_args__ = (
        UniqueConstraint("channel_id", "external_id", "arrival_id"),
        Index("ix_awaited_message_created", "created_at"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"))
    external_id: Mapped[str]
    arrival_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("arrival.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


@dataclass(frozen=True)
class Wording:
    """What of a message can change."""

    text: str
    particulars: Json


def revised(was: Wording, said: Revision) -> Wording:
    """The same whichever comes first, and however often."""
    at = _moment(said.at)
    kept = was.particulars
    match said:
        case InboundUnsent():
            first = min(at, kept.get("unsent_at", at))
            return Wording("", {key: kept[key] for key in kept if key != "edited"} | {"unsent_at": first})
        case InboundEdit():
            last = kept.get("edited") or {"number": -1, "at": ""}
            if "unsent_at" in kept or (said.number, at, said.text) <= (last["number"], last["at"], was.text):
                return was
            return Wording(said.text, kept | {"edited": {"number": said.number, "at": at}})
        case InboundReaction():
            who = SHOP if said.from_shop else CUSTOMER
            given = kept.get("reactions") or {}
            before = given.get(who) or {"at": "", "emoji": ""}
            if (at, said.emoji) <= (before["at"], before["emoji"]):
                return was
            return Wording(was.text, kept | {"reactions": given | {who: {"emoji": said.emoji, "at": at}}})


def _moment(at: datetime) -> str:
    """So written that later ones sort after it."""
    return at.isoformat(timespec="microseconds")


@dataclass(frozen=True)
class Reaction:
    emoji: str
    from_shop: bool
    at: datetime


def reactions_of(particulars: Json | None) -> list[Reaction]:
    """Those that still stand, the customer's first."""
    given = (particulars or {}).get("reactions") or {}
    return [
        Reaction(one["emoji"], who == SHOP, datetime.fromisoformat(one["at"]))
        for who, one in sorted(given.items())
        if one["emoji"]
    ]


def edited_at(particulars: Json | None) -> datetime | None:
    edited = (particulars or {}).get("edited")
    return datetime.fromisoformat(edited["at"]) if edited else None


def unsent_at(particulars: Json | None) -> datetime | None:
    at = (particulars or {}).get("unsent_at")
    return datetime.fromisoformat(at) if at else None


def name_of(channel: Channel, external_id: str) -> str:
    """To hold: nobody else deals with this message meanwhile, nor with what became of it."""
    return f"message\n{channel.id}\n{external_id}"


async def receive(session: AsyncSession, channel: Channel, arrival: Arrival, said: Revision) -> str | None:
    """Why nothing came of it, where nothing did."""
    await one_at_a_time(session, name_of(channel, said.external_id))
    message = await message_of(session, channel, said.thread_key, said.external_id)
    if message is None:
        await _await(session, channel, arrival, said.external_id)
        return "its message is not here yet"
    if not is_by_author(said, message) and not isinstance(said, InboundReaction):
        return "changed by somebody else than who wrote it"
    ticket = await locked(session, message.ticket_id)
    await session.refresh(message)
    was = Wording(message.text, message.particulars or {})
    now = revised(was, said)
    if now == was:
        return None
    message.text, message.particulars = now.text, now.particulars
    if now.text != was.text:
        await retell(session, message, ticket, was.text)
    if isinstance(said, InboundUnsent):
        await session.execute(delete(Attachment).where(Attachment.item_id == message.id))
    message.tell(KINDS[type(said)], by=SYSTEM if said.from_shop else customer(message.contact_id), at=said.at)
    return None


def is_by_author(said: Revision, message: Message) -> bool:
    return said.from_shop == (message.direction == Direction.OUT)


async def message_of(
    session: AsyncSession, channel: Channel, thread_key: str, external_id: str
) -> Message | None:
    """Of that conversation: by its own id, or by that of one of the parts in which it left."""
    said_there = (
        select(Message)
        .join(Thread, Thread.id == Message.thread_id)
        .where(Thread.channel_id == channel.id, Thread.key == thread_key)
    )
    found = await session.scalar(said_there.where(Message.external_id == external_id))
    if found is not None:
        return found
    return await session.scalar(
        said_there.where(Message.particulars["mids"].contains([external_id])).limit(1)
    )


async def retell(session: AsyncSession, message: Message, ticket: Ticket, before: str) -> None:
    """What was made of its words when it came, and read as `before`."""
    await session.execute(delete(NamedNumber).where(NamedNumber.item_id == message.id))
    rules = await shop.joining(session)
    about = matter_of("", message.text, rules.order_numbers)
    await note_numbers(session, message, about)
    if ticket.subject and ticket.subject == first_words(before):
        ticket.subject = first_words(message.text)


async def _await(session: AsyncSession, channel: Channel, arrival: Arrival, external_id: str) -> None:
    await session.execute(
        insert(AwaitedMessage)
        .values(id=new_id(), channel_id=channel.id, external_id=external_id, arrival_id=arrival.id)
        .on_conflict_do_nothing()
    )


async def awaited_among(session: AsyncSession, channel: Channel, ids: Collection[str]) -> set[str]:
    """Of messages, those of which something was told before they were here."""
    awaited = select(AwaitedMessage.external_id).where(
        AwaitedMessage.channel_id == channel.id, one_of(AwaitedMessage.external_id, ids)
    )
    return set((await tell(session, awaited)).scalars())


async def awaiting(session: AsyncSession, channel: Channel, external_id: str) -> Sequence[Arrival]:
    """Originals that told of this message before it was here, as far as they are still whole."""
    waiting = select(AwaitedMessage.arrival_id).where(*_of(channel, external_id))
    found = await session.scalars(
        select(Arrival)
        .where(Arrival.id.in_(waiting), Arrival.emptied_at.is_(None))
        .order_by(Arrival.received_at, Arrival.id)
    )
    return found.all()


async def caught_up(session: AsyncSession, channel: Channel, external_id: str) -> None:
    """The message is here, and what became of it is done."""
    await session.execute(delete(AwaitedMessage).where(*_of(channel, external_id)))


def _of(channel: Channel, external_id: str) -> Sequence[Any]:
    return AwaitedMessage.channel_id == channel.id, AwaitedMessage.external_id == external_id


async def sweep(session: AsyncSession, *, at: datetime) -> None:
    await session.execute(delete(AwaitedMessage).where(AwaitedMessage.created_at < at - REMEMBERED))

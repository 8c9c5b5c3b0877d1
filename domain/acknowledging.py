"""The one automatic answer to a mail that opens a ticket: we have it, and this is its number.

It quotes nothing that the sender chose. Never to machines, lists, bounces, ourselves, who is blocked, or spam; at most three to an
address in a day and twenty to a domain in an hour, and none to a text that comes again and again.
"""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import SYSTEM
from domain.channels import Channel, ChannelKind
from domain.contacts import Contact
from domain.db import Base, Json, new_id, one_at_a_time, ring
from domain.events import EventKind
from domain.inbound import InboundMessage
from domain.keys import Keys
from domain.languages import N_, best_language, translate
from domain.mailboxes import reads_nothing, without_plus
from domain.messages import OUTBOX, Message
from domain.ourselves import ours_among
from domain.replies import message_id, queued
from domain.subjects import beginning
from domain.threads import Thread
from domain.tickets import Ticket

OF_ADDRESS, OF_ADDRESS_WITHIN = 3, timedelta(hours=24)
OF_DOMAIN, OF_DOMAIN_WITHIN = 20, timedelta(hours=1)
STALE = timedelta(days=1)
"""Of a mail that was long on its way, as after a change of mailboxes: whoever wrote it does not wait for this."""

SUBJECT = N_("We have received your message")
TEXT = N_(
    "Hello,\n\nwe have received your message. Its number is {number}. We will answer as soon as we can.\n\n"
    "You can answer this mail if you want to add anything."
)


class Acknowledgement(Base):
    """One that was sent: what the limits count."""

    __tablename__ = "acknowledgement"
    __table_args__ = (
        Index("ix_acknowledgement_address", "address", "at"),
        Index("ix_acknowledgement_domain", "domain", "at"),
        Index("ix_acknowledgement_item", "item_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"), unique=True)
    """Once for each."""
    item_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("item.id"))
    address: Mapped[str]
    domain: Mapped[str]
    at: Mapped[datetime]


async def acknowledge(
    session: AsyncSession,
    keys: Keys,
    channel: Channel,
    said: InboundMessage,
    thread: Thread,
    ticket: Ticket,
    *,
    at: datetime,
) -> Message | None:
    """For a ticket that this mail has just opened. Last in its transaction: who writes from the same domain waits for its end."""
    address = said.claims[0].value
    if not _wanted(channel, said, ticket, at=at) or await ours_among(session, [address]):
        return None
    counted = without_plus(address)  # one person's, however many of them somebody writes into From
    if not await _is_within_limits(session, counted, at=at):
        return None
    locale = best_language(
        await session.scalar(select(Contact.locale).where(Contact.id == thread.contact_id)),
        channel.config.get("language"),
    )
    message = queued(thread, text=words(channel.config, locale, ticket.number), by=SYSTEM, at=at)
    message.external_id = message_id(keys, channel, thread, message)
    message.mail = {
        "to": [["", address]],
        "references": [said.external_id],
        "subject": beginning(translate(locale, SUBJECT), ticket.number),
    }
    session.add(message)
    await session.flush()
    session.add(
        Acknowledgement(
            ticket_id=ticket.id, item_id=message.id, address=counted, domain=_domain(address), at=at
        )
    )
    message.tell(EventKind.MESSAGE_QUEUED, by=SYSTEM, at=at)
    ring(session, OUTBOX.topic)
    return message


def words(config: Json, locale: str, number: int) -> str:
    """The channel's own in this language, with `{number}` where the number stands; otherwise ours."""
    own: str | None = (config.get("acknowledgement") or {}).get(locale)
    if not own or not own.strip():
        return translate(locale, TEXT, number=number)
    return own.replace("{number}", str(number)) if "{number}" in own else f"{own}\n\n#{number}"


def _wanted(channel: Channel, said: InboundMessage, ticket: Ticket, *, at: datetime) -> bool:
    return (
        channel.kind == ChannelKind.EMAIL
        and bool(channel.config.get("acknowledge"))
        and said.answerable
        and not said.automatic
        and not said.from_shop
        and ticket.spam_at is None
        and at - said.at < STALE
        and not reads_nothing(said.claims[0].value)
    )


async def _is_within_limits(session: AsyncSession, address: str, *, at: datetime) -> bool:
    """Whoever counts at the same time waits, so that two do not both find room for the last one."""
    domain, sent = _domain(address), Acknowledgement
    for what in (f"acknowledged\n{address}", f"acknowledged\n@{domain}"):
        await one_at_a_time(session, what)
    lately = await session.execute(
        select(
            select(func.count())
            .where(sent.address == address, sent.at > at - OF_ADDRESS_WITHIN)
            .scalar_subquery(),
            select(func.count())
            .where(sent.domain == domain, sent.at > at - OF_DOMAIN_WITHIN)
            .scalar_subquery(),
        )
    )
    of_address, of_domain = lately.one()
    return int(of_address) < OF_ADDRESS and int(of_domain) < OF_DOMAIN


def _domain(address: str) -> str:
    return address.rpartition("@")[2]

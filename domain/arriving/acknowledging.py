"""The one automatic answer to what opens a ticket: we have it, this is its number, and when somebody is there.

It quotes nothing that the sender chose. Never to machines, lists, bounces, ourselves, who is blocked, or spam; at most three to a
person in a day, to a mail domain twenty in an hour, and none to a mail whose text comes again and again.
"""

import uuid
from datetime import datetime, timedelta

from babel.dates import format_date, format_time
from sqlalchemy import ForeignKey, Index, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import one_at_a_time
from domain.actors import SYSTEM
from domain.answering.replies import message_id, queued, said_at_once
from domain.arriving.inbound import InboundMessage
from domain.arriving.ourselves import ours_among
from domain.customers import consents
from domain.customers.contacts import Contact
from domain.customers.mailboxes import reads_nothing, without_plus
from domain.db import Base, new_id, ring
from domain.desk.messages import OUTBOX, Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.events import EventKind
from domain.joining.subjects import beginning
from domain.keys import Keys
from domain.languages import N_, best_language, day_said, translate
from domain.sla.hours import Hours
from domain.ways_in.channels import Channel, ChannelKind
from domain.ways_in.office_hours import hours_of, opens_at

OF_ADDRESS, OF_ADDRESS_WITHIN = 3, timedelta(hours=24)
OF_DOMAIN, OF_DOMAIN_WITHIN = 20, timedelta(hours=1)
STALE = timedelta(days=1)
"""Of what was long on its way, as mails are after a change of mailboxes: whoever wrote it does not wait for this."""

SUBJECT = N_("We have received your message")
TEXT = N_(
    "Hello,\n\nwe have received your message. Its number is {number}. We will answer as soon as we can.\n\n"
    "You can answer this mail if you want to add anything."
)
CLOSED = N_(
    "Hello,\n\nwe have received your message. Its number is {number}. Nobody is here right now. We are back: {opens}.\n\n"
    "You can answer this mail if you want to add anything."
)
SHORT = N_("We have received your message. Its number is {number}. We will answer as soon as we can.")
SHORT_CLOSED = N_(
    "We have received your message. Its number is {number}. Nobody is here right now. We are back: {opens}."
)
BACK = N_("Nobody is here right now. We are back: {opens}.")
"""Below the shop's own words that do not say so."""
AUTOMATIC = N_("Automatic message")
"""Above what looks as if a person had typed it. A mail says it in its headers."""

WRITTEN = {ChannelKind.EMAIL, ChannelKind.CHAT, ChannelKind.MESSENGER, ChannelKind.SMS}


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
    """Of a mail; elsewhere the person's kind, scope and value."""
    domain: Mapped[str]
    """Of a mail."""
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
    """For a ticket that this has just opened. Last in its transaction: who writes from the same mail domain waits for its end."""
    writer = said.claims[0]
    is_mail = channel.kind == ChannelKind.EMAIL
    if not _wanted(channel, said, ticket, at=at) or (is_mail and await ours_among(session, [writer.value])):
        return None
    if channel.kind == ChannelKind.SMS and await consents.stopped_at(session, channel.id, writer.value):
        return None
    # One person's, however many addresses somebody writes into From.
    counted = without_plus(writer.value) if is_mail else " ".join(writer.key)
    domain = writer.value.rpartition("@")[2] if is_mail else ""
    if not await _is_within_limits(session, counted, domain, at=at):
        return None
    locale = best_language(
        await session.scalar(select(Contact.locale).where(Contact.id == thread.contact_id)),
        channel.config.get("language"),
    )
    hours = await hours_of(session, channel)
    opens = moment(hours, opens_at(hours, at), locale, at=at)
    text = words(channel, locale, ticket.number, opens)
    message = queued(thread, text=text, by=SYSTEM, at=at)
    if is_mail:
        message.external_id = message_id(keys, channel, thread, message)
        message.mail = {
            "to": [["", writer.value]],
            "references": [said.external_id],
            "subject": beginning(translate(locale, SUBJECT), ticket.number),
        }
    elif channel.kind == ChannelKind.CHAT:
        said_at_once(session, thread, message)
    session.add(message)
    session.add(
        Acknowledgement(ticket_id=ticket.id, item_id=message.id, address=counted, domain=domain, at=at)
    )
    message.tell(EventKind.MESSAGE_QUEUED, by=SYSTEM, at=at)
    ring(session, OUTBOX.topic)
    return message


def words(channel: Channel, locale: str, number: int, opens: str | None) -> str:
    """The channel's own in this language, with `{number}` and `{opens}` where those stand; otherwise ours."""
    is_mail = channel.kind == ChannelKind.EMAIL
    own, own_closed = (
        ((channel.config.get(name) or {}).get(locale) or "").strip()
        for name in ("acknowledgement", "acknowledgement_closed")
    )
    if opens and own_closed:
        text = _filled(own_closed, number, opens)
    elif own:
        text = _filled(own, number, opens or "")
        text += f"\n\n{translate(locale, BACK, opens=opens)}" if opens else ""
    elif opens:
        text = translate(locale, CLOSED if is_mail else SHORT_CLOSED, number=number, opens=opens)
    else:
        text = translate(locale, TEXT if is_mail else SHORT, number=number)
    return text if is_mail else f"{translate(locale, AUTOMATIC)}\n{text}"


def _filled(own: str, number: int, opens: str) -> str:
    told = own if "{number}" in own else f"{own}\n\n#{{number}}"
    return told.replace("{number}", str(number)).replace("{opens}", opens)


def moment(hours: Hours | None, opens: datetime | None, locale: str, *, at: datetime) -> str | None:
    """As one says it in the shop: `Monday, 09:00`, with the day's date where that may be another week's."""
    if hours is None or opens is None:
        return None
    local = opens.astimezone(hours.zone)
    weekday, time = format_date(local, "EEEE", locale), format_time(local.time(), "HH:mm", locale=locale)
    day = [] if opens - at < timedelta(days=6) else [day_said(local, locale)]
    return ", ".join([weekday, *day, time])


def _wanted(channel: Channel, said: InboundMessage, ticket: Ticket, *, at: datetime) -> bool:
    return (
        channel.kind in WRITTEN
        and channel.disabled_at is None
        and bool(channel.config.get("acknowledge"))
        and said.answerable
        and not said.automatic
        and not said.from_shop
        and ticket.spam_at is None
        and at - said.at < STALE
        and not (channel.kind == ChannelKind.EMAIL and reads_nothing(said.claims[0].value))
    )


async def _is_within_limits(session: AsyncSession, person: str, domain: str, *, at: datetime) -> bool:
    """Whoever counts at the same time waits, so that two do not both find room for the last one."""
    sent = Acknowledgement
    for what in (f"acknowledged\n{person}", *([f"acknowledged\n@{domain}"] if domain else [])):
        await one_at_a_time(session, what)
    lately = await session.execute(
        select(
            select(func.count())
            .where(sent.address == person, sent.at > at - OF_ADDRESS_WITHIN)
            .scalar_subquery(),
            select(func.count())
            .where(sent.domain == domain, sent.at > at - OF_DOMAIN_WITHIN)
            .scalar_subquery(),
        )
    )
    of_person, of_domain = lately.one()
    return int(of_person) < OF_ADDRESS and (not domain or int(of_domain) < OF_DOMAIN)

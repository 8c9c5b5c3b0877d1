"""A chat's visitor who left before our answer came gets it by mail: all that was not read, in one, from the shop's mailbox.

Each answer is mailed once, however many workers look. To a proven address; to one that is only claimed once, until it has
answered: else the chat would send mail to whomever somebody names. The mail holds nothing that the visitor chose.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ForeignKey, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import one_at_a_time
from domain.actors import SYSTEM
from domain.agents.staff import Agent
from domain.answering.carrying import mailed, thread_with
from domain.answering.replies import going_on, message_id, queued
from domain.arriving.ourselves import ours_among
from domain.customers.contacts import Claim, Contact, Identity, IdentityKind
from domain.customers.mailboxes import mail_address, reads_nothing, without_plus
from domain.customers.survivors import same_person, survivor_of
from domain.customers.visitors import ABSENCES, MAIL_AFTER, Visitor
from domain.db import Base, Database, database_time, new_id, ring
from domain.desk.messages import OUTBOX, Attachment, DeliveryState, Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.events import EventKind
from domain.hands import work
from domain.joining.reasons import JoinCode
from domain.keys import Keys
from domain.languages import N_, best_language, translate
from domain.ways_in.blocking import blocked_as
from domain.ways_in.channels import Channel, ChannelKind
from domain.work import Lease

SUBJECT = N_("Our answer to your question in the chat")
TEXT = N_(
    "Hello,\n\nyou had left our chat when we answered:\n\n{answers}\n\n"
    "Answer this mail, or come back to the chat. If you have not written to us, please ignore this mail."
)
FILES = N_("Files, in the chat: {names}")


class UnprovenMail(Base):
    """The one mail that an address gets which somebody has only named."""

    __tablename__ = "unproven_mail"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    address: Mapped[str] = mapped_column(unique=True)
    item_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("item.id"), index=True)


class Absences:
    def __init__(self, db: Database, keys: Keys) -> None:
        self._db, self._keys = db, keys

    async def run(self) -> None:
        await work(self._db, ABSENCES, self.tell)

    async def tell(self, visitor: Visitor, lease: Lease[Visitor]) -> None:
        async with self._db.transaction() as session:
            ticket = await _ticket_of(session, visitor)
            held = await lease.hold(session)  # after the ticket, as an agent's answer takes them
            now = await database_time(session)
            channel = await session.get_one(Channel, held.channel_id)
            unread = await _unread(session, held)
            if not unread or ticket is None:
                await lease.settle(session)
                return
            if held.is_here(at=now):
                minutes = channel.config.get("mail_after_minutes", MAIL_AFTER)
                until = (held.here_until or now) + timedelta(minutes=minutes)
                await lease.wait(session, until=until)
                return
            await _mail(session, self._keys, channel, held, ticket, unread, at=now)
            await lease.settle(session, mailed_seq=unread[-1].Message.seq)


def _told_to(visitor: Visitor) -> tuple[Any, ...]:
    """What people of the shop wrote that it has not read, nor been mailed."""
    return (
        Thread.channel_id == visitor.channel_id,
        Thread.key == visitor.key,
        Message.channel_id == visitor.channel_id,
        Message.direction == Direction.OUT,
        Message.automatic.is_(False),
        Message.seq > visitor.mailed_seq,
        Message.delivery.in_([DeliveryState.SENT, DeliveryState.DELIVERED]),
    )


async def _ticket_of(session: AsyncSession, visitor: Visitor) -> Ticket | None:
    """Held; that of the newest answer."""
    id = await session.scalar(
        select(Thread.ticket_id)
        .join(Message, Message.thread_id == Thread.id)
        .where(*_told_to(visitor))
        .order_by(Message.seq.desc())
        .limit(1)
    )
    return await locked(session, id) if id else None


async def _unread(session: AsyncSession, visitor: Visitor) -> Sequence[Any]:
    found = await session.execute(
        select(Message, Agent.name)
        .join(Thread, Thread.id == Message.thread_id)
        .outerjoin(Agent, Agent.id == Message.agent_id)
        .where(*_told_to(visitor))
        .order_by(Message.seq)
    )
    return found.all()


async def _mail(
    session: AsyncSession,
    keys: Keys,
    channel: Channel,
    visitor: Visitor,
    ticket: Ticket,
    unread: Sequence[Any],
    *,
    at: datetime,
) -> Message | None:
    contact = await survivor_of(session, ticket.contact_id)
    handle = Claim(IdentityKind.CHAT, visitor.key, None, scope=channel.slug)
    if contact is None or ticket.spam_at or await blocked_as(session, handle):
        return None
    to = await _address(session, contact, visitor, ticket)
    if to is None:
        return None
    found = await mailed(session, ticket, to, JoinCode.VISITOR_LEFT, at=at)
    if found is None:
        return None
    thread, mailbox = found
    language = best_language(contact.locale, visitor.locale, channel.config.get("language"))
    subject = translate(language, SUBJECT)
    message = queued(thread, text=await _words(session, language, unread), by=SYSTEM, at=at)
    message.external_id = message_id(keys, mailbox, thread, message)
    message.mail = {"to": [["", to.value]], "passes_on": True} | await going_on(
        session, ticket, thread, subject
    )
    session.add(message)
    await session.flush()
    if not to.verified_at:
        once = insert(UnprovenMail).values(id=new_id(), address=without_plus(to.value), item_id=message.id)
        await session.execute(once.on_conflict_do_nothing())  # who has answered may get more than one
    message.tell(EventKind.MESSAGE_QUEUED, by=SYSTEM, at=at)
    ring(session, OUTBOX.topic)
    return message


async def _address(
    session: AsyncSession, contact: Contact, visitor: Visitor, ticket: Ticket
) -> Identity | None:
    """The proven one that the shop signed, else that used last; else one that was only named, if it may be mailed."""
    found = await session.scalars(
        select(Identity)
        .where(
            same_person(Identity.contact_id, contact.id),
            Identity.kind == IdentityKind.EMAIL,
            Identity.bounced_at.is_(None),
        )
        .order_by(Identity.verified_at.is_(None), Identity.last_used_at.desc().nulls_last(), Identity.id)
    )
    theirs = [one for one in found if not reads_nothing(one.value)]
    ours = await ours_among(session, [one.value for one in theirs])
    theirs = [one for one in theirs if one.value not in ours and not await blocked_as(session, one.claimed())]
    signed = mail_address(str(visitor.identity.get("email", "")))
    theirs.sort(key=lambda one: (one.verified_at is None, one.value != signed))
    for one in theirs:
        if one.verified_at or await _may_be_mailed(session, one, ticket):
            return one
    return None


async def _may_be_mailed(session: AsyncSession, identity: Identity, ticket: Ticket) -> bool:
    """An address that is only claimed: it has had none yet, or has answered."""
    answered = await thread_with(session, ticket, identity, ChannelKind.EMAIL)
    if answered and answered[0].last_inbound_at:
        return True
    address = without_plus(identity.value)
    await one_at_a_time(session, f"unproven mail\n{address}")
    return await session.scalar(select(UnprovenMail.id).where(UnprovenMail.address == address)) is None


async def _words(session: AsyncSession, language: str, unread: Sequence[Any]) -> str:
    names: dict[uuid.UUID, list[str]] = {}
    ids = [row.Message.id for row in unread]
    kept = select(Attachment.item_id, Attachment.name).where(Attachment.item_id.in_(ids))
    for item_id, name in (await session.execute(kept.order_by(Attachment.id))).all():
        names.setdefault(item_id, []).append(name)
    said = []
    for row in unread:
        lines = [f"{row.name}:"] if row.name else []
        lines.append(row.Message.text)
        if theirs := names.get(row.Message.id):
            lines.append(translate(language, FILES, names=", ".join(theirs)))
        said.append("\n".join(lines))
    return translate(language, TEXT, answers="\n\n".join(said))

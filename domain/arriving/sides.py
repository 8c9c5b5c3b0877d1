"""A side conversation: with somebody else (a supplier, a carrier, a colleague) about a ticket, in a thread of its own.

What is said there is never the customer's word: it stops no clock, reopens nothing, and is in no answer to the customer.
Whoever writes to its signed address, or answers its mail from an address it went to, takes part in it and in nothing else.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.answering.addressing import read_addresses, recipients
from domain.answering.carrying import mailbox_for
from domain.answering.replies import going_on, message_id, queued
from domain.arriving.inbound import InboundMessage
from domain.arriving.opening import open_thread
from domain.customers.contacts import Identity, IdentityKind
from domain.customers.survivors import same_person
from domain.db import Json, ring
from domain.desk.messages import OUTBOX, DeliveryState, Direction, Message
from domain.desk.threads import Placement, Thread
from domain.desk.tickets import Ticket
from domain.errors import ChannelOff, InvalidInput, NoMailbox
from domain.events import EventKind
from domain.joining.reasons import JoinCode
from domain.joining.subjects import passing_on
from domain.keys import Keys
from domain.languages import N_
from domain.ways_in.channels import Channel, ChannelKind


async def pass_on(
    session: AsyncSession,
    keys: Keys,
    ticket: Ticket,
    message: Message,
    *,
    to: Sequence[str],
    text: str,
    with_files: bool,
    by: Actor,
    at: datetime,
    undo_for: timedelta = timedelta(0),
) -> Message:
    """Mails a message of the ticket to others, with the agent's words, in a new side conversation. Of a message that is in
    one: answers there, to those given, else to all it went to so far. `ticket` is held by the caller."""
    within = await session.get(Thread, message.thread_id) if message.thread_id else None
    if within and within.side:
        thread, channel = within, await session.get_one(Channel, within.channel_id)
        addresses = await _others(session, ticket, to or await _taking_part(session, thread))
        mail = await going_on(session, ticket, thread, thread.subject)
    else:
        addresses = await _others(session, ticket, to)
        thread, channel = await _begun(session, ticket, message, by=by, at=at)
        mail = {"references": [], "subject": thread.subject, "forwards": str(message.id)}
        mail |= {"with_files": with_files}
    if channel.disabled_at:
        raise ChannelOff(field=["id"], name=channel.name)
    written = queued(thread, text=text, by=by, at=at, undo_for=undo_for)
    written.mail = {"to": [["", one] for one in addresses], "cc": [], "bcc": []} | mail
    written.external_id = message_id(keys, channel, thread, written)
    session.add(written)
    await session.flush()
    ring(session, OUTBOX.topic)
    ticket.updated_at = at
    written.tell(EventKind.MESSAGE_QUEUED, by=by, at=at)
    return written


async def _begun(
    session: AsyncSession, ticket: Ticket, message: Message, *, by: Actor, at: datetime
) -> tuple[Thread, Channel]:
    """From the mailbox the message came by, if it is one."""
    own = await session.get(Channel, message.channel_id) if message.channel_id else None
    channel = (
        own
        if own and own.kind == ChannelKind.EMAIL and not own.disabled_at
        else await mailbox_for(session, ticket)
    )
    if channel is None:
        raise NoMailbox(field=["id"])
    thread = open_thread(
        session,
        ticket,
        Placement(ticket.id, JoinCode.AGENT_OPENED),
        channel_id=channel.id,
        key=None,
        identity=None,
        subject=passing_on((message.mail or {}).get("subject") or ticket.subject),
        by=by,
        at=at,
        side=True,
    )
    await session.flush()
    return thread, channel


async def side_answered(session: AsyncSession, said: InboundMessage) -> Thread | None:
    """The side conversation whose mail this answers, from an address that it went to; its nearest reference decides."""
    if not said.references or not said.claims:
        return None
    known = await session.execute(
        select(Message.external_id, Message.mail, Thread)
        .join(Thread, Thread.id == Message.thread_id)
        .where(Message.external_id.in_(said.references), Thread.side.is_(True))
    )
    found = {str(row.external_id): row for row in known}
    for reference in said.references:
        row = found.get(reference)
        if row and said.claims[0].value in await _addresses_of(session, row.Thread, row.mail):
            thread: Thread = row.Thread
            return thread
    return None


async def _addresses_of(session: AsyncSession, thread: Thread, mail: Json | None) -> set[str]:
    return {one.address for one in recipients(mail)} | set(await _taking_part(session, thread))


async def _taking_part(session: AsyncSession, thread: Thread) -> list[str]:
    """The addresses that our mails in it went to."""
    mails = await session.scalars(
        select(Message.mail)
        .where(
            Message.thread_id == thread.id,
            Message.direction == Direction.OUT,
            Message.delivery.is_distinct_from(DeliveryState.UNDONE),
        )
        .order_by(Message.seq)
    )
    return list(dict.fromkeys(one.address for mail in mails for one in recipients(mail)))


async def is_the_customer(session: AsyncSession, thread: Thread, said: InboundMessage) -> bool:
    """Who got hold of a side conversation's address, and speaks for themselves all the same."""
    return thread.side and said.claims[0].value in await _of_the_customer(session, thread.contact_id)


async def _of_the_customer(session: AsyncSession, contact_id: uuid.UUID) -> set[str]:
    addresses = select(Identity.value).where(
        same_person(Identity.contact_id, contact_id), Identity.kind == IdentityKind.EMAIL
    )
    return set(await session.scalars(addresses))


async def _others(session: AsyncSession, ticket: Ticket, given: Sequence[str]) -> list[str]:
    if not given:
        raise InvalidInput(N_("This may not be empty."), field=["to"])
    addresses = await read_addresses(session, given, field="to")
    for address in sorted({*addresses} & await _of_the_customer(session, ticket.contact_id)):
        raise InvalidInput(
            N_("{address} is the customer's own: answer the customer instead."), field=["to"], address=address
        )
    return addresses

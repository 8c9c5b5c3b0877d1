"""What came in finds its person, its conversation and its ticket, and is written down: one transaction."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import shop
from domain.abreast import by_turns, one_at_a_time
from domain.actors import SYSTEM, customer
from domain.answering import delivery, receipts
from domain.arriving import bounces, copies, participants, parts
from domain.arriving.acknowledging import acknowledge
from domain.arriving.afterwards import (
    InboundBounce,
    InboundEcho,
    InboundEdit,
    InboundReaction,
    InboundReceipt,
    InboundReport,
    InboundUnsent,
)
from domain.arriving.continuing import who_continues_what
from domain.arriving.inbound import (
    Arrival,
    Inbound,
    InboundCall,
    InboundLink,
    InboundMessage,
    InboundPart,
    Waits,
)
from domain.arriving.ourselves import ours_among
from domain.arriving.placing import placed
from domain.arriving.repetition import is_repeated
from domain.arriving.writing_down import written
from domain.calling import calls
from domain.customers import contacts, name_lookups, wishes
from domain.customers.people import recognise
from domain.db import database_time, ring
from domain.desk import revisions
from domain.desk.messages import Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread, news_of_chat
from domain.desk.tickets import Ticket
from domain.events import EventKind
from domain.joining.matters import matter_of
from domain.joining.named_numbers import note_numbers
from domain.keys import Keys
from domain.sla import reckoning
from domain.ways_in.blocking import blocked_as
from domain.ways_in.channels import Channel, ChannelKind


async def receive(
    session: AsyncSession, channel: Channel, arrival: Arrival, inbound: Inbound, *, keys: Keys | None = None
) -> str | Waits | None:
    """Why nothing came of it, where nothing did. `keys`: sign what is answered by itself; without them nothing is."""
    if isinstance(inbound, InboundMessage | InboundReceipt) and inbound.thread_key:
        await by_turns(session, f"conversation\n{channel.id}\n{inbound.thread_key}")
    match inbound:
        case InboundMessage():
            return await _message(session, channel, arrival, inbound, keys)
        case InboundPart():
            return await _part(session, channel, arrival, inbound, keys)
        case InboundCall():
            return await calls.receive(session, channel, arrival, inbound)
        case InboundLink():
            if blocked := await blocked_as(session, inbound.claims[0]):
                return f"blocked sender: {blocked}"
            await recognise(
                session, inbound.claims, name="", locale=None, linked=inbound.linked_contact, at=inbound.at
            )
        case InboundReceipt():
            await receipts.receive(session, channel, inbound)
        case InboundReport():
            return await delivery.receive(session, channel, inbound, at=await database_time(session))
        case InboundEcho():
            return await receipts.echoed(session, channel, inbound, at=arrival.received_at)
        case InboundEdit() | InboundUnsent() | InboundReaction():
            return await revisions.receive(session, channel, arrival, inbound)
        case InboundBounce():
            return await bounces.receive(session, inbound)
    return None


async def _message(
    session: AsyncSession, channel: Channel, arrival: Arrival, said: InboundMessage, keys: Keys | None
) -> str | None:
    is_mail = channel.kind == ChannelKind.EMAIL
    await _hold(session, channel, said)
    is_wish = await wishes.heeded(session, channel, said)
    if reason := await _unwanted(session, channel, said):
        return reason
    if is_wish:
        return await wishes.shown(session, channel, arrival, said)
    if is_mail:
        said = await _disowned(session, said)
    if await copies.unheard(session, channel, said) is None:
        return None
    rules = await shop.joining(session)
    about = matter_of(said.subject, said.folded or said.text, rules.order_numbers)
    person, answered = await who_continues_what(session, channel, said, about, rules, at=arrival.received_at)
    # While we waited, another worker may have had the same.
    unheard = await copies.unheard(session, channel, said)
    if unheard is None:
        return None
    place = await placed(session, channel, unheard, answered, person, about, rules)
    thread, ticket = place.thread, place.ticket
    message = await written(session, channel, arrival, unheard, thread, ticket, person)
    if thread.side:
        await _said_aside(message, thread, ticket, at=arrival.received_at)
        return None
    await note_numbers(session, message, about)
    by = customer(ticket.contact_id)
    message.tell(EventKind.MESSAGE_RECEIVED, by=by, at=said.at)
    if channel.kind == ChannelKind.CHAT:
        ring(session, news_of_chat(thread.key))  # the visitor's other tabs
    again = is_mail and await is_repeated(session, message)
    if is_mail and not said.automatic:
        await participants.note(session, thread, said, at=said.at)
    if not said.from_shop and not said.automatic:
        thread.last_inbound_at = max(said.at, thread.last_inbound_at or said.at)
        thread.joined_proof = thread.joined_proof or (person.proof if person else None)
        ticket.customer_wrote(by=by, at=arrival.received_at, again=again)
    await reckoning.reckon(session, ticket, by=SYSTEM if said.from_shop else by, at=arrival.received_at)
    if person and channel.kind in name_lookups.LOOKED_UP:
        await name_lookups.ask(session, channel, person)
    if place.opened and keys and not again and said.claims:
        await acknowledge(session, keys, channel, unheard, thread, ticket, at=arrival.received_at)
    return None


async def _part(
    session: AsyncSession, channel: Channel, arrival: Arrival, part: InboundPart, keys: Keys | None
) -> str | Waits | None:
    whole = await parts.joined(session, channel, arrival, part, at=await database_time(session))
    if isinstance(whole, Waits):
        return whole
    said = whole.as_message(part)
    if whole.item_id is None:
        why = await _message(session, channel, arrival, said, keys)
        here = select(Message.id).where(
            Message.channel_id == channel.id, Message.external_id == said.external_id
        )
        if shown := await session.scalar(here):
            whole.shown_in(shown)
        return why
    message = await session.get_one(Message, whole.item_id)
    ticket = await locked(session, message.ticket_id)
    whole.shown_in(message.id)
    if message.text != said.text:
        before = message.text
        message.text, message.particulars = said.text, said.particulars
        await revisions.retell(session, message, ticket, before)
        message.tell(EventKind.MESSAGE_EDITED, by=customer(ticket.contact_id), at=arrival.received_at)
    return None


async def _hold(session: AsyncSession, channel: Channel, said: InboundMessage) -> None:
    """Nobody else deals with the same message meanwhile, or with the same person."""
    names = [contacts.name_of(claim) for claim in said.claims]
    if channel.kind == ChannelKind.EMAIL:
        await by_turns(session, *map(copies.name_of, (said.external_id, *said.references)))
        names.append(copies.name_of(said.external_id))
    if channel.kind in revisions.CHANGEABLE:
        names.append(revisions.name_of(channel, said.external_id))
    await one_at_a_time(session, *names)


async def _unwanted(session: AsyncSession, channel: Channel, said: InboundMessage) -> str | None:
    """Why a message is kept and not placed."""
    for place, claim in enumerate(said.claims):
        if (place == 0 or claim.proof) and (blocked := await blocked_as(session, claim)):
            return f"blocked sender: {blocked}"
    if channel.kind != ChannelKind.EMAIL:
        return None
    if await copies.is_our_own(session, said):
        return "a mail of our own"
    return await copies.join_copy(session, channel, said)


async def _disowned(session: AsyncSession, said: InboundMessage) -> InboundMessage:
    """Who writes from an address of the shop's is not the agent or the mailbox for that: anybody can write any From, and an
    agent who speaks as one does it here."""
    first = said.claims[0]
    if not await ours_among(session, [first.value]):
        return said
    return replace(said, claims=(replace(first, proof=None), *said.claims[1:]), from_ourselves=True)


async def _said_aside(message: Message, thread: Thread, ticket: Ticket, *, at: datetime) -> None:
    """In a side conversation: nobody's promise, and not the customer's word."""
    message.sender_verified = False
    message.tell(EventKind.MESSAGE_RECEIVED, by=SYSTEM, at=message.at)
    thread.last_inbound_at = max(message.at, thread.last_inbound_at or message.at)
    ticket.updated_at = at

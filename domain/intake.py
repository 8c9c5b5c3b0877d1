"""What came in finds its person, its conversation and its ticket, and is written down: one transaction."""

import hashlib
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import bounces, calls, clocks, shop
from domain.actors import SYSTEM, customer
from domain.cases import note_numbers
from domain.channels import Channel, ChannelKind
from domain.contacts import Identity, Proof, identities_like, survivor_of
from domain.db import new_id, ring
from domain.events import EventKind
from domain.inbound import (
    Arrival,
    Inbound,
    InboundBounce,
    InboundCall,
    InboundLink,
    InboundMessage,
    InboundReceipt,
)
from domain.matters import Matter, matter_of
from domain.messages import FETCHES, Attachment, Direction, Item, Message
from domain.people import Person, recognise
from domain.placing import buyer, end, placed, thread_answered
from domain.shop import Joining
from domain.suggestions import phones_in
from domain.threads import Thread
from domain.tickets import Ticket, locked


async def receive(session: AsyncSession, channel: Channel, arrival: Arrival, inbound: Inbound) -> None:
    match inbound:
        case InboundMessage():
            await _message(session, channel, arrival, inbound)
        case InboundCall():
            await calls.receive(session, channel, arrival, inbound)
        case InboundLink():
            await recognise(
                session, inbound.claims, name="", locale=None, linked=inbound.linked_contact, at=inbound.at
            )
        case InboundReceipt():
            await _receipt(session, channel, inbound)
        case InboundBounce():
            await bounces.receive(session, inbound)


async def _message(session: AsyncSession, channel: Channel, arrival: Arrival, said: InboundMessage) -> None:
    if await _unheard(session, channel, said) is None:
        return
    rules = await shop.joining(session)
    about = matter_of(said.subject, said.folded or said.text, rules.order_numbers)
    person, answered = await _who_continues_what(session, channel, said, about, rules, at=arrival.received_at)
    unheard = await _unheard(session, channel, said)  # while we waited, another worker may have had the same
    if unheard is None:
        return
    thread, ticket = await placed(session, channel, unheard, answered, person, about, rules)
    message = await _written(session, channel, arrival, unheard, thread, ticket, person)
    if thread.side:
        await _said_aside(message, thread, ticket, at=arrival.received_at)
        return
    await note_numbers(session, message.id, about.numbers | phones_in(unheard.text))
    by = customer(ticket.contact_id)
    message.tell(EventKind.MESSAGE_RECEIVED, by=by, at=said.at)
    if not said.from_shop and not said.automatic:
        thread.last_inbound_at = max(said.at, thread.last_inbound_at or said.at)
        thread.joined_proof = thread.joined_proof or (person.proof if person else None)
        ticket.customer_wrote(by=by, at=arrival.received_at)
    await clocks.reckon(session, ticket, by=SYSTEM if said.from_shop else by, at=arrival.received_at)


async def _said_aside(message: Message, thread: Thread, ticket: Ticket, *, at: datetime) -> None:
    """In a side conversation: nobody's promise, and not the customer's word."""
    message.sender_verified = False
    message.tell(EventKind.MESSAGE_RECEIVED, by=SYSTEM, at=message.at)
    thread.last_inbound_at = max(message.at, thread.last_inbound_at or message.at)
    ticket.updated_at = at


async def _who_continues_what(
    session: AsyncSession,
    channel: Channel,
    said: InboundMessage,
    about: Matter,
    rules: Joining,
    *,
    at: datetime,
) -> tuple[Person | None, Thread | None]:
    """The person, none for an unconfirmed participant; and the conversation that goes on, if one does."""
    answered = await thread_answered(session, channel, said)
    if answered and (person := await _participant(session, said, answered, at=at)):
        return person, answered
    if answered and await _takes_strangers(session, said, answered):
        return None, answered
    person = await recognise(
        session,
        said.claims,
        name=said.sender_name,
        locale=said.locale,
        linked=said.linked_contact,
        at=at,
        bought_by=await buyer(session, said, about, rules),
    )
    answered = await thread_answered(session, channel, said)  # another worker may have begun it meanwhile
    if answered and not await _is_of(session, answered, person):
        await end(session, answered, at=said.at)  # somebody else holds the session now: another conversation
        answered = None
    return person, answered


async def _written(
    session: AsyncSession,
    channel: Channel,
    arrival: Arrival,
    said: InboundMessage,
    thread: Thread,
    ticket: Ticket,
    person: Person | None,
) -> Message:
    by_mail = {
        "references": [*reversed(said.references)],
        "subject": said.subject,
        "to": [[one.name, one.address] for one in said.to],
        "cc": [[one.name, one.address] for one in said.cc],
    }
    message = Message(
        id=new_id(),
        ticket_id=ticket.id,
        contact_id=thread.contact_id,
        thread_id=thread.id,
        channel_id=channel.id,
        direction=Direction.OUT if said.from_shop else Direction.IN,
        author=said.sender_name or said.claims[0].label,
        at=said.at,
        text=said.text,
        folded=said.folded,
        html=said.html,
        external_id=said.external_id,
        arrival_id=arrival.id,
        automatic=said.automatic,
        sender_verified=person is not None and person.proof is not None,
        mail=by_mail if channel.kind == ChannelKind.EMAIL else None,
    )
    session.add(message)
    await session.flush()
    _attach(session, message, said)
    return message


async def _participant(
    session: AsyncSession, said: InboundMessage, answered: Thread, *, at: datetime
) -> Person | None:
    """Who answers a mail from the very address we wrote to. With the token that only our mail had, that is proof."""
    first = said.claims[0]
    if said.thread_key or answered.identity_id is None:
        return None
    addressee = await session.get_one(Identity, answered.identity_id)
    contact = await survivor_of(session, addressee.contact_id)
    if contact is None or (addressee.kind, addressee.scope, addressee.value) != first.key:
        return None
    proof = first.proof or (Proof.REPLY_ADDRESS if said.thread_number else None)
    if proof and not any(identity.verified_at for identity, _ in await identities_like(session, first)):
        addressee.prove(proof, by=customer(contact.id), at=at)
    addressee.last_used_at = at
    return Person(contact, addressee, proof, known=True)


async def _takes_strangers(session: AsyncSession, said: InboundMessage, answered: Thread) -> bool:
    """Anybody else who writes to a signed reply address takes part, unconfirmed; a closed ticket takes no more."""
    if said.thread_number is None and not answered.side:
        return False
    return (await locked(session, answered.ticket_id)).takes_more(at=said.at)


async def _is_of(session: AsyncSession, thread: Thread, person: Person) -> bool:
    """Is the conversation this person's, as it is now? It may have followed the person a moment ago."""
    await session.refresh(thread)
    contact = await survivor_of(session, thread.contact_id)
    return contact is not None and contact.id == person.contact.id


async def _unheard(session: AsyncSession, channel: Channel, said: InboundMessage) -> InboundMessage | None:
    """The message, unless it is here already. Another mail under a Message-ID that is known is another mail."""
    here = select(Item.text, Item.author).where(Item.channel_id == channel.id)
    known = (await session.execute(here.where(Item.external_id == said.external_id))).one_or_none()
    if known is None:
        return said
    author = said.sender_name or said.claims[0].label
    if channel.kind != ChannelKind.EMAIL or tuple(known) == (said.text, author):
        return None
    digest = hashlib.sha256(f"{author}\n{said.text}".encode("utf-8", "replace")).hexdigest()[:16]
    other = replace(said, external_id=f"{said.external_id}#{digest}")
    again = await session.scalar(here.where(Item.external_id == other.external_id).limit(1))
    return None if again is not None else other


def _attach(session: AsyncSession, message: Message, said: InboundMessage) -> None:
    for attached in said.attachments:
        session.add(
            Attachment(
                id=new_id(),
                item_id=message.id,
                name=attached.name,
                mime=attached.mime,
                bytes=len(attached.content or b""),
                file=attached.file,
                source_url=attached.url,
                content_id=attached.content_id,
                inline=attached.inline,
                due_at=func.now() if attached.url else None,
            )
        )
        if attached.url:
            ring(session, FETCHES.topic)


async def _receipt(session: AsyncSession, channel: Channel, receipt: InboundReceipt) -> None:
    ours = (
        select(Message)
        .join(Thread, Thread.id == Message.thread_id)
        .where(
            Thread.channel_id == channel.id,
            Thread.key == receipt.thread_key,
            Message.direction == Direction.OUT,
            Message.delivery.is_not(None),
            Message.external_id.is_not(None),
        )
    )
    if receipt.external_ids:
        ours = ours.where(Message.external_id.in_(receipt.external_ids))
    elif receipt.until:
        ours = ours.where(Message.at <= receipt.until)
    for message in await session.scalars(ours.with_for_update(of=Message)):
        message.received(at=receipt.at, read=receipt.read)

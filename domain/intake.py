"""What came in finds its person, its conversation and its ticket, and is written down: one transaction."""

from dataclasses import replace

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import calls, sla
from domain.actors import SYSTEM, customer
from domain.channels import Channel, ChannelKind
from domain.contacts import Identity, Proof
from domain.db import new_id, ring
from domain.events import EventKind
from domain.inbound import Arrival, Inbound, InboundCall, InboundLink, InboundMessage, InboundReceipt
from domain.messages import FETCHES, Attachment, Direction, Item, Message
from domain.people import Person, recognise
from domain.threads import Thread, place
from domain.tickets import Ticket, live_tickets, locked, open_thread, open_ticket


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


async def _message(session: AsyncSession, channel: Channel, arrival: Arrival, said: InboundMessage) -> None:
    if await _seen(session, channel, said.external_id):
        return
    answered = await _thread_answered(session, channel, said)
    said, stranger = await _known_by_reply_address(session, said, answered)
    if answered and stranger and (await locked(session, answered.ticket_id)).takes_more(at=said.at):
        person = None
    else:
        person = await recognise(
            session,
            said.claims,
            name=said.sender_name,
            locale=said.locale,
            linked=said.linked_contact,
            at=arrival.received_at,
        )
        if await _seen(session, channel, said.external_id):  # another worker had the same, and was first
            return
    thread, ticket = await _placed(session, channel, said, answered, person)
    by = customer(ticket.contact_id)
    message = Message(
        id=new_id(),
        ticket_id=ticket.id,
        contact_id=ticket.contact_id,
        thread_id=thread.id,
        channel_id=channel.id,
        direction=Direction.OUT if said.from_shop else Direction.IN,
        author=said.sender_name or said.claims[0].label,
        at=said.at,
        text=said.text,
        html=said.html,
        external_id=said.external_id,
        arrival_id=arrival.id,
        automatic=said.automatic,
        sender_verified=person is not None and person.proof is not None,
        mail={"references": [*reversed(said.references)], "subject": said.subject}
        if channel.kind == ChannelKind.EMAIL
        else None,
    )
    session.add(message)
    await session.flush()
    _attach(session, message, said)
    message.tell(EventKind.MESSAGE_RECEIVED, by=by, at=said.at)
    if said.from_shop:
        await sla.answered(session, ticket.id, ticket.contact_id, by=SYSTEM, at=said.at)
    elif not said.automatic:
        thread.last_inbound_at = max(said.at, thread.last_inbound_at or said.at)
        ticket.customer_wrote(by=by, at=arrival.received_at)
        await sla.customer_waits(
            session, ticket.id, priority=ticket.priority, channel=channel.kind, since=arrival.received_at
        )


async def _known_by_reply_address(
    session: AsyncSession, said: InboundMessage, answered: Thread | None
) -> tuple[InboundMessage, bool]:
    """Who answers from the very address we wrote to has proven it; anybody else is an unconfirmed participant."""
    if not said.thread_number or not answered:
        return said, False
    first = said.claims[0]
    addressee = await session.get(Identity, answered.identity_id)
    if addressee is None or addressee.kind != first.kind or addressee.value != first.value:
        return said, True
    proven = replace(first, proof=first.proof or Proof.REPLY_ADDRESS)
    return replace(said, claims=(proven, *said.claims[1:])), False


async def _seen(session: AsyncSession, channel: Channel, external_id: str) -> bool:
    query = select(Item.id).where(Item.channel_id == channel.id, Item.external_id == external_id)
    return await session.scalar(query) is not None


async def _thread_answered(session: AsyncSession, channel: Channel, said: InboundMessage) -> Thread | None:
    """The conversation this continues, where something proves it.

    A signed reply address proves it by itself. A Message-ID we know does so only for somebody who takes part.
    """
    if said.thread_key:
        return await session.scalar(
            select(Thread).where(
                Thread.channel_id == channel.id, Thread.key == said.thread_key, Thread.ended_at.is_(None)
            )
        )
    if said.thread_number:
        return await session.scalar(select(Thread).where(Thread.number == said.thread_number))
    if not said.references or not said.claims:
        return None
    nearest = {external_id: place for place, external_id in reversed([*enumerate(said.references)])}
    known = await session.execute(
        select(Item.external_id, Thread)
        .join(Thread, Thread.id == Item.thread_id)
        .join(Identity, Identity.id == Thread.identity_id)
        .where(
            Item.external_id.in_(said.references),
            Identity.kind == said.claims[0].kind,
            Identity.scope == said.claims[0].scope,
            Identity.value == said.claims[0].value,
        )
    )
    found = sorted(known, key=lambda row: nearest[str(row[0])])
    return found[0][1] if found else None


async def _placed(
    session: AsyncSession,
    channel: Channel,
    said: InboundMessage,
    answered: Thread | None,
    person: Person | None,
) -> tuple[Thread, Ticket]:
    """The thread and its ticket, held. A closed ticket takes no more: the same conversation goes on in a new one."""
    if answered:
        await session.refresh(answered)
        ticket = await locked(session, answered.ticket_id)
        if ticket.takes_more(at=said.at):
            return answered, ticket
        answered.ended_at = said.at
        await session.flush()
    if person is None:
        raise RuntimeError("a message that continues nothing needs a person")
    contact, by = person.contact, customer(person.contact.id)
    placement = place(
        proof=person.proof,
        by_caller_number=False,
        open_tickets=[ticket.id for ticket in await live_tickets(session, contact.id)],
    )
    if placement.ticket_id:
        ticket = await locked(session, placement.ticket_id)
    else:
        ticket = open_ticket(
            session,
            contact,
            subject=said.subject or _first_words(said.text),
            by=by,
            at=said.at,
            team_id=channel.team_id,
        )
        await session.flush()
    thread = open_thread(
        session,
        ticket,
        placement,
        channel_id=channel.id,
        key=said.thread_key,
        identity=person.identity,
        subject=said.subject,
        by=by,
        at=said.at,
    )
    await session.flush()
    return thread, ticket


def _first_words(text: str, length: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rsplit(" ", 1)[0] + "…"


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

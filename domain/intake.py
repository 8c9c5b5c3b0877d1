"""What came in finds its person, its conversation and its ticket, and is written down: one transaction."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import (
    bounces,
    calls,
    clocks,
    consents,
    copies,
    delivery,
    name_lookups,
    participants,
    parts,
    receipts,
    revisions,
    shop,
)
from domain.acknowledging import acknowledge
from domain.actors import SYSTEM, customer
from domain.answered import thread_answered
from domain.blocking import blocked_as
from domain.cases import note_numbers
from domain.channels import Channel, ChannelKind
from domain.consents import ConsentWord
from domain.continuing import who_continues_what
from domain.db import Json, database_time, new_id, ring
from domain.events import EventKind
from domain.inbound import (
    Arrival,
    Inbound,
    InboundBounce,
    InboundCall,
    InboundEcho,
    InboundEdit,
    InboundLink,
    InboundMessage,
    InboundPart,
    InboundReaction,
    InboundReceipt,
    InboundReport,
    InboundUnsent,
    Waits,
)
from domain.keys import Keys
from domain.matters import matter_of
from domain.messages import FETCHES, Attachment, Direction, Message
from domain.ourselves import ours_among
from domain.people import Person, recognise
from domain.placing import placed
from domain.quoting import without_ours
from domain.repetition import digest_of, is_repeated
from domain.suggestions import phones_in
from domain.threads import Thread
from domain.tickets import Ticket, held_with, locked


async def receive(
    session: AsyncSession, channel: Channel, arrival: Arrival, inbound: Inbound, *, keys: Keys | None = None
) -> str | Waits | None:
    """Why nothing came of it, where nothing did. `keys`: sign what is answered by itself; without them nothing is."""
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
    if is_mail:
        await copies.hold(session, said)
    if channel.kind in revisions.CHANGEABLE:
        await revisions.hold(session, channel, said.external_id)
    is_wish = await _heeded(session, channel, said)
    if reason := await _unwanted(session, channel, said):
        return reason
    if is_wish:
        return await _shown(session, channel, arrival, said)
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
    message = await _written(session, channel, arrival, unheard, thread, ticket, person)
    if thread.side:
        await _said_aside(message, thread, ticket, at=arrival.received_at)
        return None
    await note_numbers(session, message.id, about.numbers | phones_in(unheard.text))
    by = customer(ticket.contact_id)
    message.tell(EventKind.MESSAGE_RECEIVED, by=by, at=said.at)
    if channel.kind == ChannelKind.CHAT:
        ring(session, f"chat:{thread.key}")  # the visitor's other tabs
    again = is_mail and await is_repeated(session, message)
    if is_mail and not said.automatic:
        await participants.note(session, thread, said, at=said.at)
    if not said.from_shop and not said.automatic:
        thread.last_inbound_at = max(said.at, thread.last_inbound_at or said.at)
        thread.joined_proof = thread.joined_proof or (person.proof if person else None)
        ticket.customer_wrote(by=by, at=arrival.received_at, again=again)
    await clocks.reckon(session, ticket, by=SYSTEM if said.from_shop else by, at=arrival.received_at)
    if person and channel.kind in name_lookups.LOOKED_UP:
        await name_lookups.ask(session, channel, person)
    if place.opened and keys and not again and said.claims:
        await acknowledge(session, keys, channel, unheard, thread, ticket, at=arrival.received_at)
    return None


async def _heeded(session: AsyncSession, channel: Channel, said: InboundMessage) -> bool:
    """Was it a word that says whether somebody wants to be written to? It holds before anything else is looked at."""
    if said.wish is None or not said.claims:
        return False
    word = ConsentWord(said.wish, said.word, said.external_id, said.at)
    return await consents.heed(session, channel.id, said.claims[0].value, word)


async def _shown(
    session: AsyncSession, channel: Channel, arrival: Arrival, said: InboundMessage
) -> str | None:
    """Such a word stands in the conversation that goes on, if one does. Nobody has to answer it: it opens and reopens nothing."""
    thread = await thread_answered(session, channel, said)
    if thread is None:
        return f"a word of consent, and no conversation: {said.wish}"
    ticket = await held_with(session, thread)
    if await copies.unheard(session, channel, said) is None:
        return None
    said = replace(said, automatic=True, particulars={"wish": said.wish})
    message = await _written(session, channel, arrival, said, thread, ticket, None)
    message.tell(EventKind.MESSAGE_RECEIVED, by=customer(ticket.contact_id), at=said.at)
    ticket.updated_at = arrival.received_at
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
        message.text, message.particulars = said.text, said.particulars
        about = matter_of("", said.text, (await shop.joining(session)).order_numbers)
        await note_numbers(session, message.id, about.numbers | phones_in(said.text))
        message.tell(EventKind.MESSAGE_EDITED, by=customer(ticket.contact_id), at=arrival.received_at)
    return None


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


async def _written(
    session: AsyncSession,
    channel: Channel,
    arrival: Arrival,
    said: InboundMessage,
    thread: Thread,
    ticket: Ticket,
    person: Person | None,
) -> Message:
    is_mail = channel.kind == ChannelKind.EMAIL
    message = Message(
        id=new_id(),
        ticket_id=ticket.id,
        contact_id=thread.contact_id,
        thread_id=thread.id,
        channel_id=channel.id,
        direction=Direction.OUT if said.from_shop else Direction.IN,
        author=_author(channel, said, person),
        at=said.at,
        text=said.text,
        folded=await _folded(session, said, thread),
        html=said.html,
        external_id=said.external_id,
        arrival_id=arrival.id,
        automatic=said.automatic,
        sender_verified=person is not None and person.proof is not None,
        mail=_by_mail(said) if is_mail else None,
        particulars=said.particulars,
        digest=digest_of(said.folded or said.text) if is_mail else None,
    )
    session.add(message)
    await session.flush()
    _attach(session, message, said)
    return message


def _author(channel: Channel, said: InboundMessage, person: Person | None) -> str:
    looked_up = ""
    if person and person.identity and channel.kind in name_lookups.LOOKED_UP:
        looked_up = person.identity.name
    return said.sender_name or looked_up or next((claim.label for claim in said.claims), "")


def _by_mail(said: InboundMessage) -> Json:
    by_mail: Json = {
        copies.SENDER: said.claims[0].value,
        "references": [*reversed(said.references)],
        "subject": said.subject,
        "to": [[one.name, one.address] for one in said.to],
        "cc": [[one.name, one.address] for one in said.cc],
    }
    return by_mail | ({"from_ourselves": True} if said.from_ourselves else {})


async def _folded(session: AsyncSession, said: InboundMessage, thread: Thread) -> str | None:
    """What a mail says without what it quotes, also of what we sent last; none where that is all of it."""
    if not said.references and not said.thread_number:
        return said.folded
    sent = await session.scalars(
        select(Message.text)
        .where(Message.thread_id == thread.id, Message.direction == Direction.OUT)
        .order_by(Message.seq.desc())
        .limit(3)
    )
    folded = without_ours(said.folded or said.text, sent.all())
    return folded if folded != said.text else None


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

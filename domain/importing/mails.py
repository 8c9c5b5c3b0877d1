"""A mail of the time before becomes history, and wakes nobody: its ticket is closed from the first, so that no clock runs; nothing
is acknowledged, nobody is told, and no webhook hears of it.

Mails of one conversation lie in one ticket. Whoever answers one of them today opens a ticket of today.
"""

import hashlib
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import shop
from domain.abreast import one_at_a_time
from domain.actors import SYSTEM
from domain.arriving import copies
from domain.arriving.inbound import Arrival, ArrivalState, InboundMessage
from domain.arriving.writing_down import written
from domain.customers.contacts import lock_identities
from domain.customers.likeness import identities_like
from domain.customers.people import Person, recognise
from domain.customers.survivors import same_person
from domain.db import new_id
from domain.desk.messages import Item
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import EventKind, record
from domain.joining.matters import matter_of
from domain.joining.named_numbers import note_numbers
from domain.joining.reasons import JoinCode
from domain.privacy import retention
from domain.ways_in.blocking import blocked_as
from domain.ways_in.channels import Channel

HERE = "it is here already"


async def bring(
    session: AsyncSession, channel: Channel, said: InboundMessage, raw: bytes, *, name: str, at: datetime
) -> str | None:
    """Why it was left out, if it was. `said.claims` and `name`: of the customer whose history it belongs to."""
    await one_at_a_time(session, copies.name_of(said.external_id))
    arrival = Arrival(
        id=new_id(),
        channel_id=channel.id,
        external_id=f"import:{hashlib.sha256(raw).hexdigest()}",
        raw=raw,
        envelope={"way": "import"},
        received_at=said.at,
        state=ArrivalState.PLACED,
    )
    if await _is_here(session, arrival, said):
        return HERE
    if blocked := await blocked_as(session, said.claims[0]):
        return f"blocked sender: {blocked}"
    session.add(arrival)
    person = await _whose(session, said, name)
    thread, ticket = await _conversation(session, channel, said, person, at=at)
    message = await written(session, channel, arrival, said, thread, ticket, person)
    about = matter_of(said.subject, said.folded or said.text, (await shop.joining(session)).order_numbers)
    await note_numbers(session, message, about)
    ticket.updated_at = ticket.solved_at = thread.ended_at = max(said.at, ticket.updated_at)
    if not said.from_shop:
        thread.last_inbound_at = max(said.at, thread.last_inbound_at or said.at)
    record(
        session,
        EventKind.TICKET_IMPORTED,
        by=SYSTEM,
        at=at,
        ticket_id=ticket.id,
        contact_id=ticket.contact_id,
        item_id=message.id,
    )
    await session.flush()
    await retention.look_again(session, [ticket.id])
    return None


async def _is_here(session: AsyncSession, arrival: Arrival, said: InboundMessage) -> bool:
    """The same bytes, whatever became of them; or a mail of this Message-ID in any mailbox."""
    same = select(Arrival.id).where(
        Arrival.channel_id == arrival.channel_id, Arrival.external_id == arrival.external_id
    )
    mail = select(Item.id).where(Item.external_id == said.external_id)
    return any([await session.scalar(query.limit(1)) is not None for query in (same, mail)])


async def _whose(session: AsyncSession, said: InboundMessage, name: str) -> Person:
    """The one contact whose address it is, though an old mail proves nothing; otherwise as of any mail that proves nothing."""
    (claim,) = said.claims
    await lock_identities(session, claim)
    like = await identities_like(session, claim)
    proven = [pair for pair in like if pair[0].verified_at]
    owners = {contact.id: (identity, contact) for identity, contact in proven or like}
    if len(owners) == 1:
        ((identity, contact),) = owners.values()
        return Person(contact, identity, None, known=True)
    return await recognise(session, said.claims, name=name, locale=said.locale, linked=None, at=said.at)


async def _conversation(
    session: AsyncSession, channel: Channel, said: InboundMessage, person: Person, *, at: datetime
) -> tuple[Thread, Ticket]:
    """The one that it answers, of those that were brought along; or one of its own."""
    answered = (
        select(Thread)
        .join(Item, Item.thread_id == Thread.id)
        .join(Ticket, Ticket.id == Thread.ticket_id)
        .where(
            Item.channel_id == channel.id,
            Item.external_id.in_(said.references),
            Thread.joined_code == JoinCode.IMPORTED,
            Ticket.status == TicketStatus.CLOSED,  # nobody has taken it up again, or made it part of another
            same_person(Thread.contact_id, person.contact.id),
        )
    )
    if said.references and (thread := await session.scalar(answered.limit(1))):
        return thread, await locked(session, thread.ticket_id)
    ticket = Ticket(
        id=new_id(),
        contact_id=person.contact.id,
        subject=said.subject,
        status=TicketStatus.CLOSED,
        team_id=channel.team_id,
        created_at=said.at,
        updated_at=said.at,
        solved_at=said.at,
    )
    session.add(ticket)
    await session.flush()
    thread = Thread(
        id=new_id(),
        channel_id=channel.id,
        contact_id=person.contact.id,
        identity_id=person.identity.id if person.identity else None,
        ticket_id=ticket.id,
        subject=said.subject,
        joined_code=JoinCode.IMPORTED,
        joined_at=at,
        ended_at=said.at,
    )
    session.add(thread)
    await session.flush()
    return thread, ticket

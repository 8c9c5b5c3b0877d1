"""A call that begins finds its person, its conversation and its ticket."""

import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import customer
from domain.arriving.inbound import Arrival, InboundCall
from domain.arriving.opening import open_thread, open_ticket
from domain.calling import dialled_numbers
from domain.calling.call_steps import Told
from domain.customers.contacts import Identity, add_contact
from domain.customers.people import recognise
from domain.db import new_id
from domain.desk.messages import Call, CallState, Direction
from domain.desk.survivors import held_with, locked
from domain.desk.threads import Certainty, Thread, place
from domain.joining.cases import cases_of
from domain.joining.matters import Matter
from domain.joining.reasons import JoinCode
from domain.joining.suggestions import suggest
from domain.ways_in.channels import Channel


async def begin(session: AsyncSession, channel: Channel, arrival: Arrival, step: InboundCall) -> Call:
    """Places the call on the one contact its number matches and on that contact's only open ticket, not verified."""
    at = step.at
    identity: Identity | None = None
    known = False
    number = await dialled_numbers.called(session, channel.id, step.dialled)
    if step.claim:
        person = await recognise(session, (step.claim,), name="", locale=None, linked=None, at=at)
        contact, identity, known = person.contact, person.identity, person.known
    else:
        contact = add_contact(session, name="", locale=None, by=customer(uuid.UUID(int=0)), at=at)
        await session.flush()
    by = customer(contact.id)
    thread = None
    if identity:  # a call whose number was withheld continues nothing
        thread = await session.scalar(
            select(Thread).where(
                Thread.channel_id == channel.id,
                Thread.identity_id == identity.id,
                Thread.contact_id == contact.id,
                Thread.ended_at.is_(None),
            )
        )
    ticket = await held_with(session, thread) if thread else None
    if thread and ticket and not ticket.takes_more(at=at):
        thread.ended_at, thread, ticket = at, None, None
        await session.flush()
    if thread is None or ticket is None:
        placement = place(
            certainty=Certainty.CALLER if known else Certainty.NONE,
            code=JoinCode.CALLER_NUMBER,
            said=Matter(),
            channel=channel.kind,
            at=at,
            cases=await cases_of(session, contact.id, at=at) if known else [],
        )
        if placement.ticket_id:
            ticket = await locked(session, placement.ticket_id)
        else:
            team_id = (number.team_id if number else None) or channel.team_id
            ticket = open_ticket(session, contact, subject="", by=by, at=at, team_id=team_id)
            await session.flush()
            await suggest(
                session,
                ticket,
                placement,
                claims=(step.claim,) if step.claim else (),
                numbers=frozenset(),
                at=at,
            )
        thread = open_thread(
            session,
            ticket,
            placement,
            channel_id=channel.id,
            key=None,
            identity=identity,
            subject="",
            by=by,
            at=at,
        )
        await session.flush()
    if not step.outgoing:
        ticket.customer_wrote(by=by, at=at)
    call = Call(
        id=new_id(),
        ticket_id=ticket.id,
        contact_id=thread.contact_id,
        thread_id=thread.id,
        channel_id=channel.id,
        direction=Direction.OUT if step.outgoing else Direction.IN,
        at=at,
        external_id=step.call_id,
        arrival_id=arrival.id,
        call_state=CallState.RINGING,
        number=step.number,
        steps=Told().to_json(),
    )
    session.add(call)
    await session.flush()
    return call

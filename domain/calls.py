"""A call is the sum of its steps: they may come twice, late or out of order, and the end is the same."""

import uuid

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import alerts, clocks
from domain.actors import customer
from domain.alerts import Alert, AlertKind
from domain.cases import cases_of
from domain.channels import Channel
from domain.contacts import Identity, add_contact
from domain.db import database_time, new_id, one_at_a_time
from domain.events import EventKind
from domain.facts import facts_of
from domain.firing import Cause, fire
from domain.inbound import Arrival, CallStep, InboundCall
from domain.matters import Matter
from domain.messages import Call, CallState, Direction
from domain.opening import open_thread, open_ticket
from domain.people import recognise
from domain.promises import is_waited_for
from domain.reasons import JoinCode
from domain.staff import Agent
from domain.suggestions import suggest
from domain.threads import Certainty, Thread, place
from domain.tickets import held_with, locked
from domain.work import TryLater


async def receive(session: AsyncSession, channel: Channel, arrival: Arrival, step: InboundCall) -> None:
    await one_at_a_time(session, f"{channel.id}\n{step.call_id}")
    call = await session.scalar(
        select(Call).where(Call.channel_id == channel.id, Call.external_id == step.call_id)
    )
    begins = call is None
    if call is None:
        if step.step != CallStep.RINGING and step.claim is None and not step.withheld:
            raise TryLater("the call's first step has not come yet")
        call = await _begin(session, channel, arrival, step)
    ticket = await locked(session, call.ticket_id)
    before = (call.call_state, call.answered_at, call.ended_at)
    _add(call, step)
    if step.agent and call.agent_id is None:
        call.agent_id = await session.scalar(
            select(Agent.id).where(func.lower(Agent.email) == step.agent.lower(), Agent.left_at.is_(None))
        )
    if (call.call_state, call.answered_at, call.ended_at) == before and not begins:
        return
    by = customer(call.contact_id)
    call.tell(EventKind.CALL_CHANGED, by=by, at=step.at, data={"state": call.call_state})
    await clocks.reckon(session, ticket, by=by, at=step.at)
    was_missed = call.call_state == CallState.MISSED and call.direction == Direction.IN
    if was_missed and is_waited_for(await facts_of(session, ticket)):
        missed = Cause(AlertKind.CALL_MISSED, call.ended_at or step.at, ticket_id=ticket.id, about_id=call.id)
        await fire(session, [missed], now=await database_time(session))
    elif call.answered_at:
        await alerts.resolve(session, Alert.about_id == call.id, by=by, at=step.at)


def _add(call: Call, step: InboundCall) -> None:
    match step.step:
        case CallStep.RINGING:
            call.at = min(call.at, step.at)
        case CallStep.ANSWERED:
            call.answered_at = min(step.at, call.answered_at or step.at)
        case CallStep.ENDED:
            call.ended_at = min(step.at, call.ended_at or step.at)
            call.cause = call.cause or step.cause
    if call.ended_at:
        call.call_state = CallState.ENDED if call.answered_at else CallState.MISSED
    elif call.answered_at:
        call.call_state = CallState.ANSWERED


async def _begin(session: AsyncSession, channel: Channel, arrival: Arrival, step: InboundCall) -> Call:
    """Places the call on the one contact its number matches and on that contact's only open ticket, not verified."""
    at = step.at
    identity: Identity | None = None
    known = False
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
            ticket = open_ticket(session, contact, subject="", by=by, at=at, team_id=channel.team_id)
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
    )
    session.add(call)
    await session.flush()
    return call

"""Calls: placed on a ticket as their steps come, swept when their end never does."""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import one_at_a_time
from domain.actors import SYSTEM, Actor, customer
from domain.agents.staff import agents_called
from domain.alerting import alerts
from domain.alerting.alerts import Alert, AlertKind
from domain.alerting.firing import Cause, fire
from domain.arriving.inbound import Arrival, CallStep, InboundAttachment, InboundCall, Waits
from domain.calling import call_backs, dialled_numbers, dials, early_calls
from domain.calling.call_placing import begin
from domain.calling.call_steps import Line, Told, standing, told
from domain.calling.dialled_numbers import DialledNumber
from domain.calling.dials import DialState
from domain.customers.contacts import Contact
from domain.db import Database, database_time, new_id, ring
from domain.desk.messages import CALLS, FETCHES, Attachment, Call, CallState, Direction
from domain.desk.survivors import locked
from domain.desk.tickets import Ticket
from domain.events import EventKind
from domain.hands import work
from domain.sla import reckoning
from domain.sla.facts import facts_of
from domain.sla.promises import is_waited_for
from domain.ways_in.blocking import blocked_as
from domain.ways_in.channels import Channel
from domain.work import Lease, TryLater

LOOKS_AGAIN = timedelta(seconds=15)


async def receive(
    session: AsyncSession, channel: Channel, arrival: Arrival, step: InboundCall
) -> str | Waits | None:
    """Why nothing came of it, where nothing did."""
    await _alone(session, channel.id, step.call_id)
    call = await _called(session, channel.id, step.call_id) or await _asked_for(session, channel, step)
    said, begins = told(step), False
    if call is None:
        if not _says_who(step):
            await early_calls.remember(session, channel.id, step.call_id, said, at=arrival.received_at)
            if step.recording and (until := await _waits_for_its_call(session, arrival)):
                return Waits(until)
            return "the step that says who calls has not come yet"
        if step.claim and not step.outgoing and (blocked := await blocked_as(session, step.claim)):
            return f"blocked sender: {blocked}"
        call = await begin(session, channel, arrival, step)
        said = said.joined(await early_calls.recall(session, channel.id, step.call_id))
        begins = True
    ticket = await locked(session, call.ticket_id)
    if call.direction == Direction.OUT:
        await dials.heard_of(session, call.id)
    if step.recording:
        await _attach(session, call, step.recording)
    by = customer(call.contact_id)
    await _hear(session, channel, call, ticket, said, begins=begins, by=by, at=step.at)
    return None


async def _waits_for_its_call(session: AsyncSession, arrival: Arrival) -> datetime | None:
    """As long again as it has waited, within the time for which its other steps are kept."""
    now = await database_time(session)
    waited = now - arrival.received_at
    return now + max(LOOKS_AGAIN, waited) if waited < early_calls.FORGOTTEN else None


async def _alone(session: AsyncSession, channel_id: uuid.UUID | None, call_id: str | None) -> None:
    await one_at_a_time(session, f"{channel_id}\n{call_id}")


async def _called(session: AsyncSession, channel_id: uuid.UUID, call_id: str) -> Call | None:
    return await session.scalar(
        select(Call).where(Call.channel_id == channel_id, Call.external_id == call_id)
    )


async def _asked_for(session: AsyncSession, channel: Channel, step: InboundCall) -> Call | None:
    """A PBX may call by a name of its own what we have asked it for. Only with its answer do we know the name."""
    if not step.outgoing or not step.number or dials.is_ours(step.call_id):
        return None
    awaited = await dials.awaited(session, channel.id, step.number)
    if awaited is None:
        return None
    dial, call = awaited
    if dial.state == DialState.ASKED:
        raise TryLater("the PBX has not said yet whether this is the call it was asked for", after=2)
    call.external_id = step.call_id
    return call


def _says_who(step: InboundCall) -> bool:
    return (step.step == CallStep.RINGING and not step.leg) or step.claim is not None or step.withheld


async def hear(
    session: AsyncSession,
    channel: Channel,
    call: Call,
    ticket: Ticket,
    step: InboundCall,
    *,
    begins: bool = False,
    by: Actor,
) -> None:
    """A step that nobody had to tell us. `ticket` is held."""
    await _hear(session, channel, call, ticket, told(step), begins=begins, by=by, at=step.at)


async def over(session: AsyncSession, call: Call, step: InboundCall, *, by: Actor) -> None:
    await _alone(session, call.channel_id, call.external_id)
    ticket = await locked(session, call.ticket_id)
    channel = await session.get_one(Channel, call.channel_id)
    await hear(session, channel, call, ticket, step, by=by)


async def _hear(
    session: AsyncSession,
    channel: Channel,
    call: Call,
    ticket: Ticket,
    said: Told,
    *,
    begins: bool = False,
    by: Actor,
    at: datetime,
) -> None:
    """`ticket` is held: whatever else changed the call meanwhile is read anew."""
    await session.refresh(call)
    before = _told_of(call)
    now = before.joined(said)
    if now == before and not begins:
        return
    was = (call.call_state, call.answered_at, call.ended_at, call.agent_id, call.ringing)
    was_missed = call.call_state == CallState.MISSED and call.ended_at is not None
    await _stand(session, channel, call, now)
    if (call.call_state, call.answered_at, call.ended_at, call.agent_id, call.ringing) == was and not begins:
        return
    ring(session, CALLS.topic)
    call.tell(EventKind.CALL_CHANGED, by=by, at=at, data={"state": call.call_state})
    await reckoning.reckon(session, ticket, by=by, at=at)
    is_missed = call.call_state == CallState.MISSED and call.ended_at is not None
    if is_missed and not was_missed and call.direction == Direction.IN:
        if is_waited_for(await facts_of(session, ticket)):
            await _missed(session, channel, call, ticket, by=by, at=at)
    elif call.answered_at:
        await alerts.resolve(session, Alert.about_id == call.id, by=by, at=at)


def _told_of(call: Call) -> Told:
    """A call from before its steps were kept has what they came to."""
    if call.steps is not None:
        return Told.from_json(call.steps)
    line = Line(call.at, call.answered_at, call.ended_at)
    return Told(since=call.at, lines={"": line})


async def _stand(session: AsyncSession, channel: Channel, call: Call, now: Told) -> None:
    """The columns say what the steps come to."""
    stands = standing(now)
    call.steps = now.to_json()
    call.at = stands.at or call.at
    call.call_state, call.cause = stands.state, stands.cause
    call.answered_at, call.ended_at = stands.answered_at, stands.ended_at
    whose = await agents_called(session, {*stands.agents, *(stands.ringing or ())})
    if had_it := [whose[name] for name in stands.agents if name in whose]:
        call.handled_by, call.agent_id = [str(id) for id in had_it], had_it[-1]
    call.ringing = None
    if stands.ringing is not None and call.direction == Direction.IN:
        call.ringing = sorted({str(whose[name]) for name in stands.ringing if name in whose})
    if stands.dialled and call.dialled is None:
        call.dialled = stands.dialled
        if number := await dialled_numbers.called(session, channel.id, stands.dialled):
            await _advertised(session, call, number)
    wait = stands.silent_after
    call.due_at = await database_time(session) + wait if wait else None
    call.attempts += 1  # whoever was about to sweep it knew less


async def _advertised(session: AsyncSession, call: Call, number: DialledNumber) -> None:
    call.campaign, call.source = number.campaign or None, number.source or None
    if number.language and call.direction == Direction.IN:
        contact = await session.get_one(Contact, call.contact_id)
        contact.locale = contact.locale or number.language


async def _missed(
    session: AsyncSession, channel: Channel, call: Call, ticket: Ticket, *, by: Actor, at: datetime
) -> None:
    missed = Cause(AlertKind.CALL_MISSED, call.ended_at or at, ticket_id=ticket.id, about_id=call.id)
    await fire(session, [missed], now=await database_time(session))
    await call_backs.ask(session, channel, call, ticket, by=by, at=at)


async def _attach(session: AsyncSession, call: Call, recording: InboundAttachment) -> None:
    """Once, by its name: a provider tells of a recording again and again."""
    same = (Attachment.item_id == call.id, Attachment.name == recording.name)
    if await session.scalar(select(Attachment.id).where(*same)):
        return
    waits = recording.url is not None and recording.file is None
    session.add(
        Attachment(
            id=new_id(),
            item_id=call.id,
            name=recording.name,
            mime=recording.mime,
            file=recording.file,
            source_url=recording.url,
            due_at=await database_time(session) if waits else None,
        )
    )
    call.tell(EventKind.CALL_CHANGED, by=SYSTEM, at=call.at, data={"recorded": True})
    ring(session, FETCHES.topic)


async def sweep(db: Database) -> None:
    """Until cancelled: calls whose end was never told are over."""

    async def give_up(call: Call, lease: Lease[Call]) -> None:
        async with db.transaction() as session:
            await _alone(session, call.channel_id, call.external_id)
            ticket = await locked(session, call.ticket_id)
            held = await lease.settle(session)
            channel = await session.get_one(Channel, held.channel_id)
            now = await database_time(session)
            said = _told_of(held).given_up(at=now)
            await _hear(session, channel, held, ticket, said, by=SYSTEM, at=now)

    await work(db, CALLS, give_up)

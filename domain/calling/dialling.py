"""An agent calls a customer: first the agent's telephone rings, then the customer's. The call is in the history at once."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import phonenumbers
from phonenumbers import PhoneNumberType
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM, Actor
from domain.agents.staff import Agent
from domain.arriving.inbound import CallStep, InboundCall
from domain.arriving.opening import open_thread
from domain.calling import calls, dials
from domain.calling.dials import DIALS, Dial, DialState
from domain.customers.contacts import Claim, Identity, IdentityKind, same_value
from domain.customers.survivors import survivor_of
from domain.db import new_id, ring
from domain.desk.messages import Call, CallState, Direction
from domain.desk.threads import Placement, Thread
from domain.desk.tickets import Ticket
from domain.errors import AlreadyCalling, IsBlocked, IsSpam, NotCallable, NoTelephone, NotFound
from domain.events import EventKind
from domain.joining.reasons import JoinCode
from domain.ways_in.blocking import blocked_as
from domain.ways_in.channels import Channel, ChannelKind

NOT_MADE = "not_made"
"""The cause of a call that nobody's telephone rang for."""
AT_ONCE = timedelta(seconds=60)
"""For so long, the same agent's second call to the same number is a finger that slipped."""
DEAR = {PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN}
"""Anybody can call from a number that costs who calls it back."""


async def start(
    session: AsyncSession, ticket: Ticket, *, to: Identity, channel: Channel, by: Actor, at: datetime
) -> Call:
    """`ticket` is held by the caller, who has seen that the line can dial."""
    await _may_be_called(session, ticket, to, channel)
    agent = await session.get(Agent, by.agent_id) if by.agent_id else None
    if agent is None or not agent.line:
        raise NoTelephone
    if await _is_calling(session, agent, to.value, at):
        raise AlreadyCalling(field=["identityId"])
    thread = await _conversation(session, ticket, to, channel, by=by, at=at)
    id = new_id()
    call = Call(
        id=id,
        ticket_id=ticket.id,
        contact_id=thread.contact_id,
        thread_id=thread.id,
        channel_id=channel.id,
        direction=Direction.OUT,
        agent_id=agent.id,
        at=at,
        external_id=dials.our_id(id),
        call_state=CallState.RINGING,
        number=to.value,
    )
    session.add(call)
    await session.flush()
    session.add(Dial(call_id=id, state=DialState.WAITING, due_at=func.now()))
    ring(session, DIALS.topic)
    ticket.updated_at = at
    rings = InboundCall(
        call_id=dials.our_id(id),
        step=CallStep.RINGING,
        at=at,
        claim=None,
        outgoing=True,
        ringing=(agent.line,),
    )
    await calls.hear(session, channel, call, ticket, rings, begins=True, by=by)
    return call


async def not_made(session: AsyncSession, call: Call, *, at: datetime) -> None:
    """Its dial was given up."""
    over = InboundCall(
        call_id=call.external_id or "", step=CallStep.ENDED, at=at, claim=None, outgoing=True, cause=NOT_MADE
    )
    await calls.over(session, call, over, by=SYSTEM)


def tell_unknown(call: Call, *, at: datetime) -> None:
    data = {"state": call.call_state, "dial": DialState.UNKNOWN}
    call.tell(EventKind.CALL_CHANGED, by=SYSTEM, at=at, data=data)


async def lines(session: AsyncSession, ticket: Ticket, to: Identity) -> Sequence[Channel]:
    """By which the number may be called, the likeliest first: that on which it called, the team's, the oldest."""
    called = select(Thread.channel_id).where(Thread.identity_id.in_(same_value(to)))
    found = await session.scalars(
        select(Channel)
        .where(Channel.kind == ChannelKind.PHONE, Channel.disabled_at.is_(None))
        .order_by(
            Channel.id.in_(called).desc(),
            (Channel.team_id == ticket.team_id).desc().nulls_last(),
            Channel.created_at,
        )
    )
    return found.all()


async def _may_be_called(session: AsyncSession, ticket: Ticket, to: Identity, channel: Channel) -> None:
    owner = await survivor_of(session, to.contact_id)
    if owner is None or owner.id != ticket.contact_id:
        raise NotFound(field=["identityId"])
    if ticket.spam_at:
        raise IsSpam(field=["ticketId"])
    if to.kind != IdentityKind.PHONE or not _is_callable(to.value) or to.value == channel.address:
        raise NotCallable(field=["identityId"])
    if await blocked_as(session, Claim(IdentityKind.PHONE, to.value, None)):
        raise IsBlocked(field=["identityId"])


def _is_callable(number: str) -> bool:
    parsed = phonenumbers.parse(number)
    return phonenumbers.is_valid_number(parsed) and phonenumbers.number_type(parsed) not in DEAR


async def _is_calling(session: AsyncSession, agent: Agent, number: str, at: datetime) -> bool:
    same = (
        Call.agent_id == agent.id,
        Call.number == number,
        Call.direction == Direction.OUT,
        Call.call_state == CallState.RINGING,
        Call.at > at - AT_ONCE,
    )
    return await session.scalar(select(Call.id).where(*same).limit(1)) is not None


async def _conversation(
    session: AsyncSession, ticket: Ticket, to: Identity, channel: Channel, *, by: Actor, at: datetime
) -> Thread:
    """The ticket's with this number; otherwise a new one. Who calls back means what they were called about, so a conversation
    with them on another ticket is over."""
    found = await session.scalars(
        select(Thread).where(
            Thread.channel_id == channel.id,
            Thread.identity_id.in_(same_value(to)),
            Thread.ended_at.is_(None),
            Thread.side.is_(False),
        )
    )
    live = found.all()
    here = [thread for thread in live if thread.ticket_id == ticket.id]
    for thread in live:
        if thread not in here and thread.contact_id == ticket.contact_id:
            thread.ended_at = at
    if here:
        return here[0]
    thread = open_thread(
        session,
        ticket,
        Placement(ticket.id, JoinCode.AGENT_OPENED),
        channel_id=channel.id,
        key=None,
        identity=to,
        subject="",
        by=by,
        at=at,
    )
    await session.flush()
    return thread

"""Calling a customer: one's own telephone rings first."""

from datetime import datetime

import strawberry
from cryptography.fernet import InvalidToken
from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.calling.calls import Call
from api.context import Info
from api.desk.tickets import Ticket, held, read_ticket
from api.desk.timeline import read_item
from api.errors import UserError
from api.mutations import changed, mutation
from domain import access
from domain.actors import Actor
from domain.agents.staff import Agent
from domain.answering import starting
from domain.calling import dialling
from domain.customers.contacts import Identity
from domain.db import Json
from domain.desk.tickets import Ticket as TicketRow
from domain.errors import CannotDial, InvalidInput, NoTelephone, NotFound
from domain.ids import row_id
from domain.keys import Keys
from domain.languages import N_
from domain.ways_in import channels
from domain.ways_in.channels import ChannelKind
from integrations.phone.line import PhoneLine


@strawberry.input(
    description="On a ticket; or to a contact, whose only open ticket it is then about, or a new one. Without a channel, the line "
    "by which the number called before, or the team's."
)
class CallStartInput:
    ticket_id: strawberry.ID | None = None
    contact_id: strawberry.ID | None = None
    identity_id: strawberry.ID = strawberry.field(description="Whose number is called.")
    channel_id: strawberry.ID | None = None
    client_mutation_id: strawberry.ID


@strawberry.type
class CallStartPayload:
    call: Call | None = None
    ticket: Ticket | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _call_start(info: Info, input: CallStartInput) -> CallStartPayload:
    keys = info.context.house.keys

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        id = row_id("Identity", input.identity_id, field="identityId")
        to = await session.get(Identity, id)
        if to is None:
            raise NotFound(field=["identityId"])
        ticket = await _about(session, input, actor, now)
        channel = await _line(session, keys, input, ticket, to, actor)
        call = await dialling.start(session, ticket, to=to, channel=channel, by=actor, at=now)
        return {"item": str(call.id), "ticket": str(ticket.id)}

    done = await changed(info, input, change)
    return CallStartPayload(
        call=await read_item(info, done["item"], "call"), ticket=await read_ticket(info, done["ticket"])
    )


async def _about(session: AsyncSession, input: CallStartInput, actor: Actor, now: datetime) -> TicketRow:
    if (input.ticket_id is None) == (input.contact_id is None):
        raise InvalidInput(N_("Give a ticketId or a contactId."), field=["ticketId"])
    if input.ticket_id is not None:
        return await held(session, input.ticket_id, actor)
    contact = await access.contact(
        session, row_id("Contact", input.contact_id or "", field="contactId"), to=actor
    )
    return await starting.only_ticket_of(session, contact, by=actor, at=now)


async def _line(
    session: AsyncSession, keys: Keys, input: CallStartInput, ticket: TicketRow, to: Identity, actor: Actor
) -> channels.Channel:
    """One that can make calls, and can ring the agent."""
    if input.channel_id is not None:
        id = row_id("Channel", input.channel_id, field="channelId")
        chosen = await access.one(session, channels.Channel, id, to=actor)
        if chosen.kind != ChannelKind.PHONE or chosen.disabled_at:
            raise CannotDial(field=["channelId"])
        found = [chosen]
    else:
        found = list(await dialling.lines(session, ticket, to))
    able = [
        (channel, line)
        for channel in found
        if (line := _readable(channel, keys)) is not None and line.can_dial
    ]
    if not able:
        raise CannotDial(field=["channelId"])
    telephone = await session.scalar(select(Agent.line).where(Agent.id == actor.agent_id))
    for channel, line in able:
        if telephone and line.can_ring(telephone):
            return channel
    raise NoTelephone


def _readable(channel: channels.Channel, keys: Keys) -> PhoneLine | None:
    try:
        return PhoneLine.of(channel, keys)
    except (ValidationError, InvalidToken):  # of another HEDDLE_SECRET_KEY
        return None


@strawberry.type
class CallingMutations:
    call_start: CallStartPayload = mutation(
        resolver=_call_start,
        description="Calls a customer: the agent's own telephone rings, and once it is picked up, the customer's. The call is in "
        "the history at once; it is made once or not at all.",
    )

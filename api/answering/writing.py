"""Writing first, passing on, and taking back: what an agent does with words besides answering."""

import uuid
from datetime import datetime

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.answering.messages import SendPayload, sent, undo_for, upload_ids
from api.context import Info
from api.desk.messages import Message
from api.desk.tickets import Ticket, held, read_ticket
from api.errors import UserError
from api.mutations import changed, mutation
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.agents import staff
from domain.answering import starting, withdrawing
from domain.answering.replies import Extras
from domain.arriving import sides
from domain.customers.contacts import Identity
from domain.db import Json
from domain.desk import messages
from domain.desk.tickets import Ticket as TicketRow
from domain.desk.tickets import TicketStatus
from domain.errors import InvalidInput, NotFound
from domain.ids import public_id, row_id
from domain.languages import N_
from domain.ways_in.channels import Channel


@strawberry.input(
    description="Opens a ticket whose first word is ours, by mail or by text message. To a contact, or to an address or number: "
    "one that nobody here is known by makes a contact. Without an assignee it is who writes."
)
class ConversationStartInput:
    contact_id: strawberry.ID | None = None
    address: str | None = None
    name: str = strawberry.field(default="", description="Of who is not known yet.")
    channel_id: strawberry.ID = strawberry.field(
        description="The mailbox or the number for text messages that it comes from."
    )
    subject: str
    text: str
    cc: list[str] = strawberry.field(default_factory=list)
    bcc: list[str] = strawberry.field(default_factory=list)
    attachment_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    team_id: strawberry.ID | None = None
    assignee_id: strawberry.ID | None = None
    after: TicketStatus | None = None
    agreed: bool = strawberry.field(
        default=False,
        description="By text message to who never wrote one here: the customer agreed to it, as who writes says; that is kept.",
    )
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="Passes a message on to somebody else, in a side conversation of the same ticket that the customer never sees. "
    "Of a message in a side conversation: answers there, and `to` may be left out."
)
class MessageForwardInput:
    id: strawberry.ID
    to: list[str] = strawberry.field(default_factory=list)
    text: str
    include_attachments: bool = True
    client_mutation_id: strawberry.ID


@strawberry.input(description="Within the seconds after sending, by who wrote it or who manages.")
class MessageUndoInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type(description="`text` and `attachmentIds`: to go on writing with.")
class UndoPayload:
    ok: bool = False
    message: Message | None = None
    ticket: Ticket | None = None
    text: str | None = None
    attachment_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _conversation_start(info: Info, input: ConversationStartInput) -> SendPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        channel = await access.one(
            session, Channel, row_id("Channel", input.channel_id, field="channelId"), to=actor
        )
        to = await _addressee(session, input, channel, actor, now)
        assignee_id = (
            row_id("Agent", input.assignee_id, field="assigneeId") if input.assignee_id else actor.agent_id
        )
        team_id = row_id("Team", input.team_id, field="teamId") if input.team_id else None
        opening = starting.Opening(
            subject=input.subject,
            text=input.text,
            extras=Extras(input.cc, input.bcc, upload_ids(input.attachment_ids)),
            team=await access.team(session, team_id, to=actor) if team_id else None,
            assignee=await _working(session, assignee_id, actor) if assignee_id else None,
            after=input.after,
            agreed=input.agreed,
        )
        ticket, message = await starting.start(
            session, info.context.house.keys, to, channel, opening, by=actor, at=now, undo_for=undo_for(info)
        )
        return {"item": str(message.id), "ticket": str(ticket.id)}

    return await sent(info, await changed(info, input, change))


async def _addressee(
    session: AsyncSession, input: ConversationStartInput, channel: Channel, actor: Actor, now: datetime
) -> Identity:
    if (input.contact_id is None) == (input.address is None):
        raise InvalidInput(N_("Give a contactId or an address."), field=["address"])
    if input.contact_id is not None:
        contact = await access.contact(
            session, row_id("Contact", input.contact_id, field="contactId"), to=actor
        )
        return await starting.address_of(session, contact, channel)
    return await starting.addressee(session, input.address or "", channel, name=input.name, by=actor, at=now)


async def _working(session: AsyncSession, id: uuid.UUID, actor: Actor) -> staff.Agent:
    agent = await access.one(session, staff.Agent, id, to=actor)
    if agent.left_at:
        raise NotFound(field=["assigneeId"])
    return agent


async def _message_forward(info: Info, input: MessageForwardInput) -> SendPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        asked = row_id("Message", input.id)
        found = await session.execute(
            select(messages.Message, TicketRow.id.label("ticket_id"))
            .join(TicketRow, TicketRow.id == messages.Message.ticket_id)
            .where(messages.Message.id == asked, may_see(TicketRow, actor))
        )
        row = found.one_or_none()
        if row is None:
            raise NotFound(field=["id"])
        if not input.text.strip():
            raise InvalidInput(N_("This may not be empty."), field=["text"])
        ticket = await held(session, public_id("Ticket", row.ticket_id), actor)
        message: messages.Message = row.Message
        written = await sides.pass_on(
            session,
            info.context.house.keys,
            ticket,
            message,
            to=input.to,
            text=input.text,
            with_files=input.include_attachments,
            by=actor,
            at=now,
            undo_for=undo_for(info),
        )
        return {"item": str(written.id), "ticket": str(ticket.id)}

    return await sent(info, await changed(info, input, change))


async def _message_undo(info: Info, input: MessageUndoInput) -> UndoPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        done = await withdrawing.withdraw(session, row_id("Message", input.id), by=actor, at=now)
        return {
            "item": str(done.message.id),
            "ticket": str(done.ticket.id),
            "text": done.message.text,
            "uploads": [public_id("Attachment", id) for id in done.uploads],
        }

    done = await changed(info, input, change)
    shown = await sent(info, done)
    return UndoPayload(
        ok=True,
        message=shown.message,
        ticket=await read_ticket(info, done["ticket"]),
        text=done["text"],
        attachment_ids=[strawberry.ID(id) for id in done["uploads"]],
    )


@strawberry.type
class WritingMutations:
    conversation_start: SendPayload = mutation(resolver=_conversation_start)
    message_forward: SendPayload = mutation(resolver=_message_forward)
    message_undo: UndoPayload = mutation(
        resolver=_message_undo, description="Takes an answer back that has not left yet."
    )

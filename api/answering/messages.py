"""Answering, and noting."""

import uuid
from datetime import datetime, timedelta

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info
from api.desk.messages import Message
from api.desk.tickets import Ticket, held, read_ticket
from api.desk.timeline import Note, TimelineItem, items_by_id, read_item
from api.errors import UserError
from api.mutations import changed, mutation
from api.scalars import BigInt
from api.selection import wanted
from domain.actors import Actor
from domain.answering import replies
from domain.customers import contacts
from domain.db import Json
from domain.desk.tickets import TicketStatus
from domain.errors import NotFound, SomebodyAnswered
from domain.gathering import gathered
from domain.ids import row_id
from domain.telling import row_of
from domain.working import drafts
from domain.working.noting import add_note


@strawberry.input(
    description="`lastSeenSeq`: the newest item the agent has seen; what came after it stops the answer."
)
class MessageSendInput:
    ticket_id: strawberry.ID
    identity_id: strawberry.ID
    text: str = strawberry.field(description="May be empty where files are sent.")
    cc: list[str] = strawberry.field(
        default_factory=list, description="Further addresses; of a mail, as is `bcc`."
    )
    bcc: list[str] = strawberry.field(default_factory=list, description="Those that the others do not see.")
    attachment_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list,
        description="What `POST /files` has answered: one's own files, each sent once. By mail, chat and Messenger.",
    )
    human_agent: bool = strawberry.field(
        default=False,
        description="Of Messenger: I wrote this myself, as Meta demands of answers later than 24 hours, within 7 days.",
    )
    last_seen_seq: BigInt
    force: bool = strawberry.field(default=False, description="Send although something newer is there.")
    after: TicketStatus | None = strawberry.field(
        default=None, description="The ticket's status from then on."
    )
    client_mutation_id: strawberry.ID


@strawberry.type(
    description="`collision`: nothing was sent, these came after `lastSeenSeq`. Show them, then send again with `force`."
)
class SendPayload:
    message: Message | None = None
    ticket: Ticket | None = None
    collision: list[TimelineItem] | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _message_send(info: Info, input: MessageSendInput) -> SendPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        ticket = await held(session, input.ticket_id, actor)
        identity = await row_of(
            session, contacts.Identity, row_id("Identity", input.identity_id, field="identityId")
        )
        if identity is None:
            raise NotFound(field=["identityId"])
        message = await replies.send(
            session,
            info.context.house.keys,
            ticket,
            to=identity,
            text=input.text,
            by=actor,
            at=now,
            last_seen_seq=input.last_seen_seq,
            force=input.force,
            after=input.after,
            extras=replies.Extras(input.cc, input.bcc, upload_ids(input.attachment_ids), input.human_agent),
            undo_for=undo_for(info),
        )
        return {"item": str(message.id), "ticket": str(ticket.id)}

    try:
        done = await changed(info, input, change)
    except SomebodyAnswered as stopped:
        error = UserError(
            code=stopped.code, field=stopped.field, message=stopped.in_language(info.context.locale)
        )
        return SendPayload(collision=await _collision(info, input), user_errors=[error])
    return await sent(info, done)


async def sent(info: Info, done: Json) -> SendPayload:
    message, ticket = await gathered(
        read_item(info, done["item"], "message"), read_ticket(info, done["ticket"])
    )
    return SendPayload(message=message, ticket=ticket)


def upload_ids(ids: list[strawberry.ID]) -> list[uuid.UUID]:
    return [row_id("Attachment", id, field="attachmentIds") for id in ids]


def undo_for(info: Info) -> timedelta:
    return timedelta(seconds=info.context.house.settings.undo_seconds)


async def _collision(info: Info, input: MessageSendInput) -> list[TimelineItem]:
    async with info.context.house.db.transaction() as session:
        ticket = await held(session, input.ticket_id, info.context.actor)
        newer = await replies.newer_than(session, ticket, input.last_seen_seq, info.context.actor)
    async with info.context.reading() as reading:
        found = await items_by_id(reading, newer, wanted(info).below("collision"))
        return [found[id] for id in newer if id in found]


@strawberry.input(
    description="Who is mentioned is told: by `mentionIds`, or by `@` and their name in the text. Refused as `CANNOT_SEE` for who may "
    "not see the ticket."
)
class NoteAddInput:
    ticket_id: strawberry.ID
    text: str
    mention_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    client_mutation_id: strawberry.ID


@strawberry.type
class NotePayload:
    note: Note | None = None
    ticket: Ticket | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _note_add(info: Info, input: NoteAddInput) -> NotePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        ticket = await held(session, input.ticket_id, actor)
        mentioned = [row_id("Agent", id, field="mentionIds") for id in input.mention_ids]
        note = await add_note(session, ticket, input.text, mentioned, by=actor, at=now)
        await drafts.is_noted(session, ticket.id, by=actor, at=now)
        return {"item": str(note.id), "ticket": str(ticket.id)}

    done = await changed(info, input, change)
    note, ticket = await gathered(read_item(info, done["item"], "note"), read_ticket(info, done["ticket"]))
    return NotePayload(note=note, ticket=ticket)


@strawberry.type
class MessageMutations:
    message_send: SendPayload = mutation(
        resolver=_message_send, description="Answers the customer, by the channel of the identity."
    )
    note_add: NotePayload = mutation(resolver=_note_add)

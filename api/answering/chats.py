"""While a chat goes on: who types, and how far the shop has read. Typing is told and not kept."""

import uuid
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from time import monotonic

import strawberry
from sqlalchemy import select

from api.audiences import POLL
from api.context import Context, Info
from api.desk.tickets import held
from api.errors import OkPayload
from api.mutations import mutation
from api.scalars import BigInt
from domain import access
from domain.answering.typing import LAPSES_AFTER, typing_of_visitor, typing_to_visitor
from domain.bell import heard
from domain.db import begin_request, ring
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.ids import row_id


@strawberry.type(
    description="`until`: the chat's visitor types; show it until then, unless a message or the next of these comes. Null, at "
    "first: nobody types yet."
)
class VisitorTyping:
    ticket_id: strawberry.ID
    until: datetime | None


@strawberry.input(
    description="Of a ticket with a chat: its visitor is told that somebody types, for six seconds."
)
class ChatTypingInput:
    ticket_id: strawberry.ID


@strawberry.input(description="`seq`: the newest item of the ticket that was on the screen.")
class ChatReadInput:
    ticket_id: strawberry.ID
    seq: BigInt


async def _visitor_typing(info: Info, ticket_id: strawberry.ID) -> AsyncGenerator[VisitorTyping, None]:
    context: Context = info.context
    id, bell = row_id("Ticket", ticket_id, field="ticketId"), context.house.db.bell
    ticket = await _seen(context, id)
    with bell.listening(typing_of_visitor(ticket.id)) as rung:
        yield VisitorTyping(ticket_id=ticket_id, until=None)
        checked = monotonic()
        while True:
            await heard(rung, POLL)
            if monotonic() - checked >= POLL:
                context.becomes(await context.still())
                checked = monotonic()
                await _seen(context, id)
            if rung.is_set():
                rung.clear()
                until = datetime.now(UTC) + timedelta(seconds=LAPSES_AFTER)
                yield VisitorTyping(ticket_id=ticket_id, until=until)


async def _seen(context: Context, id: uuid.UUID) -> Ticket:
    """Of a merged ticket, the survivor. Raises for whom may not see it, or not any more."""
    async with context.house.db.transaction() as session:
        return await access.ticket(session, id, to=context.actor)


async def _chat_typing(info: Info, input: ChatTypingInput) -> OkPayload:
    async with info.context.house.db.transaction() as session:
        await begin_request(session)
        id = row_id("Ticket", input.ticket_id, field="ticketId")
        ticket = await access.ticket(session, id, to=info.context.actor)
        keys = select(Thread.key).where(
            Thread.ticket_id == ticket.id, Thread.key.is_not(None), Thread.ended_at.is_(None)
        )
        for key in await session.scalars(keys):
            ring(session, typing_to_visitor(str(key)))
    return OkPayload(ok=True)


async def _chat_read(info: Info, input: ChatReadInput) -> OkPayload:
    async with info.context.house.db.transaction() as session:
        await begin_request(session)
        ticket = await held(session, input.ticket_id, info.context.actor)
        threads = select(Thread).where(
            Thread.ticket_id == ticket.id, Thread.key.is_not(None), Thread.read_seq < input.seq
        )
        for thread in await session.scalars(threads):
            thread.has_read(input.seq)
    return OkPayload(ok=True)


@strawberry.type
class ChatSubscriptions:
    visitor_typing: AsyncGenerator[VisitorTyping, None] = strawberry.subscription(
        resolver=_visitor_typing, description="Told as it happens, and kept nowhere."
    )


@strawberry.type
class ChatMutations:
    chat_typing: OkPayload = mutation(
        resolver=_chat_typing, description="Say it again every three seconds while somebody types."
    )
    chat_read: OkPayload = mutation(
        resolver=_chat_read,
        description="The chat's visitor sees that it was read up to here. An answer says so by itself.",
    )

"""Whose call it was, by an agent's word: a number alone proves nothing, and many share one."""

from datetime import datetime

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.calling.calls import CallPayload
from api.context import Info
from api.desk.tickets import held
from api.desk.timeline import read_item
from api.mutations import changed, mutation
from domain import access
from domain.actors import Actor
from domain.answering import starting
from domain.customers.survivors import survivor_of
from domain.db import Json
from domain.desk import messages, threads
from domain.desk.tickets import Ticket
from domain.errors import InvalidInput, NotFound
from domain.ids import row_id
from domain.joining import moves, splitting
from domain.languages import N_


@strawberry.input(
    description="To a ticket; or to a contact, whose only open ticket it is then about, or a new one. All that follows it in its "
    "conversation moves along; `joinUndo` takes it back."
)
class CallLinkInput:
    call_id: strawberry.ID
    contact_id: strawberry.ID | None = None
    ticket_id: strawberry.ID | None = None
    client_mutation_id: strawberry.ID


async def _call_link(info: Info, input: CallLinkInput) -> CallPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        await moves.hold(session)
        id = row_id("Call", input.call_id, field="callId")
        call = await access.one(session, messages.Item, id, to=actor)
        if not isinstance(call, messages.Call):
            raise NotFound(field=["callId"])
        thread = await session.get_one(threads.Thread, call.thread_id)
        to = await _meant(session, input, call, actor, now)
        if to and to.id != call.ticket_id:
            await splitting.move(session, thread, to, by=actor, at=now, after=call)
        return {"call": str(call.id)}

    done = await changed(info, input, change)
    return CallPayload(call=await read_item(info, done["call"], "call"))


async def _meant(
    session: AsyncSession, input: CallLinkInput, call: messages.Item, actor: Actor, now: datetime
) -> Ticket | None:
    """None: it is that contact's already."""
    if (input.ticket_id is None) == (input.contact_id is None):
        raise InvalidInput(N_("Give a ticketId or a contactId."), field=["ticketId"])
    if input.ticket_id is not None:
        return await held(session, input.ticket_id, actor)
    id = row_id("Contact", input.contact_id or "", field="contactId")
    contact, owner = await access.contact(session, id, to=actor), await survivor_of(session, call.contact_id)
    if owner and owner.id == contact.id:
        return None
    return await starting.only_ticket_of(session, contact, by=actor, at=now)


@strawberry.type
class CallLinkMutations:
    call_link: CallPayload = mutation(resolver=_call_link)

"""Whom an agent lets take part in a mail conversation, and whom no more."""

from datetime import datetime

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info
from api.desk.changed_tickets import TicketPayload
from api.desk.tickets import read_ticket
from api.mutations import changed, mutation
from domain import access
from domain.actors import Actor
from domain.arriving import participants
from domain.db import Json
from domain.desk import threads
from domain.ids import row_id


@strawberry.input(description="`address`: of who was noted, or of anybody else.")
class ParticipantAcceptInput:
    thread_id: strawberry.ID
    address: str
    name: str = ""
    client_mutation_id: strawberry.ID


@strawberry.input
class ParticipantRemoveInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


async def _participant_accept(info: Info, input: ParticipantAcceptInput) -> TicketPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        id = row_id("Thread", input.thread_id, field="threadId")
        thread = await access.one(session, threads.Thread, id, to=actor)
        await participants.accept(session, thread, input.address, name=input.name.strip(), by=actor, at=now)
        return {"ticket": str(thread.ticket_id)}

    done = await changed(info, input, change)
    return TicketPayload(ticket=await read_ticket(info, done["ticket"]))


async def _participant_remove(info: Info, input: ParticipantRemoveInput) -> TicketPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        id = row_id("Participant", input.id)
        participant = await access.one(session, participants.Participant, id, to=actor)
        thread = await participants.remove(session, participant, by=actor, at=now)
        return {"ticket": str(thread.ticket_id)}

    done = await changed(info, input, change)
    return TicketPayload(ticket=await read_ticket(info, done["ticket"]))


@strawberry.type
class ParticipantMutations:
    participant_accept: TicketPayload = mutation(
        resolver=_participant_accept,
        description="Their mail belongs to the conversation from now on, for the customer's side, and is not verified.",
    )
    participant_remove: TicketPayload = mutation(
        resolver=_participant_remove,
        description="They take part no more; who is named by a later mail is noted again, not accepted.",
    )

"""Who has a ticket open, and who types there: told as it is, and kept nowhere for long."""

import uuid
from collections.abc import AsyncGenerator
from datetime import datetime

import strawberry
from sqlalchemy import select

from api.agents.staff import Agent, agents_where
from api.audiences import POLL
from api.context import Context, Info, Reading, by, plain
from api.errors import OkPayload
from api.mutations import mutation
from api.selection import Selection, wanted
from domain import access
from domain.access import may_see
from domain.agents import staff
from domain.agents.sign_in import SessionKind
from domain.bell import heard
from domain.db import among, begin_request
from domain.desk.tickets import Ticket
from domain.errors import NotAllowed, NotFound
from domain.gathering import gathered
from domain.ids import row_id
from domain.working import viewing
from domain.working.viewing import Intent, news_of_viewers

strawberry.enum(Intent, name="PresenceIntent")


@strawberry.type(description="An agent who has the ticket open on one of their devices.")
class Viewing:
    agent: Agent
    intent: Intent
    device: SessionKind
    since: datetime
    expires_at: strawberry.Private[datetime]


@strawberry.input(
    description="Say it again every fifteen seconds: after 45 without a word one is gone. Typing here tells colleagues; `chatTyping` "
    "tells a chat's visitor, for whom a note is not meant."
)
class PresenceInput:
    ticket_id: strawberry.ID
    intent: Intent


_THERE = among(staff.Agent.id, viewing.AGENTS)


async def viewers_of(
    reading: Reading, ids: list[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[Viewing]]:
    """Who is there now, by ticket."""
    found, agents = await gathered(
        reading.connection.execute(viewing.VIEWERS, {"ids": ids}),
        agents_where(reading, _THERE, selection.below("agent"), {"ids": ids}),
    )
    grouped = by("ticket_id", [row for row in found if row.agent_id in agents])
    return {
        ticket_id: [
            plain(
                Viewing,
                {
                    "agent": agents[row.agent_id],
                    "intent": row.intent,
                    "device": row.device,
                    "since": row.since,
                    "expires_at": row.expires_at,
                },
            )
            for row in group
        ]
        for ticket_id, group in grouped.items()
    }


async def _presence(info: Info, input: PresenceInput) -> OkPayload:
    context: Context = info.context
    async with context.house.db.transaction() as session:
        now = await begin_request(session)
        ticket = await access.ticket(
            session, row_id("Ticket", input.ticket_id, field="ticketId"), to=context.actor
        )
        if context.session_id is None:
            raise NotAllowed
        await viewing.says(session, ticket.id, context.session_id, input.intent, by=context.actor, at=now)
    return OkPayload(ok=True)


async def _ticket_presence(info: Info, ticket_id: strawberry.ID) -> AsyncGenerator[list[Viewing], None]:
    context: Context = info.context
    async with context.house.db.transaction() as session:
        asked = row_id("Ticket", ticket_id, field="ticketId")
        id = (await access.ticket(session, asked, to=context.actor)).id
    told = None
    try:
        bell = context.house.db.bell
        with bell.listening(news_of_viewers(id)) as rung, context.watched(rung) as who:
            while True:
                rung.clear()
                context.becomes(who.actor)
                async with context.reading() as reading:
                    seen = select(Ticket.id).where(Ticket.id == id, may_see(Ticket, reading.actor))
                    if await reading.connection.scalar(seen) is None:
                        raise NotFound(field=["ticketId"])
                    viewers = (await viewers_of(reading, [id], wanted(info))).get(id, [])
                    now = reading.at
                shown = [(one.agent.id, one.intent, one.device, one.since) for one in viewers]
                if shown != told:
                    told = shown
                    yield viewers
                lapses = [(one.expires_at - now).total_seconds() for one in viewers]
                await heard(rung, min([POLL, *lapses]) + 0.01)
    finally:
        if context.session_id:
            async with context.house.db.transaction() as session:
                await viewing.lets_go(session, id, context.session_id)


@strawberry.type
class ViewingMutations:
    presence: OkPayload = mutation(resolver=_presence)


@strawberry.type
class ViewingSubscriptions:
    ticket_presence: AsyncGenerator[list[Viewing], None] = strawberry.subscription(
        resolver=_ticket_presence,
        description="Who is there, at once and whenever that changes. With the socket's end one is gone after five seconds, unless "
        "`presence` says otherwise.",
    )

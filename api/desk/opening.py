"""Tickets that agents open."""

from datetime import datetime

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.complaints.handling import ComplaintTermsInput, opened
from api.context import Info
from api.desk.changed_tickets import TicketPayload
from api.desk.handling import still_here
from api.desk.tickets import read_ticket
from api.mutations import changed, mutation
from domain import access
from domain.actors import Actor
from domain.arriving.opening import open_ticket
from domain.db import Json
from domain.desk.tickets import Ticket as TicketRow
from domain.errors import InvalidInput, Refused
from domain.ids import row_id
from domain.languages import N_
from domain.sla import reckoning
from domain.working.noting import add_note


@strawberry.input
class TicketCreateInput:
    contact_id: strawberry.ID
    subject: str
    text: str | None = None
    priority: int = 3
    team_id: strawberry.ID | None = strawberry.field(
        default=None, description="In whose queue it is; without it everybody sees it."
    )
    assignee_id: strawberry.ID | None = None
    complaint: ComplaintTermsInput | None = strawberry.field(
        default=None, description="It is a complaint, as `complaintOpen` would open one; `{}` says no more."
    )
    client_mutation_id: strawberry.ID


async def _ticket_create(info: Info, input: TicketCreateInput) -> TicketPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if not input.subject.strip():
            raise InvalidInput(N_("This may not be empty."), field=["subject"])
        contact = await access.contact(
            session, row_id("Contact", input.contact_id, field="contactId"), to=actor, lock=True
        )
        team_id = row_id("Team", input.team_id, field="teamId") if input.team_id else None
        team = await access.team(session, team_id, to=actor) if team_id else None
        ticket = open_ticket(
            session,
            contact,
            subject=input.subject.strip(),
            by=actor,
            at=now,
            team_id=team.id if team else None,
        )
        await session.flush()
        ticket.change(by=actor, at=now, priority=input.priority)
        if input.text:
            await add_note(session, ticket, input.text, by=actor, at=now)
        if input.assignee_id:
            ticket.assign(
                to=await still_here(session, input.assignee_id, actor, "assigneeId"), by=actor, at=now
            )
        await reckoning.reckon(session, ticket, by=actor, at=now)
        if input.complaint:
            await _complain(session, ticket, input.complaint, actor, now)
        return {"ticket": str(ticket.id)}

    done = await changed(info, input, change)
    return TicketPayload(ticket=await read_ticket(info, done["ticket"]))


async def _complain(
    session: AsyncSession, ticket: TicketRow, terms: ComplaintTermsInput, actor: Actor, now: datetime
) -> None:
    try:
        await opened(session, ticket, terms, actor, now)
    except Refused as refusal:
        refusal.field = ["complaint", *(refusal.field or ())]
        raise


@strawberry.type
class OpeningMutations:
    ticket_create: TicketPayload = mutation(resolver=_ticket_create)

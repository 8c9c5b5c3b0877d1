"""What agents do with complaints: open, say the next step, go on."""

import uuid
from datetime import datetime
from decimal import Decimal, InvalidOperation

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.complaints.complaints import Complaint, complaints_by_id
from api.context import Info
from api.desk.tickets import held
from api.errors import UserError
from api.mutations import changed, mutation
from api.selection import wanted
from api.sla.template_codes import PolicyTemplateCode
from domain import access
from domain.actors import Actor
from domain.agents import staff
from domain.complaints import complaints, moving, opening
from domain.complaints.laws import LAWS, likely_law
from domain.complaints.moving import Left
from domain.complaints.stages import Outcome, Remedy, Stage
from domain.db import Json
from domain.desk.tickets import Ticket
from domain.errors import InvalidInput, NotFound
from domain.ids import public_id, row_id
from domain.languages import N_


@strawberry.input
class ComplaintTermsInput:
    template: PolicyTemplateCode | None = strawberry.field(
        default=None,
        description="Whose law holds; without it, the one that is set up, of several that of the ticket's tags or the customer's language.",
    )
    promised_at: datetime | None = strawberry.field(
        default=None,
        description="When the shop itself promises to decide, never later than the law; needed where none holds.",
    )
    note: str = ""


@strawberry.input
class ComplaintOpenInput(ComplaintTermsInput):
    ticket_id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="What is left out stays; null takes away. Another `nextStep` begins without a day."
)
class ComplaintUpdateInput:
    id: strawberry.ID
    owner_id: strawberry.Maybe[strawberry.ID | None]
    next_step: str | None = None
    next_step_at: strawberry.Maybe[datetime | None]
    promised_at: strawberry.Maybe[datetime | None]
    note: str = ""
    client_mutation_id: strawberry.ID


@strawberry.input
class MoneyInput:
    amount: str
    currency: str


@strawberry.input(
    description="`outcome`, and what the customer gets, are said with `DECIDED`; with `CLOSED`, before a decision, only `WITHDRAWN`. "
    "`decidedAt`: when the customer was told, if not now."
)
class ComplaintAdvanceInput:
    id: strawberry.ID
    stage: Stage
    note: str | None = None
    outcome: Outcome | None = None
    remedy: Remedy | None = None
    amount: MoneyInput | None = None
    decision: str | None = None
    decided_at: datetime | None = None
    client_mutation_id: strawberry.ID


@strawberry.type
class ComplaintPayload:
    complaint: Complaint | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _complaint_open(info: Info, input: ComplaintOpenInput) -> ComplaintPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        ticket = await held(session, input.ticket_id, actor)
        complaint = await opened(session, ticket, input, actor, now)
        return {"complaint": str(complaint.id)}

    return await _payload(info, await changed(info, input, change))


async def opened(
    session: AsyncSession, ticket: Ticket, terms: ComplaintTermsInput, actor: Actor, now: datetime
) -> complaints.Complaint:
    if terms.template is not None and terms.template not in LAWS:
        raise InvalidInput(N_("This is no law on complaints."), field=["template"])
    return await opening.open_complaint(
        session,
        ticket,
        law=terms.template or await likely_law(session, ticket),
        promised_at=terms.promised_at,
        note=terms.note,
        by=actor,
        at=now,
    )


async def _complaint_update(info: Info, input: ComplaintUpdateInput) -> ComplaintPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        complaint, ticket = await _held(session, input.id, actor)
        owner: uuid.UUID | Left | None = Left.OUT
        if input.owner_id is not None:
            owner = await _owner(session, input.owner_id.value, actor)
        await moving.change(
            session,
            complaint,
            ticket,
            owner_id=owner,
            next_step=input.next_step,
            next_step_at=Left.OUT if input.next_step_at is None else input.next_step_at.value,
            promised_at=Left.OUT if input.promised_at is None else input.promised_at.value,
            note=input.note,
            by=actor,
            at=now,
        )
        return {"complaint": str(complaint.id)}

    return await _payload(info, await changed(info, input, change))


async def _complaint_advance(info: Info, input: ComplaintAdvanceInput) -> ComplaintPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        complaint, ticket = await _held(session, input.id, actor)
        decision = moving.Decision(
            outcome=input.outcome,
            remedy=input.remedy,
            amount=_amount(input.amount),
            currency=_currency(input.amount),
            words=input.decision or "",
            told_at=input.decided_at,
        )
        await moving.advance(
            session, complaint, ticket, input.stage, decision, note=input.note or "", by=actor, at=now
        )
        return {"complaint": str(complaint.id)}

    return await _payload(info, await changed(info, input, change))


async def _held(session: AsyncSession, id: str, actor: Actor) -> tuple[complaints.Complaint, Ticket]:
    """The one that leads the ticket, and the ticket, held."""
    row = complaints.Complaint
    asked = await access.one(session, row, row_id("Complaint", id), to=actor)
    ticket = await held(session, public_id("Ticket", asked.ticket_id), actor, field="id")
    leads = select(row).where(row.ticket_id == ticket.id, complaints.LEADS)
    fresh = leads.execution_options(populate_existing=True)
    return (await session.scalars(fresh)).one(), ticket


async def _owner(session: AsyncSession, id: str | None, actor: Actor) -> uuid.UUID | None:
    if id is None:
        return None
    owner = await access.one(session, staff.Agent, row_id("Agent", id, field="ownerId"), to=actor)
    if owner.left_at:
        raise NotFound(field=["ownerId"])
    return owner.id


def _amount(asked: MoneyInput | None) -> Decimal | None:
    if asked is None:
        return None
    try:
        amount = Decimal(asked.amount)
        if amount.is_finite() and amount == round(amount, 2):
            return amount
    except InvalidOperation:
        pass
    raise InvalidInput(N_("Write an amount as 129.90."), field=["amount", "amount"])


def _currency(asked: MoneyInput | None) -> str | None:
    if asked is None:
        return None
    if not (asked.currency.isascii() and asked.currency.isalpha() and len(asked.currency) == 3):
        raise InvalidInput(N_("Write a currency as EUR or PLN."), field=["amount", "currency"])
    return asked.currency.upper()


async def _payload(info: Info, done: Json) -> ComplaintPayload:
    id = uuid.UUID(done["complaint"])
    async with info.context.reading() as reading:
        found = await complaints_by_id(reading, [id], wanted(info).below("complaint"))
    return ComplaintPayload(complaint=found.get(id))


@strawberry.type
class ComplaintMutations:
    complaint_open: ComplaintPayload = mutation(
        resolver=_complaint_open, description="The ticket becomes a complaint, and its tasks are made."
    )
    complaint_update: ComplaintPayload = mutation(resolver=_complaint_update)
    complaint_advance: ComplaintPayload = mutation(
        resolver=_complaint_advance, description="Only where `following` says."
    )

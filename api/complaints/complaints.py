"""Complaints as screens show them: where each stands, by when it is to be decided, and what was done about it."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Row, Select, and_, func, select
from sqlalchemy.orm import aliased

from api.agents.staff import Agent, agents_by_id
from api.complaints import case_files
from api.context import Info, Part, Reading, by, fill, plain
from api.node import Node
from api.paging import of_each, page_size
from api.selection import Selection, wanted
from api.sla.template_codes import PolicyTemplateCode
from domain.access import may_see
from domain.actors import Actor
from domain.agents import staff
from domain.complaints import complaints, decision_dates
from domain.complaints.complaints import LEADS, OPEN, ComplaintStep
from domain.complaints.stages import FOLLOWING, Outcome, Remedy, Stage
from domain.db import one_of, one_of_given
from domain.desk.tickets import Ticket as TicketRow
from domain.ids import public_id
from domain.ways_in.channels import ChannelKind

if TYPE_CHECKING:
    from api.desk.tickets import Ticket

strawberry.enum(Stage, name="ComplaintStage")
strawberry.enum(Outcome, name="ComplaintOutcome")
strawberry.enum(Remedy, name="ComplaintRemedy")


@strawberry.type(description="After how many working days without a move a complaint is told of.")
class StalledDays:
    stage: Stage
    days: int


@strawberry.input
class StalledDaysInput:
    stage: Stage
    days: int


@strawberry.type
class Money:
    amount: str = strawberry.field(description="A decimal number.")
    currency: str = strawberry.field(description="As in ISO 4217.")


@strawberry.type(description="What was done about a complaint.")
class ComplaintEvent:
    stage: Stage
    at: datetime
    actor: str
    note: str | None
    outcome: Outcome | None = strawberry.field(description="That stood then.")


@strawberry.type(description="A ticket that waits for a decision by a promised date.")
class Complaint(Node):
    number: int = strawberry.field(
        description="To be told to the customer; it stays, whatever becomes of the ticket."
    )
    template: PolicyTemplateCode | None = strawberry.field(description="Whose law it is under.")
    channel: ChannelKind | None = strawberry.field(description="By which it came.")
    stage: Stage
    stage_since: datetime
    following: list[Stage] = strawberry.field(description="Where `complaintAdvance` may take it from here.")
    opened_at: datetime
    due_at: datetime | None = strawberry.field(
        description="By when it is to be decided: the earlier of the two below. Null when a law's policy is gone and nothing is promised."
    )
    legal_due_at: datetime | None = strawberry.field(description="That of the ticket's legal clock.")
    promised_at: datetime | None = strawberry.field(description="What the shop has promised itself.")
    next_step: str | None
    next_step_at: datetime | None
    is_stalled: bool = strawberry.field(
        description="Nothing has moved for too long: `COMPLAINT_STALLED` was fired."
    )
    owner: Agent | None
    owner_name: str | None
    outcome: Outcome | None = strawberry.field(
        description="`DEEMED_ACCEPTED`: the law's date has passed without an answer, and the law says so."
    )
    remedy: Remedy | None
    amount: Money | None
    decision: str | None
    decided_at: datetime | None = strawberry.field(description="When the customer was told.")
    closed_at: datetime | None
    history: list[ComplaintEvent] = strawberry.field(description="The oldest first; the first hundred.")
    ticket: Annotated["Ticket", strawberry.lazy("api.desk.tickets")]
    row_id: strawberry.Private[uuid.UUID]
    ticket_id: strawberry.Private[uuid.UUID]
    owner_id: strawberry.Private[uuid.UUID | None]

    @strawberry.field(
        description="A link to the whole case, to be printed, that lives ten minutes and is for who asks. `language`: en, pl, es or ca; "
        "otherwise the shop's."
    )
    def file(self, info: Info, language: str | None = None, notes: bool = False) -> str:
        return case_files.link(info.context.house, info.context.actor, self.row_id, language, notes=notes)


async def complaints_of(
    reading: Reading, ticket_ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Complaint]:
    """By ticket, the one that leads it."""
    query = _leading(reading.actor)
    found = await _load(reading, query, selection, {"ids": list(ticket_ids)})
    return {complaint.ticket_id: complaint for complaint in found}


@lru_cache(1000)
def _leading(actor: Actor) -> Select[Any]:
    return _seen(actor).where(LEADS, one_of_given(complaints.Complaint.ticket_id))


async def complaints_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Complaint]:
    query = _seen(reading.actor).where(one_of(complaints.Complaint.id, ids))
    found = await _load(reading, query, selection)
    return {complaint.row_id: complaint for complaint in found}


def _seen(actor: Actor) -> Select[Any]:
    row = complaints.Complaint
    read: Select[Any] = select(row.__table__, decision_dates.legal_due.label("legal_due_at"))
    return read.where(may_see(row, actor))


async def _load(
    reading: Reading, query: Select[Any], selection: Selection, values: Mapping[str, Any] | None = None
) -> list[Complaint]:
    rows = (await reading.connection.execute(query, values)).all()
    found = [_complaint(reading, row) for row in rows]
    if found:
        await fill(PARTS, reading, found, selection)
    return found


def _complaint(reading: Reading, row: Any) -> Complaint:
    is_open = row.closed_at is None and row.merged_into_id is None
    return plain(
        Complaint,
        {
            "id": public_id("Complaint", row.id),
            "row_id": row.id,
            "ticket_id": row.ticket_id,
            "owner_id": row.owner_id,
            "number": row.number,
            "template": row.template,
            "channel": row.channel,
            "stage": row.stage,
            "stage_since": row.stage_since,
            "following": list(FOLLOWING[row.stage]),
            "opened_at": row.opened_at,
            "due_at": decision_dates.due_at(row.legal_due_at, row.promised_at),
            "legal_due_at": row.legal_due_at,
            "promised_at": row.promised_at,
            "next_step": row.next_step or None,
            "next_step_at": row.next_step_at,
            "is_stalled": is_open and row.stalls_at is None,
            "outcome": decision_dates.outcome_of(row, row.legal_due_at, at=reading.at),
            "remedy": row.remedy,
            "amount": None
            if row.amount is None
            else Money(amount=str(row.amount), currency=row.currency or ""),
            "decision": row.decision or None,
            "decided_at": row.decided_at,
            "closed_at": row.closed_at,
        },
    )


async def _owners(reading: Reading, found: list[Complaint], selection: Selection) -> None:
    agents = await agents_by_id(reading, [one.owner_id for one in found])
    for one in found:
        one.owner = agents.get(one.owner_id)
        one.owner_name = one.owner.name if one.owner else None


async def _history(reading: Reading, found: list[Complaint], selection: Selection) -> None:
    step = ComplaintStep
    query = (
        select(step.__table__, staff.Agent.name.label("by_name"))
        .outerjoin(staff.Agent, staff.Agent.id == step.by_id)
        .where(one_of(step.complaint_id, [one.row_id for one in found]))
    )
    rows = await reading.connection.execute(of_each(query, step.complaint_id, step.at, step.id))
    steps = by("complaint_id", rows.all())
    for one in found:
        one.history = [_event(step) for step in steps.get(one.row_id, ())]


def _event(step: Row[Any]) -> ComplaintEvent:
    return ComplaintEvent(
        stage=step.stage,
        at=step.at,
        actor=step.by_name or "Heddle",
        note=step.note or None,
        outcome=step.outcome,
    )


async def _ticket(reading: Reading, found: list[Complaint], selection: Selection) -> None:
    from api.desk.tickets import tickets_now

    tickets = await tickets_now(reading, {one.ticket_id for one in found}, selection["ticket"])
    for one in found:
        one.ticket = tickets[one.ticket_id]


PARTS: dict[str, Part[Complaint]] = {
    "owner": _owners,
    "ownerName": _owners,
    "history": _history,
    "ticket": _ticket,
}


async def _complaints(
    info: Info,
    open: bool = True,
    first: int = 50,
    stages: list[Stage] | None = None,
    mine: bool | None = None,
    stalled: bool | None = None,
) -> list[Complaint]:
    row, its_ticket = complaints.Complaint, aliased(TicketRow)  # the door asks the table itself
    conditions: list[ColumnElement[bool]] = [its_ticket.spam_at.is_(None)]
    conditions += [OPEN] if open else [LEADS, row.closed_at.is_not(None)]
    if stages:
        conditions.append(row.stage.in_(stages))
    if stalled is not None:
        stands = and_(OPEN, row.stalls_at.is_(None))
        conditions.append(stands if stalled else ~stands)
    if mine is not None:
        me = info.context.actor.id
        conditions.append(row.owner_id == me if mine else row.owner_id.is_distinct_from(me))
    async with info.context.reading() as reading:
        query = _seen(reading.actor).where(*conditions).join(its_ticket, its_ticket.id == row.ticket_id)
        soonest = func.least(decision_dates.legal_due, row.promised_at)
        order = (row.decided_at.is_not(None), soonest.nulls_last()) if open else (row.closed_at.desc(),)
        return await _load(reading, query.order_by(*order, row.id).limit(page_size(first)), wanted(info))


@strawberry.type
class ComplaintQueries:
    complaints: list[Complaint] = strawberry.field(
        resolver=_complaints,
        description="Open ones: those that wait for a decision first, what is due soonest first. With `open: false` those that are "
        "closed, the last first. `mine`: of which one is the owner, or the others; a program has none. `stalled`: as `isStalled` says. "
        "At most 100: a shop that has more open ones has another problem.",
    )

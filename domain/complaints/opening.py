"""A ticket becomes a complaint: by somebody's word, or because its tags have put it under a law."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import shop
from domain.actors import SYSTEM, Actor, ActorKind
from domain.complaints.complaints import Complaint, complaint_of
from domain.complaints.decision_dates import LEGAL, due_at, hours_for, legal_date
from domain.complaints.laws import tagged_law, tags_of
from domain.complaints.refusals import AlreadyComplaint, LawNotSetUp
from domain.complaints.stages import Stage
from domain.complaints.stalling import watch
from domain.db import database_time, new_id
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import InvalidInput, IsSpam
from domain.events import Event, EventKind
from domain.languages import N_
from domain.planning import applying, templates
from domain.sla import reckoning
from domain.sla.clocks import RUNNING, Clock
from domain.sla.templates import Template
from domain.ways_in.channels import Channel, ChannelKind

READER = "complaints"


async def open_complaint(
    session: AsyncSession,
    ticket: Ticket,
    *,
    by: Actor,
    at: datetime,
    law: Template | None = None,
    promised_at: datetime | None = None,
    note: str = "",
) -> Complaint:
    """The ticket is held. Without a law, what a policy of the shop's own holds it to in days, or the shop's promise."""
    if ticket.spam_at:
        raise IsSpam(field=["ticketId"])
    if await complaint_of(session, ticket.id):
        raise AlreadyComplaint(field=["ticketId"])
    complaint = Complaint(
        id=new_id(),
        number=ticket.number,
        ticket_id=ticket.id,
        template=law,
        channel=await _first_channel(session, ticket),
        stage=Stage.RECEIVED,
        stage_since=at,
        opened_at=at,
        opened_by_id=by.agent_id,
        owner_id=ticket.assignee_id or by.agent_id,
        promised_at=promised_at,
        moved_at=at,
    )
    session.add(complaint)
    status = None if ticket.is_live() else TicketStatus.OPEN
    ticket.change(by=by, at=at, status=status, add_tags=list(tags_of(law)[:1]))
    ticket.undecided = True
    await reckoning.reckon(session, ticket, by=by, at=at)
    legal = await legal_date(session, ticket.id)
    if law and legal is None:
        raise LawNotSetUp(field=["template"], tags=tags_of(law)[0])
    check_promise(legal.due_at if legal else None, promised_at, at=at)
    complaint.tell(EventKind.COMPLAINT_OPENED, note, by=by, at=at)
    await watch(session, complaint, by=by, at=at)
    name, planned = await templates.for_complaints(session, law, await shop.language(session))
    await applying.apply(
        session,
        name,
        planned,
        ticket,
        complaint,
        decision=due_at(legal.due_at if legal else None, promised_at),
        hours=await hours_for(session, legal),
        by=by,
        at=at,
    )
    return complaint


def check_promise(legal: datetime | None, promised_at: datetime | None, *, at: datetime) -> None:
    if legal is None and promised_at is None:
        raise InvalidInput(N_("No law says by when: say what you promise."), field=["promisedAt"])
    if promised_at is not None and promised_at <= at:
        raise InvalidInput(N_("What is promised lies ahead."), field=["promisedAt"])
    if promised_at is not None and legal is not None and promised_at > legal:
        raise InvalidInput(N_("The law's date comes first: promise an earlier one."), field=["promisedAt"])


async def _first_channel(session: AsyncSession, ticket: Ticket) -> ChannelKind | None:
    return await session.scalar(
        select(Channel.kind)
        .join(Thread, Thread.channel_id == Channel.id)
        .where(Thread.ticket_id == ticket.id, Thread.side.is_(False))
        .order_by(Thread.joined_at)
        .limit(1)
    )


async def notice(session: AsyncSession, event: Event) -> None:
    """A ticket that a law has come to promise a decision is a complaint, by whatever means it was tagged."""
    may_be = event.kind == EventKind.SLA_CHANGED or "tags" in event.data
    if not may_be or event.ticket_id is None:
        return
    ticket = await locked(session, event.ticket_id)
    runs = select(Clock.id).where(Clock.ticket_id == ticket.id, *LEGAL, RUNNING).limit(1)
    if await session.scalar(runs) is None or await complaint_of(session, ticket.id):
        return
    by = Actor(ActorKind.AGENT, event.actor_id) if event.actor_kind == ActorKind.AGENT else SYSTEM
    await open_complaint(session, ticket, law=tagged_law(ticket), by=by, at=await database_time(session))

"""A ticket begins, a conversation begins in one, and why the conversation is there is written down."""

import uuid
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.customers.contacts import Contact, Identity, Proof
from domain.db import Json, new_id, session_of
from domain.desk.threads import Placement, Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import EventKind, record
from domain.joining.reasons import JoinCode


def open_ticket(
    session: AsyncSession,
    contact: Contact,
    *,
    subject: str,
    by: Actor,
    at: datetime,
    team_id: uuid.UUID | None = None,
    priority: int = 3,
) -> Ticket:
    ticket = Ticket(
        id=new_id(),
        contact_id=contact.id,
        subject=subject,
        status=TicketStatus.NEW,
        priority=priority,
        team_id=team_id,
        tags=[],
        created_at=at,
        updated_at=at,
    )
    session.add(ticket)
    record(session, EventKind.TICKET_OPENED, by=by, at=at, ticket_id=ticket.id, contact_id=contact.id)
    return ticket


def open_thread(
    session: AsyncSession,
    ticket: Ticket,
    placement: Placement,
    *,
    channel_id: uuid.UUID,
    key: str | None,
    identity: Identity | None,
    subject: str,
    by: Actor,
    at: datetime,
    proof: Proof | None = None,
    side: bool = False,
) -> Thread:
    thread = Thread(
        id=new_id(),
        channel_id=channel_id,
        key=key,
        contact_id=ticket.contact_id,
        ticket_id=ticket.id,
        identity_id=identity.id if identity else None,
        subject=subject,
        side=side,
        joined_proof=proof,
        joined_at=at,
    )
    session.add(thread)
    join(thread, placement.code, identity=identity, evidence=placement.evidence, by=by, at=at)
    return thread


def join(
    thread: Thread,
    code: JoinCode,
    *,
    identity: Identity | None,
    by: Actor,
    at: datetime,
    evidence: Json | None = None,
    source: uuid.UUID | None = None,
) -> None:
    """Writes down why the thread is where it is: on the thread, and in the history. `source`: the ticket it comes from."""
    thread.joined_code, thread.joined_at = code, at
    thread.joined_by_id = by.agent_id
    thread.joined_evidence = (evidence or {}) | ({"identity": str(identity.id)} if identity else {})
    record(
        session_of(thread),
        EventKind.THREAD_JOINED,
        by=by,
        at=at,
        ticket_id=thread.ticket_id,
        contact_id=thread.contact_id,
        thread_id=thread.id,
        data={"code": code} | ({"from": str(source)} if source else {}),
    )

"""All that a complaint consists of, as evidence: who said what and when, what was decided, and whether in time."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Result, Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import aliased

from domain.access import may_see
from domain.actors import Actor
from domain.agents.staff import Agent
from domain.arriving.inbound import Arrival
from domain.complaints.complaints import Complaint, ComplaintStep
from domain.complaints.decision_dates import legal_due, legal_since
from domain.customers.contacts import Contact, Identity
from domain.customers.survivors import same_person
from domain.db import one_of
from domain.desk import history
from domain.desk.history import Entry, Page, TimelineKind, Written
from domain.desk.messages import Attachment, DeliveryState, Item
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.sla.clocks import Clock

AT_ONCE = 500

_item = Item.__table__.c


@dataclass(frozen=True)
class CaseFile:
    complaint: Row[Any]
    """With its ticket's number, subject, contact and opening, and the law's date."""
    customer: str
    identities: Sequence[Row[Any]]
    steps: Sequence[Row[Any]]
    """Those of complaints that became part of it as well."""
    clocks: Sequence[Row[Any]]
    timeline: Sequence[Entry]
    """The oldest first."""
    attachments: dict[uuid.UUID, list[Row[Any]]]
    """By message."""
    originals: dict[uuid.UUID, str]
    """By message, the SHA-256 of the original as it came."""
    writers: dict[uuid.UUID | None, str]
    """By conversation, the address or number on the customer's side."""
    agents: dict[uuid.UUID | None, str]
    """Names."""


async def case_file(
    connection: AsyncConnection, complaint_id: uuid.UUID, *, to: Actor, notes: bool
) -> CaseFile | None:
    """None where this person sees no such complaint."""
    its = aliased(Ticket)  # the door asks the table itself
    found = await connection.execute(
        select(
            Complaint.__table__,
            legal_due.label("legal_due_at"),
            its.number.label("ticket_number"),
            its.subject,
            its.contact_id,
            func.coalesce(legal_since, its.legal_since).label("legal_since"),
            its.created_at.label("ticket_opened_at"),
        )
        .join(its, its.id == Complaint.ticket_id)
        .where(Complaint.id == complaint_id, may_see(Complaint, to))
    )
    complaint = found.one_or_none()
    if complaint is None:
        return None
    timeline = await _timeline(connection, complaint.ticket_id, notes=notes)
    items = [row.id for row in timeline if isinstance(row, Written)]
    return CaseFile(
        complaint,
        await connection.scalar(select(Contact.name).where(Contact.id == complaint.contact_id)) or "",
        await _identities(connection, complaint.contact_id),
        await _steps(connection, complaint.ticket_id),
        await _clocks(connection, complaint.ticket_id),
        timeline,
        await _attachments(connection, items),
        await _originals(connection, items),
        await _writers(connection, complaint.ticket_id),
        {row.id: row.name for row in await connection.execute(select(Agent.id, Agent.name))},
    )


async def _timeline(connection: AsyncConnection, ticket_id: uuid.UUID, *, notes: bool) -> list[Entry]:
    kinds = [kind for kind in TimelineKind if notes or kind != TimelineKind.NOTE]
    rows: list[Entry] = []
    while True:
        after = (rows[-1].at, rows[-1].seq) if rows else None
        page = Page(AT_ONCE, after=after, oldest=True, kinds=kinds)
        some = await history.of_ticket(connection, ticket_id, page)
        rows += reversed(some)
        if len(some) < AT_ONCE:
            return [row for row in rows if not isinstance(row, Written) or _is_told(row, notes=notes)]


def _is_told(row: Written, *, notes: bool) -> bool:
    """What was taken back was never said; what was said on the side is, like notes, not for the customer."""
    return row.delivery != DeliveryState.UNDONE and (notes or not row.side)


async def _identities(connection: AsyncConnection, contact_id: uuid.UUID) -> Sequence[Row[Any]]:
    found: Result[Any] = await connection.execute(
        select(Identity.kind, Identity.label, Identity.verified_at)
        .where(same_person(Identity.contact_id, contact_id))
        .order_by(Identity.kind, Identity.label)
    )
    return found.all()


async def _steps(connection: AsyncConnection, ticket_id: uuid.UUID) -> Sequence[Row[Any]]:
    its = select(Complaint.id).where(Complaint.ticket_id == ticket_id)
    found = await connection.execute(
        select(ComplaintStep.__table__)
        .where(ComplaintStep.complaint_id.in_(its))
        .order_by(ComplaintStep.at, ComplaintStep.id)
    )
    return found.all()


async def _clocks(connection: AsyncConnection, ticket_id: uuid.UUID) -> Sequence[Row[Any]]:
    found = await connection.execute(
        select(Clock.__table__)
        .where(Clock.ticket_id == ticket_id, Clock.ended_at.is_(None))
        .order_by(Clock.is_legal.desc(), Clock.started_at)
    )
    return found.all()


async def _attachments(
    connection: AsyncConnection, items: Sequence[uuid.UUID]
) -> dict[uuid.UUID, list[Row[Any]]]:
    found: Result[Any] = await connection.execute(
        select(Attachment.item_id, Attachment.name, Attachment.mime, Attachment.bytes, Attachment.file)
        .where(one_of(Attachment.item_id, items))
        .order_by(Attachment.id)
    )
    theirs: dict[uuid.UUID, list[Row[Any]]] = {}
    for row in found:
        theirs.setdefault(row.item_id, []).append(row)
    return theirs


async def _originals(connection: AsyncConnection, items: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    found = await connection.execute(
        select(_item.id, func.encode(func.sha256(Arrival.raw), "hex").label("digest"))
        .join(Arrival, Arrival.id == _item.arrival_id)
        .where(one_of(_item.id, items), func.length(Arrival.raw) > 0)
    )
    return {row.id: row.digest for row in found}


async def _writers(connection: AsyncConnection, ticket_id: uuid.UUID) -> dict[uuid.UUID | None, str]:
    found = await connection.execute(
        select(Thread.id, Identity.label)
        .join(Identity, Identity.id == Thread.identity_id)
        .where(Thread.ticket_id == ticket_id)
    )
    return {row.id: row.label for row in found}

"""After tickets became one, or parted again: of the complaints of a ticket one leads, and the ticket knows whether it waits."""

import uuid
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.complaints.complaints import Complaint
from domain.complaints.stalling import watch
from domain.db import one_of
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket


async def settle(
    session: AsyncSession, ticket_ids: Collection[uuid.UUID], *, by: Actor, at: datetime
) -> None:
    """The one that waits for its answer leads, then the open one, and of several the one that was opened first; the others are part
    of it."""
    await session.flush()
    complaints = await session.scalars(
        select(Complaint).where(one_of(Complaint.ticket_id, ticket_ids)).with_for_update()
    )
    of_ticket: dict[uuid.UUID, list[Complaint]] = {}
    for complaint in complaints:
        of_ticket.setdefault(complaint.ticket_id, []).append(complaint)
    for ticket in await session.scalars(select(Ticket).where(one_of(Ticket.id, ticket_ids))):
        await _lead(session, ticket, of_ticket.get(ticket.id, ()), by=by, at=at)
    await session.flush()


async def _lead(
    session: AsyncSession, ticket: Ticket, complaints: Sequence[Complaint], *, by: Actor, at: datetime
) -> None:
    leader = first(complaints)
    ticket.undecided = leader is not None and leader.is_undecided
    for complaint in complaints:
        leads_to = None if complaint is leader or leader is None else leader.id
        if complaint.merged_into_id != leads_to:
            complaint.merged_into_id = leads_to
            await watch(session, complaint, by=by, at=at)


def first(complaints: Iterable[Complaint]) -> Complaint | None:
    return min(
        complaints,
        key=lambda one: (one.closed_at is not None, one.decided_at is not None, one.opened_at, one.number),
        default=None,
    )


def double_work(ticket_id: uuid.UUID) -> tuple[ColumnElement[bool], ...]:
    """Open tasks that a complaint has made which is part of another now."""
    parts = select(Complaint.id).where(
        Complaint.ticket_id == ticket_id, Complaint.merged_into_id.is_not(None)
    )
    return Task.complaint_id.in_(parts), Task.done_at.is_(None)

"""Which ticket it is by now: tickets become part of others, threads are moved, and who adds to one holds the one that survives."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Uuid, any_, func, literal, select, union_all
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql.elements import SQLCoreOperations

from domain.abreast import asked
from domain.chorus import Reads
from domain.customers.survivors import same_person
from domain.db import one_of_given
from domain.desk.threads import Thread
from domain.desk.tickets import LIVE, Ticket
from domain.telling import rows


async def locked(session: AsyncSession, ticket_id: uuid.UUID) -> Ticket:
    """The ticket that survives, held until the transaction ends: so its items get their `seq` in commit order."""
    ticket = await asked(session, _locked, ticket_id, holding=[f"ticket\n{ticket_id}"])
    return await locked(session, ticket.merged_into_id) if ticket.merged_into_id else ticket


async def _locked(session: AsyncSession, ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Ticket]:
    found = await rows(session, Ticket, _held, {"ids": ids}, fresh=True)
    return {ticket.id: ticket for ticket in found}


_held = select(Ticket).where(one_of_given(Ticket.id)).order_by(Ticket.id).with_for_update(key_share=True)


def same_matter(
    column: SQLCoreOperations[Any], ticket_id: uuid.UUID | BindParameter[uuid.UUID]
) -> ColumnElement[bool]:
    """Rows of a ticket and of all that have become part of it."""
    merged = select(Ticket.id).where(Ticket.merged_into_id == ticket_id)
    itself = ticket_id if isinstance(ticket_id, BindParameter) else literal(ticket_id, Uuid())
    everything = union_all(select(itself), merged)
    return column == any_(func.array(everything.scalar_subquery()))


async def became(connection: Reads, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """Of those that are part of another now, which."""
    found = await connection.execute(_became, {"ids": list(ids)})
    return {row.id: row.merged_into_id for row in found}


_became = select(Ticket.id, Ticket.merged_into_id).where(
    one_of_given(Ticket.id), Ticket.merged_into_id.is_not(None)
)


async def held_with(session: AsyncSession, thread: Thread) -> Ticket:
    """The thread's ticket, held; the thread may be moved while we wait for it."""
    while True:
        await refreshed(session, thread)
        ticket = await locked(session, thread.ticket_id)
        await refreshed(session, thread)
        if thread.ticket_id == ticket.id:
            return ticket


async def refreshed(session: AsyncSession, thread: Thread) -> None:
    await asked(session, _refreshed, thread.id)


async def _refreshed(session: AsyncSession, ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Thread]:
    found = await rows(session, Thread, _threads, {"ids": ids}, fresh=True)
    return {thread.id: thread for thread in found}


_threads = select(Thread).where(one_of_given(Thread.id))


async def live_tickets(session: AsyncSession, contact_id: uuid.UUID) -> list[Ticket]:
    """Of the contact, held."""
    found = await session.scalars(
        select(Ticket.id)
        .where(
            same_person(Ticket.contact_id, contact_id),
            Ticket.status.in_(LIVE),
            Ticket.merged_into_id.is_(None),
        )
        .order_by(Ticket.id)
    )
    return [await locked(session, id) for id in found.all()]

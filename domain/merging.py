"""What happens when somebody turns out to be somebody: conversations follow the person, pointers move, rows stay."""

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import clocks
from domain.actors import Actor
from domain.contacts import Contact, Identity
from domain.events import EventKind, record
from domain.messages import Item
from domain.reasons import JoinCode
from domain.tasks import Task
from domain.threads import Thread
from domain.tickets import Ticket, TicketStatus, join, live_tickets, locked, open_ticket


async def hand_over(
    session: AsyncSession, identity: Identity, to: Contact, code: JoinCode, *, by: Actor, at: datetime
) -> Identity:
    """The identity turns out to be `to`'s: its conversations follow, and join that contact's one open ticket.

    A ticket all of whose threads were this identity's goes along whole; an open one's matter joins the other's. The
    contact left without any identity becomes `to`. Returns the identity as `to` has it now.
    """
    before = await session.get_one(Contact, identity.contact_id)
    if to.id in (before.id, before.canonical_id):
        return identity
    open_there = await live_tickets(session, to.id)
    threads = list(await session.scalars(select(Thread).where(Thread.identity_id == identity.id)))
    identity = await _give(session, identity, to)
    for ticket_id in dict.fromkeys(thread.ticket_id for thread in threads):
        moving = [thread for thread in threads if thread.ticket_id == ticket_id]
        ticket = await locked(session, ticket_id)
        shared = await session.scalar(
            select(Thread.id)
            .where(Thread.ticket_id == ticket.id, Thread.id.not_in([thread.id for thread in moving]))
            .limit(1)
        )
        if ticket.is_live() and len(open_there) == 1:
            home = await locked(session, open_there[0].id)
        elif shared and ticket.is_live():
            home = open_ticket(session, to, subject=moving[0].subject, by=by, at=at, team_id=ticket.team_id)
            await session.flush()
        elif shared:
            continue  # an old matter of several: it stays where it was settled
        else:
            await _belongs_to(session, ticket, to)
            continue
        for thread in moving:
            await move_thread(session, thread, home, code, identity=identity, by=by, at=at)
        if not shared:
            await _dissolve(session, ticket, home, by=by, at=at)
        for changed in (ticket, home):
            await clocks.reckon(session, changed, by=by, at=at)
    await _follow(session, before, to, by=by, at=at)
    return identity


async def move_thread(
    session: AsyncSession,
    thread: Thread,
    to: Ticket,
    code: JoinCode,
    *,
    identity: Identity | None,
    by: Actor,
    at: datetime,
) -> None:
    thread.ticket_id, thread.contact_id = to.id, to.contact_id
    await session.execute(
        update(Item).where(Item.thread_id == thread.id).values(ticket_id=to.id, contact_id=to.contact_id)
    )
    join(thread, code, identity=identity, by=by, at=at)


async def _give(session: AsyncSession, identity: Identity, to: Contact) -> Identity:
    same = await session.scalar(
        select(Identity).where(
            Identity.contact_id == to.id,
            Identity.kind == identity.kind,
            Identity.scope == identity.scope,
            Identity.value == identity.value,
        )
    )
    if same is None:
        identity.contact_id = to.id
        await session.flush()
        return identity
    # `to` had claimed this very value: one of the two rows is enough, and the proven one counts.
    await session.execute(update(Thread).where(Thread.identity_id == identity.id).values(identity_id=same.id))
    verified_at, verified_by = identity.verified_at, identity.verified_by
    await session.execute(delete(Identity).where(Identity.id == identity.id))
    session.expunge(identity)
    if same.verified_at is None:
        same.verified_at, same.verified_by = verified_at, verified_by
    await session.flush()
    return same


async def _follow(session: AsyncSession, before: Contact, to: Contact, *, by: Actor, at: datetime) -> None:
    """A contact without identities can never be written to again: it becomes the other."""
    if await session.scalar(select(Identity.id).where(Identity.contact_id == before.id).limit(1)):
        return
    for ticket in list(await session.scalars(select(Ticket).where(Ticket.contact_id == before.id))):
        await _belongs_to(session, ticket, to)
    await session.execute(update(Task).where(Task.contact_id == before.id).values(contact_id=to.id))
    await session.execute(update(Contact).where(Contact.canonical_id == before.id).values(canonical_id=to.id))
    before.become(to, by=by, at=at)


async def _belongs_to(session: AsyncSession, ticket: Ticket, contact: Contact) -> None:
    ticket.contact_id = contact.id
    await session.execute(update(Thread).where(Thread.ticket_id == ticket.id).values(contact_id=contact.id))
    await session.execute(update(Item).where(Item.ticket_id == ticket.id).values(contact_id=contact.id))


async def _dissolve(session: AsyncSession, ticket: Ticket, into: Ticket, *, by: Actor, at: datetime) -> None:
    """The ticket's matter is `into`'s now: notes, tasks and promises move along, and its number leads there."""
    ticket.merged_into_id = into.id
    ticket.status, ticket.solved_at, ticket.updated_at = TicketStatus.CLOSED, at, at
    await session.execute(
        update(Item).where(Item.ticket_id == ticket.id).values(ticket_id=into.id, contact_id=into.contact_id)
    )
    await session.execute(update(Task).where(Task.ticket_id == ticket.id).values(ticket_id=into.id))
    await session.execute(
        update(Ticket).where(Ticket.merged_into_id == ticket.id).values(merged_into_id=into.id)
    )
    record(
        session,
        EventKind.TICKET_MERGED,
        by=by,
        at=at,
        ticket_id=into.id,
        contact_id=into.contact_id,
        data={"merged": str(ticket.id)},
    )

"""A ticket that is spam: nothing is sent to whoever wrote it, and nothing is promised."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor, customer
from domain.alerting import alerts
from domain.alerting.alerts import Alert
from domain.answering.delivery_problems import SENTENCES, Problem, with_problem
from domain.complaints.complaints import complaint_of
from domain.complaints.stalling import watch
from domain.customers.contacts import Identity
from domain.db import first_id
from domain.desk.messages import DeliveryState, Direction, Item, Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.sla import reckoning

TAKEN_BACK = SENTENCES[Problem.TAKEN_BACK]
"""Of a copy, as if its recipient's side had said so."""


async def mark(session: AsyncSession, ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """`ticket` is held by the caller."""
    if ticket.spam_at:
        return
    ticket.set_spam(True, by=by, at=at)
    waiting = select(Message).where(Message.ticket_id == ticket.id, Message.due_at.is_not(None))
    for message in (await session.scalars(waiting.with_for_update(of=Message))).all():
        # Who has it in hand already has lost the lease with this.
        message.due_at, message.last_error = None, TAKEN_BACK
        await message.give_up(session, at=at)
        if message.delivery == DeliveryState.FAILED:
            message.last_error = ""
            message.particulars = with_problem(message.particulars, Problem.TAKEN_BACK)
    await alerts.resolve(session, Alert.ticket_id == ticket.id, by=by, at=at)
    await reckoning.reckon(session, ticket, by=by, at=at)


async def unmark(session: AsyncSession, ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """What the customer has said meanwhile reopens it now."""
    if since := ticket.spam_at:
        ticket.set_spam(False, by=by, at=at)
        if await _was_written_to(session, ticket, since):
            ticket.customer_wrote(by=customer(ticket.contact_id), at=at)
        await reckoning.reckon(session, ticket, by=by, at=at)
        if complaint := await complaint_of(session, ticket.id):
            await watch(session, complaint, by=by, at=at)


async def _was_written_to(session: AsyncSession, ticket: Ticket, since: datetime) -> bool:
    said = (
        select(_item.id)
        .join(Thread, Thread.id == _item.thread_id)
        .where(
            _item.ticket_id == ticket.id,
            _item.direction == Direction.IN,
            _item.automatic.is_not(True),
            _item.id > first_id(since),
            Thread.side.is_(False),
        )
    )
    return await session.scalar(said.limit(1)) is not None


_item = Item.__table__.c


async def senders_of(session: AsyncSession, ticket: Ticket) -> Sequence[Identity]:
    """Who wrote or called."""
    found = await session.scalars(
        select(Identity)
        .join(Thread, Thread.identity_id == Identity.id)
        .where(Thread.ticket_id == ticket.id)
        .distinct()
    )
    return found.all()

"""One conversation, or a message and all that follows it, moves to another ticket or to one of its own."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.arriving import participants
from domain.customers.survivors import survivor_of
from domain.db import new_id
from domain.desk.messages import Item
from domain.desk.survivors import held_with
from domain.desk.threads import Thread
from domain.desk.tickets import OURS, Ticket, TicketStatus
from domain.errors import InvalidInput, IsSpam, NotFound
from domain.events import EventKind, record
from domain.joining.merging import move_thread, new_ticket, settle
from domain.joining.moves import Journal, Move, MoveKind, hold
from domain.joining.reasons import JoinCode
from domain.languages import N_
from domain.sla import reckoning
from domain.sla.facts import waits_in


async def move(
    session: AsyncSession,
    thread: Thread,
    to: Ticket | None,
    *,
    by: Actor,
    at: datetime,
    after: Item | None = None,
) -> Move:
    """`to` none: a new ticket. `after`: the item of the thread from which on it moves; the rest stays."""
    await hold(session)
    source = await held_with(session, thread)
    if to is not None and to.id == source.id:
        raise InvalidInput(N_("It is in this ticket already."), field=["ticketId"])
    if to is not None and to.spam_at and not source.spam_at:
        raise IsSpam(field=["ticketId"])
    journal = await Journal.begin(session, MoveKind.THREAD_MOVE, thread.contact_id, by=by, at=at)
    if after:
        thread = await _split(journal, thread, after)
    contact = await survivor_of(session, thread.contact_id)
    if contact is None:
        raise NotFound(field=["threadId"])
    target = to or await new_ticket(journal, source, contact, subject=thread.subject)
    if thread.joined_proof is None:  # whose it was, was a guess as well
        journal.set(thread, always=True, contact_id=target.contact_id)
    await move_thread(journal, thread, target, JoinCode.MOVED_BY_AGENT)
    journal.move.contact_id = thread.contact_id
    await settle(session, ticket_ids=[source.id, target.id])
    if source.status in OURS and target.status not in OURS and await waits_in(session, thread):
        _open(journal, target)
    for changed in (source, target):
        changed.updated_at = at
        await reckoning.reckon(session, changed, by=by, at=at)
    return journal.move


def _open(journal: Journal, ticket: Ticket) -> None:
    """What came to it waits for an answer."""
    status = [ticket.status, TicketStatus.OPEN]
    journal.set(ticket, status=TicketStatus.OPEN, solved_at=None, snoozed_until=None)
    record(
        journal.session, EventKind.TICKET_CHANGED, by=journal.by, at=journal.at, ticket_id=ticket.id,
        contact_id=ticket.contact_id, data={"status": status, "move": str(journal.move.id)},
    )  # fmt: skip


async def _split(journal: Journal, thread: Thread, first: Item) -> Thread:
    """The conversation goes on in the new thread: what comes next belongs there."""
    session = journal.session
    if first.thread_id != thread.id:
        raise InvalidInput(N_("This message is of another conversation."), field=["fromItemId"])
    earlier = select(Item.id).where(Item.thread_id == thread.id, Item.seq < first.seq).limit(1)
    if await session.scalar(earlier) is None:
        return thread
    new = Thread(
        id=new_id(), channel_id=thread.channel_id, contact_id=thread.contact_id, identity_id=thread.identity_id,
        ticket_id=thread.ticket_id, subject=thread.subject, joined_code=thread.joined_code, joined_at=journal.at,
        joined_proof=thread.joined_proof, last_inbound_at=thread.last_inbound_at, split_from_id=thread.id,
        ended_at=thread.ended_at,
    )  # fmt: skip
    if thread.ended_at is None:
        thread.ended_at = journal.at
    await session.flush()
    new.key = thread.key
    session.add(new)
    await session.flush()
    await participants.copy(session, thread, new)
    journal.move.kind, journal.move.thread_id = MoveKind.SPLIT, new.id
    await journal.all(Item, Item.thread_id == thread.id, Item.seq >= first.seq, thread_id=new.id, always=True)
    return new

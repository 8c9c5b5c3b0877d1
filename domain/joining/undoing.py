"""Taking back a merge, a split or a move: what it brought goes back where it was, with what has come to it since."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain import access
from domain.actors import Actor
from domain.complaints import settling
from domain.complaints.complaints import Complaint
from domain.customers.contacts import Contact
from domain.db import one_of
from domain.desk.messages import Item
from domain.desk.survivors import locked
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import AlreadyUndone, BeingErased, NotFound, NotYours, TooLateToUndo
from domain.events import EventKind, record
from domain.joining.merging import sees_all_of, settle
from domain.joining.moves import UNDO_WITHIN, Move, MoveKind, Step, hold
from domain.joining.putting_back import put_back, tickets_of
from domain.privacy.erasure import is_under_way
from domain.sla import reckoning


@dataclass(frozen=True)
class Undone:
    contact_id: uuid.UUID
    """Whose the move had made it."""
    ticket_ids: list[uuid.UUID]
    """That it concerned, as far as they stand."""


async def undo(
    session: AsyncSession,
    move_id: uuid.UUID,
    kinds: Collection[MoveKind] = frozenset(MoveKind),
    *,
    by: Actor,
    at: datetime,
    field: str = "eventId",
) -> Undone:
    """Of a move of these kinds that this person could make: who does not see all of it, cannot. `field`: of the input."""
    await hold(session)
    move = await session.get(Move, move_id, with_for_update=True)
    if move is None or move.kind not in kinds or not await _sees(session, move, by):
        raise NotFound(field=[field])
    if move.undone_at:
        raise AlreadyUndone(field=[field])
    if at > move.undo_until:
        raise TooLateToUndo(field=[field], days=UNDO_WITHIN.days)
    contact = await session.get_one(Contact, move.contact_id)
    whose = {contact.id, *await _whose_it_was(session, move)}
    erased = select(Contact.id).where(one_of(Contact.id, whose), Contact.erased_at.is_not(None))
    if await session.scalar(erased.limit(1)) is not None:
        raise NotFound(field=[field])
    if await is_under_way(session, whose):
        raise BeingErased(field=[field])
    await sees_all_of(session, contact, by, field=field)
    await _sees_tickets_of(session, move, by, field=field)
    before = set(await session.scalars(select(Thread.ticket_id).where(Thread.move_id == move.id)))
    part = await session.get(Thread, move.thread_id) if move.thread_id else None
    was_live = part is not None and part.ended_at is None
    changed = await put_back(session, move, at=at, by_id=by.agent_id)
    if part:
        part.ended_at = part.ended_at or at
        await session.flush()  # of the two that are one again, only one goes on
        before.add(await _rejoin(session, part, is_live=was_live))
    tickets = before | changed.get("ticket", set()) | ({move.ticket_id} if move.ticket_id else set())
    for model, rows in ((Thread, changed.get("thread", set())), (Item, changed.get("item", set()))):
        tickets |= set(await session.scalars(select(model.ticket_id).where(one_of(model.id, rows))))
    people = changed.get("contact", set()) | {move.contact_id}
    await settle(session, ticket_ids=tickets, contact_ids=people)
    await settling.settle(session, tickets, by=by, at=at)
    tickets |= await _tidy(session, move, tickets, at)
    found = await session.scalars(select(Ticket).where(one_of(Ticket.id, tickets)).order_by(Ticket.id))
    concerned = found.all()
    for ticket in concerned:
        ticket.updated_at = at
        await reckoning.reckon(session, ticket, by=by, at=at)
        _tell(session, move, by=by, at=at, ticket=ticket)
    for contact_id in sorted(people):
        record(
            session, EventKind.MOVE_UNDONE, by=by, at=at, contact_id=contact_id,
            data={"move": str(move.id), "kind": move.kind},
        )  # fmt: skip
    return Undone(move.contact_id, [ticket.id for ticket in concerned if ticket.merged_into_id is None])


async def _whose_it_was(session: AsyncSession, move: Move) -> set[uuid.UUID]:
    before = select(Step.before).where(Step.move_id == move.id, Step.field == "contact_id")
    return {uuid.UUID(id) for id in await session.scalars(before.distinct()) if id}


async def _rejoin(session: AsyncSession, part: Thread, *, is_live: bool) -> uuid.UUID:
    """What came to the later part of a conversation since they were split goes back with it; into which ticket."""
    whole = part
    while whole.split_from_id and (whole is part or await _is_undone(session, whole)):
        whole = await session.get_one(Thread, whole.split_from_id, populate_existing=True)
    await session.execute(update(Item).where(Item.thread_id == part.id).values(thread_id=whole.id))
    if is_live:
        whole.ended_at = None
    if part.last_inbound_at and (
        whole.last_inbound_at is None or part.last_inbound_at > whole.last_inbound_at
    ):
        whole.last_inbound_at = part.last_inbound_at
    await session.flush()
    return whole.ticket_id


async def _is_undone(session: AsyncSession, part: Thread) -> bool:
    split = select(Move.undone_at).where(Move.thread_id == part.id)
    return await session.scalar(split) is not None


async def _tidy(
    session: AsyncSession, move: Move, concerned: Collection[uuid.UUID], at: datetime
) -> set[uuid.UUID]:
    """A ticket that an undone move made is there as long as it holds something; those that have changed. One that somebody has merged
    since stays where it is."""
    made = await session.scalars(
        select(Ticket)
        .join(Move, Move.id == Ticket.split_by_id)
        .where(
            Move.undone_at.is_not(None),
            (Ticket.split_by_id == move.id)
            | one_of(Ticket.id, concerned)
            | one_of(Ticket.split_from_id, concerned)
            | one_of(Ticket.merged_into_id, concerned),
            ~_merged_by_a_move,
        )
        .order_by(Ticket.id)
        .with_for_update(of=Ticket, key_share=True)
        .execution_options(populate_existing=True)
    )
    changed = set()
    for ticket in made.all():
        source = await locked(session, ticket.split_from_id) if ticket.split_from_id else None
        holds = await _holds_something(session, ticket)
        if source and not holds and ticket.merged_into_id is None:
            ticket.merged_into_id, ticket.status, ticket.solved_at = source.id, TicketStatus.CLOSED, at
        elif holds and ticket.merged_into_id:
            ticket.merged_into_id, ticket.status, ticket.solved_at = None, TicketStatus.OPEN, None
        elif source is None or ticket.merged_into_id in (None, source.id):
            continue
        else:
            ticket.merged_into_id = source.id
        changed.add(ticket.id)
    await session.flush()
    return changed


_standing = aliased(Move)
_merged_by_a_move = exists(
    select(Step.id)
    .join(_standing, _standing.id == Step.move_id)
    .where(Step.row_id == Ticket.id, Step.field == "merged_into_id", _standing.undone_at.is_(None))
)


async def _holds_something(session: AsyncSession, ticket: Ticket) -> bool:
    for held in (
        select(Item.id).where(Item.ticket_id == ticket.id),
        select(Task.id).where(Task.ticket_id == ticket.id),
        select(Ticket.id).where(Ticket.merged_into_id == ticket.id),
        select(Complaint.id).where(Complaint.ticket_id == ticket.id),
    ):
        if await session.scalar(held.limit(1)) is not None:
            return True
    return False


def _tell(session: AsyncSession, move: Move, *, by: Actor, at: datetime, ticket: Ticket) -> None:
    data = {"move": str(move.id), "kind": move.kind}
    if ticket.merged_into_id:  # made by the move: there is nothing in it any more
        record(
            session, EventKind.TICKET_MERGED, by=by, at=at, ticket_id=ticket.merged_into_id,
            contact_id=ticket.contact_id, data=data | {"merged": str(ticket.id)},
        )  # fmt: skip
    else:
        record(
            session, EventKind.MOVE_UNDONE, by=by, at=at, ticket_id=ticket.id, contact_id=ticket.contact_id,
            data=data,
        )  # fmt: skip


async def _sees_tickets_of(session: AsyncSession, move: Move, by: Actor, *, field: str) -> None:
    """Those of another contact too."""
    steps = (await session.scalars(select(Step).where(Step.move_id == move.id))).all()
    unseen = select(Ticket.id).where(one_of(Ticket.id, tickets_of(steps)), access.may_not_see(Ticket, by))
    if await session.scalar(unseen.limit(1)) is not None:
        raise NotYours(field=[field])


async def _sees(session: AsyncSession, move: Move, by: Actor) -> bool:
    for model, id in ((Contact, move.contact_id), (Ticket, move.ticket_id)):
        seen = select(model.id).where(model.id == id, access.may_see(model, by))
        if id is not None and await session.scalar(seen) is None:
            return False
    return True

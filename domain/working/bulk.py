"""One change of up to five hundred tickets, made in the background and in short steps, each ticket as if by hand, once.

A ticket's change and the word that it is made are one transaction, with the lease: whoever dies in between has done neither.
"""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import access
from domain.actors import Actor
from domain.agents.sign_in import actor_by_id
from domain.db import Database, database_time, new_id, one_of, ring
from domain.desk.tickets import Ticket
from domain.errors import InvalidInput, NotAllowed, NotFound, Refused
from domain.hands import work
from domain.languages import N_
from domain.work import Lease, Queue, passes
from domain.working import changing, edits
from domain.working.changing import Change
from domain.working.edits import Edit, EditedTicket, EditState, Outcome, rows_of

log = structlog.get_logger()

MOST = 500
STEP = 20
"""Tickets in one transaction: the feed shows nothing that comes after while one is open."""
UNDO_WITHIN = timedelta(hours=1)

BULKS = Queue(Edit, topic="bulks")


async def begin(
    session: AsyncSession, ticket_ids: Sequence[uuid.UUID], change: Change, *, by: Actor, at: datetime
) -> Edit:
    """`ticket_ids` in the order in which everybody holds tickets, each once: those that are there, seen or not."""
    if not 0 < len(ticket_ids) <= MOST:
        raise InvalidInput(N_("From 1 to {most} tickets at once."), field=["ids"], most=MOST)
    if by.agent_id is None:
        raise NotAllowed
    change.check()
    if await session.scalar(select(func.count(Ticket.id)).where(one_of(Ticket.id, ticket_ids))) != len(
        ticket_ids
    ):
        raise NotFound(field=["ids"])
    edit = Edit(
        id=new_id(), by_id=by.agent_id, at=at, asked=change.as_json(), state=EditState.RUNNING,
        total=len(ticket_ids), due_at=func.now(),
    )  # fmt: skip
    session.add(edit)
    session.add_all(
        EditedTicket(id=new_id(), edit_id=edit.id, place=place, ticket_id=id, state=Outcome.WAITING)
        for place, id in enumerate(ticket_ids)
    )
    ring(session, BULKS.topic)
    return edit


async def run(db: Database) -> None:
    async def do(edit: Edit, lease: Lease[Edit]) -> None:
        async with db.transaction() as session:
            if await step(session, edit.id):
                await lease.go_on(session)
            else:
                await lease.settle(session)

    await work(db, BULKS, do)


async def step(session: AsyncSession, edit_id: uuid.UUID) -> bool:
    """The next tickets; whether there are more."""
    edit = await session.get_one(Edit, edit_id, with_for_update=True)
    now = await database_time(session)
    if edit.state == EditState.RUNNING:
        more = await _each(session, edit, edit.by_id, Outcome.WAITING, _make, at=now)
        if not more:
            edit.state, edit.asked, edit.finished_at = EditState.DONE, {}, now
            edit.undo_until = now + UNDO_WITHIN
        return more
    if edit.state == EditState.UNDOING:
        by_id = edit.undone_by_id or edit.by_id
        more = await _each(session, edit, by_id, Outcome.DONE, changing.take_back, at=now)
        if not more:
            edit.state, edit.finished_at = EditState.UNDONE, now
        return more
    return False


Do = Callable[..., Awaitable[None]]
"""To one ticket: `_make`, or `changing.take_back`."""


async def _each(
    session: AsyncSession, edit: Edit, by_id: uuid.UUID, state: Outcome, do: Do, *, at: datetime
) -> bool:
    by = await actor_by_id(session, by_id)
    rows = (await session.scalars(rows_of(edit.id, state).limit(STEP))).all()
    for row in rows:
        ticket_id = row.ticket_id
        try:
            async with session.begin_nested():
                if by is None:
                    raise NotAllowed  # whoever asked has left
                await do(session, edit, row, by=by, at=at)
        except Refused as refusal:
            row.state, row.error = Outcome.FAILED, refusal.code
        except Exception as failure:
            if isinstance(failure, OSError) or passes(failure):
                raise
            log.error("ticket_not_changed", ticket=str(ticket_id), exc_info=failure)
            row.state, row.error = Outcome.FAILED, "INTERNAL"
    await session.flush()
    return len(rows) == STEP


async def _make(session: AsyncSession, edit: Edit, row: EditedTicket, *, by: Actor, at: datetime) -> None:
    ticket = await access.ticket(session, row.ticket_id, to=by, lock=True)
    row.ticket_id = ticket.id
    before = edits.picture(ticket)
    await changing.make(session, ticket, Change.from_json(edit.asked), by=by, at=at)
    row.is_done(ticket, before, await edits.place_in_history(session))

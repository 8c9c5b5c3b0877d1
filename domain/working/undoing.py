"""Taking a change back: at once what was done by hand, in the background what was done to many."""

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import access
from domain.actors import Actor
from domain.db import ring
from domain.errors import AlreadyUndone, ChangedSince, NotAllowed, TooLateToTakeBack
from domain.working import changing
from domain.working.bulk import BULKS
from domain.working.edits import Edit, EditedTicket, EditState, Outcome, rows_of


async def undo(
    session: AsyncSession, edit_id: uuid.UUID, *, by: Actor, at: datetime
) -> Sequence[EditedTicket]:
    """Of a change by hand: its tickets. Refused where nothing of it could be taken back."""
    edit = await _may_undo(session, edit_id, by=by, at=at)
    edit.state = EditState.UNDONE
    rows = (await session.scalars(rows_of(edit.id, Outcome.DONE))).all()
    for row in rows:
        await changing.take_back(session, edit, row, by=by, at=at)
    if all(len(row.kept) == len(row.changed) for row in rows):
        raise ChangedSince
    return rows


async def undo_bulk(session: AsyncSession, edit_id: uuid.UUID, *, by: Actor, at: datetime) -> Edit:
    """What has not been done yet is not done any more."""
    edit = await _may_undo(session, edit_id, by=by, at=at)
    waits = (EditedTicket.edit_id == edit.id, EditedTicket.state == Outcome.WAITING)
    await session.execute(update(EditedTicket).where(*waits).values(state=Outcome.SKIPPED))
    edit.state, edit.asked, edit.due_at = EditState.UNDOING, {}, func.now()
    ring(session, BULKS.topic)
    return edit


async def _may_undo(session: AsyncSession, edit_id: uuid.UUID, *, by: Actor, at: datetime) -> Edit:
    edit = await access.one(session, Edit, edit_id, to=by, lock=True)
    if edit.by_id != by.agent_id and not by.manages:
        raise NotAllowed(field=["id"])
    if edit.state in (EditState.UNDOING, EditState.UNDONE):
        raise AlreadyUndone(field=["id"])
    if edit.undo_until and at > edit.undo_until:
        raise TooLateToTakeBack(field=["id"])
    edit.undone_by_id = by.agent_id
    return edit

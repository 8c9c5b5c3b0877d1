"""Whose task falls due is reminded, once. Who that is, and by which device: `notifications/dispatch.py`."""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.db import database_time
from domain.desk.tasks import Task
from domain.events import EventKind, happened, record_all

BATCH = 500


async def remind_due(session: AsyncSession, *, at: datetime | None = None) -> int:
    """Tells of the tasks whose moment has come; how many. Of several workers one gets each, and one that dies lets go of it."""
    now = at or await database_time(session)
    due = (
        select(Task.id, Task.next_at)
        .where(Task.next_at <= now)
        .order_by(Task.next_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    claimed = await session.execute(
        update(Task)
        .where(Task.id == due.c.id)
        .values(next_at=None)
        .returning(Task.id, Task.ticket_id, Task.contact_id, due.c.next_at.label("at")),
        execution_options={"synchronize_session": False},
    )
    rows = claimed.all()
    reminders = [
        happened(
            EventKind.TASK_DUE,
            by=SYSTEM,
            at=row.at,
            task_id=row.id,
            ticket_id=row.ticket_id,
            contact_id=row.contact_id,
        )
        for row in rows
    ]
    record_all(session, reminders)
    return len(rows)

"""Tasks that come again. The newest of a series holds its rule, and hands it on to the next one: so each makes one.

However long nothing was done, the next is the first that is still to come. One that goes on by the calendar waits while two
of the series are open: the one that is overdue and the one before it say enough.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.agents.staff import Agent
from domain.db import database_time, new_id
from domain.desk.tasks import TOPIC, Task
from domain.desk.tickets import Ticket
from domain.planning.recurrence import Recurrence
from domain.planning.reminders import BATCH, remind_due
from domain.wheel import Wheel

LOOKS_AGAIN = timedelta(hours=1)


async def go_on(session: AsyncSession, *, at: datetime | None = None) -> int:
    """Makes the next of each series whose moment has come; how many came to it."""
    now = at or await database_time(session)
    due = await session.scalars(
        select(Task)
        .where(Task.repeat_at <= now)
        .order_by(Task.repeat_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    tasks = due.all()
    for task in tasks:
        if task.done_at is None and await _another_is_open(session, task):
            task.repeat_at = now + LOOKS_AGAIN
        else:
            await _hand_on(session, task, now)
    return len(tasks)


async def is_newest(session: AsyncSession, task: Task) -> bool:
    """Of its series, or alone: it says how it comes again."""
    if task.series_id is None:
        return True
    later = (Task.series_id == task.series_id, Task.created_at > task.created_at)
    return not await session.scalar(select(exists().where(*later)))


async def _another_is_open(session: AsyncSession, task: Task) -> bool:
    another = (Task.series_id == task.series_id, Task.id != task.id, Task.done_at.is_(None))
    return bool(await session.scalar(select(exists().where(*another))))


async def _hand_on(session: AsyncSession, task: Task, now: datetime) -> None:
    repeats, task.repeats, task.repeat_at = task.repeats, None, None
    due_at = Recurrence.from_json(repeats).after(max(task.due_at or now, now)) if repeats else None
    if due_at is None or await _is_settled(session, task):
        return
    assignee = await session.get(Agent, task.assignee_id) if task.assignee_id else None
    following = Task(
        id=new_id(),
        title=task.title,
        description=task.description,
        due_at=due_at,
        assignee_id=assignee.id if assignee and assignee.left_at is None else None,
        team_id=task.team_id,
        ticket_id=task.ticket_id,
        contact_id=task.contact_id,
        created_by_id=task.created_by_id,
        created_at=now,
        remind_minutes=task.remind_minutes,
        remind_at=_as_long_before(task, due_at),
        repeats=repeats,
        series_id=task.series_id,
    )
    session.add(following)
    following.saved(by=SYSTEM, at=now)


async def _is_settled(session: AsyncSession, task: Task) -> bool:
    """What is done again and again for a ticket ends with it."""
    ticket = await session.get(Ticket, task.ticket_id) if task.ticket_id else None
    return ticket is not None and not ticket.is_live()


def _as_long_before(task: Task, due_at: datetime) -> datetime | None:
    """None, too, of what would come after the calendar's end."""
    with suppress(OverflowError):
        if task.remind_at and task.due_at:
            return due_at - (task.due_at - task.remind_at)
    return None


WHEEL = Wheel(TOPIC, (Task.next_at, Task.repeat_at), (remind_due, go_on), BATCH)

"""Lists of tasks: one's own, those of today, what is overdue, what one has given to others; and how many."""

from datetime import datetime

import strawberry
from sqlalchemy import ColumnElement, exists, func, or_, select

from api.context import Info, Reading
from api.desk.tasks import Task, tasks_where
from api.paging import page_size
from api.selection import wanted
from domain.access import may_see
from domain.customers.survivors import same_person
from domain.desk import tasks
from domain.desk.tickets import Ticket
from domain.ids import row_id
from domain.planning import days


@strawberry.input(description="All that is given must hold.")
class TaskFilter:
    assignee_id: strawberry.ID | None = None
    mine: bool | None = strawberry.field(
        default=None, description="Those that are one's own, or the others. A program has none."
    )
    created_by_me: bool | None = strawberry.field(
        default=None, description="True: those that one has given to somebody else, or to nobody yet."
    )
    done: bool | None = None
    due_before: datetime | None = None
    overdue: bool | None = strawberry.field(default=None, description="True: open, and due before now.")
    today: bool | None = strawberry.field(
        default=None,
        description="True: open, and due before the day is over in the time zone of who asks, what is overdue as well. With `mine`: "
        "my day.",
    )
    ticket_id: strawberry.ID | None = None
    contact_id: strawberry.ID | None = None
    team_id: strawberry.ID | None = strawberry.field(
        default=None, description="The task's own team, or that of its ticket."
    )


@strawberry.type(description="Of one's own tasks, and of those that one has given to others: open ones.")
class TaskCounts:
    today: int = strawberry.field(description="Due before the day is over; what is overdue as well.")
    overdue: int
    open: int
    given_away: int


async def _tasks(info: Info, filter: TaskFilter | None = None, first: int = 50) -> list[Task]:
    async with info.context.reading() as reading:
        conditions = _conditions(reading, filter or TaskFilter())
        return await tasks_where(reading, *conditions, selection=wanted(info), limit=page_size(first))


def _conditions(reading: Reading, asked: TaskFilter) -> list[ColumnElement[bool]]:
    task, me = tasks.Task, reading.actor.id
    conditions: list[ColumnElement[bool]] = []
    if asked.assignee_id is not None:
        conditions.append(task.assignee_id == row_id("Agent", asked.assignee_id, field="assigneeId"))
    if asked.mine is not None:
        conditions.append(days.mine(me) if asked.mine else task.assignee_id.is_distinct_from(me))
    if asked.created_by_me:
        conditions.append(days.given_away(me))
    if asked.done is not None:
        conditions.append(days.OPEN if not asked.done else task.done_at.is_not(None))
    if asked.due_before:
        conditions.append(task.due_at < asked.due_before)
    if asked.overdue:
        conditions.append(days.overdue(reading.at))
    if asked.today:
        conditions.append(days.today(me, reading.at))
    if asked.ticket_id is not None:
        named = Ticket.id == row_id("Ticket", asked.ticket_id, field="ticketId")
        became = select(func.coalesce(Ticket.merged_into_id, Ticket.id)).where(named).scalar_subquery()
        conditions.append(task.ticket_id == became)
    if asked.contact_id is not None:
        conditions.append(
            same_person(task.contact_id, row_id("Contact", asked.contact_id, field="contactId"))
        )
    if asked.team_id is not None:
        team_id = row_id("Team", asked.team_id, field="teamId")
        its_ticket = exists().where(Ticket.id == task.ticket_id, Ticket.team_id == team_id)
        conditions.append(or_(task.team_id == team_id, its_ticket))
    return conditions


async def _task_counts(info: Info) -> TaskCounts:
    async with info.context.reading() as reading:
        me, at = reading.actor.agent_id, reading.at
        mine, away = days.mine(me), days.given_away(me)
        counted = await reading.connection.execute(
            select(
                func.count().filter(mine, days.today(me, at)).label("today"),
                func.count().filter(mine, days.overdue(at)).label("overdue"),
                func.count().filter(mine).label("open"),
                func.count().filter(away).label("given_away"),
            ).where(days.OPEN, days.NOT_OF_SPAM, or_(mine, away), may_see(tasks.Task, reading.actor))
        )
        return TaskCounts(**counted.one()._mapping)


@strawberry.type
class TaskQueries:
    tasks: list[Task] = strawberry.field(
        resolver=_tasks,
        description="Open ones first, what is due soonest first; then what was done last; at most 100: who has more narrows the filter.",
    )
    task_counts: TaskCounts = strawberry.field(resolver=_task_counts)

"""Tasks that remind and come again: each once, whoever works, and not all at once after a long silence."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.db import Database, new_id
from domain.desk.tasks import Task
from domain.desk.tickets import TicketStatus
from domain.events import Event, EventKind
from domain.planning.recurrence import Every, GoesOn, Recurrence
from domain.planning.reminders import remind_due
from domain.planning.series import go_on
from domain.ways_in.channels import Channel
from domain.writing import Writing
from tests.factories import NOON, a_mail, receive, tickets

A_DAY = timedelta(days=1)
WARSAW = ZoneInfo("Europe/Warsaw")


def a_task(session: AsyncSession, title: str = "Count the till", **values: Any) -> Task:
    task = Task(
        **{"id": new_id(), "title": title, "due_at": NOON + A_DAY, "created_at": NOON, "remind_minutes": 0}
        | values
    )
    session.add(task)
    return task


def daily(goes_on: GoesOn = GoesOn.DONE) -> Recurrence:
    begins = (NOON + A_DAY).astimezone(WARSAW).replace(tzinfo=None)
    return Recurrence(Every.DAY, begins, WARSAW, goes_on=goes_on)


async def open_ones(session: AsyncSession) -> list[Task]:
    found = await session.scalars(
        select(Task)
        .where(Task.done_at.is_(None))
        .order_by(Task.due_at)
        .execution_options(populate_existing=True)
    )
    return list(found)


async def test_the_next_is_made_when_this_one_is_done_and_the_rule_goes_along(session: AsyncSession) -> None:
    task = a_task(session)
    task.repeat(daily())
    task.saved(by=SYSTEM, at=NOON)
    assert await go_on(session, at=NOON + 3 * A_DAY) == 0

    task.finish(True, at=NOON + 3 * A_DAY)
    task.saved(by=SYSTEM, at=NOON + 3 * A_DAY)
    for _ in range(2):
        await go_on(session, at=NOON + 3 * A_DAY)

    (following,) = await open_ones(session)
    assert following.due_at == NOON + 4 * A_DAY
    assert (following.series_id, task.repeats) == (task.id, None)
    assert following.repeats


async def test_left_for_weeks_a_series_by_the_calendar_has_two_open_ones(session: AsyncSession) -> None:
    task = a_task(session)
    task.repeat(daily(GoesOn.SCHEDULE))
    task.saved(by=SYSTEM, at=NOON)

    for hour in range(24 * 30):
        await go_on(session, at=NOON + timedelta(hours=hour))

    first, second = await open_ones(session)
    assert [first.due_at, second.due_at] == [NOON + A_DAY, NOON + 2 * A_DAY]
    first.finish(True, at=NOON + 30 * A_DAY)
    first.saved(by=SYSTEM, at=NOON + 30 * A_DAY)
    await go_on(session, at=NOON + 30 * A_DAY + timedelta(hours=1))
    _, third = await open_ones(session)
    assert third.due_at == NOON.replace(month=4, day=2, hour=11)  # the clocks were put forward


async def test_nothing_is_made_for_the_weeks_in_which_nobody_worked(session: AsyncSession) -> None:
    task = a_task(session)
    task.repeat(daily(GoesOn.SCHEDULE))
    task.saved(by=SYSTEM, at=NOON)

    assert await go_on(session, at=NOON + 20 * A_DAY + timedelta(hours=1)) == 1

    assert [one.due_at for one in await open_ones(session)] == [NOON + A_DAY, NOON + 21 * A_DAY]


async def test_what_is_done_again_and_again_for_a_ticket_ends_with_it(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    task = a_task(session, ticket_id=ticket.id, contact_id=ticket.contact_id)
    task.repeat(daily())
    ticket.change(by=SYSTEM, at=NOON, status=TicketStatus.SOLVED)

    task.finish(True, at=NOON)
    task.saved(by=SYSTEM, at=NOON)
    await go_on(session, at=NOON)

    assert await open_ones(session) == []


async def test_a_reminder_follows_its_task_and_says_nothing_of_the_past(session: AsyncSession) -> None:
    task = a_task(session)
    task.remind(minutes=30)
    task.saved(by=SYSTEM, at=NOON)
    assert task.next_at == NOON + A_DAY - timedelta(minutes=30)

    task.due_at = NOON - A_DAY
    task.saved(by=SYSTEM, at=NOON)
    assert task.next_at is None

    task.due_at = NOON + 2 * A_DAY
    task.remind(at=NOON + A_DAY)
    task.saved(by=SYSTEM, at=NOON)
    assert task.next_at == NOON + A_DAY
    assert await remind_due(session, at=NOON + A_DAY) == 1
    task.title = "Count both tills"
    task.saved(by=SYSTEM, at=NOON + A_DAY)
    assert await remind_due(session, at=NOON + 9 * A_DAY) == 0


async def test_many_workers_remind_of_each_task_and_go_on_with_each_series_once(clean: Database) -> None:
    async with clean.transaction() as session:
        for number in range(600):
            task = a_task(session, f"Task {number}")
            task.repeat(daily(GoesOn.SCHEDULE))
            task.saved(by=SYSTEM, at=NOON)

    due = NOON + A_DAY
    done = await asyncio.gather(*(_all(clean, do, due) for do in (remind_due, go_on) for _ in range(3)))
    done += [
        await _all(clean, do, due) for do in (remind_due, go_on)
    ]  # what one had skipped, for another held it

    async with clean.transaction() as session:
        told = select(func.count()).where(Event.kind == EventKind.TASK_DUE, Event.at == due)
        assert await session.scalar(told) == 600
        assert await session.scalar(select(func.count()).select_from(Task)) == 1200
        assert sum(done) == 1200


async def _all(db: Database, do: Callable[..., Awaitable[int]], at: datetime) -> int:
    done = 0
    while True:
        async with db.transaction() as session:
            some = await do(session, at=at)
        done += some
        if not some:
            return done


async def test_a_worker_that_dies_lets_go_of_what_it_held(clean: Database) -> None:
    async with clean.transaction() as session:
        a_task(session).saved(by=SYSTEM, at=NOON)
    dying = Writing(clean.engine)
    await dying.begin()
    assert await remind_due(dying, at=NOON + A_DAY) == 1

    async with clean.transaction() as session:
        assert await remind_due(session, at=NOON + A_DAY) == 0
    await dying.rollback()
    await dying.close()

    async with clean.transaction() as session:
        assert await remind_due(session, at=NOON + A_DAY) == 1

"""Who is reminded of a task, and how; and what the morning says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from domain.actors import SYSTEM
from domain.agents.staff import Agent, Team, TeamMember
from domain.alerting.alert_preferences import AlertPreferences, Privacy
from domain.alerting.notices import Notice, NoticeKind, NoticeState
from domain.db import new_id
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket
from domain.planning.reminders import remind_due
from notifications.tasks_today import tasks_today
from tests.factories import NOON, an_agent
from tests.notifications.shop import Shop, register

DUE = NOON + timedelta(days=1)


async def a_task(shop: Shop, **values: Any) -> Task:
    async with shop.db.transaction() as session:
        task = Task(
            id=new_id(), title="Count the till", due_at=DUE, created_at=NOON, remind_minutes=0, **values
        )
        session.add(task)
        task.saved(by=SYSTEM, at=NOON)
    return task


async def reminded(shop: Shop) -> list[tuple[str, str]]:
    """Whom, and on what."""
    async with shop.db.transaction() as session:
        await remind_due(session, at=DUE)
    await shop.told()
    return await shop.deliveries(NoticeKind.TASK_DUE)


async def prefer(shop: Shop, **chosen: Any) -> None:
    async with shop.db.transaction() as session:
        await session.execute(delete(AlertPreferences))
        session.add(AlertPreferences(agent_id=shop.mia.id, **chosen))


async def test_whose_task_it_is_is_reminded_on_the_device_seen_last(shop: Shop) -> None:
    await a_task(shop, assignee_id=shop.mia.id, created_by_id=shop.admin.id)

    assert await reminded(shop) == [("Mia", "phone:1")]
    assert await reminded(shop) == [("Mia", "phone:1")]


async def test_a_lock_screen_does_not_read_the_title_unless_its_owner_wants_it_to(shop: Shop) -> None:
    pushes = []
    for privacy in (Privacy.MINIMAL, Privacy.FULL):
        await prefer(shop, privacy=privacy)
        await a_task(shop, assignee_id=shop.mia.id)
        await reminded(shop)
        await shop.ring()
        pushes = [str(push) for push in shop.far_end.pushed if push.data["k"] == "task_due"]

    minimal, full = pushes
    assert "till" not in minimal
    assert "Count the till" in full


async def test_in_quiet_hours_and_without_a_device_it_goes_by_mail(shop: Shop) -> None:
    await prefer(shop, quiet_from="00:00", quiet_to="24:00")
    async with shop.db.transaction() as session:
        ben = await an_agent(session, "Ben")

    await a_task(shop, assignee_id=shop.mia.id)
    await a_task(shop, assignee_id=ben.id)

    assert sorted(await reminded(shop)) == [("Ben", "mail"), ("Mia", "mail")]


async def test_of_a_task_that_nobody_has_the_team_is_reminded_then_who_made_it(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        team, bo = Team(id=new_id(), name="Till"), await an_agent(session, "Bo")
        session.add(team)
        await session.flush()
        session.add(TeamMember(team_id=team.id, agent_id=bo.id))
        await register(session, bo, "bo:1")

    await a_task(shop, team_id=team.id, created_by_id=shop.admin.id)
    assert await reminded(shop) == [("Bo", "bo:1")]
    await a_task(shop, created_by_id=shop.admin.id)

    assert (await reminded(shop))[1:] == [("Admin", "admin:1")]


async def test_who_left_is_not_reminded_and_who_may_not_see_the_ticket_neither(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        eve, gone = await an_agent(session, "Eve"), await an_agent(session, "Gone")
        team = Team(id=new_id(), name="Support")
        session.add(team)
        await session.flush()
        ticket = (await session.scalars(select(Ticket))).one()
        ticket.team_id = team.id
        (await session.get_one(Agent, gone.id)).left_at = NOON

    await a_task(shop, assignee_id=eve.id, ticket_id=ticket.id)
    await a_task(shop, assignee_id=gone.id)

    assert {name for name, _ in await reminded(shop)} == {"Mia"}


async def test_what_is_done_by_then_is_not_told(shop: Shop) -> None:
    task = await a_task(shop, assignee_id=shop.mia.id)
    await reminded(shop)
    async with shop.db.transaction() as session:
        done = await session.get_one(Task, task.id)
        done.finish(True, at=DUE)
        done.saved(by=SYSTEM, at=DUE)

    await shop.ring()

    assert await shop.errors(NoticeKind.TASK_DUE) == ["OVER"]


@pytest.fixture
async def morning(shop: Shop) -> datetime:
    """Eight in Madrid, where Mia is, on the day on which one task of hers falls due, and after one that is overdue."""
    await a_task(shop, assignee_id=shop.mia.id)
    async with shop.db.transaction() as session:
        overdue = (await session.scalars(select(Task))).one()
        overdue.due_at = NOON
        overdue.saved(by=SYSTEM, at=NOON)
    await a_task(shop, assignee_id=shop.mia.id)
    return datetime(2026, 3, 3, 7, tzinfo=UTC)


async def test_the_morning_counts_what_is_due_today_with_what_is_overdue_once(
    shop: Shop, morning: datetime
) -> None:
    told = []
    for minutes in (-1, 0, 1, 60, 24 * 60):
        async with shop.db.transaction() as session:
            told.append(await tasks_today(session, at=morning + timedelta(minutes=minutes)))

    assert told == [0, 1, 0, 0, 1]
    async with shop.db.transaction() as session:
        first = (await session.scalars(select(Notice).where(Notice.kind == NoticeKind.TASKS_TODAY))).first()
    assert first
    assert (first.count, first.state) == (2, NoticeState.TRYING)


async def test_the_morning_waits_for_the_end_of_quiet_hours(shop: Shop, morning: datetime) -> None:
    await prefer(shop, quiet_from="22:00", quiet_to="09:30")

    async with shop.db.transaction() as session:
        assert await tasks_today(session, at=morning) == 0
        assert await tasks_today(session, at=morning + timedelta(minutes=90)) == 1


async def test_the_morning_counts_no_tasks_of_spam(shop: Shop, morning: datetime) -> None:
    async with shop.db.transaction() as session:
        ticket = (await session.scalars(select(Ticket))).one()
        ticket.spam_at = NOON
        await session.execute(update(Task).where(Task.due_at == DUE).values(ticket_id=ticket.id))

    async with shop.db.transaction() as session:
        assert await tasks_today(session, at=morning) == 1

        assert await session.scalar(select(Notice.count).where(Notice.kind == NoticeKind.TASKS_TODAY)) == 1

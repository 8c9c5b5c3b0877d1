"""Alerts that nobody answers are told again: once an hour, after a day once a day, and not in quiet hours."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, func, select, update

from domain.agents.staff import Agent
from domain.alerting.alert_preferences import AlertPreferences
from domain.alerting.alerts import Alert
from domain.alerting.ladders import Step, Told, Way
from domain.alerting.notices import Notice, NoticeKind, NoticeState
from domain.complaints.opening import open_complaint
from domain.complaints.stalling import fire_stalled
from domain.desk.tickets import Ticket
from notifications.digest import digest
from tests.factories import NOON, an_agent
from tests.notifications.shop import Shop, register

AN_HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)


@pytest.fixture
async def rang(shop: Shop) -> datetime:
    """When the alert, now at the end of its ladder, rang somebody last."""
    await shop.told()
    async with shop.db.transaction() as session:
        await session.execute(update(Alert).values(next_at=None))
        return (await session.scalars(select(Notice.created_at))).one()


async def _told(shop: Shop, rang: datetime, *hours: int) -> list[int]:
    """Of these hours since, those in which somebody was told."""
    told = []
    for hour in hours:
        async with shop.db.transaction() as session:
            if await digest(session, at=rang + hour * AN_HOUR):
                told.append(hour)
    return told


async def _quiet(shop: Shop, begin: str, end: str) -> None:
    async with shop.db.transaction() as session:
        await session.execute(delete(AlertPreferences))
        session.add(AlertPreferences(agent_id=shop.admin.id, quiet_from=begin, quiet_to=end))


async def test_it_comes_once_an_hour_and_after_a_day_without_an_answer_once_a_day(
    shop: Shop, rang: datetime
) -> None:
    assert await _told(shop, rang, *range(80)) == [*range(1, 24), 47, 71]


async def test_it_comes_once_an_hour_as_long_as_one_of_its_alerts_is_new(shop: Shop, rang: datetime) -> None:
    await _told(shop, rang, *range(50))
    await shop.another_breach()
    await shop.told()
    async with shop.db.transaction() as session:
        await session.execute(update(Alert).values(next_at=None))
        new = select(Notice.id).order_by(Notice.id.desc()).limit(1).scalar_subquery()
        await session.execute(update(Notice).where(Notice.id == new).values(created_at=rang + 50 * AN_HOUR))

    assert await _told(shop, rang, 50, 51, 52, 53) == [51, 52, 53]


async def test_it_waits_for_the_end_of_the_quiet_hours(shop: Shop, rang: datetime) -> None:
    await _quiet(shop, "00:00", "24:00")
    assert await _told(shop, rang, 1, 2, 3) == []
    async with shop.db.transaction() as session:
        waiting = await session.scalars(select(Notice).where(Notice.kind == NoticeKind.DIGEST))
        assert {(notice.state, notice.because) for notice in waiting} == {(NoticeState.SILENCED, "quiet")}
    assert await shop.deliveries(NoticeKind.DIGEST) == []

    await _quiet(shop, "", "")

    assert await _told(shop, rang, 4) == [4]


async def test_one_that_was_silenced_does_not_use_up_the_day(shop: Shop, rang: datetime) -> None:
    await _quiet(shop, "00:00", "24:00")
    await _told(shop, rang, *range(30))

    await _quiet(shop, "", "")

    assert await _told(shop, rang, *range(30, 60)) == [30, 54]


async def test_a_complaint_in_which_nothing_moves_is_told_again_to_its_owner(shop: Shop) -> None:
    await shop.ladder(Step(1, 0, (Told.ASSIGNEE,), ways=(Way.PUSH,)))
    async with shop.db.transaction() as session:
        ben, ticket = await an_agent(session, "Ben"), (await session.scalars(select(Ticket))).one()
        await register(session, ben, "ben:1")
        await open_complaint(session, ticket, promised_at=NOON + 7 * A_DAY, by=ben.as_actor(), at=NOON)
        assert await fire_stalled(session, at=NOON + 7 * A_DAY) == 1
    await shop.told()
    async with shop.db.transaction() as session:
        await session.execute(update(Alert).values(next_at=None))
        rang = (await session.scalars(select(func.max(Notice.created_at)))).one()

    assert await _told(shop, rang, 1) == [1]

    told = select(Agent.name, Notice.count).join(Notice, Notice.agent_id == Agent.id).order_by(Agent.name)
    async with shop.db.reading() as connection:
        counted = (await connection.execute(told.where(Notice.kind == NoticeKind.DIGEST))).all()
    assert [tuple(row) for row in counted] == [("Ben", 1), ("Mia", 1)]

"""By push, by mail, or both: as the step of the ladder says."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.alerting.alert_preferences import AlertPreferences
from domain.alerting.alerts import AlertKind
from domain.alerting.firing import Cause, fire
from domain.alerting.ladders import Step, Told, Way
from domain.alerting.notices import Notice, NoticeKind, NoticeState
from domain.db import database_time
from domain.sla.clocks import Clock
from tests.factories import NOON
from tests.notifications.shop import A_MINUTE, Shop

MAIL = (Way.EMAIL,)
BOTH = (Way.PUSH, Way.EMAIL)
STORM = NoticeKind.STORM
QUIET: dict[str, Any] = {"quiet_from": "00:00", "quiet_to": "24:00", "min_level_in_quiet": 3}


async def test_a_step_that_goes_by_mail_only_rings_no_device_of_anybody(shop: Shop) -> None:
    await shop.ladder(Step(1, 0, (Told.MANAGER_ON_SHIFT,), ways=MAIL))
    await shop.told()
    async with shop.db.transaction() as session:
        now = await database_time(session)

    for minute in range(1, 5):
        await shop.pursued(now + minute * A_MINUTE)

    assert await shop.deliveries() == [("Mia", "mail"), ("Admin", "mail")]


async def test_a_warning_that_finds_everybody_in_quiet_hours_goes_by_mail_to_the_first_of_them(
    shop: Shop,
) -> None:
    async with shop.db.transaction() as session:
        for agent in (shop.mia, shop.admin):
            session.add(AlertPreferences(agent_id=agent.id, muted=[], **QUIET))
        await warn(session)
    await shop.told()
    async with shop.db.transaction() as session:
        now = await database_time(session)

    await shop.pursued(now + A_MINUTE)

    assert await shop.deliveries() == [("Mia", "mail")]
    breach = [("Mia", NoticeState.SILENCED, "quiet"), ("Admin", NoticeState.SILENCED, "quiet")]
    assert (await shop.notices())[2:] == [("Mia", NoticeState.UNSEEN, None), breach[1]]
    assert (await shop.notices())[:2] == breach, "a broken promise climbs: it rings who sleeps at last"


async def test_a_warning_in_quiet_hours_rings_who_has_none_and_is_not_mailed(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        session.add(AlertPreferences(agent_id=shop.mia.id, muted=[], **QUIET))
        await warn(session)

    await shop.told()

    assert await shop.deliveries() == [("Admin", "admin:1")] * 2


async def test_a_warning_that_everybody_has_muted_is_mailed_to_nobody(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        for agent in (shop.mia, shop.admin):
            session.add(AlertPreferences(agent_id=agent.id, muted=[AlertKind.COMPLAINT_DUE], **QUIET))
        await warn(session)

    await shop.told()

    assert await shop.deliveries() == []


async def test_a_warning_that_is_mailed_at_last_is_no_storm_by_itself(shop: Shop) -> None:
    await shop.another_breach(times=3)
    await shop.told()
    async with shop.db.transaction() as session:
        for agent in (shop.mia, shop.admin):
            session.add(AlertPreferences(agent_id=agent.id, muted=[], **QUIET))
        await warn(session)

    await shop.told()

    assert await shop.deliveries() == [("Mia", "phone:1")] * 4 + [("Mia", "mail")]
    assert await shop.deliveries(STORM) == []


async def warn(session: AsyncSession) -> None:
    """Of a complaint whose date comes nearer."""
    clock = (await session.scalars(select(Clock).limit(1))).one()
    cause = Cause(AlertKind.COMPLAINT_DUE, NOON, ticket_id=clock.ticket_id, clock_id=clock.id)
    assert await fire(session, [cause], now=NOON)


async def test_a_storm_goes_by_mail_too_when_one_of_its_alerts_does_and_once(shop: Shop) -> None:
    await shop.another_breach(times=6)
    await shop.told()
    assert await shop.deliveries(STORM) == [("Mia", "phone:1")]

    await shop.ladder(Step(1, 0, (Told.MANAGER_ON_SHIFT,), ways=BOTH))
    await shop.another_breach(times=2)
    await shop.told()

    assert await shop.deliveries(STORM) == [("Mia", "phone:1"), ("Mia", "mail")]


async def test_a_storm_of_mails_rings_no_phone_until_one_of_its_alerts_does(shop: Shop) -> None:
    await shop.ladder(Step(1, 0, (Told.MANAGER_ON_SHIFT,), ways=MAIL))
    await shop.another_breach(times=6)
    await shop.told()
    assert await shop.deliveries(STORM) == [("Mia", "mail")]

    await shop.ladder(Step(1, 0, (Told.MANAGER_ON_SHIFT,)))
    await shop.another_breach()
    await shop.told()

    assert await shop.deliveries(STORM) == [("Mia", "mail"), ("Mia", "phone:1")]
    async with shop.db.transaction() as session:
        storm = (await session.scalars(select(Notice).where(Notice.kind == STORM))).one()
    assert (storm.count, set(storm.ways)) == (3, set(BOTH))

"""By push, by mail, or both: as the step of the ladder says."""

from sqlalchemy import select

from domain.alerting.ladders import Step, Told, Way
from domain.alerting.notices import Notice, NoticeKind
from domain.db import database_time
from tests.notifications.shop import A_MINUTE, Shop

MAIL = (Way.EMAIL,)
BOTH = (Way.PUSH, Way.EMAIL)
STORM = NoticeKind.STORM


async def test_a_step_that_goes_by_mail_only_rings_no_device_of_anybody(shop: Shop) -> None:
    await shop.ladder(Step(1, 0, (Told.MANAGER_ON_SHIFT,), ways=MAIL))
    await shop.told()
    async with shop.db.transaction() as session:
        now = await database_time(session)

    for minute in range(1, 5):
        await shop.pursued(now + minute * A_MINUTE)

    assert await shop.deliveries() == [("Mia", "mail"), ("Admin", "mail")]


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

"""What was told of and is over is taken off the devices again, with a word of what is well now."""

import uuid

from sqlalchemy import func, select

from domain import auditor
from domain.actors import SYSTEM
from domain.alerting.alerts import Alert, AlertKind
from domain.alerting.devices import Device
from domain.alerting.firing import Cause, fire
from domain.db import database_time
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from tests.factories import a_channel
from tests.notifications.shop import A_MINUTE, Shop


async def _resolved(shop: Shop) -> list[tuple[str, str]]:
    """Everything; the device and the words of each push that says so."""
    async with shop.db.transaction() as session:
        now = await database_time(session)
        for alert in await session.scalars(select(Alert).order_by(Alert.id)):
            alert.resolve(by=SYSTEM, at=now)
    await shop.told()
    await shop.ring()
    cleared = [push for push in shop.far_end.pushed if push.data["k"] == "cleared"]
    return sorted((push.handle, push.data["title"].replace(push.data.get("n", "…"), "…")) for push in cleared)


async def test_a_settled_ticket_is_taken_off_each_device_that_was_told_of_it(shop: Shop) -> None:
    await shop.told()
    await shop.ring()
    async with shop.db.transaction() as session:
        now = await database_time(session)
    await shop.pursued(now + A_MINUTE)
    await shop.ring()

    cleared = await _resolved(shop)

    assert cleared == [("phone:1", "Ticket …: settled"), ("tablet:1", "Ticket …: settled")]


async def test_a_phone_that_owes_no_word_of_what_is_settled_is_well(shop: Shop) -> None:
    await shop.told()
    await shop.ring()
    async with shop.db.transaction() as session:
        pushed = await session.scalar(select(func.max(Device.last_push_at)))

    assert await _resolved(shop)

    async with shop.db.transaction() as session:
        assert await session.scalar(select(func.max(Device.last_push_at))) == pushed


async def test_the_icon_of_the_app_counts_what_rings_and_nobody_has_answered(shop: Shop) -> None:
    await shop.told()
    await shop.ring()
    await shop.another_breach()
    await shop.told()
    await shop.ring()
    async with shop.db.transaction() as session:
        now = await database_time(session)
        first = (await session.scalars(select(Alert).order_by(Alert.id))).first()
        assert first
        first.acknowledge(by=shop.mia.as_actor(), at=now)
    await shop.another_breach()
    await shop.told()
    await shop.ring()

    badges = [(push.handle, push.apns["payload"]["aps"]["badge"]) for push in shop.far_end.pushed]
    assert badges == [("phone:1", 1), ("phone:1", 2), ("phone:1", 2)]
    assert [push.data["b"] for push in shop.far_end.pushed] == ["1", "2", "2"]

    await _resolved(shop)

    assert {push.data["b"] for push in shop.far_end.pushed if push.data["k"] == "cleared"} == {"0"}


async def test_the_auditor_wakes_nothing_of_a_settled_ticket(shop: Shop) -> None:
    await shop.told()
    await shop.ring()

    await _resolved(shop)

    async with shop.db.transaction() as session:
        assert (await auditor.look(session)).asleep == 0


async def test_a_settled_ticket_is_one_word_for_all_of_its_alerts(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        ticket_id = await session.scalar(select(Alert.ticket_id))
        missed = Cause(AlertKind.CALL_MISSED, await database_time(session), ticket_id, about_id=uuid.uuid4())
        await fire(session, [missed], now=missed.at)
    await shop.told()
    await shop.ring()

    assert await _resolved(shop) == [("phone:1", "Ticket …: settled")]


async def test_of_each_channel_that_works_again_it_is_said_by_its_name(shop: Shop, keys: Keys) -> None:
    async with shop.db.transaction() as session:
        await a_channel(session, keys, ChannelKind.EMAIL, slug="sales", address="sales@shop.example")
        now = await database_time(session)
        down = [
            Cause(AlertKind.CHANNEL_DOWN, now, about_id=channel.id)
            for channel in await session.scalars(select(Channel))
        ]
        await fire(session, down, now=now)
    await shop.told()
    await shop.ring()

    cleared = [title for _, title in await _resolved(shop) if "Ticket" not in title]

    assert cleared == ["It works again: Email", "It works again: Sales"]


async def test_that_nobody_was_on_shift_is_settled_in_words_of_its_own(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        deserted = Cause(AlertKind.NO_AGENT_ON_SHIFT, await database_time(session))
        await fire(session, [deserted], now=deserted.at)
    await shop.told()
    await shop.ring()

    assert ("phone:1", "Settled: nobody was on shift") in await _resolved(shop)

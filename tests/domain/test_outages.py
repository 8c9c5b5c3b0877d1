"""Nobody is there, or a channel does not carry."""

from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.agents.duty import on_duty, rota_of
from domain.alerting import outages
from domain.alerting.alerts import Alert, AlertKind, AlertState
from domain.desk.messages import Message
from domain.sla.hours import Hours
from domain.ways_in import channels
from domain.ways_in.channels import Channel
from domain.ways_in.fetching import Box
from tests.factories import NOON, a_mail, a_promise, an_agent, receive

MINUTE = timedelta(minutes=1)
MORNINGS = Hours.from_json({"zone": "UTC", "weekly": {"mon": [["08:00", "12:00"]]}})


async def alerts(session: AsyncSession) -> list[tuple[AlertKind, AlertState]]:
    await session.flush()
    found = await session.scalars(select(Alert).order_by(Alert.fired_at))
    return [(alert.kind, alert.state) for alert in found.all()]


async def test_an_open_shop_without_anybody_on_shift_is_told_after_three_minutes(
    session: AsyncSession,
) -> None:
    await a_promise(session)
    ben = await an_agent(session, "Ben")
    (await rota_of(session, ben.id)).set_hours(MORNINGS, by=SYSTEM, at=NOON)

    for minute in (-1, 2):
        await outages.look(session, at=NOON + minute * MINUTE)
    assert await alerts(session) == []

    for minute in (3, 4):
        await outages.look(session, at=NOON + minute * MINUTE)
    assert await alerts(session) == [(AlertKind.NO_AGENT_ON_SHIFT, AlertState.FIRING)]

    (await rota_of(session, ben.id)).declare(True, until=None, by=SYSTEM, at=NOON + 5 * MINUTE)
    await session.flush()
    await outages.look(session, at=NOON + 5 * MINUTE)
    assert await alerts(session) == [(AlertKind.NO_AGENT_ON_SHIFT, AlertState.RESOLVED)]


async def test_a_shop_without_shifts_hears_nothing_of_them(session: AsyncSession) -> None:
    await a_promise(session)
    await an_agent(session, "Ben")

    await outages.look(session, at=NOON)

    assert await alerts(session) == []


async def test_the_shifts_of_who_left_are_no_shifts_of_the_shops(session: AsyncSession) -> None:
    await a_promise(session)
    await an_agent(session, "Ben")
    gone = await an_agent(session, "Bo")
    (await rota_of(session, gone.id)).set_hours(MORNINGS, by=SYSTEM, at=NOON)
    gone.left_at = NOON
    await session.flush()

    await outages.look(session, at=NOON + 5 * MINUTE)

    assert await alerts(session) == []


async def test_ones_own_word_counts_more_than_the_shifts_until_its_time(session: AsyncSession) -> None:
    ben = await an_agent(session, "Ben")
    rota = await rota_of(session, ben.id)
    rota.set_hours(MORNINGS, by=SYSTEM, at=NOON)
    rota.declare(False, until=NOON - 60 * MINUTE, by=SYSTEM, at=NOON - 120 * MINUTE)
    await session.flush()

    present = [ben.id in await on_duty(session, at=NOON - minutes * MINUTE) for minutes in (90, 30, 0)]

    assert present == [False, True, False]


async def test_a_channel_whose_answers_fail_is_down_until_they_leave(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail("ada@example.org"))
    await session.execute(update(Message).values(due_at=NOON, failures=2, failing_since=NOON))
    mailbox.failing_since = NOON

    await outages.look(session, at=NOON + 2 * MINUTE)
    assert await alerts(session) == []
    for minute in (3, 4):
        await outages.look(session, at=NOON + minute * MINUTE)
    assert await alerts(session) == [(AlertKind.CHANNEL_DOWN, AlertState.FIRING)]

    await session.execute(update(Message).values(due_at=None, failures=0, failing_since=None))
    await outages.look(session, at=NOON + 5 * MINUTE)
    assert await alerts(session) == [(AlertKind.CHANNEL_DOWN, AlertState.RESOLVED)]


async def test_a_channel_by_which_others_are_answered_is_not_down_for_one_answer_that_waits(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail("ada@example.org"))
    await session.execute(update(Message).values(due_at=NOON, failures=9, failing_since=NOON))
    await channels.fails_to_send(session, mailbox.id, error="421 closing")
    await channels.sends(session, mailbox.id)

    await outages.look(session, at=NOON + 60 * MINUTE)

    assert await alerts(session) == []


async def test_a_mailbox_that_cannot_be_fetched_is_down_until_it_can_be(
    session: AsyncSession, mailbox: Channel
) -> None:
    box = Box(channel_id=mailbox.id, failing_since=NOON, last_error="The sign-in is refused: no")
    session.add(box)

    await outages.look(session, at=NOON + 2 * MINUTE)
    assert await alerts(session) == []
    for minute in (3, 4):
        await outages.look(session, at=NOON + minute * MINUTE)
    assert await alerts(session) == [(AlertKind.CHANNEL_DOWN, AlertState.FIRING)]

    box.failing_since = None
    await outages.look(session, at=NOON + 5 * MINUTE)
    assert await alerts(session) == [(AlertKind.CHANNEL_DOWN, AlertState.RESOLVED)]

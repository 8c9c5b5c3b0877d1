"""A ladder on a set clock: nobody answers, and it climbs; somebody does, and it stops."""

import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM, Actor
from domain.alerting.alerts import Alert, AlertState
from domain.alerting.alerts import AlertKind as Kind
from domain.alerting.firing import Cause, fire
from domain.alerting.ladders import DEFAULT, Ladder, Step, Told, Way
from domain.desk.tickets import TicketStatus
from domain.errors import InvalidInput
from domain.events import Event, EventKind
from domain.sla import reckoning
from domain.sla.deadlines import climb_due, fire_due
from domain.ways_in.channels import Channel
from tests.factories import NOON, a_mail, a_promise, an_agent, receive, tickets

MINUTE = timedelta(minutes=1)
BROKEN = NOON + MINUTE


def after(minutes: float) -> datetime:
    return BROKEN + minutes * MINUTE


@pytest.fixture
async def alert(session: AsyncSession, mailbox: Channel) -> Alert:
    """Ada's mail was to be answered within a minute, and was not."""
    await a_promise(session, 60)
    await receive(session, mailbox, a_mail("ada@example.org", at=NOON))
    await fire_due(session, at=BROKEN)
    return (await session.scalars(select(Alert))).one()


@pytest.fixture
async def ben(session: AsyncSession) -> Actor:
    return (await an_agent(session, "Ben")).as_actor()


async def climbs(session: AsyncSession, alert: Alert, *minutes: float) -> list[int]:
    """The level at each of these moments after the promise was broken."""
    levels = []
    for minute in minutes:
        await climb_due(session, at=after(minute))
        levels.append(alert.level)
    return levels


async def told(session: AsyncSession) -> list[tuple[EventKind, int]]:
    await session.flush()
    found = await session.scalars(
        select(Event).where(Event.alert_id.is_not(None)).order_by(Event.at, Event.seq)
    )
    return [(event.kind, event.data["level"]) for event in found.all()]


async def test_nobody_answers_and_the_levels_follow_their_times(session: AsyncSession, alert: Alert) -> None:
    """Level 3 is said three times, five minutes apart; after that it is for the digest."""
    assert alert.level == 1
    assert await climbs(session, alert, 4.9, 5, 9.9, 10, 15, 20, 25, 60) == [1, 2, 2, 3, 3, 3, 3, 3]
    assert alert.next_at is None

    fired, climbed = (EventKind.ALERT_FIRED, 1), EventKind.ALERT_CLIMBED
    assert await told(session) == [fired, (climbed, 2), (climbed, 3), (climbed, 3), (climbed, 3)]


async def test_one_acknowledges_and_all_stop_until_it_expires(
    session: AsyncSession, alert: Alert, ben: Actor
) -> None:
    await climbs(session, alert, 5)

    assert alert.acknowledge(by=ben, at=after(6))
    assert await climbs(session, alert, 10, 35) == [2, 2]
    assert alert.state == AlertState.ACKED

    assert await climbs(session, alert, 36) == [2]
    assert (alert.state, alert.acked_by_id) == (AlertState.FIRING, None)
    assert await climbs(session, alert, 40, 41) == [2, 3]


async def test_who_comes_second_changes_nothing(session: AsyncSession, alert: Alert, ben: Actor) -> None:
    assert [alert.acknowledge(by=ben, at=after(0)), alert.acknowledge(by=ben, at=after(1))] == [True, False]
    assert alert.acked_at == after(0)


async def test_the_promise_is_met_and_it_never_fires_again(
    session: AsyncSession, alert: Alert, ben: Actor
) -> None:
    alert.acknowledge(by=ben, at=after(1))
    (ticket,) = await tickets(session)
    ticket.change(by=ben, at=after(2), status=TicketStatus.SOLVED)
    await reckoning.reckon(session, ticket, by=ben, at=after(2))
    assert alert.state == AlertState.RESOLVED

    await climbs(session, alert, 31, 600)
    await fire_due(session, at=after(600))

    assert (alert.state, alert.next_at) == (AlertState.RESOLVED, None)
    assert not alert.acknowledge(by=ben, at=after(700))
    assert not alert.snooze(by=ben, at=after(700), until=after(800), reason="Later.")
    assert not alert.escalate(DEFAULT, by=ben, at=after(700))


async def test_a_promise_broken_at_the_same_moment_again_fires_anew_and_nobody_has_it_yet(
    session: AsyncSession, alert: Alert, ben: Actor
) -> None:
    """The ticket was set aside when it was late already, and is taken up again."""
    alert.acknowledge(by=ben, at=after(1))
    (ticket,) = await tickets(session)
    for minute, status in enumerate((TicketStatus.PENDING, TicketStatus.OPEN), 2):
        ticket.change(by=ben, at=after(minute), status=status)
        await reckoning.reckon(session, ticket, by=ben, at=after(minute))
    assert alert.state == AlertState.RESOLVED

    assert await fire_due(session, at=after(4)) == 1

    await session.refresh(alert)
    assert (alert.state, alert.resolved_at) == (AlertState.FIRING, None)
    assert (alert.acked_by_id, alert.acked_at, alert.ack_expires_at) == (None, None, None)
    broken = select(func.count()).where(Event.kind == EventKind.SLA_BREACHED)
    assert await session.scalar(broken) == 1


async def test_what_fires_anew_leaves_alone_what_else_its_clock_has_settled(
    session: AsyncSession, alert: Alert
) -> None:
    again, earlier, warning = [
        Cause(kind, at, ticket_id=alert.ticket_id, clock_id=alert.clock_id)
        for kind, at in (
            (Kind.SLA_BREACHED, BROKEN),
            (Kind.SLA_BREACHED, BROKEN - MINUTE),
            (Kind.SLA_AT_RISK, BROKEN),
        )
    ]
    assert len(await fire(session, [earlier, warning], now=BROKEN)) == 2
    for one in await session.scalars(select(Alert)):
        one.resolve(by=SYSTEM, at=after(1))
    await session.flush()

    assert await fire(session, [again], now=after(2)) == [alert.id]

    firing = select(Alert.id).where(Alert.state == AlertState.FIRING)
    assert list(await session.scalars(firing)) == [alert.id]


async def test_a_snooze_has_a_reason_and_an_end(session: AsyncSession, alert: Alert, ben: Actor) -> None:
    with pytest.raises(InvalidInput):
        alert.snooze(by=ben, at=after(0), until=after(60), reason=" ")
    with pytest.raises(InvalidInput):
        alert.snooze(by=ben, at=after(0), until=after(-1), reason="The carrier looks for it.")

    assert alert.snooze(by=ben, at=after(0), until=after(60), reason="The carrier looks for it.")

    assert await climbs(session, alert, 5, 59) == [1, 1]
    assert str(alert.state) == "snoozed"
    assert await climbs(session, alert, 60, 65) == [1, 2]
    assert str(alert.state) == "firing"


async def test_escalating_by_hand_is_the_next_level_at_once(
    session: AsyncSession, alert: Alert, ben: Actor
) -> None:
    alert.acknowledge(by=ben, at=after(0))

    assert [alert.escalate(DEFAULT, by=ben, at=after(1)) for _ in range(3)] == [True, True, False]

    assert (alert.level, alert.state) == (3, AlertState.FIRING)


async def test_a_warning_does_not_climb(session: AsyncSession) -> None:
    about = uuid.uuid4()
    await fire(session, [Cause(Kind.CALL_MISSED, NOON, about_id=about)], now=NOON)
    (missed,) = (await session.scalars(select(Alert))).all()

    assert (missed.level, missed.next_at) == (0, None)
    assert not missed.escalate(DEFAULT, by=SYSTEM, at=NOON)


async def test_the_same_cause_fires_once_while_it_lasts(session: AsyncSession) -> None:
    cause = Cause(Kind.CHANNEL_DOWN, NOON, about_id=uuid.uuid4())

    fired = [len(await fire(session, [cause], now=NOON)) for _ in range(2)]
    (alert,) = (await session.scalars(select(Alert))).all()
    alert.resolve(by=SYSTEM, at=NOON)
    await session.flush()
    fired.append(len(await fire(session, [cause], now=NOON)))

    assert fired == [1, 0, 1]


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ((Step(0, 0, (Told.ASSIGNEE,)),), "above level 0"),
        ((Step(1, 0),), "tells somebody"),
        ((Step(1, 0, (Told.ADMINS,), ways=()),), "has a way"),
        ((Step(1, 60, (Told.ADMINS,)),), "comes at once"),
        ((Step(1, 0, (Told.ADMINS,)), Step(2, 0, (Told.ADMINS,))), "later than the one before"),
        ((Step(2, 0, (Told.ADMINS,)), Step(1, 60, (Told.ADMINS,))), "rise"),
        ((Step(-1, 0, (Told.ADMINS,)), Step(1, 60, (Told.ADMINS,))), "a level from 0"),
        ((Step(1, -60, (Told.ADMINS,)), Step(2, 0, (Told.ADMINS,))), "a time from 0"),
        ((Step(0, 60, (Told.ADMINS,)), Step(1, 0, (Told.ADMINS,))), "comes at once"),
    ],
)
def test_a_ladder_that_nobody_could_climb_is_refused(steps: tuple[Step, ...], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Ladder(steps)


@pytest.mark.parametrize(
    "again", [{"rounds": 0}, {"rounds": 11}, {"round_seconds": 59}, {"round_seconds": 86_401}]
)
def test_a_ladder_that_says_its_last_step_too_often_or_never_is_refused(again: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="1 to 10 rounds"):
        Ladder(DEFAULT.steps, **again)


def test_a_ladder_is_data() -> None:
    ladder = Ladder(
        (Step(1, 0, (Told.TEAM,), (uuid.uuid4(),), (Way.PUSH, Way.EMAIL)), Step(2, 90, (Told.MANAGERS,))),
        rounds=2,
        round_seconds=120,
    )

    assert Ladder.from_json(ladder.to_json()) == ladder
    assert [ladder.wait(rung, warning=False) for rung in range(3)] == [90, 120, None]

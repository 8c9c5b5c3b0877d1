from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.alerts import Alert, AlertState
from domain.channels import ChannelKind
from domain.deadlines import fire_due, seconds_to_next
from domain.events import Event, EventKind
from domain.keys import Keys
from domain.sla import Clock, ClockState, Metric, Target, answered, choose, clock_state
from tests.factories import NOON, a_channel, a_mail, a_promise, receive, tickets

CHAT, EMAIL = ChannelKind.CHAT, ChannelKind.EMAIL


def test_the_most_particular_target_counts() -> None:
    targets = [
        Target(Metric.FIRST_REPLY, 14400),
        Target(Metric.FIRST_REPLY, 3600, priority=1),
        Target(Metric.FIRST_REPLY, 60, channel=CHAT),
        Target(Metric.RESOLUTION, 9),
    ]

    assert choose(targets, Metric.FIRST_REPLY, priority=3, channel=EMAIL) == 14400
    assert choose(targets, Metric.FIRST_REPLY, priority=1, channel=EMAIL) == 3600
    assert choose(targets, Metric.FIRST_REPLY, priority=1, channel=CHAT) == 60
    assert choose(targets, Metric.NEXT_REPLY, priority=1, channel=CHAT) is None


def test_a_promise_is_well_then_at_risk_then_broken_and_kept_is_kept() -> None:
    def state(minutes: int, *, met: bool = False) -> ClockState:
        return clock_state(
            at=NOON + timedelta(minutes=minutes),
            at_risk_at=NOON + timedelta(minutes=45),
            due_at=NOON + timedelta(minutes=60),
            met_at=NOON if met else None,
        )

    assert [state(44), state(45), state(60)] == [ClockState.OK, ClockState.AT_RISK, ClockState.BREACHED]
    assert state(99, met=True) == ClockState.MET


async def test_a_broken_promise_fires_one_alert_stamped_with_the_moment_it_broke(
    session: AsyncSession, keys: Keys
) -> None:
    await a_promise(session, 60)
    await receive(session, await a_channel(session, keys, EMAIL), a_mail("ada@example.org", at=NOON))

    assert [await fire_due(session), await fire_due(session)] == [1, 0]

    (alert,) = (await session.scalars(select(Alert))).all()
    told = await session.scalars(select(Event.at).where(Event.kind == EventKind.SLA_BREACHED))
    assert alert.fired_at == told.one() == NOON + timedelta(seconds=60)


async def test_a_kept_promise_never_fires_and_a_late_answer_resolves_the_alert(
    session: AsyncSession, keys: Keys
) -> None:
    await a_promise(session, 60)
    mailbox = await a_channel(session, keys, EMAIL)
    await receive(session, mailbox, a_mail("ada@example.org"))
    await receive(session, mailbox, a_mail("zofia@example.org"))
    adas, zofias = await tickets(session)
    await answered(session, adas.id, adas.contact_id, by=SYSTEM, at=NOON)

    assert await fire_due(session) == 1

    (alert,) = (await session.scalars(select(Alert))).all()
    assert alert.ticket_id == zofias.id
    await answered(session, zofias.id, zofias.contact_id, by=SYSTEM, at=NOON + timedelta(minutes=5))
    assert alert.state == AlertState.RESOLVED
    clock = await session.scalar(select(Clock).where(Clock.ticket_id == zofias.id))
    assert clock is not None
    assert (clock.breached_at, clock.met_at) == (NOON + timedelta(seconds=60), NOON + timedelta(minutes=5))


async def test_the_wheel_knows_how_long_it_may_sleep(session: AsyncSession, keys: Keys) -> None:
    assert await seconds_to_next(session) is None
    await a_promise(session, 60)
    await receive(session, await a_channel(session, keys, EMAIL), a_mail("ada@example.org"))

    left = await seconds_to_next(session)

    assert left is not None
    assert left < 0


async def test_only_a_firing_alert_can_be_acknowledged(session: AsyncSession, keys: Keys) -> None:
    await a_promise(session, 60)
    await receive(session, await a_channel(session, keys, EMAIL), a_mail("ada@example.org"))
    await fire_due(session)
    (alert,) = (await session.scalars(select(Alert))).all()

    assert [alert.acknowledge(by=SYSTEM, at=NOON), alert.acknowledge(by=SYSTEM, at=NOON)] == [True, False]

"""The auditor mends what it can, and says what it cannot."""

from datetime import timedelta

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import auditor
from domain.actors import SYSTEM, Role
from domain.alerting.alerts import Alert, AlertKind, AlertState
from domain.alerting.ladders import Ladder, Step, Told
from domain.alerting.notices import Delivery, Notice
from domain.auditor import Audited, Findings, last_look, look
from domain.db import database_time
from domain.events import Event
from domain.sla.clocks import Clock
from domain.sla.deadlines import climb_due, fire_due
from domain.sla.policies import Policy
from domain.ways_in.channels import Channel
from notifications.dispatch import dispatch
from tests.factories import NOON, a_mail, a_promise, an_agent, receive

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
async def overdue(session: AsyncSession, mailbox: Channel) -> None:
    await an_agent(session, "Mia", Role.MANAGER)
    await a_promise(session, 60)
    await receive(session, mailbox, a_mail("ada@example.org", at=NOON))


async def tell(session: AsyncSession) -> None:
    await session.flush()
    told = select(func.coalesce(func.max(Notice.event_seq), 0)).scalar_subquery()
    for event in (await session.scalars(select(Event).where(Event.seq > told).order_by(Event.seq))).all():
        await dispatch(session, event)
    await session.flush()


async def alerts(session: AsyncSession) -> int:
    fired = select(func.count()).where(Alert.state == AlertState.FIRING, Alert.kind == AlertKind.SLA_BREACHED)
    return await session.scalar(fired) or 0


async def test_a_wheel_that_stands_still_is_turned(session: AsyncSession) -> None:
    assert await look(session, at=NOON + 10 * MINUTE) == Findings(late=1)
    assert await alerts(session) == 1


async def test_a_broken_promise_without_an_alert_fires_one(session: AsyncSession) -> None:
    await session.execute(update(Clock).values(next_at=None))

    assert await look(session, at=NOON + 10 * MINUTE) == Findings(unfired=1)
    assert await look(session, at=NOON + 10 * MINUTE) == Findings()

    assert await alerts(session) == 1


async def test_what_nobody_would_look_at_again_is_woken(session: AsyncSession) -> None:
    await fire_due(session)
    await tell(session)
    await session.execute(update(Notice).values(next_at=None))
    await session.execute(update(Alert).values(state=AlertState.ACKED, next_at=None))

    assert await look(session) == Findings(asleep=2)
    assert await look(session) == Findings()


async def test_an_alert_that_was_told_stays_told_when_another_rings_later(
    session: AsyncSession, mailbox: Channel
) -> None:
    await fire_due(session)
    await tell(session)
    await session.execute(update(Event).values(recorded_at=Event.recorded_at - 10 * MINUTE))
    await session.execute(update(Notice).values(created_at=Notice.created_at - 10 * MINUTE))
    await receive(session, mailbox, a_mail("zofia@example.org", at=NOON + MINUTE))
    await fire_due(session)
    await tell(session)

    later = (await session.execute(select(func.now()))).scalar_one() + 3 * MINUTE
    assert await look(session, at=later) == Findings()


async def test_an_alert_that_nobody_was_told_of_stays_open_and_is_said(session: AsyncSession) -> None:
    await fire_due(session)
    await tell(session)
    later = (await session.execute(select(func.now()))).scalar_one() + 3 * MINUTE
    assert (await look(session, at=later)).proven

    await session.execute(update(Alert).values(next_at=None))
    await session.execute(delete(auditor.Audited))
    await session.execute(delete(Delivery))
    await session.execute(delete(Notice))
    findings = await look(session, at=later)

    assert (findings.untold, findings.proven) == (1, False)
    looked = await last_look(session)
    assert looked
    assert looked[1] is None


async def test_a_warning_that_sleeps_is_over_when_its_ladder_has_come_to_fire_none(
    session: AsyncSession, mailbox: Channel
) -> None:
    await session.execute(delete(Clock))
    await a_promise(session, 7200)
    now = await database_time(session)
    await receive(session, mailbox, a_mail("zofia@example.org", at=now - 110 * MINUTE))
    await fire_due(session)
    await tell(session)
    await session.execute(update(Notice).values(created_at=Notice.created_at - 10 * MINUTE))
    warning = (await session.scalars(select(Alert))).one()
    warning.snooze(by=SYSTEM, at=now, until=now + MINUTE, reason="Wait")
    (await session.scalars(select(Policy))).one().ladder = Ladder((Step(1, 0, (Told.MANAGERS,)),)).to_json()

    await climb_due(session, at=now + MINUTE)
    await tell(session)

    assert await look(session, at=now + 5 * MINUTE) == Findings()
    assert warning.state == AlertState.RESOLVED


async def test_one_process_looks_in_a_minute(session: AsyncSession) -> None:
    assert [await auditor.is_due(session), await auditor.is_due(session)] == [True, False]


async def test_a_clock_that_was_ahead_for_a_while_stops_no_looks(session: AsyncSession) -> None:
    await auditor.is_due(session)
    await session.execute(update(Audited).values(at=Audited.at + timedelta(days=1)))

    assert [await auditor.is_due(session), await auditor.is_due(session)] == [True, False]

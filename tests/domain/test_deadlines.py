"""The wheel against a real database, with real workers."""

import asyncio
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select, text

from api.house import House
from domain.actors import SYSTEM
from domain.alerting.alerts import TOPIC, Alert, AlertState
from domain.db import Database, database_time, new_id, ring
from domain.desk.tickets import Ticket
from domain.keys import Keys
from domain.sla import deadlines
from domain.sla.clocks import Clock
from domain.sla.policies import Policy
from domain.sla.targets import Metric
from domain.ways_in.channels import ChannelKind
from tests.factories import NOON, a_channel, a_mail, a_promise, receive
from tests.locks import cut_off_who_waits


async def test_many_workers_fire_each_of_many_deadlines_once(clean: Database, keys: Keys) -> None:
    await _deadlines(clean, keys, count=300, due_at=NOON)

    fired = await asyncio.gather(*(_fire_all(clean) for _ in range(4)))

    async with clean.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Alert)) == 300 == sum(fired)


async def test_an_earlier_deadline_wakes_the_wheel(clean: Database, keys: Keys) -> None:
    await _deadlines(clean, keys, count=1, due_at=datetime.now(UTC) + timedelta(hours=1))
    turning = asyncio.create_task(deadlines.WHEEL.turn(clean))
    await asyncio.sleep(0.2)

    async with clean.transaction() as session:
        (clock,) = (await session.scalars(select(Clock))).all()
        clock.due_at = clock.next_at = datetime.now(UTC) + timedelta(seconds=0.3)
        ring(session, TOPIC)

    async with asyncio.timeout(30):
        while not await _alerts(clean):
            await asyncio.sleep(0.02)
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)


async def test_a_wheel_that_loses_its_database_goes_on(house: House) -> None:
    await _deadlines(house.db, house.keys, count=1, due_at=NOON)
    async with house.db.transaction() as session:
        await session.execute(text("LOCK TABLE clock"))
        turning = asyncio.create_task(deadlines.WHEEL.turn(house.db))
        await cut_off_who_waits(house)

    async with asyncio.timeout(30):
        while not await _alerts(house.db):
            await asyncio.sleep(0.02)
    turning.cancel()
    await asyncio.gather(turning, return_exceptions=True)


async def test_an_alert_does_not_climb_while_somebody_acknowledges_it(clean: Database, keys: Keys) -> None:
    await _deadlines(clean, keys, count=1, due_at=NOON)
    await _fire_all(clean)

    async with clean.transaction() as bens, clean.transaction() as wheels:
        now = await database_time(wheels) + timedelta(minutes=10)
        alert = (await bens.scalars(select(Alert).with_for_update(key_share=True))).one()
        assert alert.acknowledge(by=SYSTEM, at=now)
        await bens.flush()
        assert await deadlines.climb_due(wheels, at=now) == 0

    async with clean.transaction() as session:
        (alert,) = (await session.scalars(select(Alert))).all()
        assert (alert.state, alert.level) == (AlertState.ACKED, 1)


async def _alerts(db: Database) -> int:
    async with db.transaction() as session:
        return await session.scalar(select(func.count()).select_from(Alert)) or 0


async def _fire_all(db: Database) -> int:
    fired = 0
    while True:
        async with db.transaction() as session:
            some = await deadlines.fire_due(session)
        fired += some
        if not some:
            return fired


async def _deadlines(db: Database, keys: Keys, *, count: int, due_at: datetime) -> None:
    async with db.transaction() as session:
        await receive(session, await a_channel(session, keys, ChannelKind.EMAIL), a_mail("ada@example.org"))
        await a_promise(session)
        contact_id = await session.scalar(select(Ticket.contact_id))
        policy_id = await session.scalar(select(Policy.id))
        for _ in range(count):
            ticket = Ticket(
                id=new_id(),
                contact_id=contact_id,
                subject="",
                status="new",
                tags=[],
                created_at=NOON,
                updated_at=NOON,
            )
            session.add(ticket)
            await session.flush()
            session.add(
                Clock(
                    id=new_id(),
                    ticket_id=ticket.id,
                    policy_id=policy_id,
                    metric=Metric.FIRST_REPLY,
                    started_at=NOON,
                    target_seconds=60,
                    warn_at=[],
                    due_at=due_at,
                    next_at=due_at,
                )
            )

"""What the manager's phone counts at a glance."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor, ActorKind, Role
from domain.assigning.board import counters
from domain.db import new_id
from domain.keys import Keys
from domain.sla.clocks import Clock
from domain.sla.hours import ALWAYS
from domain.sla.policies import Policy, set_default_policy
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import ChannelKind
from tests.factories import a_channel, a_mail, receive, tickets

MIDNIGHT, TOMORROW = datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC)
"""Of the day in Warsaw that has 25 hours."""
A_SECOND = timedelta(seconds=1)
MANAGER = Actor(ActorKind.SYSTEM, role=Role.MANAGER)


async def test_promises_of_today_are_counted_from_one_of_the_shops_midnights_to_the_next(
    session: AsyncSession, keys: Keys
) -> None:
    hours = replace(ALWAYS, zone=ZoneInfo("Europe/Warsaw"))
    await set_default_policy(session, name="Default", hours=hours, targets=[Target(Metric.FIRST_REPLY, 3600)])
    await receive(session, await a_channel(session, keys, ChannelKind.EMAIL), a_mail("ada@example.org"))
    (ticket,) = await tickets(session)
    policy_id = (await session.scalars(select(Policy.id))).one()

    def promise(*, met: datetime | None = None, broken: datetime | None = None) -> None:
        begun = MIDNIGHT - timedelta(days=2)
        session.add(
            Clock(
                id=new_id(), ticket_id=ticket.id, policy_id=policy_id, metric=Metric.NEXT_REPLY, started_at=begun,
                target_seconds=3600, warn_at=[], due_at=begun, met_at=met, breached_at=broken, ended_at=broken,
            )
        )  # fmt: skip

    yesterday, last = MIDNIGHT - A_SECOND, TOMORROW - A_SECOND
    for moment in (yesterday, MIDNIGHT, MIDNIGHT + timedelta(hours=12), last, TOMORROW):
        promise(met=moment)
    for moment in (yesterday, MIDNIGHT, TOMORROW):
        promise(broken=moment)
    promise(met=last, broken=last - A_SECOND)
    await session.flush()

    found = await counters(await session.connection(), MANAGER, at=last)

    assert found.sla_today_percent == 60.0, "three kept, two broken"

"""What the manager's phone counts at a glance."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor, ActorKind, Role
from domain.assigning.board import counters
from domain.complaints.opening import open_complaint
from domain.db import new_id
from domain.desk import spam
from domain.desk.tickets import TicketStatus
from domain.keys import Keys
from domain.sla import reckoning
from domain.sla.clocks import Clock
from domain.sla.hours import ALWAYS
from domain.sla.policies import Policy, set_default_policy
from domain.sla.targets import Metric, Target
from domain.ways_in.channels import ChannelKind
from tests.factories import NOON, a_channel, a_mail, an_agent, receive, tickets

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

    for _ in range(2):
        promise(met=MIDNIGHT)
    for _ in range(9):
        promise(broken=MIDNIGHT)
    await session.flush()
    found = await counters(await session.connection(), MANAGER, at=last)
    assert found.sla_today_percent == 31.3, "five of sixteen are 31.25 %, rounded as statistics do"


async def test_what_spam_was_promised_and_complains_of_is_not_counted(
    session: AsyncSession, keys: Keys
) -> None:
    mia = (await an_agent(session, "Mia", Role.MANAGER)).as_actor()
    promise = [Target(Metric.RESOLUTION, 7200)]
    await set_default_policy(session, name="Default", hours=ALWAYS, targets=promise)
    mailbox = await a_channel(session, keys, ChannelKind.EMAIL)
    for address in ("ada@example.org", "zofia@example.com"):
        await receive(session, mailbox, a_mail(address))
    adas, zofias = await tickets(session)
    kept_at = NOON + timedelta(hours=1)
    for ticket in (adas, zofias):
        await open_complaint(session, ticket, promised_at=NOON + timedelta(days=14), by=mia, at=NOON)
    adas.undecided = False
    adas.change(by=mia, at=kept_at, status=TicketStatus.SOLVED)
    await reckoning.reckon(session, adas, by=mia, at=kept_at)
    await session.flush()
    before = await counters(await session.connection(), MANAGER, at=kept_at)

    for ticket in (adas, zofias):
        await spam.mark(session, ticket, by=mia, at=kept_at)
    await session.flush()

    after = await counters(await session.connection(), MANAGER, at=kept_at)
    assert (before.sla_today_percent, before.complaints_open) == (100.0, 2)
    assert (after.sla_today_percent, after.complaints_open) == (None, 0)

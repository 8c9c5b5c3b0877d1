"""What is told no more when its turn comes: it is over, it waited too long, or the ticket is not theirs to see any more."""

import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import auditor
from domain.actors import SYSTEM, Role
from domain.agents.staff import Agent, Team
from domain.alerting import notices
from domain.alerting.alert_preferences import AlertPreferences
from domain.alerting.alerts import Alert
from domain.alerting.ladders import Step, Way
from domain.alerting.notices import Notice, NoticeKind, NoticeState
from domain.alerting.refusals import LASTS
from domain.arriving.inbound import CallStep
from domain.db import database_time, new_id
from domain.desk.messages import Call
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket
from domain.keys import Keys
from domain.sla.deadlines import climb_due
from domain.ways_in.channels import ChannelKind
from tests.factories import NOON, a_call_step, a_channel, an_agent, receive, tickets
from tests.notifications.shop import A_MINUTE, Shop, register

BOTH = (Way.PUSH, Way.EMAIL)
OF_A_TICKET = (NoticeKind.CLEARED, NoticeKind.ASSIGNED, NoticeKind.REPLY, NoticeKind.WOKE)


async def _agent(session: AsyncSession, name: str, *devices: str) -> Agent:
    agent = await an_agent(session, name, Role.AGENT)
    for device in devices:
        await register(session, agent, device)
    return agent


async def _given_to_another_team(session: AsyncSession) -> None:
    (ticket,) = await tickets(session)
    team = Team(id=new_id(), name="Returns")
    session.add(team)
    await session.flush()
    ticket.assignee_id, ticket.team_id = None, team.id


async def test_who_may_not_see_the_ticket_any_more_gets_neither_push_nor_mail_and_the_next_person_is_told(
    shop: Shop,
) -> None:
    async with shop.db.transaction() as session:
        ben = await _agent(session, "Ben", "ben:1")
    await shop.ladder(Step(1, 0, (), (ben.id,), BOTH))
    await shop.told()
    assert sorted(await shop.deliveries()) == [("Ben", "ben:1"), ("Ben", "mail")]
    async with shop.db.transaction() as session:
        await _given_to_another_team(session)
        now = await database_time(session)

    await shop.ring()
    await shop.pursued(now + A_MINUTE)

    assert shop.far_end.pushed == []
    assert (await shop.errors())[:2] == ["NOT_ALLOWED", "NOT_ALLOWED"]
    assert {name for name, _ in (await shop.deliveries())[2:]} == {"Mia"}


async def test_a_step_that_names_only_people_who_may_not_see_the_ticket_tells_who_manages(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        eve = await _agent(session, "Eve", "eve:1")
        await _given_to_another_team(session)
    await shop.ladder(Step(1, 0, (), (eve.id,)))

    await shop.told()

    assert await shop.deliveries() == [("Mia", "phone:1"), ("Admin", "admin:1")]
    async with shop.db.transaction() as session:
        later = await database_time(session) + auditor.TOLD_WITHIN + A_MINUTE
        assert (await auditor.look(session, at=later)).proven


async def test_that_a_ticket_is_yours_is_not_told_when_it_is_somebody_elses_by_now(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        ben = await _agent(session, "Ben", "ben:1", "ben:2")
        bo = await _agent(session, "Bo", "bo:1")
        (ticket,) = await tickets(session)
        ticket.assign(to=ben, by=shop.admin.as_actor(), at=NOON)
    await shop.told()
    async with shop.db.transaction() as session:
        ticket = await session.get_one(Ticket, ticket.id)
        ticket.assign(to=bo, by=shop.admin.as_actor(), at=NOON)
        now = await database_time(session)

    await shop.told()
    await shop.ring()
    await shop.pursued(now + A_MINUTE / 2)

    assert [name for name, _ in await shop.deliveries(NoticeKind.ASSIGNED)] == ["Ben", "Bo"]
    assert await shop.errors(NoticeKind.ASSIGNED) == ["OVER", None]
    assert [push.handle for push in shop.far_end.pushed if push.data["k"] == "assigned"] == ["bo:1"]


async def test_who_has_a_ticket_is_told_that_its_snooze_is_over_unless_they_ended_it(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        ben = await _agent(session, "Ben", "ben:1")
        (ticket,) = await tickets(session)
        ticket.assign(to=ben, by=ben.as_actor(), at=NOON)
    for by in (SYSTEM, ben.as_actor()):
        async with shop.db.transaction() as session:
            (ticket,) = await tickets(session)
            ticket.snooze(NOON + A_MINUTE, by=by, at=NOON)
            ticket.wake(by=by, at=NOON + A_MINUTE)

    await shop.told()

    assert await shop.deliveries(NoticeKind.WOKE) == [("Ben", "ben:1")]


async def test_whose_ticket_it_is_or_is_again_is_pushed_in_quiet_hours_too(shop: Shop) -> None:
    async with shop.db.transaction() as session:
        ben = await _agent(session, "Ben", "ben:1")
        session.add(AlertPreferences(agent_id=ben.id, muted=[], quiet_from="00:00", quiet_to="24:00"))
        (ticket,) = await tickets(session)
        ticket.assign(to=ben, by=shop.admin.as_actor(), at=NOON)
        ticket.snooze(NOON + A_MINUTE, by=SYSTEM, at=NOON)
        ticket.wake(by=SYSTEM, at=NOON + A_MINUTE)

    await shop.told()

    for kind in (NoticeKind.ASSIGNED, NoticeKind.WOKE):
        assert await shop.deliveries(kind) == [("Ben", "ben:1")]


async def test_an_alert_that_wakes_within_the_minute_is_told_anew_and_not_on_the_next_device(
    shop: Shop,
) -> None:
    await shop.told()
    async with shop.db.transaction() as session:
        alert = (await session.scalars(select(Alert))).one()
        now = await database_time(session)
        soon = now + A_MINUTE / 2
        assert alert.snooze(by=shop.admin.as_actor(), at=now, until=soon, reason="She rings back.")
    await shop.told()
    assert await shop.notices() == [("Mia", NoticeState.OVER, None)]
    async with shop.db.transaction() as session:
        await climb_due(session, at=soon)
    await shop.told()

    async with shop.db.transaction() as session:
        first = await session.scalar(select(func.min(Notice.created_at)))
    assert first
    await shop.pursued(first + A_MINUTE)

    assert await shop.deliveries() == [("Mia", "phone:1"), ("Mia", "phone:1")]


async def test_of_a_storm_nothing_is_told_when_each_of_its_alerts_is_acknowledged(shop: Shop) -> None:
    await shop.another_breach(times=8)
    await shop.told()
    async with shop.db.transaction() as session:
        now = await database_time(session)
        for alert in await session.scalars(select(Alert)):
            alert.acknowledge(by=shop.admin.as_actor(), at=now)

    await shop.ring()
    await shop.pursued(now + 2 * A_MINUTE)

    assert shop.far_end.pushed == []
    assert await shop.errors(NoticeKind.STORM) == ["OVER"]
    assert await _state(shop, NoticeKind.STORM) == NoticeState.OVER

    await shop.another_breach()
    await shop.told()
    await shop.ring()

    assert await shop.errors(NoticeKind.STORM) == ["OVER", None]
    assert [push.data["k"] for push in shop.far_end.pushed] == ["storm"]


async def test_a_storm_goes_on_to_the_next_device_while_one_of_its_alerts_fires(shop: Shop) -> None:
    await shop.another_breach(times=8)
    await shop.told()
    async with shop.db.transaction() as session:
        now = await database_time(session)
        *others, _ = await session.scalars(select(Alert).order_by(Alert.id))
        for alert in others:
            alert.acknowledge(by=shop.admin.as_actor(), at=now)

    await shop.ring()
    await shop.pursued(now + 2 * A_MINUTE)

    assert [device for _, device in await shop.deliveries(NoticeKind.STORM)] == ["phone:1", "tablet:1"]


@pytest.mark.parametrize("kind", list(LASTS))
@pytest.mark.parametrize("late", [True, False])
async def test_what_waited_too_long_for_the_push_service_is_not_told(
    shop: Shop, keys: Keys, kind: NoticeKind, late: bool
) -> None:
    notice = await _waited(shop, keys, kind, LASTS[kind] + (1 if late else -1) * A_MINUTE)

    await shop.ring()

    error = (await shop.errors(kind))[0]
    assert error == ("OVER" if late else None)
    assert [push.data["k"] for push in shop.far_end.pushed] == ([] if late else [kind])
    await shop.pursued(notice.created_at + LASTS[kind] + 2 * A_MINUTE)
    if notice.next_at:
        assert await _state(shop, kind) == NoticeState.OVER


async def test_an_alert_is_told_however_long_it_waited_as_long_as_it_fires(shop: Shop) -> None:
    await shop.told()
    async with shop.db.transaction() as session:
        await session.execute(update(Notice).values(created_at=NOON))

    await shop.ring()

    assert [push.handle for push in shop.far_end.pushed] == ["phone:1"]


async def _waited(shop: Shop, keys: Keys, kind: NoticeKind, time: timedelta) -> Notice:
    """A notice of this kind to Mia, whom nothing has reached for so long."""
    async with shop.db.transaction() as session:
        now = await database_time(session)
        alert = (await session.scalars(select(Alert))).one()
        ticket = await session.get_one(Ticket, alert.ticket_id)
        ticket.assignee_id = shop.mia.id
        task = Task(id=new_id(), title="Count the till", created_at=NOON, updated_at=NOON)
        session.add(task)
        await session.flush()
        notice = Notice(
            task_id=task.id if kind == NoticeKind.TASK_DUE else None,
            call_id=await _call(session, keys, at=now) if kind == NoticeKind.CALL_RINGING else None,
            id=new_id(), agent_id=shop.mia.id, kind=kind, created_at=now - time,
            alert_id=alert.id if kind == NoticeKind.CLEARED else None,
            ticket_id=ticket.id if kind in OF_A_TICKET else None,
        )  # fmt: skip
        await notices.begin(session, notice, (Way.PUSH,), at=now - time)
        if kind == NoticeKind.STORM:
            folded = Notice(
                id=new_id(), agent_id=shop.mia.id, alert_id=alert.id, ticket_id=ticket.id,
                folded_into_id=notice.id, created_at=now - time,
            )  # fmt: skip
            folded.end(NoticeState.FOLDED)
            session.add(folded)
        await session.flush()
        return notice


async def _call(session: AsyncSession, keys: Keys, *, at: datetime) -> uuid.UUID:
    """One that rings."""
    line = await a_channel(session, keys, ChannelKind.PHONE)
    await receive(session, line, a_call_step("c1", CallStep.RINGING, at=at))
    return (await session.scalars(select(Call.id))).one()


async def _state(shop: Shop, kind: NoticeKind) -> NoticeState:
    async with shop.db.transaction() as session:
        return (await session.scalars(select(Notice.state).where(Notice.kind == kind))).one()

"""Clocks follow what happens to a ticket, and the wheel fires when they say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.alerting.alerts import Alert, AlertKind, AlertState
from domain.answering.replies import send
from domain.arriving.inbound import CallStep
from domain.customers.contacts import Identity
from domain.desk.messages import DeliveryState, Message
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.joining.merging import merge_tickets
from domain.keys import Keys
from domain.sla import calendars, clocks, policies, reckoning
from domain.sla.clocks import Clock, ClockState, clock_state
from domain.sla.deadlines import WHEEL, fire_due
from domain.sla.facts import facts_of
from domain.sla.hours import ALWAYS, DAYS, Hours
from domain.sla.policies import Conditions
from domain.sla.promises import is_waited_for
from domain.sla.reckoning import reckon
from domain.sla.targets import REPLIES, Metric, Target
from domain.ways_in.channels import Channel, ChannelKind
from tests.factories import (
    NOON,
    a_call_step,
    a_chat,
    a_mail,
    a_messenger_message,
    a_promise,
    an_agent,
    receive,
    tickets,
)

ADA = "ada@example.org"
KEYS = Keys("a secret for tests that is long enough")
MINUTE = timedelta(minutes=1)


def test_a_promise_is_well_then_at_risk_then_broken_and_kept_is_kept() -> None:
    def state(minutes: int, *, met: bool = False, paused: bool = False) -> ClockState:
        return clock_state(
            at=NOON + minutes * MINUTE,
            warn_at=[NOON + 45 * MINUTE],
            due_at=NOON + 60 * MINUTE,
            met_at=NOON if met else None,
            paused_since=NOON if paused else None,
        )

    assert [state(44), state(45), state(60)] == [ClockState.OK, ClockState.AT_RISK, ClockState.BREACHED]
    assert state(99, met=True) == ClockState.MET
    assert state(99, paused=True) == ClockState.PAUSED


async def the(session: AsyncSession, metric: Metric = Metric.FIRST_REPLY) -> Clock:
    """The newest clock of this kind."""
    query = select(Clock).where(Clock.metric == metric).order_by(Clock.started_at.desc()).limit(1)
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


async def alerts(session: AsyncSession) -> list[tuple[AlertKind, AlertState, datetime]]:
    await session.flush()
    found = await session.scalars(select(Alert).order_by(Alert.fired_at, Alert.id))
    return [(alert.kind, alert.state, alert.fired_at) for alert in found.all()]


async def answered(
    session: AsyncSession, ticket: Ticket, *, at: datetime, after: TicketStatus | None = None
) -> Message:
    """By Ben, in the ticket's only conversation."""
    ben = (await an_agent(session, "Ben")).as_actor()
    identity = (
        await session.scalars(select(Identity).where(Identity.contact_id == ticket.contact_id))
    ).first()
    assert identity
    return await send(
        session, KEYS, ticket, to=identity, text="Yes.", by=ben, at=at, last_seen_seq=10**15, after=after
    )


async def test_the_wheel_warns_then_fires_each_once_and_stamps_them_with_their_moments(
    session: AsyncSession, mailbox: Channel
) -> None:
    await a_promise(session, 3600)
    await receive(session, mailbox, a_mail(ADA, at=NOON))

    async def fired(minutes: int) -> list[tuple[AlertKind, AlertState, datetime]]:
        await fire_due(session, at=NOON + minutes * MINUTE)
        return await alerts(session)

    warned = (AlertKind.SLA_AT_RISK, AlertState.FIRING, NOON + 45 * MINUTE)
    assert await fired(44) == []
    assert await fired(46) == await fired(59) == [warned]
    resolved = (AlertKind.SLA_AT_RISK, AlertState.RESOLVED, NOON + 45 * MINUTE)
    broken = (AlertKind.SLA_BREACHED, AlertState.FIRING, NOON + 60 * MINUTE)
    assert await fired(61) == await fired(600) == [resolved, broken]
    told = await session.scalars(select(Event.at).where(Event.kind == EventKind.SLA_BREACHED))
    assert told.all() == [NOON + 60 * MINUTE]


async def test_a_wheel_that_comes_late_tells_what_is_broken_and_not_what_was_at_risk(
    session: AsyncSession, mailbox: Channel
) -> None:
    await a_promise(session, 60)
    await receive(session, mailbox, a_mail(ADA, at=NOON))

    assert [await fire_due(session), await fire_due(session)] == [1, 0]

    assert await alerts(session) == [(AlertKind.SLA_BREACHED, AlertState.FIRING, NOON + MINUTE)]


async def test_a_late_answer_resolves_the_alert_and_the_clock_keeps_both_times(
    session: AsyncSession, mailbox: Channel
) -> None:
    await a_promise(session, 60)
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    await fire_due(session)
    (ticket,) = await tickets(session)

    await answered(session, ticket, at=NOON + 5 * MINUTE)

    ((_, state, _),) = await alerts(session)
    clock = await the(session)
    assert state == AlertState.RESOLVED
    assert (clock.breached_at, clock.met_at, clock.next_at) == (NOON + MINUTE, NOON + 5 * MINUTE, None)
    assert await fire_due(session) == 0


@pytest.mark.parametrize("after", [None, TicketStatus.SOLVED])
async def test_a_word_that_is_told_of_after_the_answer_was_written_waits_though_it_was_said_before(
    session: AsyncSession, page: Channel, after: TicketStatus | None
) -> None:
    replies = [Target(metric, 3600) for metric in REPLIES]
    await policies.set_default_policy(session, name="Default", hours=ALWAYS, targets=replies)
    await receive(session, page, a_messenger_message("p1", at=NOON))
    (ticket,) = await tickets(session)
    await answered(session, ticket, at=NOON + 10 * MINUTE, after=after)

    await receive(session, page, a_messenger_message("p1", "And red?", at=NOON + 9 * MINUTE))

    assert (await the(session)).met_at == NOON + 10 * MINUTE
    waits = await the(session, Metric.NEXT_REPLY)
    assert (waits.runs, waits.started_at) == (True, NOON + 9 * MINUTE)
    assert is_waited_for(await facts_of(session, ticket))


async def test_a_missed_call_that_is_told_of_after_an_answer_was_written_waits_to_be_called_back(
    session: AsyncSession, mailbox: Channel, line: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    await receive(session, line, a_call_step("first", CallStep.RINGING, at=NOON))
    ticket, called = await tickets(session)
    await merge_tickets(session, ticket, [called], by=SYSTEM, at=NOON + MINUTE)
    await answered(session, ticket, at=NOON + 10 * MINUTE)

    for minute, step in ((8, CallStep.RINGING), (9, CallStep.ENDED)):
        await receive(session, line, a_call_step("late", step, at=NOON + minute * MINUTE))

    assert is_waited_for(await facts_of(session, ticket))
    assert (AlertKind.CALL_MISSED, AlertState.FIRING, NOON + 9 * MINUTE) in await alerts(session)


async def test_an_answer_that_could_not_be_delivered_keeps_no_promise(
    session: AsyncSession, mailbox: Channel
) -> None:
    await a_promise(session, 3600)
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)
    answer = await answered(session, ticket, at=NOON + 5 * MINUTE)
    assert (await the(session)).met_at

    await answer.give_up(session, at=NOON + 10 * MINUTE)
    await session.flush()
    for event in (await session.scalars(select(Event))).all():
        await reckoning.mend(session, event)

    clock = await the(session)
    assert answer.delivery == DeliveryState.FAILED
    assert (clock.met_at, clock.due_at) == (None, NOON + 60 * MINUTE)
    assert clock.next_at


async def test_a_pause_stops_the_wheel_and_what_is_left_is_counted_from_its_end(
    session: AsyncSession, mailbox: Channel
) -> None:
    await a_promise(session, 3600)
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)
    await fire_due(session, at=NOON + 50 * MINUTE)

    await _set(session, ticket, TicketStatus.PENDING, NOON + 50 * MINUTE)
    assert await fire_due(session, at=NOON + 90 * MINUTE) == 0
    ((_, state, _),) = await alerts(session)
    assert (state, (await the(session)).paused_since) == (AlertState.RESOLVED, NOON + 50 * MINUTE)

    await _set(session, ticket, TicketStatus.OPEN, NOON + 100 * MINUTE)
    assert (await the(session)).due_at == NOON + 110 * MINUTE
    await fire_due(session, at=NOON + 111 * MINUTE)
    assert [kind for kind, state, _ in await alerts(session) if state == AlertState.FIRING] == [
        AlertKind.SLA_BREACHED
    ]


async def test_an_answer_sets_the_clocks_as_its_history_is_read_afterwards(
    session: AsyncSession, mailbox: Channel
) -> None:
    targets = [Target(Metric.FIRST_REPLY, 3600), Target(Metric.RESOLUTION, 7200)]
    await policies.set_default_policy(session, name="Default", hours=ALWAYS, targets=targets)
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)

    await answered(session, ticket, at=NOON + 5 * MINUTE, after=TicketStatus.PENDING)

    assert (await the(session)).met_at == NOON + 5 * MINUTE
    assert (await the(session, Metric.RESOLUTION)).paused_since == NOON + 5 * MINUTE
    assert not await reckon(session, ticket, at=NOON + 6 * MINUTE)


async def _set(session: AsyncSession, ticket: Ticket, status: TicketStatus, at: datetime) -> None:
    ticket.change(by=SYSTEM, at=at, status=status)
    await reckon(session, ticket, at=at)


async def test_a_clock_that_pauses_on_new_runs_from_the_assignment_and_one_that_pauses_on_open_until_then(
    session: AsyncSession, mailbox: Channel
) -> None:
    await a_promise(session, 3600)
    ((default, calendar),) = await policies.policies_in_order(session)
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)
    ben = await an_agent(session, "Ben")

    async def paused_since(pauses: TicketStatus, minutes: int) -> datetime | None:
        await policies.save_policy(session, default.id, calendar_id=calendar.id, pauses=[pauses])
        await reckon(session, ticket, at=NOON + minutes * MINUTE)
        return (await the(session)).paused_since

    assert await paused_since(TicketStatus.NEW, 5) == NOON
    assert await paused_since(TicketStatus.OPEN, 5) is None

    ticket.assign(to=ben, by=SYSTEM, at=NOON + 10 * MINUTE)
    assert await paused_since(TicketStatus.OPEN, 15) == NOON + 10 * MINUTE
    assert await paused_since(TicketStatus.NEW, 15) is None
    assert (await the(session)).due_at == NOON + 70 * MINUTE


async def test_another_priority_moves_the_deadline_and_what_had_been_broken_is_not_any_more(
    session: AsyncSession, mailbox: Channel
) -> None:
    await a_promise(session, 60)
    await policies.set_default_policy(
        session,
        name="Default",
        hours=ALWAYS,
        targets=[Target(Metric.FIRST_REPLY, 60), Target(Metric.FIRST_REPLY, 86400, priority=4)],
    )
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)
    now = NOON + 5 * MINUTE
    await fire_due(session, at=now)

    ticket.change(by=SYSTEM, at=now, priority=4)
    assert await reckon(session, ticket, at=now)

    clock = await the(session)
    assert (clock.breached_at, clock.due_at) == (None, NOON + timedelta(days=1))
    assert [state for _, state, _ in await alerts(session)] == [AlertState.RESOLVED]

    ticket.change(by=SYSTEM, at=now, priority=3)
    await reckon(session, ticket, at=now)
    assert not await reckon(session, ticket, at=now)
    await fire_due(session, at=now)
    assert [state for _, state, _ in await alerts(session)] == [AlertState.FIRING]


async def test_the_first_policy_whose_conditions_hold_is_the_tickets(
    session: AsyncSession, mailbox: Channel, chat: Channel
) -> None:
    await a_promise(session, 3600)
    default = (await policies.policies_in_order(session))[0]
    tagged = await policies.save_policy(
        session, None, name="Complaints", calendar_id=default[1].id, targets=[Target(Metric.RESOLUTION, days=14)],
        conditions=Conditions(tags=("reklamacja",)),
    )  # fmt: skip
    await policies.save_policy(
        session, None, name="Chat", calendar_id=default[1].id, targets=[Target(Metric.FIRST_REPLY, 60)],
        conditions=Conditions(channels=(ChannelKind.CHAT,)),
    )  # fmt: skip
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    await receive(session, chat, a_chat("s1", "Hello?", at=NOON))
    mailed, chatted = [await running(session, ticket) for ticket in await tickets(session)]

    assert mailed == {(Metric.FIRST_REPLY, 3600)}
    assert chatted == {(Metric.FIRST_REPLY, 60)}

    ticket = (await tickets(session))[0]
    ticket.change(by=SYSTEM, at=NOON, add_tags=[" Reklamacja "])
    await reckon(session, ticket, at=NOON)
    assert await running(session, ticket) == {(Metric.RESOLUTION, 14 * 86400)}

    await policies.archive_policy(session, tagged, at=NOON)
    await reckon(session, ticket, at=NOON)
    assert await running(session, ticket) == {(Metric.FIRST_REPLY, 3600)}


async def running(session: AsyncSession, ticket: Ticket) -> set[tuple[Metric, int]]:
    found = await session.scalars(
        select(Clock)
        .where(Clock.ticket_id == ticket.id, clocks.RUNNING)
        .execution_options(populate_existing=True)
    )
    return {(clock.metric, clock.target_seconds) for clock in found.all()}


async def test_no_policy_hides_what_a_law_promises(
    session: AsyncSession, mailbox: Channel, chat: Channel
) -> None:
    """The shop's own policy comes first, another was made last, and Ben chose a third by hand."""
    first = await a_policy(session, "VIP", Target(Metric.RESOLUTION, 7200), priorities=(1,))
    await a_policy(session, "Poland", Target(Metric.RESOLUTION, days=14), tags=("reklamacja",))
    await a_policy(session, "Spain", Target(Metric.RESOLUTION, days=15, working=True), tags=("reclamación",))
    hand = await a_policy(session, "By hand", Target(Metric.RESOLUTION, 60), tags=("nobody has it",))
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)

    ticket.change(by=SYSTEM, at=NOON, priority=1, add_tags=["reklamacja", "reclamación"])
    await reckon(session, ticket, at=NOON)
    assert await running(session, ticket) == {(Metric.RESOLUTION, 7200), (Metric.RESOLUTION, 14 * 86400)}
    (legal,) = await session.scalars(select(Clock).where(Clock.is_legal))
    assert (legal.due_at, legal.policy_id != first.id) == (datetime(2026, 3, 17, tzinfo=UTC), True)

    ticket.policy_id = hand.id
    await reckon(session, ticket, at=NOON)
    assert await running(session, ticket) == {(Metric.RESOLUTION, 60), (Metric.RESOLUTION, 14 * 86400)}

    ticket.change(by=SYSTEM, at=NOON, remove_tags=["reklamacja"])
    await reckon(session, ticket, at=NOON)
    assert await running(session, ticket) == {(Metric.RESOLUTION, 60), (Metric.RESOLUTION, 15 * 86400)}
    ticket.change(by=SYSTEM, at=NOON, remove_tags=["reclamación"])
    await reckon(session, ticket, at=NOON)
    assert await running(session, ticket) == {(Metric.RESOLUTION, 60)}


async def a_policy(session: AsyncSession, name: str, *targets: Target, **conditions: Any) -> policies.Policy:
    calendar = await calendars.save_calendar(session, None, name, ALWAYS)
    return await policies.save_policy(
        session, None, name=name, calendar_id=calendar.id, targets=targets,
        conditions=Conditions(**conditions),
    )  # fmt: skip


async def test_legal_days_run_from_the_word_that_made_an_older_ticket_a_complaint(
    session: AsyncSession, mailbox: Channel
) -> None:
    """Opened on the 2nd, complained on the 20th, seen to be a complaint on the 22nd."""
    await a_policy(session, "Poland", Target(Metric.RESOLUTION, days=14), tags=("reklamacja",))
    await receive(session, mailbox, a_mail(ADA, at=NOON, external_id="first@example.org"))
    (ticket,) = await tickets(session)
    complained = NOON + timedelta(days=18)
    again = a_mail(ADA, "It is broken!", at=complained, references=("first@example.org",))
    await receive(session, mailbox, again)

    async def seen(
        days: int, tags: list[str], without: list[str] | None = None
    ) -> list[tuple[datetime, datetime]]:
        ticket.change(by=SYSTEM, at=NOON + timedelta(days=days), add_tags=tags, remove_tags=without)
        await reckon(session, ticket, at=NOON + timedelta(days=days))
        found = select(Clock).where(Clock.is_legal, clocks.RUNNING).execution_options(populate_existing=True)
        return [(clock.started_at, clock.due_at) for clock in await session.scalars(found)]

    started = [(complained, datetime(2026, 4, 4, tzinfo=UTC))]
    assert await seen(20, ["reklamacja"]) == started

    await receive(
        session, mailbox, a_mail(ADA, at=NOON + timedelta(days=21), references=("first@example.org",))
    )
    assert len(await tickets(session)) == 1
    assert await seen(22, [], ["reklamacja"]) == []
    assert await seen(23, ["reklamacja"]) == started


async def test_a_ticket_that_others_were_merged_into_loses_no_time(
    session: AsyncSession, mailbox: Channel, chat: Channel
) -> None:
    """Ada's older chat, which was a complaint, is merged into the ticket of her mail."""
    await a_policy(
        session,
        "All",
        Target(Metric.RESOLUTION, 7200),
        Target(Metric.RESOLUTION, days=14),
        tags=("reklamacja",),
    )
    day = timedelta(days=1)
    await receive(session, chat, a_chat("s1", "It is broken!", at=NOON))
    (older,) = await tickets(session)
    older.change(by=SYSTEM, at=NOON, add_tags=["reklamacja"])
    await reckon(session, older, at=NOON)
    await receive(session, mailbox, a_mail(ADA, at=NOON + day))
    _, ticket = await tickets(session)
    ticket.change(by=SYSTEM, at=NOON + day, add_tags=["reklamacja"])
    await reckon(session, ticket, at=NOON + day)

    await merge_tickets(session, ticket, [older], by=SYSTEM, at=NOON + 2 * day)

    assert older.merged_into_id == ticket.id
    found = await session.scalars(
        select(Clock).where(Clock.ticket_id == ticket.id).execution_options(populate_existing=True)
    )
    assert {(clock.is_legal, clock.started_at) for clock in found} == {(False, NOON), (True, NOON)}


async def test_a_window_made_shorter_gives_what_was_reopened_a_clock_of_its_own(
    session: AsyncSession, mailbox: Channel
) -> None:
    policy = await policies.set_default_policy(
        session, name="Default", hours=ALWAYS, targets=[Target(Metric.RESOLUTION, 36_000)]
    )
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)
    ben = (await an_agent(session, "Ben")).as_actor()
    for minutes, status in ((60, TicketStatus.SOLVED), (120, TicketStatus.OPEN)):
        ticket.change(by=ben, at=NOON + minutes * MINUTE, status=status)
        await session.flush()
        await reckon(session, ticket, at=NOON + minutes * MINUTE)
    policy.reopen_seconds = 60

    await reckon(session, ticket, at=NOON + 121 * MINUTE)

    found = await session.scalars(
        select(Clock).where(Clock.ticket_id == ticket.id).order_by(Clock.started_at)
    )
    assert [(clock.started_at, clock.met_at, clock.runs) for clock in found] == [
        (NOON, NOON + 60 * MINUTE, False),
        (NOON + 120 * MINUTE, None, True),
    ]


async def test_another_moment_for_a_warning_that_was_told_tells_it_no_second_time(
    session: AsyncSession, mailbox: Channel
) -> None:
    early, late = (
        Hours.from_json({"zone": "UTC", "weekly": {day: [[opens, "17:00"]] for day in DAYS}})
        for opens in ("08:00", "09:00")
    )
    targets = [Target(Metric.RESOLUTION, days=14, warn_days=(7, 3, 1))]
    await policies.set_default_policy(session, name="Complaints", hours=early, targets=targets)
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)
    await fire_due(session, at=NOON + timedelta(days=8))
    told = await alerts(session)

    await policies.set_default_policy(session, name="Complaints", hours=late, targets=targets)
    await reckon(session, ticket, at=NOON + timedelta(days=8))
    await fire_due(session, at=NOON + timedelta(days=8))

    assert len(told) == 1
    assert await alerts(session) == told
    await fire_due(session, at=NOON + timedelta(days=12))
    assert len(await alerts(session)) == 2


async def _warning(session: AsyncSession, *days: int) -> None:
    """So long before the fourteenth day."""
    targets = [Target(Metric.RESOLUTION, days=14, warn_days=days)]
    await policies.set_default_policy(session, name="Complaints", hours=ALWAYS, targets=targets)


@pytest.mark.parametrize(
    ("changed", "fires"), [(1, [0, 1]), (5, [1])], ids=["before either", "when the new one has passed"]
)
async def test_a_policy_that_warns_earlier_warns_of_what_runs_already(
    session: AsyncSession, mailbox: Channel, changed: int, fires: list[int]
) -> None:
    await _warning(session, 7)
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)

    await _warning(session, 10)
    await reckon(session, ticket, at=NOON + timedelta(days=changed))

    told = []
    for day in (3, 5)[-len(fires) :]:
        await fire_due(session, at=NOON + timedelta(days=day))
        told.append(len(await alerts(session)))
    assert told == fires


async def test_a_warning_that_nobody_has_told_yet_is_told_though_its_moment_is_another(
    session: AsyncSession, mailbox: Channel
) -> None:
    await _warning(session, 7)
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)

    await _warning(session, 8)
    await reckon(session, ticket, at=NOON + timedelta(days=9))
    await fire_due(session, at=NOON + timedelta(days=9))

    assert [kind for kind, _, _ in await alerts(session)] == [AlertKind.COMPLAINT_DUE]


async def test_what_is_broken_is_told_once_though_its_policy_warns_otherwise_since(
    session: AsyncSession, mailbox: Channel
) -> None:
    await _warning(session, 7)
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    (ticket,) = await tickets(session)
    await fire_due(session, at=NOON + timedelta(days=15))
    told = await alerts(session)

    await _warning(session, 8)
    await reckon(session, ticket, at=NOON + timedelta(days=16))
    await fire_due(session, at=NOON + timedelta(days=16))

    assert [kind for kind, _, _ in told] == [AlertKind.SLA_BREACHED]
    assert await alerts(session) == told


async def test_a_legal_deadline_warns_as_a_complaint_and_each_warning_takes_the_place_of_the_last(
    session: AsyncSession, mailbox: Channel
) -> None:
    await policies.set_default_policy(
        session,
        name="Complaints",
        hours=ALWAYS,
        targets=[Target(Metric.RESOLUTION, days=14, warn_days=(7, 3, 1))],
    )
    await receive(session, mailbox, a_mail(ADA, at=NOON))

    states = []
    for day in (6, 8, 12, 15):
        await fire_due(session, at=NOON + timedelta(days=day))
        states.append([(kind, state) for kind, state, _ in await alerts(session)][-2:])

    warned, gone = (
        (AlertKind.COMPLAINT_DUE, AlertState.FIRING),
        (AlertKind.COMPLAINT_DUE, AlertState.RESOLVED),
    )
    assert states == [[], [warned], [gone, warned], [gone, (AlertKind.SLA_BREACHED, AlertState.FIRING)]]


async def test_the_wheel_knows_how_long_it_may_sleep(session: AsyncSession, mailbox: Channel) -> None:
    assert await WHEEL.seconds_to_next(session) is None
    await a_promise(session, 60)
    await receive(session, mailbox, a_mail(ADA))

    left = await WHEEL.seconds_to_next(session)

    assert left is not None
    assert left < 0

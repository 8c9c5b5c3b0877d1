"""A complaint from the first word to its end: the law's date, the decision, what stalls, and what silence means."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.agents.staff import Agent
from domain.alerting.alerts import Alert, AlertKind, AlertState
from domain.complaints import moving
from domain.complaints.complaints import Complaint, ComplaintStep, complaint_of
from domain.complaints.decision_dates import hours_for, legal_date, outcome_of
from domain.complaints.moving import Decision
from domain.complaints.opening import notice, open_complaint
from domain.complaints.refusals import AlreadyComplaint, CountsAsAccepted, LawNotSetUp, NotFromThisStage
from domain.complaints.stages import FOLLOWING, Outcome, Remedy, Stage
from domain.complaints.stalling import fire_stalled, stalls_at
from domain.complaints.warning import fire_promised
from domain.desk import spam
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import InvalidInput, Undecided
from domain.events import Event, EventKind
from domain.planning import applying
from domain.planning.templates import Planned, Whose, save_template
from domain.privacy.retention import due
from domain.sla import calendars, policies, reckoning
from domain.sla.clocks import Clock
from domain.sla.hours import ALWAYS, Hours
from domain.sla.targets import Metric, Target
from domain.sla.templates import Template
from domain.ways_in.channels import Channel, ChannelKind
from tests.complaining import POLISH_DUE, WEEK, a_ticket, go, open_tasks, under_the_law
from tests.factories import NOON, a_mail, an_agent, receive

A_DAY = timedelta(days=1)
PL, ES = Template.COMPLAINT_PL, Template.COMPLAINT_ES
YES = Decision(Outcome.ACCEPTED, Remedy.REFUND)


@pytest.fixture
async def ben(session: AsyncSession) -> Agent:
    return await an_agent(session, "Ben")


@pytest.fixture
async def ticket(session: AsyncSession, mailbox: Channel) -> Ticket:
    await under_the_law(session, PL, ES)
    return await a_ticket(session, mailbox)


async def complain(session: AsyncSession, ticket: Ticket, ben: Agent, law: Template | None = PL) -> Complaint:
    return await open_complaint(session, ticket, law=law, by=ben.as_actor(), at=NOON + timedelta(hours=1))


async def legal_clock(session: AsyncSession, ticket: Ticket) -> Clock:
    found = await session.scalars(
        select(Clock)
        .where(Clock.ticket_id == ticket.id, Clock.is_legal, Clock.metric == Metric.RESOLUTION)
        .execution_options(populate_existing=True)
    )
    return found.one()


async def test_a_complaint_runs_by_the_legal_clock_from_the_customers_word_and_makes_its_three_tasks(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint = await complain(session, ticket, ben)

    legal = await legal_date(session, ticket.id)
    assert legal
    assert legal.due_at == POLISH_DUE
    assert (complaint.stage, complaint.channel, complaint.number) == (
        Stage.RECEIVED,
        ChannelKind.EMAIL,
        ticket.number,
    )
    assert ticket.tags == ["reklamacja"]
    tasks = await open_tasks(session, ticket)
    assert [task.due_at for task in tasks] == [
        datetime(2026, 3, 3, 16, tzinfo=UTC),
        datetime(2026, 3, 9, 16, tzinfo=UTC),
        datetime(2026, 3, 13, 16, tzinfo=UTC),  # two days before is a Saturday
    ]
    assert {task.assignee_id for task in tasks} == {ben.id}


async def test_a_ticket_is_one_complaint(session: AsyncSession, ticket: Ticket, ben: Agent) -> None:
    await complain(session, ticket, ben)

    with pytest.raises(AlreadyComplaint):
        await complain(session, ticket, ben)

    assert len(await open_tasks(session, ticket)) == 3


async def test_a_law_that_is_not_set_up_is_not_promised(
    session: AsyncSession, mailbox: Channel, ben: Agent
) -> None:
    await under_the_law(session, PL)
    ticket = await a_ticket(session, mailbox)

    with pytest.raises(LawNotSetUp):
        await complain(session, ticket, ben, ES)


async def test_without_a_law_the_shop_says_what_it_promises(
    session: AsyncSession, mailbox: Channel, ben: Agent
) -> None:
    await under_the_law(session)
    ticket = await a_ticket(session, mailbox)

    with pytest.raises(InvalidInput, match="say what you promise"):
        await open_complaint(session, ticket, by=ben.as_actor(), at=NOON)


async def test_the_shop_promises_nothing_later_than_the_law(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    too_late = POLISH_DUE + A_DAY

    with pytest.raises(InvalidInput, match="law's date comes first"):
        await open_complaint(session, ticket, law=PL, promised_at=too_late, by=ben.as_actor(), at=NOON)


async def test_the_law_holds_when_somebody_takes_the_tag_off(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    await complain(session, ticket, ben)

    ticket.change(by=ben.as_actor(), at=NOON + A_DAY, remove_tags=["reklamacja"])
    await reckoning.reckon(session, ticket, at=NOON + A_DAY)

    assert (await legal_clock(session, ticket)).runs


@pytest.mark.parametrize("stage", Stage)
def test_a_complaint_goes_only_where_the_table_says(stage: Stage) -> None:
    complaint = Complaint(stage=stage, outcome=Outcome.WITHDRAWN)

    for to in Stage:
        if to in FOLLOWING[stage]:
            complaint.may_go(to, locale="en")
        else:
            with pytest.raises(NotFromThisStage):
                complaint.may_go(to, locale="en")


async def test_the_decision_keeps_the_law_however_long_the_remedy_takes(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()

    await go(session, complaint, Stage.DECIDED, YES, by=by, at=NOON + 3 * A_DAY)
    await go(session, complaint, Stage.REMEDIED, by=by, at=NOON + 40 * A_DAY)
    ticket.change(by=by, at=NOON + 41 * A_DAY, status=TicketStatus.SOLVED)
    await reckoning.reckon(session, ticket, at=NOON + 41 * A_DAY)

    clock = await legal_clock(session, ticket)
    assert (clock.met_at, clock.breached_at) == (NOON + 3 * A_DAY, None)


async def test_a_decision_that_is_taken_back_lets_the_days_run_on(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()
    await go(session, complaint, Stage.DECIDED, YES, by=by, at=NOON + 3 * A_DAY)

    await go(session, complaint, Stage.INVESTIGATING, by=by, at=NOON + 4 * A_DAY)

    clock = await legal_clock(session, ticket)
    assert clock.runs
    assert clock.due_at == POLISH_DUE
    assert (complaint.outcome, complaint.decided_at, ticket.undecided) == (None, None, True)


async def test_of_a_decision_that_is_taken_back_only_the_history_tells(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()
    paid = Decision(
        Outcome.ACCEPTED, Remedy.REFUND, Decimal("129.90"), "PLN", words="The price is paid back."
    )
    await go(session, complaint, Stage.DECIDED, paid, by=by, at=NOON + A_DAY)

    await go(session, complaint, Stage.INVESTIGATING, by=by, at=NOON + 2 * A_DAY)

    assert (complaint.remedy, complaint.amount, complaint.currency, complaint.decision) == (
        None,
        None,
        None,
        "",
    )
    steps = (await session.scalars(select(ComplaintStep).order_by(ComplaintStep.at, ComplaintStep.id))).all()
    assert [(step.outcome, step.note) for step in steps] == [
        (None, ""),
        (Outcome.ACCEPTED, "The price is paid back."),
        (None, ""),
    ]


@pytest.mark.parametrize(
    "days", [4, 12]
)  # 12: later than the policy takes a reopened ticket for the same one
async def test_a_ticket_that_was_solved_is_open_again_when_the_decision_is_taken_back(
    session: AsyncSession, ticket: Ticket, ben: Agent, days: int
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()
    await go(session, complaint, Stage.DECIDED, YES, by=by, at=NOON + 3 * A_DAY)
    ticket.change(by=by, at=NOON + 3 * A_DAY, status=TicketStatus.SOLVED)
    await reckoning.reckon(session, ticket, at=NOON + 3 * A_DAY)

    await go(session, complaint, Stage.INVESTIGATING, by=by, at=NOON + days * A_DAY)

    clock = await legal_clock(session, ticket)
    assert clock.runs
    assert (clock.due_at, clock.next_at is None) == (POLISH_DUE, False)
    assert (ticket.status, ticket.undecided) == (TicketStatus.OPEN, True)


async def test_a_complaint_about_a_solved_ticket_is_due_by_the_word_that_complained(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    by = ben.as_actor()
    ticket.change(by=by, at=NOON + 2 * A_DAY, status=TicketStatus.SOLVED)
    await reckoning.reckon(session, ticket, at=NOON + 2 * A_DAY)

    complaint = await open_complaint(session, ticket, law=PL, by=by, at=NOON + 12 * A_DAY)
    clock = await legal_clock(session, ticket)
    assert (clock.started_at, clock.due_at, clock.runs) == (ticket.legal_since, POLISH_DUE, True)
    await go(session, complaint, Stage.DECIDED, YES, by=by, at=NOON + 13 * A_DAY)

    assert (await legal_clock(session, ticket)).met_at == NOON + 13 * A_DAY


async def test_what_the_customer_withdrew_is_not_waited_for_until_they_think_better_of_it(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()

    await go(session, complaint, Stage.CLOSED, Decision(Outcome.WITHDRAWN), by=by, at=NOON + A_DAY)
    assert (await legal_clock(session, ticket)).met_at == NOON + A_DAY
    ticket.change(by=by, at=NOON + A_DAY, status=TicketStatus.SOLVED)
    await go(session, complaint, Stage.INVESTIGATING, by=by, at=NOON + 2 * A_DAY)

    clock = await legal_clock(session, ticket)
    assert (clock.runs, clock.due_at) == (True, POLISH_DUE)
    assert (ticket.status, complaint.outcome) == (TicketStatus.OPEN, None)
    assert outcome_of(complaint, POLISH_DUE, at=POLISH_DUE) == Outcome.DEEMED_ACCEPTED


async def test_the_days_of_a_law_are_those_of_its_own_calendar(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    await complain(session, ticket, ben)
    in_madrid = Hours.from_json({"zone": "Europe/Madrid", "weekly": {"sun": [["00:00", "24:00"]]}})
    shop = await session.scalar(
        select(policies.Policy.calendar_id).where(policies.Policy.name == "Everybody")
    )
    await calendars.save_calendar(session, shop, "Shop", in_madrid)

    legal = await legal_date(session, ticket.id)

    assert legal
    assert legal.hours.zone.key == "Europe/Warsaw"
    assert await hours_for(session, legal) != await hours_for(session, None) == in_madrid


async def test_who_complains_anew_after_withdrawing_has_the_laws_days_from_that_word(
    session: AsyncSession, mailbox: Channel, ticket: Ticket, ben: Agent
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()
    await go(session, complaint, Stage.CLOSED, Decision(Outcome.WITHDRAWN), by=by, at=NOON + A_DAY)
    again = NOON + 7 * A_DAY
    await receive(
        session, mailbox, a_mail("ada@example.org", "It leaks again.", subject="The kettle", at=again)
    )

    await go(session, complaint, Stage.INVESTIGATING, by=by, at=again + A_DAY)

    date = await legal_date(session, ticket.id)
    assert date
    assert date.due_at == POLISH_DUE + 7 * A_DAY
    assert outcome_of(complaint, date.due_at, at=POLISH_DUE) is None


async def test_the_first_answer_stays_given_whatever_becomes_of_a_later_one(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()
    told_at = NOON + A_DAY
    await go(session, complaint, Stage.DECIDED, Decision(Outcome.REJECTED), by=by, at=told_at)
    await go(session, complaint, Stage.CLOSED, by=by, at=NOON + 2 * A_DAY)
    await go(session, complaint, Stage.INVESTIGATING, by=by, at=NOON + 30 * A_DAY)

    await go(session, complaint, Stage.DECIDED, YES, by=by, at=NOON + 32 * A_DAY)
    await go(session, complaint, Stage.INVESTIGATING, by=by, at=NOON + 33 * A_DAY)
    assert (complaint.decided_at, complaint.outcome) == (told_at, None)
    assert (await legal_clock(session, ticket)).met_at == told_at

    await go(session, complaint, Stage.CLOSED, Decision(Outcome.WITHDRAWN), by=by, at=NOON + 34 * A_DAY)
    await go(session, complaint, Stage.INVESTIGATING, by=by, at=NOON + 35 * A_DAY)
    assert (complaint.decided_at, complaint.outcome) == (told_at, None)


async def test_a_customer_who_objects_opens_it_again_and_the_laws_answer_stays_given(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()
    await go(session, complaint, Stage.DECIDED, Decision(Outcome.REJECTED), by=by, at=NOON + A_DAY)
    await go(session, complaint, Stage.CLOSED, by=by, at=NOON + 2 * A_DAY)

    await go(session, complaint, Stage.INVESTIGATING, by=by, at=NOON + 30 * A_DAY)
    await go(session, complaint, Stage.DECIDED, YES, by=by, at=NOON + 32 * A_DAY)

    assert complaint.outcome == Outcome.ACCEPTED
    assert (await legal_clock(session, ticket)).met_at == NOON + A_DAY


async def test_a_ticket_stays_open_until_its_complaint_is_decided(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()
    with pytest.raises(Undecided):
        ticket.change(by=by, at=NOON, status=TicketStatus.SOLVED)

    await go(session, complaint, Stage.DECIDED, YES, by=by, at=NOON + A_DAY)

    ticket.change(by=by, at=NOON + A_DAY, status=TicketStatus.SOLVED)


async def test_before_a_decision_only_what_was_withdrawn_is_closed(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()

    with pytest.raises(InvalidInput):
        await go(session, complaint, Stage.CLOSED, YES, by=by, at=NOON + A_DAY)
    await go(session, complaint, Stage.CLOSED, Decision(Outcome.WITHDRAWN), by=by, at=NOON + A_DAY)

    assert not ticket.undecided


async def test_under_polish_law_silence_accepts_and_under_spanish_it_does_not(
    session: AsyncSession, ticket: Ticket, ben: Agent, mailbox: Channel
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()
    late = POLISH_DUE + timedelta(hours=1)
    assert outcome_of(complaint, POLISH_DUE, at=late - 2 * A_DAY) is None
    assert outcome_of(complaint, POLISH_DUE, at=late) == Outcome.DEEMED_ACCEPTED

    with pytest.raises(CountsAsAccepted):
        await go(session, complaint, Stage.DECIDED, Decision(Outcome.REJECTED), by=by, at=late)
    in_time = Decision(Outcome.REJECTED, told_at=POLISH_DUE - A_DAY)
    await go(session, complaint, Stage.DECIDED, in_time, by=by, at=late)

    assert complaint.outcome == Outcome.REJECTED
    assert (await legal_clock(session, ticket)).breached_at is None
    spanish = await complain(session, await a_ticket(session, mailbox, "zofia@example.com"), ben, ES)
    assert outcome_of(spanish, NOON, at=NOON + A_DAY) is None


async def test_a_late_answer_says_what_the_law_has_decided(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint = await complain(session, ticket, ben)

    await go(session, complaint, Stage.DECIDED, by=ben.as_actor(), at=POLISH_DUE + A_DAY)

    assert complaint.outcome == Outcome.DEEMED_ACCEPTED
    assert (await legal_clock(session, ticket)).breached_at == POLISH_DUE


async def tag(session: AsyncSession, ticket: Ticket, name: str, ben: Agent) -> Event:
    ticket.change(by=ben.as_actor(), at=NOON, add_tags=[name])
    await reckoning.reckon(session, ticket, at=NOON)
    await session.flush()
    changes = select(Event).where(Event.kind == EventKind.TICKET_CHANGED).order_by(Event.seq)
    return (await session.scalars(changes)).all()[-1]


async def test_a_tag_makes_a_complaint_too(session: AsyncSession, ticket: Ticket, ben: Agent) -> None:
    tagged = await tag(session, ticket, "reklamacja", ben)

    for _ in range(2):
        await notice(session, tagged)

    complaint = await complaint_of(session, ticket.id)
    assert complaint
    assert (complaint.template, complaint.opened_by_id) == (PL, ben.id)
    assert len(await open_tasks(session, ticket)) == 3


async def test_a_tag_of_a_policy_of_the_shops_own_brings_no_law_that_is_set_up_beside_it(
    session: AsyncSession, mailbox: Channel, ben: Agent
) -> None:
    await under_the_law(session, PL)
    hours = await session.scalar(select(policies.Policy.calendar_id).where(policies.Policy.name == PL))
    await policies.save_policy(
        session,
        None,
        name="Reklamace",
        calendar_id=hours,
        targets=[Target(Metric.RESOLUTION, days=30)],
        conditions=policies.Conditions(tags=("reklamace",)),
    )
    ticket = await a_ticket(session, mailbox)

    await notice(session, await tag(session, ticket, "reklamace", ben))

    complaint, legal = await complaint_of(session, ticket.id), await legal_date(session, ticket.id)
    assert complaint
    assert legal
    assert (complaint.template, ticket.tags) == (None, ["reklamace"])
    assert legal.due_at == datetime(2026, 4, 1, 22, tzinfo=UTC)
    assert outcome_of(complaint, legal.due_at, at=legal.due_at + A_DAY) is None
    assert len(await open_tasks(session, ticket)) == 3


async def stalled(session: AsyncSession) -> list[AlertState]:
    return await fired(session, AlertKind.COMPLAINT_STALLED)


async def warned(session: AsyncSession) -> list[AlertState]:
    return await fired(session, AlertKind.COMPLAINT_DUE)


async def fired(session: AsyncSession, kind: AlertKind) -> list[AlertState]:
    found = await session.scalars(
        select(Alert).where(Alert.kind == kind).order_by(Alert.id).execution_options(populate_existing=True)
    )
    return [alert.state for alert in found]


async def test_what_does_not_move_is_told_once_and_is_over_when_it_moves(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()
    friday = datetime(2026, 3, 6, 8, tzinfo=UTC)  # nine in Warsaw, after three days on which nothing moved
    assert complaint.stalls_at == friday
    assert await fire_stalled(session, at=friday - timedelta(seconds=1)) == 0

    assert await fire_stalled(session, at=friday) == 1
    assert await fire_stalled(session, at=friday + 3 * A_DAY) == 0
    assert await stalled(session) == [AlertState.FIRING]
    await moving.change(
        session,
        complaint,
        ticket,
        next_step="Ask the maker",
        next_step_at=friday + 10 * A_DAY,
        by=by,
        at=friday,
    )

    assert await stalled(session) == [AlertState.RESOLVED]
    assert complaint.stalls_at == datetime(2026, 3, 17, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("law", "promised", "mornings"),
    [
        (PL, datetime(2026, 3, 10, 12, tzinfo=UTC), [6, 9, 10]),  # three days before is a Saturday
        (None, datetime(2026, 3, 10, 23, tzinfo=UTC), [6, 9, 10]),  # the end of a day in Warsaw
        (None, datetime(2026, 3, 3, 12, tzinfo=UTC), [3]),
        (None, datetime(2026, 3, 10, 7, tzinfo=UTC), [6, 9]),  # before the shop opens
        (PL, POLISH_DUE - timedelta(hours=9), []),  # on the law's own day
    ],
)
async def test_who_promised_a_day_is_told_in_the_mornings_before(
    session: AsyncSession,
    ticket: Ticket,
    ben: Agent,
    law: Template | None,
    promised: datetime,
    mornings: list[int],
) -> None:
    at = NOON + timedelta(hours=1)
    await open_complaint(session, ticket, law=law, promised_at=promised, by=ben.as_actor(), at=at)

    told = []
    for hour in range(9 * 24):
        moment = NOON + timedelta(hours=hour)
        if await fire_promised(session, at=moment):
            told.append(moment)

    assert told == [datetime(2026, 3, day, 8, tzinfo=UTC) for day in mornings]


async def test_what_warned_of_a_promise_is_over_when_it_comes_nearer_is_another_or_is_kept(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    by, friday = ben.as_actor(), datetime(2026, 3, 6, 8, tzinfo=UTC)
    monday, wednesday = friday + 3 * A_DAY, friday + 5 * A_DAY
    complaint = await open_complaint(session, ticket, promised_at=monday + A_DAY, by=by, at=NOON)

    await fire_promised(session, at=friday)
    await moving.change(session, complaint, ticket, next_step="Ask the maker", by=by, at=friday)
    assert await warned(session) == [AlertState.FIRING]
    await fire_promised(session, at=monday)
    assert await warned(session) == [AlertState.RESOLVED, AlertState.FIRING]

    later = wednesday + timedelta(hours=9)
    await moving.change(session, complaint, ticket, promised_at=later, by=by, at=monday)
    assert await warned(session) == [AlertState.RESOLVED] * 2
    await fire_promised(session, at=wednesday)
    await go(session, complaint, Stage.DECIDED, YES, by=by, at=wednesday)

    assert await warned(session) == [AlertState.RESOLVED] * 3
    assert complaint.warns_at is None


async def test_nobody_is_told_of_what_was_promised_in_spam(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    by, monday = ben.as_actor(), datetime(2026, 3, 9, 8, tzinfo=UTC)
    promised = monday + timedelta(days=1, hours=9)
    complaint = await open_complaint(session, ticket, promised_at=promised, by=by, at=NOON)
    await spam.mark(session, ticket, by=by, at=NOON)

    await fire_promised(session, at=monday)

    assert await warned(session) == []
    assert complaint.warns_at == monday + A_DAY, "it may turn out to be none"


async def test_another_owner_alone_moves_nothing_but_is_heard(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    complaint, bo = await complain(session, ticket, ben), await an_agent(session, "Bo")
    before = complaint.stalls_at

    await moving.change(
        session, complaint, ticket, owner_id=bo.id, note="Bo knows kettles", by=SYSTEM, at=NOON + A_DAY
    )

    assert (complaint.owner_id, complaint.stalls_at) == (bo.id, before)
    step = (await session.scalars(select(ComplaintStep).order_by(ComplaintStep.at.desc()).limit(1))).one()
    assert step.note == "Bo knows kettles"
    told = (await session.scalars(select(Event).where(Event.kind == EventKind.COMPLAINT_CHANGED))).one()
    assert "kettles" not in str(told.data)


OFFICE = Hours.from_json({"zone": "Europe/Warsaw", "weekly": WEEK, "holidays": ["PL"]})


@pytest.mark.parametrize(
    ("moved", "next_step", "days", "stalls"),
    [
        ("2026-03-02T12:00", None, 3, "2026-03-06T08:00"),
        ("2026-03-06T12:00", None, 1, "2026-03-10T08:00"),  # over a weekend
        ("2026-04-02T12:00", None, 1, "2026-04-07T07:00"),  # over Easter, and into summer time
        ("2026-03-02T12:00", "2026-03-05T09:00", 3, "2026-03-06T08:00"),
        ("2026-03-02T12:00", "2026-03-20T09:00", 3, "2026-03-23T08:00"),
    ],
)
def test_days_are_working_days_and_a_day_for_the_next_step_comes_first(
    moved: str, next_step: str | None, days: int, stalls: str
) -> None:
    def at(moment: str) -> datetime:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)

    step_at = at(next_step) if next_step else None

    assert stalls_at(OFFICE, moved_at=at(moved), next_step_at=step_at, days=days) == at(stalls)


def test_a_shop_that_is_always_open_is_told_in_the_morning_too() -> None:
    moved = datetime(2026, 3, 2, 12, tzinfo=UTC)

    assert stalls_at(ALWAYS, moved_at=moved, next_step_at=None, days=3) == datetime(2026, 3, 6, 7, tzinfo=UTC)


async def test_the_words_of_a_complaint_outlive_the_channels_days(
    session: AsyncSession, ticket: Ticket, ben: Agent, mailbox: Channel
) -> None:
    complaint, by = await complain(session, ticket, ben), ben.as_actor()
    await go(session, complaint, Stage.DECIDED, YES, by=by, at=NOON + A_DAY)
    await go(session, complaint, Stage.CLOSED, by=by, at=NOON + A_DAY)
    ticket.change(by=by, at=NOON + A_DAY, status=TicketStatus.CLOSED)
    await session.flush()

    async def old_texts(days: int) -> int:
        connection, at = await session.connection(), NOON + days * A_DAY
        return (await due(connection, mailbox.id, originals_days=None, texts_days=30, at=at)).texts

    assert await old_texts(60) == 0
    assert await old_texts(4 * 365) == 1


async def test_what_is_its_owners_to_do_is_not_given_to_an_owner_who_has_left(
    session: AsyncSession, ticket: Ticket, ben: Agent
) -> None:
    await complain(session, ticket, ben)
    bo = await an_agent(session, "Bo")
    template = await save_template(
        session, None, name="A repair", tasks=[Planned("Ring the maker", 1, whose=Whose.OWNER)], on_complaint=False,
        law=None,
    )  # fmt: skip
    ben.change(by=SYSTEM, at=NOON, left=True)

    (nobodys,) = await applying.on_ticket(session, template, ticket, by=SYSTEM, at=NOON)

    assert nobodys.assignee_id is None
    ticket.assign(to=bo, by=SYSTEM, at=NOON)
    again = await save_template(
        session, None, name="Another repair", tasks=template.planned, on_complaint=False, law=None
    )
    (bos,) = await applying.on_ticket(session, again, ticket, by=SYSTEM, at=NOON)
    assert bos.assignee_id == bo.id

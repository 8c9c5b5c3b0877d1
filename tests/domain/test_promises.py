"""What a history means for what was promised. Every moment here is in an office that is open from nine to five."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from domain.desk.tickets import TicketStatus
from domain.sla.hours import ALWAYS, Hours
from domain.sla.promises import (
    Deed,
    Fact,
    Promise,
    Terms,
    complained_at,
    promised,
    promised_by_law,
    until_decided,
)
from domain.sla.targets import REPLIES, Metric, Target, choose
from domain.ways_in.channels import ChannelKind

CHAT, EMAIL, PHONE = ChannelKind.CHAT, ChannelKind.EMAIL, ChannelKind.PHONE
MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
OFFICE = Hours.from_json(
    {"zone": "UTC", "weekly": {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}}
)
HOUR = 3600
POLICY, OTHER, LAW = (uuid.uuid4() for _ in range(3))
TARGETS = (
    Target(Metric.FIRST_REPLY, 4 * HOUR),
    Target(Metric.FIRST_REPLY, 60, channel=CHAT),
    Target(Metric.NEXT_REPLY, 2 * HOUR),
    Target(Metric.RESOLUTION, 16 * HOUR),
)
TERMS = Terms(POLICY, TARGETS, OFFICE)


def after(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


def asks(hours: float, channel: ChannelKind = EMAIL) -> Fact:
    return Fact(after(hours), Deed.CUSTOMER_SPOKE, channel)


def answers(hours: float) -> Fact:
    return Fact(after(hours), Deed.SHOP_SPOKE)


def becomes(status: TicketStatus, hours: float, *, by_customer: bool = False) -> Fact:
    return Fact(after(hours), Deed.STATUS_SET, status=status, by_customer=by_customer)


def of(metric: Metric, *facts: Fact, terms: Terms = TERMS) -> list[Promise]:
    found = promised(facts, [terms], opened_at=MONDAY, priority=3)
    return [promise for promise in found if promise.metric == metric]


def test_the_most_particular_target_counts() -> None:
    targets = [
        Target(Metric.FIRST_REPLY, 14400),
        Target(Metric.FIRST_REPLY, 3600, priority=1),
        Target(Metric.FIRST_REPLY, 60, channel=CHAT),
        Target(Metric.RESOLUTION, 9),
    ]

    def seconds(metric: Metric, priority: int, channel: ChannelKind) -> int | None:
        chosen = choose(targets, metric, priority=priority, channel=channel)
        return chosen.seconds if chosen else None

    assert seconds(Metric.FIRST_REPLY, 3, EMAIL) == 14400
    assert seconds(Metric.FIRST_REPLY, 1, EMAIL) == 3600
    assert seconds(Metric.FIRST_REPLY, 1, CHAT) == 60
    assert seconds(Metric.NEXT_REPLY, 1, CHAT) is None


def test_a_second_word_of_the_customer_does_not_start_the_promise_anew() -> None:
    (first,) = of(Metric.FIRST_REPLY, asks(0), asks(1))

    assert (first.started_at, first.due_at) == (MONDAY, after(4))


def test_a_next_reply_is_promised_from_the_oldest_word_that_nobody_answered() -> None:
    (next_one,) = of(Metric.NEXT_REPLY, asks(0), answers(1), asks(2), asks(3))

    assert (next_one.started_at, next_one.due_at, next_one.met_at) == (after(2), after(4), None)


def test_who_waits_in_the_chat_is_not_put_off_by_a_mail_that_is_due_later() -> None:
    (waiting,) = of(Metric.FIRST_REPLY, asks(0, EMAIL), asks(1, CHAT))
    (mailed,) = of(Metric.FIRST_REPLY, asks(0, CHAT), asks(1, EMAIL))

    assert (waiting.started_at, waiting.first.channel) == (MONDAY, CHAT)
    assert waiting.due_at == after(1) + timedelta(seconds=60)
    assert (mailed.first.channel, mailed.due_at) == (CHAT, MONDAY + timedelta(seconds=60))


def test_one_answer_is_enough_wherever_the_customer_waits() -> None:
    (kept,) = of(Metric.FIRST_REPLY, asks(0, EMAIL), asks(1, CHAT), answers(2))

    assert kept.met_at == after(2)
    assert of(Metric.NEXT_REPLY, asks(0, EMAIL), asks(1, CHAT), answers(2)) == []


def test_a_ticket_opened_by_an_agent_promises_no_reply_until_the_customer_writes() -> None:
    assert of(Metric.FIRST_REPLY, answers(0)) == []

    (first,) = of(Metric.FIRST_REPLY, answers(0), asks(1))
    assert first.started_at == after(1)


def test_a_pause_is_a_break_in_the_calendar() -> None:
    """An hour of a Monday and a whole night in `pending`: the hour is added, the night is not."""
    paused = (becomes(TicketStatus.PENDING, 7), becomes(TicketStatus.OPEN, 24))

    (resolution,) = of(Metric.RESOLUTION, *paused)
    (unpaused,) = of(Metric.RESOLUTION)

    assert unpaused.due_at == after(24 + 8)
    assert resolution.due_at == after(48 + 1)


def test_a_clock_that_is_paused_says_since_when() -> None:
    (resolution,) = of(Metric.RESOLUTION, becomes(TicketStatus.PENDING, 2))

    assert resolution.paused_since == after(2)
    (legal,) = of(
        Metric.RESOLUTION,
        becomes(TicketStatus.PENDING, 2),
        terms=Terms(POLICY, (Target(Metric.RESOLUTION, days=14),), OFFICE),
    )
    assert legal.paused_since is None


def test_solving_settles_who_still_waits_and_reopening_by_mistake_goes_on_where_it_was() -> None:
    solved = becomes(TicketStatus.SOLVED, 1)

    (settled,) = of(Metric.FIRST_REPLY, asks(0), solved)
    (resumed,) = of(Metric.FIRST_REPLY, asks(0), solved, becomes(TicketStatus.OPEN, 3))

    assert settled.ended_at == after(1)
    assert (resumed.ended_at, resumed.due_at) == (None, after(6))


def test_who_writes_to_a_solved_ticket_waits_from_that_word() -> None:
    reopened = becomes(TicketStatus.OPEN, 5, by_customer=True)

    settled, waiting = of(Metric.FIRST_REPLY, asks(0), becomes(TicketStatus.SOLVED, 1), reopened, asks(5))

    assert (settled.ended_at, waiting.started_at, waiting.due_at) == (after(1), after(5), after(24 + 1))


def test_a_ticket_reopened_within_the_window_goes_on_with_its_resolution() -> None:
    facts = (becomes(TicketStatus.SOLVED, 4), becomes(TicketStatus.OPEN, 6))

    (same,) = of(Metric.RESOLUTION, *facts)
    first, second = of(
        Metric.RESOLUTION, *facts, terms=Terms(POLICY, TARGETS, OFFICE, reopens_within=timedelta(hours=1))
    )

    assert (same.met_at, same.due_at) == (None, after(48 + 2))
    assert (first.met_at, second.started_at) == (after(4), after(6))


def test_an_answer_that_solves_its_ticket_answers_first() -> None:
    at_once = Fact(after(1), Deed.STATUS_SET, status=TicketStatus.SOLVED)

    (kept,) = of(Metric.FIRST_REPLY, asks(0), at_once, answers(1))

    assert (kept.met_at, kept.ended_at) == (after(1), None)


def test_at_risk_is_the_later_of_three_quarters_and_a_quarter_of_an_hour_before() -> None:
    (chat,) = of(Metric.FIRST_REPLY, asks(0, CHAT))
    (mail,) = of(Metric.FIRST_REPLY, asks(0, EMAIL))

    assert chat.warn_at == [MONDAY + timedelta(seconds=45)]
    assert mail.warn_at == [after(3.75)]


WARSAW = Hours.from_json(
    {
        "zone": "Europe/Warsaw",
        "weekly": {day: [["10:00", "18:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
        "holidays": ["PL"],
        "closed": ["2026-12-31"],
    }
)


def legal(
    days: int, start: datetime, *, working: bool = False, hours: Hours = WARSAW
) -> tuple[datetime, list[datetime]]:
    return Target(Metric.RESOLUTION, days=days, working=working, warn_days=(7, 3, 1)).moments(
        hours, start, ()
    )


def test_a_polish_complaint_is_due_at_the_end_of_the_fourteenth_day() -> None:
    """Received on the 2nd at eleven at night: the first day is not counted, and the last one ends at midnight in Warsaw."""
    due, warnings = legal(14, datetime(2026, 12, 2, 22, tzinfo=UTC))

    assert due == datetime(2026, 12, 16, 23, tzinfo=UTC)
    mornings = [moment.astimezone(ZoneInfo("Europe/Warsaw")) for moment in warnings]
    assert [(one.day, one.hour) for one in mornings] == [(9, 10), (11, 10), (15, 10)]  # the 13th is a Sunday


def test_two_warnings_of_one_day_are_one_and_a_closed_day_is_better_than_none() -> None:
    """Due on Monday the 14th: the days before, and the third before that, are no days on which the shop opens."""
    _, warnings = legal(14, datetime(2026, 11, 30, 12, tzinfo=UTC))
    _, (saturday_is_too_late,) = legal(3, datetime(2026, 12, 11, 12, tzinfo=UTC))

    assert [one.day for one in warnings] == [7, 11]
    assert saturday_is_too_late == datetime(2026, 12, 13, 8, tzinfo=UTC)


def test_a_spanish_complaint_counts_working_days_and_the_shops_own_closed_days_count_too() -> None:
    """Poland keeps Christmas Eve, Christmas, New Year and Epiphany; New Year's Eve is only the shop's."""
    due, _ = legal(15, datetime(2026, 12, 18, 12, tzinfo=UTC), working=True)

    assert due == datetime(2027, 1, 14, 23, tzinfo=UTC)


def test_of_two_countries_only_the_holidays_of_both_make_a_term_longer() -> None:
    """Spain works on Christmas Eve; Christmas, New Year and Epiphany are of both."""
    both = replace(WARSAW, holidays=frozenset({"PL", "ES"}))

    due, _ = legal(15, datetime(2026, 12, 18, 12, tzinfo=UTC), working=True, hours=both)

    regional = replace(WARSAW, holidays=frozenset({"ES", "ES-CT"}))
    feast = date(2026, 9, 11)

    assert due == datetime(2027, 1, 13, 23, tzinfo=UTC)
    assert regional.day_before(datetime(2026, 9, 12, 12, tzinfo=UTC), 0, working=True) < feast
    assert not both.is_open(datetime(2026, 12, 24, 12, tzinfo=UTC))


def test_a_warning_for_a_day_that_has_passed_is_none() -> None:
    due, warnings = legal(2, datetime(2026, 6, 1, 12, tzinfo=UTC))

    assert (due, len(warnings)) == (datetime(2026, 6, 3, 22, tzinfo=UTC), 1)


COMPLAINT = Terms(LAW, (Target(Metric.RESOLUTION, days=14),), OFFICE)


def test_what_several_laws_promise_is_due_when_the_first_of_them_says() -> None:
    spanish = Terms(OTHER, (Target(Metric.RESOLUTION, days=15, working=True),), OFFICE)

    (resolution,) = promised_by_law([], [spanish, COMPLAINT], since=MONDAY, priority=3)

    assert resolution.first.terms.policy_id == LAW
    assert resolution.due_at == datetime(2026, 3, 17, tzinfo=UTC)


def test_a_law_takes_no_notice_of_what_was_before_the_complaint() -> None:
    """The ticket was solved and reopened by the word that complains, which an answer follows that solves it."""
    before = (asks(0), becomes(TicketStatus.SOLVED, 2), answers(2))
    word = (becomes(TicketStatus.OPEN, 400, by_customer=True), asks(400))
    laws = [replace(COMPLAINT, targets=(*COMPLAINT.targets, Target(Metric.FIRST_REPLY, days=2)))]

    def read(*then: Fact) -> list[tuple[Metric, datetime, datetime | None]]:
        found = promised_by_law([*before, *word, *then], laws, since=after(400), priority=3)
        return [(promise.metric, promise.started_at, promise.met_at) for promise in found]

    assert read() == [(Metric.RESOLUTION, after(400), None), (Metric.FIRST_REPLY, after(400), None)]
    assert read(answers(401), becomes(TicketStatus.SOLVED, 401)) == [
        (Metric.RESOLUTION, after(400), after(401)),
        (Metric.FIRST_REPLY, after(400), after(401)),
    ]


def test_a_law_hears_of_a_complaints_decision_and_of_no_solved_ticket() -> None:
    solved = [asks(0), becomes(TicketStatus.SOLVED, 2), becomes(TicketStatus.OPEN, 400)]

    def read(decided_at: datetime | None) -> list[tuple[datetime, datetime | None]]:
        heard = until_decided(solved, decided_at)
        found = promised_by_law(heard, [COMPLAINT], since=MONDAY, priority=3)
        return [(promise.started_at, promise.met_at) for promise in found]

    assert read(None) == [(MONDAY, None)]
    assert read(after(500)) == [(MONDAY, after(500))]


def test_a_complaint_began_with_the_customers_last_word_before_it_was_seen_to_be_one() -> None:
    said = [asks(0), asks(300), answers(301), asks(500)]

    def began(*facts: Fact) -> datetime:
        return complained_at(facts, at=after(400), opened_at=after(-1))

    assert began(*said) == after(300)
    assert began(asks(500)) == began() == after(-1)


histories = st.lists(
    st.one_of(
        st.builds(asks, st.integers(0, 100), st.sampled_from([EMAIL, CHAT, PHONE])),
        st.builds(answers, st.integers(0, 100)),
        st.builds(
            becomes,
            st.sampled_from([TicketStatus.OPEN, TicketStatus.PENDING, TicketStatus.SOLVED]),
            st.integers(0, 100),
        ),
    ),
    max_size=12,
)


@given(histories)
def test_however_it_went_one_promise_runs_for_each_thing_that_is_waited_for(facts: list[Fact]) -> None:
    """And what runs is never paused and kept at once, begins before it is due, and warns before."""
    found = promised(facts, [Terms(POLICY, TARGETS, ALWAYS)], opened_at=MONDAY, priority=3)

    running = [promise.metric in REPLIES for promise in found if promise.runs]
    assert len(running) == len(set(running))
    for promise in found:
        assert promise.started_at <= promise.first.since < promise.due_at
        assert all(promise.first.since < moment <= promise.due_at for moment in promise.warn_at)
        assert promise.met_at is None or promise.met_at >= promise.started_at
        assert not (promise.paused_since and not promise.runs)


@given(histories)
def test_the_order_in_which_facts_are_read_changes_nothing(facts: list[Fact]) -> None:
    numbered = [Fact(f.at, f.deed, f.channel, f.status, f.by_customer, seq) for seq, f in enumerate(facts)]

    def read(given: list[Fact]) -> list[object]:
        return [vars(one) for one in promised(given, [TERMS], opened_at=MONDAY, priority=3)]

    assert read(numbered) == read(list(reversed(numbered)))

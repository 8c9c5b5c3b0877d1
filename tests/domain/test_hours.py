from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.sla.hours import ALWAYS, MIDNIGHT, Hours, Interval, NeverOpen
from tests.domain.hours_oracle import oracle_add, oracle_between, oracle_is_open

WARSAW = ZoneInfo("Europe/Warsaw")
OFFICE = Hours(WARSAW, {day: [(time(9), time(17))] for day in range(5)}, frozenset({date(2026, 12, 25)}))
HOUR = 3600

# The clocks change on these days. Lord Howe moves by half an hour; the Azores repeat midnight, Cairo skips it.
CHANGES = {
    "Europe/Madrid": (date(2026, 3, 29), date(2026, 10, 25)),
    "Europe/Warsaw": (date(2027, 3, 28), date(2027, 10, 31)),
    "Atlantic/Canary": (date(2026, 3, 29), date(2026, 10, 25)),
    "Atlantic/Azores": (date(2026, 3, 29), date(2026, 10, 25)),
    "Africa/Cairo": (date(2026, 4, 24), date(2026, 10, 30)),
    "Australia/Lord_Howe": (date(2026, 4, 5), date(2026, 10, 4)),
    "UTC": (date(2028, 2, 29), date(2026, 12, 31)),
}


def warsaw(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=WARSAW).astimezone(UTC)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Hours, datetime, int, list[Interval]]:
    """Hours, a moment within days of a change of the clocks, seconds, and pauses near it."""
    name = draw(st.sampled_from(sorted(CHANGES)))
    change = draw(st.sampled_from(CHANGES[name]))
    minutes = st.integers(0, 24 * 60) | st.integers(0, 4 * 12).map(lambda twelfth: twelfth * 5)
    days = st.lists(minutes, min_size=2, max_size=6, unique=True).map(_periods)
    weekly = {day: draw(days) for day in range(7)}
    near = [change + timedelta(days=n) for n in range(-3, 4)]
    closed = draw(st.frozensets(st.sampled_from(near), max_size=3))
    start = datetime.combine(change, time.min, UTC) + timedelta(
        seconds=draw(st.integers(-2 * 86400, 86400) | st.integers(-8, 14).map(lambda half: half * 1800))
    )
    edges = st.integers(-7200, 2 * 86400)
    pauses = [
        (start + timedelta(seconds=begin), start + timedelta(seconds=begin + length))
        for begin, length in draw(st.lists(st.tuples(edges, st.integers(-60, 86400)), max_size=3))
    ]
    return Hours(ZoneInfo(name), weekly, closed), start, draw(st.integers(0, 3 * HOUR)), pauses


def _periods(minutes: list[int]) -> list[tuple[time, time]]:
    edges = [MIDNIGHT if at == 24 * 60 else time(at // 60, at % 60) for at in sorted(minutes)]
    if len(edges) % 2:
        return list(pairwise(edges))  # periods that touch
    return list(zip(edges[::2], edges[1::2], strict=True))


@given(cases())
@settings(max_examples=60, deadline=None)
def test_adding_open_time_agrees_with_a_walk_through_the_minutes(
    case: tuple[Hours, datetime, int, list[Interval]],
) -> None:
    hours, start, seconds, pauses = case

    assert hours.add(start, seconds, pauses) == oracle_add(hours, start, seconds, pauses)


@given(cases(), st.integers(-3 * 86400, 3 * 86400))
@settings(max_examples=60, deadline=None)
def test_open_time_between_agrees_with_a_walk_through_the_minutes(
    case: tuple[Hours, datetime, int, list[Interval]], distance: int
) -> None:
    hours, start, _, pauses = case
    end = start + timedelta(seconds=distance)

    assert hours.between(start, end, pauses) == oracle_between(hours, start, end, pauses)
    assert hours.is_open(start) == oracle_is_open(hours, start)


@given(cases(), st.integers(0, 999_999), st.integers(1, 2 * HOUR))
@settings(max_examples=100, deadline=None)
def test_adding_and_measuring_undo_each_other(
    case: tuple[Hours, datetime, int, list[Interval]], microseconds: int, more: int
) -> None:
    hours, start, seconds, pauses = case
    start = start.replace(microsecond=microseconds)

    due = hours.add(start, seconds, pauses)

    assert hours.between(start, due, pauses) == seconds
    assert hours.between(due, start, pauses) == -seconds
    assert hours.add(due, more, pauses) == hours.add(start, seconds + more, pauses)


@given(cases())
def test_hours_survive_being_stored(case: tuple[Hours, datetime, int, list[Interval]]) -> None:
    hours = case[0]

    assert Hours.from_json(hours.to_json()) == hours


def test_a_promise_made_on_friday_afternoon_goes_on_on_monday() -> None:
    assert OFFICE.add(warsaw("2026-11-06 16:00"), 4 * HOUR) == warsaw("2026-11-09 12:00")


def test_a_holiday_is_stepped_over() -> None:
    assert OFFICE.add(warsaw("2026-12-24 16:00"), 2 * HOUR) == warsaw("2026-12-28 10:00")
    assert not OFFICE.is_open(warsaw("2026-12-25 12:00"))


def test_public_holidays_are_stepped_over_where_they_are_kept() -> None:
    catalan, castilian = (replace(OFFICE, holidays=frozenset([code])) for code in ("ES-CT", "ES-MD"))
    polish = replace(OFFICE, closed=frozenset(), holidays=frozenset(["PL"]))

    assert catalan.add(warsaw("2026-09-10 16:00"), 2 * HOUR) == warsaw("2026-09-14 10:00"), "the Diada"
    assert castilian.add(warsaw("2026-09-10 16:00"), 2 * HOUR) == warsaw("2026-09-11 10:00")
    assert polish.add(warsaw("2026-12-23 16:00"), 2 * HOUR) == warsaw("2026-12-28 10:00"), (
        "Christmas Eve, since 2025"
    )
    assert polish.add(warsaw("2024-12-23 16:00"), 2 * HOUR) == warsaw("2024-12-24 10:00")


@pytest.mark.parametrize("code", ["XX", "ES-XX", "", "Poland"])
def test_holidays_of_nowhere_are_refused(code: str) -> None:
    with pytest.raises(ValueError, match="no holidays are known"):
        Hours.from_json({"zone": "Europe/Madrid", "holidays": [code]})


def test_open_time_ends_with_the_period_that_fills_it() -> None:
    assert OFFICE.add(warsaw("2026-11-09 09:00"), 8 * HOUR) == warsaw("2026-11-09 17:00")


def test_no_time_takes_until_the_shop_is_next_open() -> None:
    assert OFFICE.add(warsaw("2026-11-07 12:00"), 0) == warsaw("2026-11-09 09:00")
    assert OFFICE.add(warsaw("2026-11-09 17:00"), 0) == warsaw("2026-11-10 09:00")
    assert OFFICE.add(warsaw("2026-11-10 10:30"), 0) == warsaw("2026-11-10 10:30")


def test_a_lunch_break_does_not_count() -> None:
    hours = Hours(WARSAW, {0: [(time(14), time(18)), (time(9), time(13))]})

    assert hours.add(warsaw("2026-11-09 12:00"), 2 * HOUR) == warsaw("2026-11-09 15:00")


def test_a_pause_is_a_break_in_the_day_and_two_that_overlap_count_once() -> None:
    pauses = [
        (warsaw("2026-11-09 11:00"), warsaw("2026-11-09 13:00")),
        (warsaw("2026-11-09 10:00"), warsaw("2026-11-09 12:00")),
    ]

    assert OFFICE.add(warsaw("2026-11-09 09:00"), 2 * HOUR, pauses) == warsaw("2026-11-09 14:00")
    assert OFFICE.between(warsaw("2026-11-09 09:00"), warsaw("2026-11-09 14:00"), pauses) == 2 * HOUR


def test_a_pause_longer_than_our_patience_is_waited_out() -> None:
    pause = (warsaw("2026-11-09 10:00"), warsaw("2029-11-09 10:00"))

    assert OFFICE.add(warsaw("2026-11-09 09:00"), 2 * HOUR, [pause]) == warsaw("2029-11-09 11:00")


def test_overdue_time_is_negative_and_counts_open_seconds_only() -> None:
    due = warsaw("2026-11-06 16:30")

    assert OFFICE.between(warsaw("2026-11-09 09:15"), due) == -45 * 60


def test_a_day_is_23_or_25_hours_when_the_clocks_change() -> None:
    hours = replace(ALWAYS, zone=WARSAW)

    assert hours.between(warsaw("2026-03-29"), warsaw("2026-03-30")) == 23 * HOUR
    assert hours.between(warsaw("2026-10-25"), warsaw("2026-10-26")) == 25 * HOUR
    assert Hours(WARSAW, {6: [(time(1), time(5))]}).add(warsaw("2026-03-29"), 3 * HOUR) == warsaw(
        "2026-03-29 05:00"
    )


def test_a_time_the_clocks_skip_moves_to_the_moment_they_skip_it() -> None:
    early, late = Hours(WARSAW, {6: [(time(1), time(2, 30))]}), Hours(WARSAW, {6: [(time(2, 30), time(4))]})
    change = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)

    assert early.add(warsaw("2026-03-29 01:00"), HOUR) == change
    assert late.add(warsaw("2026-03-29 01:00"), 0) == change


def test_a_repeated_hour_opens_at_the_first_and_closes_at_the_last() -> None:
    hours = Hours(WARSAW, {6: [(time(2, 15), time(2, 30))]})

    assert hours.add(warsaw("2026-10-25"), 0) == datetime(2026, 10, 25, 0, 15, tzinfo=UTC)
    assert hours.between(warsaw("2026-10-25"), warsaw("2026-10-26")) == HOUR + 15 * 60


def test_a_day_is_over_at_the_first_midnight_where_midnight_is_repeated() -> None:
    azores = Hours(ZoneInfo("Atlantic/Azores"), {5: [(time(20), MIDNIGHT)]})

    assert azores.between(datetime(2026, 10, 24, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC)) == 4 * HOUR


def test_touching_periods_that_overlap_in_a_repeated_hour_count_once() -> None:
    hours = Hours(WARSAW, {6: [(time(1), time(2, 30)), (time(2, 30), time(4))]})

    assert hours.between(warsaw("2026-10-25"), warsaw("2026-10-26")) == 4 * HOUR


def test_a_pause_that_ends_before_it_begins_is_none() -> None:
    pause = (warsaw("2026-11-09 12:00"), warsaw("2026-11-09 11:00"))

    assert OFFICE.between(warsaw("2026-11-09 09:00"), warsaw("2026-11-09 17:00"), [pause]) == 8 * HOUR


def test_around_the_clock_a_second_is_a_second() -> None:
    start = datetime(2026, 10, 25, 0, 30, 0, 250_000, tzinfo=UTC)

    assert ALWAYS.add(start, 100_000) == start + timedelta(seconds=100_000)
    assert ALWAYS.is_open(start)


@pytest.mark.parametrize(
    ("periods", "begins"),
    [
        ([], "09:00"),
        ([(time(10), time(14)), (time(16), time(20))], "10:00"),
        ([(time.min, MIDNIGHT)], "07:00"),
        ([(time(6), time(14))], "07:00"),
        ([(time.min, time(2)), (time(18), MIDNIGHT)], "18:00"),  # a bar
        ([(time.min, time(2))], "09:00"),
    ],
)
def test_the_morning_begins_when_the_shop_opens_but_not_before_seven(
    periods: list[tuple[time, time]], begins: str
) -> None:
    hours = Hours(WARSAW, {day: periods for day in range(7)})

    assert hours.morning_of(date(2026, 3, 29)) == warsaw(f"2026-03-29T{begins}")


def test_hours_that_never_open_promise_nothing_and_do_not_loop() -> None:
    never = Hours(WARSAW, {})

    with pytest.raises(NeverOpen):
        never.add(warsaw("2026-11-09"), 1)
    assert never.between(warsaw("2026-11-09"), warsaw("2028-11-09")) == 0
    assert not never.is_open(warsaw("2026-11-09"))


def test_hours_are_stored_as_a_person_would_write_them() -> None:
    stored = {
        "zone": "Europe/Warsaw",
        "weekly": {"mon": [["09:00", "13:00"], ["14:00", "24:00"]]},
        "closed": ["2026-12-31"],
        "holidays": ["ES-CT", "PL"],
    }

    hours = Hours.from_json(stored)

    assert hours.weekly == {0: ((time(9), time(13)), (time(14), MIDNIGHT))}
    assert hours.to_json() == stored


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ({"zone": "Europe/Atlantis"}, "unknown time zone 'Europe/Atlantis'"),
        ({"zone": "Europe"}, "unknown time zone"),
        ({"zone": "../../etc/passwd"}, "unknown time zone"),
        ({}, "unknown time zone None"),
        ({"weekly": {"mon": [["17:00", "09:00"]]}}, "mon 17:00-09:00 ends before it begins"),
        ({"weekly": {"mon": [["09:00", "09:00"]]}}, "ends before it begins"),
        (
            {"weekly": {"tue": [["12:00", "17:00"], ["09:00", "13:00"]]}},
            "tue 09:00-13:00 and 12:00-17:00 overlap",
        ),
        ({"weekly": {"tue": [["12:00", "24:00"], ["13:00", "14:00"]]}}, "overlap"),
        ({"weekly": {"mon": [["9:00", "17:00"]]}}, "mon 9:00-17:00 is no period: write 09:00 and 17:00, "),
        ({"weekly": {"mon": [["24:00", "17:00"]]}}, "is no period"),
        ({"weekly": {"mon": [["09:00"]]}}, "is no period"),
        ({"weekly": {"mon": "09:00"}}, "list of periods"),
        ({"weekly": {"someday": []}}, "a day is one of mon, tue"),
        ({"weekly": []}, "weekly is an object"),
        ({"closed": ["25.12.2026"]}, "'25.12.2026' is no date"),
    ],
)
def test_hours_that_make_no_sense_are_refused_with_the_reason(stored: dict[str, Any], reason: str) -> None:
    whole = stored if "zone" in stored or not stored else {"zone": "Europe/Madrid", **stored}

    with pytest.raises(ValueError, match=reason):
        Hours.from_json(whole)


def test_a_period_made_in_code_keeps_the_same_rules() -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        Hours(WARSAW, {0: [(time(9), time.max)]})
    with pytest.raises(ValueError, match="no day of the week"):
        Hours(WARSAW, {7: [(time(9), time(17))]})

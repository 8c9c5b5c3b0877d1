"""What comes again, against a calendar that is walked day by day."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.planning.recurrence import LAST, Every, GoesOn, Recurrence

WARSAW = ZoneInfo("Europe/Warsaw")
ZONES = st.sampled_from([WARSAW, ZoneInfo("America/St_Johns"), ZoneInfo("Australia/Lord_Howe")])


def _comes(rule: Recurrence, day: date) -> bool:
    """Is it this day's turn? By counting, without python-dateutil."""
    first = rule.begins.date()
    match rule.every:
        case Every.DAY:
            return (day - first).days % rule.interval == 0
        case Every.WEEK:
            monday, began = (one - timedelta(days=one.weekday()) for one in (day, first))
            turn = (monday - began).days // 7 % rule.interval == 0
            return turn and day.weekday() in (rule.weekdays or (first.weekday(),))
        case Every.MONTH:
            months = (day.year - first.year) * 12 + day.month - first.month
            return months % rule.interval == 0 and day == _of_month(rule, day, rule.month_day or first.day)
        case _:
            turn = (day.year - first.year) % rule.interval == 0 and day.month == first.month
            return turn and day == _of_month(rule, day, first.day)


def _of_month(rule: Recurrence, day: date, month_day: int) -> date | None:
    begin = day.replace(day=1)
    days = [begin + timedelta(days=n) for n in range(31) if (begin + timedelta(days=n)).month == day.month]
    if rule.nth:
        chosen = [one for one in days if one.weekday() in rule.weekdays]
        return chosen[rule.nth - 1 if rule.nth > 0 else LAST] if abs(rule.nth) <= len(chosen) else None
    return days[LAST] if month_day == LAST or month_day > len(days) else days[month_day - 1]


def _walked(rule: Recurrence) -> Iterator[datetime]:
    day, count = rule.begins.date(), 0
    while rule.until is None or day <= rule.until:
        if _comes(rule, day):
            count += 1
            if rule.times and count > rule.times:
                return
            yield datetime.combine(day, rule.begins.time(), rule.zone).astimezone(UTC)
        day += timedelta(days=1)
        if day.year > rule.begins.year + 60:
            return


@st.composite
def rules(draw: st.DrawFn) -> Recurrence:
    every = draw(st.sampled_from(Every))
    weekdays: tuple[int, ...] = ()
    nth = month_day = None
    some_days = st.sets(st.integers(0, 6), min_size=1, max_size=7).map(tuple)
    if every == Every.WEEK:
        weekdays = draw(st.one_of(st.just(()), some_days))
    if every == Every.MONTH and draw(st.booleans()):
        weekdays, nth = draw(some_days), draw(st.sampled_from([1, 2, 3, 4, 5, LAST]))
    elif every == Every.MONTH:
        month_day = draw(st.sampled_from([None, 1, 15, 28, 29, 30, 31, LAST]))
    begins = datetime.combine(
        draw(st.dates(date(2024, 1, 1), date(2028, 12, 31))), time(draw(st.integers(0, 23)), 30)
    )
    end = draw(st.sampled_from(["never", "until", "times"]))
    return Recurrence(
        every, begins, draw(ZONES), draw(st.integers(1, 6)), weekdays, nth, month_day,
        until=begins.date() + timedelta(days=draw(st.integers(0, 900))) if end == "until" else None,
        times=draw(st.integers(1, 12)) if end == "times" else None,
        goes_on=draw(st.sampled_from(GoesOn)),
    )  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(rules(), st.integers(-5, 1500), st.integers(0, 86_399))
def test_the_next_is_the_one_that_a_walk_through_the_calendar_finds(
    rule: Recurrence, days: int, seconds: int
) -> None:
    moment = rule.begins.replace(tzinfo=rule.zone).astimezone(UTC) + timedelta(days=days, seconds=seconds)

    found = rule.after(moment)

    coming = (at for at in _walked(rule) if at > moment)
    assert found == next(islice(coming, 1), None)


@given(rules())
def test_what_was_stored_is_read_again(rule: Recurrence) -> None:
    assert Recurrence.from_json(rule.to_json()) == rule


def test_nine_in_the_morning_stays_nine_when_the_clocks_change() -> None:
    daily = Recurrence(Every.DAY, datetime(2026, 3, 28, 9), WARSAW)  # noqa: DTZ001 - a wall time

    nexts = [daily.after(datetime(2026, 3, day, 12, tzinfo=UTC)) for day in (27, 28, 29)]

    assert [at and at.hour for at in nexts] == [8, 7, 7]


def test_the_31st_is_the_last_day_of_a_shorter_month() -> None:
    monthly = Recurrence(Every.MONTH, datetime(2026, 1, 31, 9), WARSAW)  # noqa: DTZ001 - a wall time

    assert monthly.after(datetime(2026, 2, 1, tzinfo=UTC)) == datetime(2026, 2, 28, 8, tzinfo=UTC)
    assert monthly.after(datetime(2026, 3, 1, tzinfo=UTC)) == datetime(2026, 3, 31, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    "choice",
    [
        {"interval": 0},
        {"times": 0},
        {"times": 2, "until": date(2026, 5, 1)},
        {"weekdays": (1,)},
        {"month_day": 32},
        {"nth": 6, "weekdays": (1,)},
    ],
)
def test_what_makes_no_sense_is_refused(choice: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        Recurrence(Every.MONTH, datetime(2026, 1, 31, 9), WARSAW, **choice)  # type: ignore[arg-type]  # noqa: DTZ001 - a wall time

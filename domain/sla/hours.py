"""Business hours: when a shop is open, and how much open time passes.

Everything here is a value or a pure function. Moments are aware UTC datetimes, in and out; seconds are
real elapsed seconds, so a period over a daylight-saving change is an hour shorter or longer than the
clock on the wall says.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, Self, TypeAlias
from zoneinfo import ZoneInfo

from domain.languages import N_
from domain.sla import public_holidays
from domain.sla.nonsense import Nonsense

Period: TypeAlias = tuple[time, time]
Interval: TypeAlias = tuple[datetime, datetime]

MIDNIGHT = time.min
"""As the end of a period: until the day is over, written 24:00. Nothing ends when the day begins."""

PATIENCE = timedelta(days=400)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class NeverOpen(ValueError):
    """Nothing opens within 400 days, so no moment can be promised."""


@dataclass(frozen=True)
class Hours:
    """A week of opening periods in one time zone, and the days the shop stays closed.

    Raises ValueError for a week that makes no sense; a week without any period is allowed.
    """

    zone: ZoneInfo
    weekly: Mapping[int, Sequence[Period]] = field(hash=False)
    """0 is Monday. Periods are local wall times on whole minutes; they may touch, not overlap. One that
    runs past midnight is written as two: until MIDNIGHT, and from 00:00 of the next day."""
    closed: frozenset[date] = frozenset()
    holidays: frozenset[str] = frozenset()
    """Whose public holidays the shop keeps too, such as PL or ES-CT."""

    def __post_init__(self) -> None:
        week = {day: tuple(sorted(self.weekly[day])) for day in sorted(self.weekly) if self.weekly[day]}
        object.__setattr__(self, "weekly", week)
        for code in self.holidays:
            public_holidays.check(code)
        for day, periods in week.items():
            if day not in range(7):
                raise ValueError(f"{day} is no day of the week: 0 is Monday, 6 is Sunday")
            for period in periods:
                if any(at.second or at.microsecond or at.tzinfo for at in period):
                    raise ValueError(f"{DAYS[day]} {_written(period)}: whole minutes of local time only")
                if period[1] != MIDNIGHT and period[1] <= period[0]:
                    raise Nonsense(
                        N_("{day} {period} ends before it begins"), day=DAYS[day], period=_written(period)
                    )
            for one, other in pairwise(periods):
                if one[1] == MIDNIGHT or one[1] > other[0]:
                    raise Nonsense(
                        N_("{day} {one} and {other} overlap"),
                        day=DAYS[day], one=_written(one), other=_written(other),
                    )  # fmt: skip

    def is_open(self, at: datetime) -> bool:
        return any(self._open(at, at + timedelta.resolution))

    def add(self, start: datetime, seconds: int, pauses: Sequence[Interval] = ()) -> datetime:
        """The moment when so many seconds of open time have passed since `start`.

        Time ends with the period that fills it: eight hours from Monday's opening are Monday's closing, not
        Tuesday's opening. No time at all takes until the shop is next open, which may be `start` itself. During
        a pause the shop counts as closed; pauses may overlap and come in any order. Raises NeverOpen.
        """
        if seconds < 0:
            raise ValueError("open time runs forward only")
        left = timedelta(seconds=seconds)
        for begin, end in self._open(start, None, pauses):
            if left <= end - begin:
                return begin + left
            left -= end - begin
        raise NeverOpen(f"nothing opens within {PATIENCE.days} days in {self.zone.key}")

    def between(self, start: datetime, end: datetime, pauses: Sequence[Interval] = ()) -> int:
        """Open seconds from `start` to `end`, a broken second dropped; negative when `end` is the earlier."""
        if end < start:
            return -self.between(end, start, pauses)
        passed = sum((until - begin for begin, until in self._open(start, end, pauses)), timedelta())
        return passed // timedelta(seconds=1)

    def last_day(self, start: datetime, days: int, *, working: bool) -> date:
        """The day that is so many days after the day of `start`, which is not counted.

        Working days are Monday to Friday without public holidays; days on which the shop chooses to stay closed count. Where it
        keeps those of several countries, no law knows them all: only a day that is one in each is none, for earlier is safe.
        """
        day = start.astimezone(self.zone).date()
        while days > 0:
            day += timedelta(days=1)
            days -= not working or self._is_working_day(day)
        return day

    def day_before(self, moment: datetime, days: int, *, working: bool) -> date:
        """The day that is so many days before that of `moment`; where that is no working day, the last one before it."""
        day = moment.astimezone(self.zone).date()
        while days > 0:
            day -= timedelta(days=1)
            days -= not working or self._is_working_day(day)
        while not self._is_working_day(day):
            day -= timedelta(days=1)
        return day

    def open_day(self, day: date, *, after: date) -> date:
        """The last day until then on which the shop opens; where none is after the other, `day` itself."""
        days = (day - timedelta(days=back) for back in range((day - after).days))
        return next((one for one in days if any(self._stretches(one))), day)

    def end_of(self, day: date) -> datetime:
        return self._moment(day + timedelta(days=1), MIDNIGHT, fold=0)

    def morning_of(self, day: date) -> datetime:
        """When the shop opens, or stands open, from seven on; on a day on which it does not, nine o'clock."""
        seven = self._moment(day, time(7), fold=0)
        awake = (max(begin, seven) for begin, end in self._stretches(day) if end > seven)
        return next(awake, self._moment(day, time(9), fold=0))

    def evening_of(self, day: date) -> datetime:
        """When the shop closes; on a day on which it does not open, five in the afternoon."""
        return max((end for _, end in self._stretches(day)), default=self._moment(day, time(17), fold=0))

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Reads {"zone": "Europe/Warsaw", "weekly": {"mon": [["09:00", "17:00"]]}, "closed": ["2026-12-31"],
        "holidays": ["PL"]}.

        Raises ValueError with a sentence a person can act on.
        """
        weekly, closed = stored.get("weekly", {}), stored.get("closed", [])
        holidays = stored.get("holidays", [])
        if not isinstance(weekly, Mapping) or not isinstance(closed, list) or not isinstance(holidays, list):
            raise ValueError("weekly is an object of days, closed a list of dates, holidays one of countries")
        for day, periods in weekly.items():
            if day not in DAYS or not isinstance(periods, list):
                raise Nonsense(
                    N_("{day}: a day is one of {days} and has a list of periods"),
                    day=day,
                    days=", ".join(DAYS),
                )
        return cls(
            zone=_zone(stored.get("zone")),
            weekly={
                DAYS.index(day): [_period(day, one) for one in periods] for day, periods in weekly.items()
            },
            closed=frozenset(_date(day) for day in closed),
            holidays=frozenset(str(code) for code in holidays),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "zone": self.zone.key,
            "weekly": {
                DAYS[day]: [_written(period).split("-") for period in periods]
                for day, periods in self.weekly.items()
            },
            "closed": sorted(day.isoformat() for day in self.closed),
            "holidays": sorted(self.holidays),
        }

    def _open(
        self, start: datetime, end: datetime | None, pauses: Sequence[Interval] = ()
    ) -> Iterator[Interval]:
        """Every open stretch from `start` to `end` without the pauses, in order. Without an end it goes on
        until nothing has opened for PATIENCE."""
        pauses = sorted(pause for pause in pauses if pause[0] < pause[1])
        day = opened = start.astimezone(self.zone).date()
        last = end.astimezone(self.zone).date() if end else None
        while day <= last if last else day - opened <= PATIENCE:
            for begin, until in self._stretches(day):
                opened = day
                # In a repeated hour two periods that touch overlap: the first ends at the last 02:30, the second
                # begins at the first. What has been counted is the new start.
                begin, until, start = max(begin, start), min(until, end or until), max(start, until)
                for pause_begin, pause_end in pauses:
                    if pause_end > begin and pause_begin < until:
                        if begin < pause_begin:
                            yield begin, pause_begin
                        begin = pause_end
                if begin < until:
                    yield begin, until
            day += timedelta(days=1)

    def _stretches(self, day: date) -> Iterator[Interval]:
        if day not in self.closed and not any(self._keep(day)):
            for begin, end in self.weekly.get(day.weekday(), ()):
                if end == MIDNIGHT:
                    # Where the clocks go back at midnight, the day is over when it first strikes.
                    yield self._moment(day, begin, fold=0), self._moment(day + timedelta(days=1), end, fold=0)
                else:
                    yield self._moment(day, begin, fold=0), self._moment(day, end, fold=1)

    def _is_working_day(self, day: date) -> bool:
        return day.weekday() < 5 and not (self.holidays and all(self._keep(day)))

    def _keep(self, day: date) -> Iterator[bool]:
        """Is it a public holiday? For each country whose the shop keeps, in one of its regions."""
        for country in {code.partition("-")[0] for code in self.holidays}:
            codes = (code for code in self.holidays if code.partition("-")[0] == country)
            yield any(day in public_holidays.days(code, day.year) for code in codes)

    def _moment(self, day: date, at: time, *, fold: int) -> datetime:
        """The UTC moment of a wall time: of a repeated hour the first (fold 0) or the last (fold 1); a time the
        clocks skip is the moment when they skip it."""
        wall = datetime.combine(day, at, self.zone)
        moment = wall.replace(fold=fold).astimezone(UTC)
        if moment.astimezone(self.zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
            return moment
        # PEP 495: in a gap, fold 1 lies before the change and fold 0 after it.
        before, after = wall.replace(fold=1).astimezone(UTC), wall.replace(fold=0).astimezone(UTC)
        while after - before > timedelta(seconds=1):
            middle = before + (after - before) // timedelta(seconds=2) * timedelta(seconds=1)
            if middle.astimezone(self.zone).replace(tzinfo=None) < wall.replace(tzinfo=None):
                before = middle
            else:
                after = middle
        return after


ALWAYS = Hours(ZoneInfo("UTC"), {day: [(time.min, MIDNIGHT)] for day in range(7)})
"""Around the clock, every day."""


def _zone(name: object) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (KeyError, ValueError, OSError):  # also a folder of zones ("Europe") and a path
        raise Nonsense(N_("unknown time zone {zone}"), zone=repr(name)) from None


def _period(day: str, written: object) -> Period:
    match written:
        case [str(begin), str(end)] if is_time(begin) and (end == "24:00" or is_time(end)):
            return time.fromisoformat(begin), MIDNIGHT if end == "24:00" else time.fromisoformat(end)
    said = "-".join(map(str, written)) if isinstance(written, list) else written
    raise Nonsense(
        N_("{day} {period} is no period: write 09:00 and 17:00, and 24:00 for the end of a day"),
        day=day, period=said,
    )  # fmt: skip


def is_time(text: str) -> bool:
    return re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", text) is not None


def _date(written: object) -> date:
    try:
        return date.fromisoformat(str(written))
    except ValueError:
        raise ValueError(f"{written!r} is no date; write 2026-12-25") from None


def _written(period: Period) -> str:
    begin, end = (f"{at:%H:%M}" for at in period)
    return f"{begin}-{'24:00' if period[1] == MIDNIGHT else end}"

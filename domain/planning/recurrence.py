"""Work that comes again: every so many days, weeks, months or years, at the same time of the clock on the wall.

The arithmetic is that of RFC 5545, by python-dateutil, on wall times. A time that the clocks skip is as much later as they
are put forward; one that they repeat is the first.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

from dateutil import rrule

from domain.db import Json
from domain.errors import InvalidInput
from domain.languages import N_

MOST_INTERVAL = 99
MOST_TIMES = 999
LAST = -1
"""As the day of a month, or the number of a weekday in it."""
LONGEST_SHIFT = timedelta(hours=3)
"""By which clocks are put forward or back, and more."""


class Every(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"


class GoesOn(StrEnum):
    """When the next one is made."""

    DONE = "done"
    SCHEDULE = "schedule"
    """When this one falls due, done or not."""


FREQUENCY: dict[Every, Literal[0, 1, 2, 3]] = {
    Every.DAY: rrule.DAILY,
    Every.WEEK: rrule.WEEKLY,
    Every.MONTH: rrule.MONTHLY,
    Every.YEAR: rrule.YEARLY,
}


@dataclass(frozen=True)
class Recurrence:
    """Raises InvalidInput for what makes no sense."""

    every: Every
    begins: datetime
    """The wall time of the first, without a zone: from here intervals and times are counted."""
    zone: ZoneInfo
    interval: int = 1
    weekdays: tuple[int, ...] = ()
    """0 is Monday. Of a week; or of a month, with `nth`."""
    nth: int | None = None
    """The first to fifth, or LAST, of all days in the month that are one of `weekdays`."""
    month_day: int | None = None
    """1 to 31, or LAST; a month that has no such day does it on its last. Without it, the day of the first."""
    until: date | None = None
    times: int | None = None
    goes_on: GoesOn = GoesOn.DONE

    def __post_init__(self) -> None:
        object.__setattr__(self, "weekdays", tuple(sorted(set(self.weekdays))))
        if not 1 <= self.interval <= MOST_INTERVAL:
            raise InvalidInput(
                N_("An interval is 1 to {most}."), field=["repeat", "interval"], most=MOST_INTERVAL
            )
        if self.times is not None and not 1 <= self.times <= MOST_TIMES:
            raise InvalidInput(
                N_("Something comes 1 to {most} times."), field=["repeat", "times"], most=MOST_TIMES
            )
        if self.times is not None and self.until is not None:
            raise InvalidInput(N_("Say either how often it comes, or until when."), field=["repeat", "until"])
        if self.every in (Every.DAY, Every.YEAR) and (self.weekdays or self.nth or self.month_day):
            raise InvalidInput(N_("Days are chosen of weeks and of months."), field=["repeat", "every"])
        if self.every == Every.WEEK and (self.nth or self.month_day):
            raise InvalidInput(N_("A week has weekdays only."), field=["repeat", "weekdays"])
        if self.every == Every.MONTH and (self.nth is None) != (not self.weekdays):
            raise InvalidInput(N_("Weekdays of a month need their number."), field=["repeat", "nth"])
        if self.nth is not None and (self.month_day or not (1 <= self.nth <= 5 or self.nth == LAST)):
            raise InvalidInput(N_("The number is 1 to 5, or -1 for the last."), field=["repeat", "nth"])
        if self.month_day is not None and not (1 <= self.month_day <= 31 or self.month_day == LAST):
            raise InvalidInput(
                N_("A day of the month is 1 to 31, or -1 for the last."), field=["repeat", "monthDay"]
            )

    def after(self, moment: datetime) -> datetime | None:
        """The first that comes after this moment, however many have passed; none when it is over, or the calendar is."""
        rule = self._rule()
        wall = moment.astimezone(self.zone).replace(tzinfo=None) - LONGEST_SHIFT
        with suppress(OverflowError):
            while coming := rule.after(wall):
                at = coming.replace(tzinfo=self.zone).astimezone(UTC)
                if at > moment:
                    return at
                wall = coming
        return None

    def _rule(self) -> rrule.rrule:
        return rrule.rrule(
            FREQUENCY[self.every],
            dtstart=self.begins,
            interval=self.interval,
            until=datetime.combine(self.until, time.max) if self.until else None,
            count=self.times,
            **self._days(),
        )

    def _days(self) -> dict[str, Any]:
        match self.every:
            case Every.DAY:
                return {}
            case Every.WEEK:
                return {"byweekday": self.weekdays or self.begins.weekday()}
            case Every.MONTH if self.nth:
                return {"byweekday": self.weekdays, "bysetpos": self.nth}
            case Every.MONTH:
                return _day_of_month(self.month_day or self.begins.day)
            case _:
                return {"bymonth": self.begins.month} | _day_of_month(self.begins.day)

    def to_json(self) -> Json:
        return {
            "every": self.every,
            "begins": self.begins.isoformat(),
            "zone": self.zone.key,
            "interval": self.interval,
            "weekdays": list(self.weekdays),
            "nth": self.nth,
            "month_day": self.month_day,
            "until": self.until.isoformat() if self.until else None,
            "times": self.times,
            "goes_on": self.goes_on,
        }

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        return cls(
            every=Every(stored["every"]),
            begins=datetime.fromisoformat(stored["begins"]),
            zone=ZoneInfo(stored["zone"]),
            interval=stored["interval"],
            weekdays=tuple(stored["weekdays"]),
            nth=stored["nth"],
            month_day=stored["month_day"],
            until=date.fromisoformat(stored["until"]) if stored["until"] else None,
            times=stored["times"],
            goes_on=GoesOn(stored["goes_on"]),
        )


def _day_of_month(day: int) -> dict[str, Any]:
    """Of the days from the 28th to the one that is meant, the last there is."""
    if day <= 28:
        return {"bymonthday": day}
    return {"bymonthday": tuple(range(28, day + 1)), "bysetpos": LAST}

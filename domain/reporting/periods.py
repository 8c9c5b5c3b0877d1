"""From when to when a report counts, in whose days and hours, and the same length of time before it: values and pure functions.

A day is as long as it is: of 23 or 25 hours where the clocks change.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from domain.errors import InvalidInput
from domain.languages import N_

MOST_DAYS = 366


@dataclass(frozen=True)
class Period:
    begin: datetime
    end: datetime
    """No longer in it."""
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.begin >= self.end:
            raise InvalidInput(N_("The end is not after the beginning."), field=["range", "to"])
        begin, end = self._on_the_wall()  # as the one before it is measured
        if end - begin > timedelta(days=MOST_DAYS, hours=1):
            raise InvalidInput(N_("At most {most} days at once."), field=["range"], most=MOST_DAYS)

    def before(self) -> datetime:
        """When the period before it begins: a week before Monday, midnight, is a Monday, midnight."""
        begin, end = self._on_the_wall()
        return min(_moment(begin - (end - begin), self.zone), self.begin - timedelta(seconds=1))

    def _on_the_wall(self) -> tuple[datetime, datetime]:
        begin, end = (moment.astimezone(self.zone).replace(tzinfo=None) for moment in (self.begin, self.end))
        return begin, end

    def days(self) -> Iterator[tuple[date, datetime]]:
        """With the moment at which each is over, or the period is."""
        day = self.begin.astimezone(self.zone).date()
        while (begin := self.midnight(day)) < self.end:
            following = day + timedelta(days=1)
            if (end := self.midnight(following)) > self.begin and end > begin:
                yield day, min(end, self.end)
            day = following

    def midnight(self, day: date) -> datetime:
        return _moment(datetime.combine(day, time.min), self.zone)


def _moment(wall: datetime, zone: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=zone).astimezone(UTC)

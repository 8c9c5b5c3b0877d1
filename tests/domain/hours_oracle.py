"""Open time as the rule alone says it, slowly: UTC is walked through, and at every minute, or every second near an edge, it is
asked whether the shop is open.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import accumulate
from zoneinfo import ZoneInfo

from domain.sla.hours import MIDNIGHT, Hours, Interval


def oracle_is_open(hours: Hours, at: datetime, pauses: Sequence[Interval] = ()) -> bool:
    """A period has begun once the wall has shown its begin, and lasts while the wall will yet show its end."""
    local = at.astimezone(hours.zone)
    if local.date() in hours.closed or any(begin <= at < end for begin, end in pauses):
        return False
    minutes, latest, earliest = _walls(hours.zone, local.date())
    now = int((at - minutes[0]).total_seconds()) // 60
    return any(
        latest[now] >= begin and (end == MIDNIGHT or earliest[now] < end or earliest[now + 1] <= end)
        for begin, end in hours.weekly.get(local.weekday(), ())
    )


def oracle_add(hours: Hours, start: datetime, seconds: int, pauses: Sequence[Interval] = ()) -> datetime:
    at, left = start, seconds
    while True:
        step = _step(at, pauses, most=left or 60)
        if oracle_is_open(hours, at, pauses):
            if left == 0:
                return at
            left -= step
            if left == 0:
                return at + timedelta(seconds=step)
        at += timedelta(seconds=step)


def oracle_between(hours: Hours, start: datetime, end: datetime, pauses: Sequence[Interval] = ()) -> int:
    if end < start:
        return -oracle_between(hours, end, start, pauses)
    at, passed = start, 0
    while at < end:
        step = _step(at, pauses, most=(end - at) // timedelta(seconds=1))
        passed += step if oracle_is_open(hours, at, pauses) else 0
        at += timedelta(seconds=step)
    return passed


def _step(at: datetime, pauses: Sequence[Interval], *, most: int) -> int:
    near = any(at < edge < at + timedelta(minutes=1) for pause in pauses for edge in pause)
    return 1 if at.second or near or most < 60 else 60


@cache
def _walls(zone: ZoneInfo, day: date) -> tuple[list[datetime], list[time], list[time]]:
    """The UTC minutes of a local day; at each the latest wall time shown so far, and the earliest still to come."""
    first = datetime.combine(day, time.min, UTC) - timedelta(hours=20)
    minutes = [first + timedelta(minutes=n) for n in range(64 * 60)]
    minutes = [minute for minute in minutes if minute.astimezone(zone).date() == day]
    walls = [minute.astimezone(zone).time() for minute in minutes]
    earliest = list(accumulate(reversed(walls), min))[::-1]
    return minutes, list(accumulate(walls, max)), [*earliest, time.max]


class Days:
    """Some days of a shop, minute by minute, walked through once and asked often."""

    def __init__(self, hours: Hours, first: datetime, days: int) -> None:
        self.first = first
        self._open = bytearray(
            oracle_is_open(hours, first + timedelta(minutes=minute)) for minute in range(days * 24 * 60)
        )

    def _without(self, pauses: Sequence[Interval]) -> bytearray:
        left = bytearray(self._open)
        for begin, end in pauses:
            since, until = max(0, self._minute(begin)), min(len(left), self._minute(end))
            if since < until:
                left[since:until] = bytes(until - since)
        return left

    def add(self, start: datetime, minutes: int, pauses: Sequence[Interval]) -> datetime | None:
        """None where it lies beyond these days."""
        left = self._without(pauses)
        at = left.find(1, self._minute(start))
        if minutes == 0:
            return self._moment(at) if at >= 0 else None
        for _ in range(minutes - 1):
            if at < 0:
                return None
            at = left.find(1, at + 1)
        return self._moment(at + 1) if at >= 0 else None

    def between(self, start: datetime, end: datetime, pauses: Sequence[Interval]) -> int:
        """Open seconds."""
        return 60 * self._without(pauses).count(1, self._minute(start), self._minute(end))

    def _minute(self, at: datetime) -> int:
        return (at - self.first) // timedelta(minutes=1)

    def _moment(self, minute: int) -> datetime:
        return self.first + timedelta(minutes=minute)

"""What is promised: a reply or a resolution, how soon, and which of several such targets applies."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from domain.sla.hours import Hours, Interval
from domain.ways_in.channels import ChannelKind

AT_RISK_SHARE = 0.75
AT_RISK_SECONDS = 15 * 60


class Metric(StrEnum):
    FIRST_REPLY = "first_reply"
    NEXT_REPLY = "next_reply"
    RESOLUTION = "resolution"


REPLIES = (Metric.FIRST_REPLY, Metric.NEXT_REPLY)
MOST_SECONDS = 366 * 86_400


@dataclass(frozen=True)
class Target:
    """How soon: business seconds, or whole days as laws count them; for one priority or kind of channel, where given."""

    metric: Metric
    seconds: int = 0
    days: int = 0
    """In place of seconds: due at the end of the last day, the first not counted, and never paused."""
    working: bool = False
    """Of the days, do only working days count?"""
    warn_days: tuple[int, ...] = ()
    """So many days before the last one, in the morning, somebody is told; earlier where the shop does not open that day."""
    priority: int | None = None
    channel: ChannelKind | None = None

    @property
    def legal(self) -> bool:
        return self.days > 0

    def moments(
        self, hours: Hours, start: datetime, breaks: Sequence[Interval]
    ) -> tuple[datetime, list[datetime]]:
        """When it is due, and when to warn before. Raises NeverOpen."""
        if self.legal:
            last = hours.last_day(start, self.days, working=self.working)
            return hours.end_of(last), warnings(hours, last, self.warn_days, since=start)
        at_risk = int(max(self.seconds * AT_RISK_SHARE, self.seconds - AT_RISK_SECONDS))
        return hours.add(start, self.seconds, breaks), [hours.add(start, at_risk, breaks)]

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        return cls(
            Metric(stored["metric"]),
            seconds=stored.get("seconds") or 0,
            days=stored.get("days") or 0,
            working=bool(stored.get("working")),
            warn_days=tuple(stored.get("warn_days") or ()),
            priority=stored.get("priority"),
            channel=ChannelKind(stored["channel"]) if stored.get("channel") else None,
        )


def warnings(hours: Hours, last: date, days_before: Iterable[int], *, since: datetime) -> list[datetime]:
    """In the morning of those days, or of the last open one until then."""
    first = hours.last_day(since, 0, working=False)
    days = {hours.open_day(last - timedelta(days=before), after=first) for before in days_before}
    return [moment for moment in sorted(map(hours.morning_of, days)) if moment > since]


def choose(
    targets: Iterable[Target], metric: Metric, *, priority: int, channel: ChannelKind | None
) -> Target | None:
    """The most particular target that applies: a channel's counts before a priority's."""
    applying = [
        target
        for target in targets
        if target.metric == metric
        and target.priority in (None, priority)
        and target.channel in (None, channel)
    ]
    return max(
        applying, key=lambda target: (target.channel is not None, target.priority is not None), default=None
    )

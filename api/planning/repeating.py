"""How a task comes again, as it is asked for and shown."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import strawberry

from domain.db import Json
from domain.errors import InvalidInput
from domain.languages import N_
from domain.planning.recurrence import Every, GoesOn, Recurrence
from domain.sla.hours import DAYS

strawberry.enum(Every, name="RepeatEvery")
strawberry.enum(
    GoesOn,
    name="RepeatGoesOn",
    description="When the next one is made: `DONE`, when this one is; `SCHEDULE`, when this one falls due, done or not, as long as "
    "no more than this one is open.",
)

DAY_NAMES = "As `mon`, `tue`, …"
NTH = "The first to fifth, or -1 for the last, of all days in the month that are among `weekdays`."
MONTH_DAY = "1 to 31, or -1 for the last; a month without such a day does it on its last. Otherwise the day of `dueAt`."
UNTIL = "The last day, as 2026-12-31."


@strawberry.type(description="At the same time of the clock on the wall, whatever daylight saving does.")
class TaskRepeat:
    every: Every
    interval: int
    weekdays: list[str] = strawberry.field(description=DAY_NAMES)
    nth: int | None = strawberry.field(description=NTH)
    month_day: int | None = strawberry.field(description=MONTH_DAY)
    until: str | None = strawberry.field(description=UNTIL)
    times: int | None = strawberry.field(description="How often in all, those that were left out counted.")
    goes_on: GoesOn
    timezone: str


@strawberry.input
class TaskRepeatInput:
    every: Every
    interval: int = 1
    weekdays: list[str] = strawberry.field(default_factory=list, description=DAY_NAMES)
    nth: int | None = strawberry.field(default=None, description=NTH)
    month_day: int | None = strawberry.field(default=None, description=MONTH_DAY)
    until: str | None = strawberry.field(default=None, description=UNTIL)
    times: int | None = None
    goes_on: GoesOn = GoesOn.DONE
    timezone: str | None = strawberry.field(default=None, description="Otherwise that of who asks.")


def asked(repeat: TaskRepeatInput, *, due_at: datetime | None, zone: str) -> Recurrence:
    if due_at is None:
        raise InvalidInput(N_("What comes again needs a day on which it is due first."), field=["dueAt"])
    if any(day not in DAYS for day in repeat.weekdays):
        raise InvalidInput(N_("A day is one of {days}."), field=["repeat", "weekdays"], days=", ".join(DAYS))
    try:
        in_zone = ZoneInfo(repeat.timezone or zone)
    except (KeyError, ValueError, OSError):  # also a folder of zones ("Europe") and a path
        raise InvalidInput(N_("There is no such time zone."), field=["repeat", "timezone"]) from None
    try:
        until = date.fromisoformat(repeat.until) if repeat.until else None
    except ValueError:
        raise InvalidInput(N_("Write a day as 2026-12-31."), field=["repeat", "until"]) from None
    return Recurrence(
        every=repeat.every,
        begins=due_at.astimezone(in_zone).replace(tzinfo=None),
        zone=in_zone,
        interval=repeat.interval,
        weekdays=tuple(DAYS.index(day) for day in repeat.weekdays),
        nth=repeat.nth,
        month_day=repeat.month_day,
        until=until,
        times=repeat.times,
        goes_on=repeat.goes_on,
    )


def shown(stored: Json | None) -> TaskRepeat | None:
    if stored is None:
        return None
    rule = Recurrence.from_json(stored)
    return TaskRepeat(
        every=rule.every,
        interval=rule.interval,
        weekdays=[DAYS[day] for day in rule.weekdays],
        nth=rule.nth,
        month_day=rule.month_day,
        until=rule.until.isoformat() if rule.until else None,
        times=rule.times,
        goes_on=rule.goes_on,
        timezone=rule.zone.key,
    )

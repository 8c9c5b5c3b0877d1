"""The day as it is planned: who works when, speaks and can do what, is away, ill or leaves, and what customers will ask for."""

import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

MINUTE = timedelta(minutes=1)
FIRST, LAST = 8, 20
"""Hours between which the shop is open."""
CAPACITY = 16
CHAT = 4
"""What a live chat weighs; a mail weighs 1."""
LANGUAGE_WAIT = 10 * MINUTE
RUSH = 0.1
"""Of the day's tickets, beside the usual ones, in one hour before noon."""
NOT_YET = uuid.UUID(int=0)


@dataclass
class Person:
    name: str
    begins: int
    ends: int
    """Hours."""
    languages: frozenset[str]
    skills: frozenset[str]
    gone: list[tuple[datetime, datetime]] = field(default_factory=list)
    """At lunch, or ill: they say that they are away, and close the screen."""
    leaves_at: datetime | None = None
    """The shop, for good."""
    id: uuid.UUID = NOT_YET

    def is_there(self, at: datetime) -> bool:
        on_shift = self.begins <= at.hour < self.ends and (self.leaves_at is None or at < self.leaves_at)
        return on_shift and not any(since <= at < until for since, until in self.gone)


@dataclass
class Case:
    """A ticket to come."""

    comes_at: datetime
    minutes: float
    """Of somebody's work."""
    language: str
    skill: str | None
    chats_until: datetime | None
    id: uuid.UUID = NOT_YET

    def weight(self, at: datetime) -> int:
        return CHAT if self.is_live(at) else 1

    def is_live(self, at: datetime) -> bool:
        return self.chats_until is not None and at < self.chats_until


@dataclass
class Day:
    people: list[Person]
    cases: list[Case]
    begins: datetime
    ends: datetime


def a_day(chance: random.Random, *, tickets: int, people: int, hours: int = LAST - FIRST) -> Day:
    """Tomorrow: what waits was written before."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    begins = midnight + timedelta(hours=FIRST)
    ends = begins + timedelta(hours=hours)
    staff = [_person(number, begins, hours) for number in range(people)]
    staff[people // 3].gone.append((begins + timedelta(hours=hours / 4), begins + timedelta(hours=hours / 2)))
    staff[people // 2].leaves_at = begins + timedelta(hours=hours * 7 / 12)
    work = 0.6 * 60 * sum(min(one.ends, FIRST + hours) - one.begins for one in staff) / tickets
    cases = sorted((_case(chance, begins, hours, work) for _ in range(tickets)), key=lambda one: one.comes_at)
    return Day(staff, cases, begins, ends)


def _person(number: int, begins: datetime, hours: int) -> Person:
    """Three shifts of eight hours that overlap, with lunch; all of a short day."""
    late = (number % 3) * 2 if hours > 8 else 0
    lunch = begins + timedelta(hours=hours / 3 + late / 2, minutes=30 * (number // 3 % 4))
    return Person(
        f"Agent {number + 1:02}",
        FIRST + late,
        FIRST + late + 8,
        frozenset({"en", *(("ca",) if number % 4 == 0 else ()), *(("pl",) if number % 3 == 1 else ())}),
        frozenset({"returns"} if number % 2 else ()),
        [(lunch, lunch + 30 * MINUTE)] if hours > 8 else [],
    )


def _case(chance: random.Random, begins: datetime, hours: int, work: float) -> Case:
    """None comes so late that nobody could do it."""
    span = hours * 60 * 0.9
    minute = (
        chance.uniform(span / 3, span / 3 + min(60, span / 3))
        if chance.random() < 0.25
        else chance.uniform(0, span)
    )
    comes_at = begins + timedelta(minutes=int(minute))
    chats = chance.random() < 0.15
    return Case(
        comes_at,
        chance.expovariate(1 / work),
        chance.choices(["en", "ca", "pl"], [80, 8, 12])[0],
        "returns" if chance.random() < 0.2 else None,
        comes_at + chance.randint(5, 25) * MINUTE if chats else None,
    )

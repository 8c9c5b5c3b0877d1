"""Promises counted by the minute and by the arithmetic that Heddle uses are the same: a million of them.

Half of the shops stand around each change of the clocks from 2025 to 2035 in Madrid, Warsaw and on the Canaries, half
anywhere and at any time in those years.
"""

import random
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest

from domain.sla.hours import MIDNIGHT, Hours
from tests.domain.hours_oracle import Days

QUESTIONS = 1000
"""Asked of each shop."""
DAYS = 8
HOME = ("Europe/Madrid", "Europe/Warsaw", "Atlantic/Canary")


@cache
def changes(zone: str) -> list[datetime]:
    """Moments near which the clocks change."""
    days = [datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(11 * 365 + 3)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return [day for day, (before, after) in zip(days, pairwise(offsets), strict=False) if before != after]


def a_shop(chance: random.Random, number: int) -> tuple[Hours, datetime]:
    """Its hours, and where the days begin that are looked at."""
    if number % 2:
        zone = HOME[number // 2 % 3]
        near = changes(zone)[number // 6 % len(changes(zone))]
        first = near - timedelta(days=chance.randint(1, 4))
    else:
        zone = chance.choice(sorted(available_timezones()))
        first = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=chance.randrange(11 * 365))
    weekly = {day: periods(chance) for day in range(7) if chance.random() < 0.8}
    near_days = [first.date() + timedelta(days=day) for day in range(DAYS)]
    closed = frozenset[date](chance.sample(near_days, chance.choice([0, 0, 1, 2])))
    return Hours(ZoneInfo(zone), weekly, closed), first


def periods(chance: random.Random) -> list[tuple[time, time]]:
    minutes = sorted(
        chance.sample(range(0, 24 * 60 + 1, chance.choice([1, 5, 30])), 2 * chance.randint(1, 3))
    )
    edges = [MIDNIGHT if at == 24 * 60 else time(at // 60, at % 60) for at in minutes]
    return list(zip(edges[::2], edges[1::2], strict=True))


def differences(seed: int, shops: int) -> tuple[int, list[object]]:
    """How many promises were counted both ways, and where the ways part."""
    chance, asked, found = random.Random(seed), 0, list[object]()
    for number in range(shops):
        hours, first = a_shop(chance, seed * shops + number)
        days = Days(hours, first, DAYS)
        for _ in range(QUESTIONS):
            start = first + timedelta(minutes=chance.randrange(DAYS * 12 * 60))
            minutes = chance.choice([0, 1, chance.randrange(120), chance.randrange(2000)])
            pauses = [
                (begin, begin + timedelta(minutes=chance.randrange(-60, 1000)))
                for begin in (
                    first + timedelta(minutes=chance.randrange(DAYS * 24 * 60))
                    for _ in range(chance.randrange(4))
                )
            ]
            due = days.add(start, minutes, pauses)
            if due is None:
                end = first + timedelta(minutes=chance.randrange(DAYS * 24 * 60))
                start, end = min(start, end), max(start, end)
                same = hours.between(start, end, pauses) == days.between(start, end, pauses)
            else:
                same = hours.add(start, minutes * 60, pauses) == due
            asked += 1
            if not same:
                found.append((hours, start, minutes, pauses))
    return asked, found


def test_a_sample_is_the_same() -> None:
    asked, found = differences(seed=1, shops=6)

    assert asked == 6 * QUESTIONS
    assert found == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_million_are_the_same(seed: int) -> None:
    asked, found = differences(seed, shops=50)

    assert asked == 50_000
    assert found == []


def test_every_change_of_the_clocks_at_home_is_among_them() -> None:
    seen = {
        (zone, number // 6 % len(changes(zone)))
        for number in range(1, 1000, 2)
        for zone in [HOME[number // 2 % 3]]
    }

    assert all(len(changes(zone)) == 22 for zone in HOME)
    assert len(seen) == 66

"""Statistics come to what the history says, whatever happened, and every figure opens its tickets."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.actors import SYSTEM
from domain.db import Database
from domain.keys import Keys
from domain.reporting import keeping
from domain.reporting.asking import Asked, Grouping
from domain.reporting.counting import NAMES, Report, report
from domain.reporting.figures import OF_TICKETS, Figure
from domain.reporting.listing import Behind, how_many, shares
from domain.reporting.periods import Period
from tests.domain.random_days import Days
from tests.domain.statistics_oracle import KEYS, STOOD, Thing, day_after, everything, figures, standing_at

WARSAW = ZoneInfo("Europe/Warsaw")
MARCH = Period(datetime(2026, 3, 1, tzinfo=WARSAW), datetime(2026, 4, 1, tzinfo=WARSAW), WARSAW)
"""With the night in which an hour is left out."""


@pytest.mark.parametrize(
    ("seed", "deeds"), [(5, 100), *(pytest.param(seed, 1000, marks=pytest.mark.slow) for seed in range(2, 5))]
)
async def test_after_any_events_statistics_equal_a_recount_for_every_grouping(
    clean: Database, keys: Keys, seed: int, deeds: int
) -> None:
    days = Days(clean, keys, seed, pace=2 * 50 * 86_400 // deeds)
    await days.open()

    await days.go_on(deeds)
    await days.read()

    async for _, differences in keeping.recount(clean):
        assert differences == []
    async with clean.transaction() as session:
        things = await everything(session)
    assert len(things) > deeds / 2
    assert any(thing.kind == "complaint_investigating" for thing in things)
    for by in Grouping:
        asked = Asked(SYSTEM, MARCH, by, days.now)
        async with clean.reading() as connection:
            found = await report(connection, asked, NAMES)
            _agree(found, asked, things)
            await _open_their_tickets(connection, asked, found)


def _agree(found: Report, asked: Asked, things: list[Thing]) -> None:
    period, end = asked.period, min(asked.period.end, asked.now)
    happened = [thing for thing in things if thing.kind not in STOOD.values()]
    during = [thing for thing in happened if period.begin <= thing.at < period.end]
    earlier = [thing for thing in happened if period.before() <= thing.at < period.begin]
    assert found.total == figures(during, standing_at(things, end))
    assert found.previous == figures(earlier, standing_at(things, period.begin))
    key, shown = KEYS[asked.by], set()
    for line in found.rows:
        value: Any = line.key
        if asked.by == Grouping.DAY:
            value = asked.days[int(value)][0]
            stood = standing_at(things, min(day_after(value), end))
        elif asked.by == Grouping.HOUR:
            stood = dict.fromkeys(STOOD)
        else:
            stood = standing_at(things, end, asked.by, value)
        shown.add(value)
        assert line.values == figures([one for one in during if key(one) == value], stood), (asked.by, value)
    left_out = {key(thing) for thing in during} - shown
    assert left_out <= ({None} if asked.by == Grouping.AGENT else set())


async def _open_their_tickets(connection: AsyncConnection, asked: Asked, found: Report) -> None:
    """Each figure that counts something is as long as its list, or as what the list says its tickets are of it."""
    behind = [(Behind(asked, figure, whole=True), found.total) for figure in Figure]
    behind += [(Behind(asked, figure, line.key), line.values) for figure in Figure for line in found.rows[:4]]
    for one, values in behind:
        if (number := values.get(one.figure)) is not None:
            listed = await shares(connection, one, after=None, limit=10_000)
            assert sum(share.times for share in listed) == number, one
            assert len(listed) == await how_many(connection, one, most=10_000)
            assert one.figure not in OF_TICKETS or len(listed) == number

"""A day is handed out while workers die: nobody carries too much, nothing waits for who is free, everybody gets a fair share."""

import random
import sys
from collections.abc import AsyncIterator

import pytest

from benchmarks.assigning.day import a_day
from benchmarks.assigning.playing import Play
from benchmarks.assigning.report import holds, table
from benchmarks.report import written
from domain.db import Database
from tests.conftest import another_database


@pytest.fixture
async def own(database_url: str) -> AsyncIterator[Database]:
    db = Database(await another_database(database_url, "assigning"))
    yield db
    await db.close()


async def test_a_short_day_is_handed_out_fairly_while_workers_die(own: Database) -> None:
    play = Play(own, a_day(random.Random(3), tickets=30, people=4, hours=1), random.Random(3))

    judge = await play.run()

    assert judge.wrong == []
    assert play.kills > 0
    assert sum(judge.given.values()) + len(judge.waiting) >= 30


@pytest.mark.slow
async def test_a_day_of_two_thousand_tickets_is_handed_out_fairly_while_workers_die(
    own: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    play = Play(own, a_day(random.Random(7), tickets=2_000, people=12), random.Random(7))

    await play.run()

    with capsys.disabled():
        sys.stdout.write("\n" + written(table(play)) + "\n")
    assert holds(play)

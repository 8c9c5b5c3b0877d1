"""Two processes that answer and two that work share one database."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.two_processes import measure, told
from domain.db import Database
from tests.conftest import another_database


@pytest.fixture
async def own(database_url: str) -> AsyncIterator[Database]:
    db = Database(await another_database(database_url, "two"))
    yield db
    await db.close()


async def test_a_change_on_one_process_reaches_a_stream_on_the_other(
    own: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    took = await measure(own, "a secret that all four of them share", tmp_path, changes=20)

    with capsys.disabled():
        sys.stdout.write(f"\n{told(took)}\n")
    assert len(took) == 20

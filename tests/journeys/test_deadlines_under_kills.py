"""`kill -9` while deadlines fall: each fires once, and none before its time. The large proof is `./run bench deadlines`."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.deadlines import fill, prove
from domain.db import Database
from tests.conftest import another_database


@pytest.fixture
async def own(database_url: str) -> AsyncIterator[Database]:
    db = Database(await another_database(database_url, "deadlines"))
    yield db
    await db.close()


async def test_each_deadline_fires_once_and_none_early_while_workers_are_killed(
    own: Database, tmp_path: Path
) -> None:
    await fill(own, tickets=300)

    proof = await prove(own, tmp_path, deadlines=300, seconds=2.0, kills=2)

    assert proof.holds, proof

"""What stands in the log when something goes wrong."""

import json
import traceback
from asyncio import CancelledError

import pytest
import structlog
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from domain.db import Database

WORDS = "one\na word of a customer\nanother"


@pytest.mark.parametrize("together", [False, True])
async def test_the_row_that_broke_a_rule_is_not_told(
    clean: Database, capsys: pytest.CaptureFixture[str], together: bool
) -> None:
    with pytest.raises(IntegrityError) as caught:
        await _broken(clean)
    failure = ExceptionGroup("several", [caught.value, caught.value]) if together else caught.value
    assert "a word of a customer" in "".join(traceback.format_exception(failure))

    structlog.get_logger().error("failed", exc_info=failure)

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)["exception"]
    assert "a word of a customer" not in told
    assert "duplicate key value" in told
    assert "The above exception was the direct cause" in told


def test_that_a_connection_was_closed_behind_who_was_cancelled_is_not_told(
    clean: Database, caplog: pytest.LogCaptureFixture
) -> None:
    pool = clean.engine.sync_engine.pool.logger

    pool.error("Exception closing connection", exc_info=CancelledError())
    pool.error("Exception closing connection", exc_info=OSError("gone"))

    assert [record.exc_info and record.exc_info[0] for record in caplog.records] == [OSError]


async def _broken(db: Database) -> None:
    async with db.transaction() as session:
        await session.execute(text("CREATE TEMPORARY TABLE rule (word text UNIQUE) ON COMMIT DROP"))
        for _ in range(2):
            await session.execute(text("INSERT INTO rule VALUES (:words)"), {"words": WORDS})

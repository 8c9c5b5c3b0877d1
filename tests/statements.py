"""Which SQL is said meanwhile, as the driver says it: without what begins and ends transactions."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from asyncpg.connection import LoggedQuery
from sqlalchemy import event

from domain.db import Database

AROUND = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", ";")
OF_THE_DRIVER = ("current_setting('jit')", "set_config('jit'", "typeinfo_tree")
"""By which it learns a type that it meets for the first time."""


@contextmanager
def statements(db: Database) -> Iterator[list[str]]:
    said: list[str] = []

    def note(query: LoggedQuery) -> None:
        learning = any(words in query.query for words in OF_THE_DRIVER)
        if not learning and not query.query.startswith(AROUND):
            said.append(query.query)

    with ExitStack() as listening:

        def taken(_connection: Any, record: Any, _fairy: Any) -> None:
            driver = record.driver_connection
            driver.add_query_logger(note)
            listening.callback(driver.remove_query_logger, note)

        for engine in (db.engine, db.readers):
            event.listen(engine.sync_engine.pool, "checkout", taken)
            listening.callback(event.remove, engine.sync_engine.pool, "checkout", taken)
        yield said

"""Which SQL is said meanwhile, by SQLAlchemy or past it to the driver: without what begins and ends transactions."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from asyncpg.connection import LoggedQuery
from sqlalchemy import event
from sqlalchemy.engine.interfaces import ExecuteStyle

from domain.db import Database

AROUND = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
OF_THE_DRIVER = ("current_setting('jit')", "set_config('jit'", "typeinfo_tree")
"""By which it learns a type that it meets for the first time."""


@contextmanager
def statements(db: Database) -> Iterator[list[str]]:
    said: list[str] = []

    def note(statement: str) -> None:
        learning = any(words in statement for words in OF_THE_DRIVER)
        if not learning and not statement.startswith(AROUND):
            said.append(statement)

    def told(query: LoggedQuery) -> None:
        note(query.query)

    def executed(_connection: Any, _cursor: Any, statement: str, _given: Any, context: Any, *_: Any) -> None:
        if context.execute_style is not ExecuteStyle.EXECUTEMANY:  # that one the driver tells of
            note(statement)

    with ExitStack() as listening:

        def taken(_connection: Any, record: Any, _fairy: Any) -> None:
            driver = record.driver_connection
            driver.add_query_logger(told)
            listening.callback(driver.remove_query_logger, told)

        for reader in db.readers.all:
            reader.driver.add_query_logger(told)
            listening.callback(reader.driver.remove_query_logger, told)
        for engine in (db.engine.sync_engine, db.readers.engine.sync_engine):
            for watched in ((engine.pool, "checkout", taken), (engine, "before_cursor_execute", executed)):
                event.listen(*watched)
                listening.callback(event.remove, *watched)
        yield said

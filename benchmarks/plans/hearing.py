"""What is said to a database meanwhile, by SQLAlchemy or past it to the driver."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from asyncpg.connection import LoggedQuery
from sqlalchemy import event
from sqlalchemy.engine.interfaces import ExecuteStyle

from domain.db import Database

ASKS: ContextVar[str] = ContextVar("asks", default="the workers")


@dataclass(frozen=True)
class Said:
    by: str
    """What stood in `ASKS`."""
    text: str
    parameters: Any


@contextmanager
def overheard(db: Database) -> Iterator[dict[str, Said]]:
    """By its text, each statement once, with what it was first said with."""
    found: dict[str, Said] = {}

    def note(text: str, parameters: Any) -> None:
        one = parameters[0] if isinstance(parameters, list) else parameters
        found.setdefault(text, Said(ASKS.get(), text, one))

    with listening(db, note):
        yield found


@contextmanager
def listening(db: Database, note: Callable[[str, Any], None]) -> Iterator[None]:
    """Each statement, with its values: of many at once a list."""

    def told(query: LoggedQuery) -> None:
        if not any(words in query.query for words in OF_THE_DRIVER):
            note(query.query, query.args)

    def executed(_connection: Any, _cursor: Any, text: str, given: Any, context: Any, *_: Any) -> None:
        if context.execute_style is not ExecuteStyle.EXECUTEMANY:  # that one the driver tells of
            note(text, given)

    with ExitStack() as until:

        def taken(_connection: Any, record: Any, _fairy: Any) -> None:
            driver = record.driver_connection
            driver.add_query_logger(told)
            until.callback(driver.remove_query_logger, told)

        for reader in db.readers.all:
            reader.driver.add_query_logger(told)
            until.callback(reader.driver.remove_query_logger, told)
        for engine in (db.engine.sync_engine, db.readers.engine.sync_engine):
            for watched in ((engine.pool, "checkout", taken), (engine, "before_cursor_execute", executed)):
                event.listen(*watched)
                until.callback(event.remove, *watched)
        yield


OF_THE_DRIVER = ("current_setting('jit')", "set_config('jit'", "typeinfo_tree")
"""By which it learns a type that it meets for the first time."""

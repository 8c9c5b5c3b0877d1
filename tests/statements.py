"""Which SQL is said meanwhile: without what begins and ends transactions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.plans.hearing import listening
from domain.db import Database

AROUND = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")


@contextmanager
def statements(db: Database) -> Iterator[list[str]]:
    said: list[str] = []

    def note(statement: str, _values: Any) -> None:
        if not statement.startswith(AROUND):
            said.append(statement)

    with listening(db, note):
        yield said

"""What is said to a database meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event

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

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, *_: Any) -> None:
        one = parameters[0] if isinstance(parameters, list) else parameters
        found.setdefault(text, Said(ASKS.get(), text, one))

    engine = db.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)

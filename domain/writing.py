"""The session in which a transaction writes. Rows that nobody asks back for are written behind the others, those of a table in
one statement: the ORM would say one for each, to be told its number."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import FromClause, event, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

_ROWS = "rows_behind"


class _Behind(Session):
    def flush(self, objects: Sequence[Any] | None = None) -> None:
        super().flush(objects)
        for table, rows in self.info.pop(_ROWS, {}).items():
            self.execute(insert(table), rows)


@event.listens_for(_Behind, "before_commit")
def _write_the_last(session: Session) -> None:
    session.flush()


@event.listens_for(_Behind, "after_soft_rollback")
def _forget(session: Session, _transaction: Any) -> None:
    session.info.pop(_ROWS, None)


class Writing(AsyncSession):
    sync_session_class = _Behind


def write_behind(session: Session | AsyncSession, table: FromClause, row: Mapping[str, Any]) -> None:
    """With what is flushed next. All rows of a table name the same columns."""
    session.info.setdefault(_ROWS, {}).setdefault(table, []).append(row)


def waits(session: Session) -> bool:
    """Is there something that is not flushed yet?"""
    return _ROWS in session.info or not session._is_clean()

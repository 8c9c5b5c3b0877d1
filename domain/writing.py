"""The session in which a transaction writes. Rows that nobody asks back for are written behind the others, those of a table in
one statement: the ORM would say one for each, to be told its number."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import FromClause, event, insert, inspect
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


def waits(session: Session, tables: Collection[str] | None = None) -> bool:
    """Is there something that is not flushed yet? With `tables`: for one of them, or gone from whichever."""
    if _ROWS not in session.info and session._is_clean():
        return False
    if tables is None or session.deleted:
        return True
    changed: set[Any] = {type(one) for some in (session.new, session.dirty) for one in some}
    written = {table.name for table in session.info.get(_ROWS, ())}
    return any(not names.isdisjoint(tables) for names in (written, *(_tables(one) for one in changed)))


@cache
def _tables(model: type[Any]) -> frozenset[str]:
    own = {table.name for table in inspect(model).tables}
    return frozenset(own | {FILLED_BY[name] for name in own & FILLED_BY.keys()})


FILLED_BY = {"ticket": "tag"}
"""By triggers: rows of the first table make rows of the other."""

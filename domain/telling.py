"""What a transaction tells the driver itself: statements that are kept, each with its values.

What was written is flushed before, as before SQLAlchemy's own statements, but for selects of other tables. Those statements would
also begin the transaction; so whoever tells the driver first begins it.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple, TypeVar

import asyncpg
from sqlalchemy import Result, Select, bindparam, event, inspect, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction, make_transient_to_detached
from sqlalchemy.orm.attributes import set_committed_value

from domain import selects
from domain.abreast import Abreast
from domain.writing import waits

Row = TypeVar("Row", bound=Any)

_DRIVER = "driver"

Values = Mapping[str, Any]


async def tell(
    session: AsyncSession, statement: Any, values: Values | None = None, *, flushes: bool = True
) -> Result[*tuple[Any, ...]]:
    """As the session's `execute` of a statement without entities. Of one that is kept, `values` are its bound parameters. Without
    `flushes`, what waits to be written goes on waiting."""
    said = selects.told(statement, values)
    if flushes:
        await _flush(session, said.kind)
    return said.kind.result(await _fetched(session, selects.alone(said.kind), said.values))


class Wanted(NamedTuple):
    select: Any
    values: Values
    made: type[Any] | None = None
    """What rows are made into; of a table's class, an object that is only read: the session does not know it."""


async def tell_together(session: AsyncSession, *wanted: Wanted) -> list[Any]:
    """Several selects in one statement: of each its result, or what its rows are made into."""
    said = [selects.told(one.select, one.values) for one in wanted]
    await _flush(session, *(told.kind for told in said))
    ((*answers, _),) = await _fetched(session, *selects.together(said))
    return [
        told.kind.objects(one.made, rows) if one.made else told.kind.result(rows)
        for one, told, rows in zip(wanted, said, answers, strict=False)
    ]


async def _flush(session: AsyncSession, *kinds: selects.Kind) -> None:
    """What waits, where one of these may be about it."""
    if session.sync_session.autoflush and any(waits(session.sync_session, kind.tables) for kind in kinds):
        await session.flush()


async def _fetched(session: AsyncSession, text: str, values: Sequence[Any]) -> Sequence[Any]:
    if isinstance(session, Abreast) and not session.is_asking:
        work = partial(_fetched, session, text, values)
        found: Sequence[Any] = await session.wished(work=work)
        return found
    if session.in_nested_transaction():
        await session.connection()  # it is only now that SQLAlchemy sets the savepoint
    driver = session.info.get(_DRIVER) or await _begun(session)
    try:
        return await driver.fetch(text, *values)  # type: ignore[no-any-return]
    except asyncio.CancelledError:
        await (await session.connection()).invalidate()  # it may be speaking still
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
        raise DBAPIError("a statement", None, failure, hide_parameters=True) from failure


async def _begun(session: AsyncSession) -> Any:
    connection = await session.connection()
    pooled = await connection.get_raw_connection()
    driver: Any = pooled.dbapi_connection
    if driver._transaction is None:
        try:
            await driver._start_transaction()
        except asyncio.CancelledError:
            await connection.invalidate()  # it may be speaking still
            raise
    session.info[_DRIVER] = pooled.driver_connection
    return pooled.driver_connection


@event.listens_for(Session, "after_transaction_end")
def _ended(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_DRIVER, None)


async def rows(
    session: AsyncSession, model: type[Row], query: Any, values: Values, *, fresh: bool = False
) -> list[Row]:
    """As the session's `scalars`. `fresh`: those that it knows already are as they are now."""
    if len(inspect(model).self_and_descendants) > 1:  # a row's own class is SQLAlchemy's to find
        found = await session.scalars(query, values, execution_options={"populate_existing": fresh})
        return list(found)
    said = selects.told(query, values)
    await _flush(session, said.kind)
    read = said.kind.objects(model, await _fetched(session, selects.alone(said.kind), said.values))
    return [known(session, row, fresh=fresh) for row in read]


def known(session: AsyncSession, row: Row, *, fresh: bool = False) -> Row:
    """What was only read, as a row of the session: the one that it knows already, if it does."""
    mapper = inspect(type(row))
    kept: Row | None = session.sync_session.identity_map.get(mapper.identity_key_from_primary_key([row.id]))
    if kept is None:
        mapper.class_manager.setup_instance(row)
        make_transient_to_detached(row)
        session.add(row)
        return row
    read = vars(row)
    for name in read if fresh else inspect(kept).expired_attributes & read.keys():
        set_committed_value(kept, name, read[name])
    return kept


async def row_of(session: AsyncSession, model: type[Row], id: uuid.UUID) -> Row | None:
    """As the session's `get`."""
    return next(iter(await rows(session, model, _by_id(model), {"id": id})), None)  # type: ignore[arg-type]


@cache
def _by_id(model: Any) -> Select[Any]:
    return select(model).where(model.id == bindparam("id"))

"""What a transaction tells the driver itself: statements that are kept, each with its values.

SQLAlchemy begins a transaction before the first statement of its own, so whoever tells the driver first begins it. Nothing is
flushed before: what is told sees what was flushed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import asyncpg
from sqlalchemy import Result, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from domain import selects
from domain.abreast import Abreast

T = TypeVar("T")

_DRIVER = "driver"


async def tell(
    session: AsyncSession, statement: Any, values: Mapping[str, Any] | None = None
) -> Result[*tuple[Any, ...]]:
    """As the session's `execute` of a statement without entities. Of one that is kept, `values` are its bound parameters."""
    said = selects.told(statement, values)
    return said.kind.result(await _fetched(session, said))


async def tell_objects(
    session: AsyncSession, made: type[T], statement: Any, values: Mapping[str, Any] | None = None
) -> list[T]:
    said = selects.told(statement, values)
    return said.kind.objects(made, await _fetched(session, said))


async def _fetched(session: AsyncSession, said: selects.Told) -> Sequence[Any]:
    if isinstance(session, Abreast) and not session.is_asking:
        found: Sequence[Any] = await session.wished(work=lambda: _fetched(session, said))
        return found
    driver = session.info.get(_DRIVER) or await _begun(session)
    try:
        return await driver.fetch(selects.alone(said.kind), *said.values)  # type: ignore[no-any-return]
    except asyncio.CancelledError:
        await (await session.connection()).invalidate()  # it may be speaking still
        raise
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as failure:
        raise DBAPIError("a statement", None, failure, hide_parameters=True) from failure


async def _begun(session: AsyncSession) -> Any:
    pooled = await (await session.connection()).get_raw_connection()
    connection: Any = pooled.dbapi_connection
    if connection._transaction is None:
        await connection._start_transaction()
    session.info[_DRIVER] = pooled.driver_connection
    return pooled.driver_connection


@event.listens_for(Session, "after_transaction_end")
def _ended(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(_DRIVER, None)

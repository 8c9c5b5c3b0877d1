"""Readers that ask together: the selects of coroutines that run side by side are one statement over one connection.

A loader asks as it would ask a connection, and waits. When no other select comes any more, those that wait are sent as one row,
each as an array of records:

    SELECT ARRAY(SELECT ROW(one.*) FROM (SELECT …) AS one), ARRAY(SELECT ROW(one.*) FROM (SELECT …) AS one), …

The driver reads records as it reads rows, by the database's own types, and SQLAlchemy reads their values as those of rows: each
reader is given what it would have been given alone. So an operation says as many statements as it is deep, however many siblings
there are. Loaders that need nothing of each other are gathered (`asyncio.gather`), and none knows of the others.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Result, ScalarResult, SelectBase, literal_column, select
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.exc import CompileError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.sqltypes import NumericCommon

from domain.db import Database, begin_request

T = TypeVar("T")

MOST = 50
"""Selects in one statement."""
ARRAYS: tuple[ColumnElement[Any], ...] = (
    literal_column("NULL::uuid[]"),
    literal_column("NULL::timestamptz[]"),
)
"""Of an array that it has not met the driver asks the database, but not when it meets it within a record."""
QUIET = 2
"""Turns of the loop without a newcomer after which those who wait are asked: what is gathered within what is gathered comes a turn
later."""


@dataclass(eq=False)
class Ask:
    """Of one reader: a select, or work that needs the connection to itself."""

    statement: Any = None
    work: Callable[[AsyncConnection], Awaitable[Any]] | None = None
    answer: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def answered(self, found: Any) -> None:
        if not self.answer.done():  # who asked may have left
            self.answer.set_result(found)

    def failed(self, failure: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(failure)
            self.answer.exception()  # nor need they hear of it


class Chorus:
    """Over one connection, from the first reader to the last; with `lasts`, until it is ended."""

    def __init__(self, db: Database, *, lasts: bool = False) -> None:
        self._db, self._lasts = db, lasts
        self._readers = 0
        self._asks: list[Ask] = []
        self._news = asyncio.Event()
        self._begun: asyncio.Future[datetime] = asyncio.get_running_loop().create_future()
        self._failure: Exception = RuntimeError("It has ended: who reads does it within `async with`.")
        self._task = asyncio.create_task(self._sing())

    @asynccontextmanager
    async def joined(self) -> AsyncIterator[datetime]:
        """The time of the transaction."""
        self._readers += 1
        try:
            yield await asyncio.shield(self._begun)
        finally:
            self._readers -= 1
            if not self._readers and not self._lasts:
                await self.end()

    async def end(self) -> None:
        """Gives the connection back. Who waits still, because a sibling failed, is let go."""
        self._task.cancel()
        await asyncio.wait((self._task,))

    @property
    def has_ended(self) -> bool:
        return self._task.done() or self._task.cancelling() > 0

    async def execute(self, statement: Any) -> Result[*tuple[Any, ...]]:
        found: Result[*tuple[Any, ...]] = await self._asked(Ask(statement))
        return found

    async def scalars(self, statement: Any) -> ScalarResult[Any]:
        return (await self.execute(statement)).scalars()

    async def scalar(self, statement: Any) -> Any:
        return (await self.execute(statement)).scalar()

    async def alone(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Meanwhile nobody else is asked: for a savepoint, or a limit of its own."""
        found: T = await self._asked(Ask(work=work))
        return found

    async def _asked(self, ask: Ask) -> Any:
        if self.has_ended:
            raise self._failure
        self._asks.append(ask)
        self._news.set()
        return await ask.answer

    async def _sing(self) -> None:
        asks: list[Ask] = []
        try:
            async with self._db.reading() as connection:
                self._begun.set_result(await begin_request(connection))
                while True:
                    await self._everybody()
                    asks, self._asks = [ask for ask in self._asks if not ask.answer.done()], []
                    await self._ask(connection, asks)
        except Exception as failure:  # of all, and of who comes later
            self._failure = failure
            for ask in asks + self._asks:
                ask.failed(failure)
            if not self._begun.done():
                self._begun.set_exception(failure)
                self._begun.exception()
        finally:
            for ask in asks + self._asks:
                ask.answer.cancel()
            self._begun.cancel()

    async def _everybody(self) -> None:
        """Waits until those who run side by side have asked."""
        await self._news.wait()
        self._news.clear()
        quiet = 0
        while quiet < QUIET:
            before = len(self._asks)
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._asks) == before else 0

    async def _ask(self, connection: AsyncConnection, asks: list[Ask]) -> None:
        selects = [ask for ask in asks if isinstance(ask.statement, SelectBase)]
        for few in batched(selects, MOST):
            if len(few) > 1:
                await self._together(connection, few)
        for ask in asks:
            if not ask.answer.done():
                await self._alone(connection, ask)

    async def _together(self, connection: AsyncConnection, asks: list[Ask]) -> None:
        """If one of them fails, none is answered: then each is asked alone, and the others do not suffer."""
        statement = select(*(Rows(ask.statement.scalar_subquery()) for ask in asks), *ARRAYS)
        try:
            result = await connection.execute(statement)
        except DBAPIError as failure:
            if failure.connection_invalidated or "statement timeout" in str(failure.orig):
                raise
            await self._begin_again(connection)
        except CompileError:  # two of them use one name
            pass
        else:
            shapes = vars(result.context.compiled)["shapes"]
            for ask, shape, rows in zip(asks, shapes, result.one(), strict=False):
                ask.answered(IteratorResult(shape, iter(rows)))

    async def _alone(self, connection: AsyncConnection, ask: Ask) -> None:
        try:
            ask.answered(await (ask.work(connection) if ask.work else connection.execute(ask.statement)))
        except DBAPIError as failure:
            if failure.connection_invalidated:
                raise
            ask.failed(failure)
            await self._begin_again(connection)
        except Exception as failure:
            ask.failed(failure)

    async def _begin_again(self, connection: AsyncConnection) -> None:
        await connection.rollback()
        await begin_request(connection)


Reads = Chorus | AsyncConnection | AsyncSession


async def side_by_side(connection: Reads, *readers: Coroutine[Any, Any, Any]) -> list[Any]:
    """One after another over what only one may ask at a time."""
    if isinstance(connection, Chorus):
        return await asyncio.gather(*readers)
    left = iter(readers)
    try:
        return [await reader for reader in left]
    finally:
        for reader in left:
            reader.close()


def batched(asks: list[Ask], most: int) -> list[list[Ask]]:
    return [asks[place : place + most] for place in range(0, len(asks), most)]


class Rows(FunctionElement[Any]):
    """All rows of a select as one value."""

    inherit_cache = True


@compiles(Rows)
def _rows(element: Rows, compiler: Any, **options: Any) -> str:
    """Beside the text it keeps how the rows are read: both are made once for each kind of statement."""
    (asked,) = element.clauses
    if "shapes" not in vars(compiler):
        compiler.shapes = []
    compiler.shapes.append(_shape(asked.element, compiler))
    return f"ARRAY(SELECT ROW(one.*) FROM {compiler.process(asked, **options)} AS one)"


def _shape(asked: SelectBase, compiler: Any) -> SimpleResultMetaData:
    """The names of its columns, and what SQLAlchemy does with their values."""
    columns = type(compiler)(compiler.dialect, asked)._result_columns
    return SimpleResultMetaData(
        [column.keyname for column in columns],
        _processors=[_reader(column.type, compiler.dialect) for column in columns],
    )


def _reader(type: Any, dialect: Any) -> Any:
    kind: Any = type.dialect_impl(dialect)
    if not isinstance(kind, NumericCommon):
        return kind.result_processor(dialect, None)
    return _number(kind, dialect)


def _number(kind: Any, dialect: Any) -> Callable[[Any], Any]:
    """SQLAlchemy wants to know as what type of the database a number came; within a record only its value tells."""
    readers = {one: kind.result_processor(dialect, oid) for one, oid in NUMBERS.items()}

    def read(value: Any) -> Any:
        reader = readers.get(value.__class__)
        return reader(value) if reader else value

    return read


NUMBERS = {float: 701, Decimal: 1700, int: 20}
"""With the database's number of the type that each comes from."""

"""Readers that ask together: the selects of coroutines that run side by side are one statement over one connection.

A loader asks as it would ask a connection, and waits. When no other select comes any more, those that wait are sent as one row,
each as an array of records:

    SELECT ARRAY(SELECT ROW(one.*) FROM (SELECT …) AS one), ARRAY(SELECT ROW(one.*) FROM (SELECT …) AS one), …

The driver reads records as it reads rows, by the database's own types, and SQLAlchemy reads their values as those of rows: each
reader is given what it would have been given alone. So an operation says as many statements as it is deep, however many siblings
there are. Loaders that need nothing of each other are gathered (`domain/gathering.py`), and none knows of the others.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self, TypeVar

import asyncpg
import structlog
from sqlalchemy import Result, Row, ScalarResult, SelectBase, func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from domain import selects
from domain.db import Database
from domain.gathering import gathered
from domain.readers import Reader

log = structlog.get_logger()

T = TypeVar("T")

MOST = 50
"""Selects in one statement."""
QUIET = 2
"""Turns of the loop without a newcomer after which those who wait are asked: what is gathered within what is gathered comes a turn
later."""


@dataclass(eq=False)
class Ask:
    """Of one reader: a select, or work that needs the connection to itself."""

    answer: asyncio.Future[Any]
    statement: Any = None
    values: Mapping[str, Any] | None = None
    made: type[Any] | None = None
    """What rows are made into; none: SQLAlchemy's result."""
    work: Callable[[AsyncConnection], Awaitable[Any]] | None = None

    def answered(self, found: Any) -> None:
        if not self.answer.done():  # who asked may have left
            self.answer.set_result(found)

    def failed(self, failure: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(failure)
            self.answer.exception()  # nor need they hear of it


class Chorus:
    """Over one connection, from the first reader to the last; with `lasts`, until it is ended. `at`: the time, where it is known."""

    def __init__(self, db: Database, *, lasts: bool = False, at: datetime | None = None) -> None:
        self._db, self._lasts = db, lasts
        self._readers = 0
        self._asks: list[Ask] = []
        self._asked_now: list[Ask] = []
        self._news = asyncio.Event()
        self._at = at
        self._failure: Exception = RuntimeError("It has ended: who reads does it within `async with`.")
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._sing())

    async def __aenter__(self) -> Self:
        self._readers += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._readers -= 1
        if not self._readers and not self._lasts:
            await self.end()

    async def time(self) -> datetime:
        """The database's, when it was asked first."""
        if self._at is None:
            self._at = await self.scalar(select(func.now()))
        return self._at

    async def end(self) -> None:
        """Gives the connection back. Who waits still, because a sibling failed, is let go."""
        self._task.cancel()
        await asyncio.wait((self._task,))

    @property
    def has_ended(self) -> bool:
        return self._task.done() or self._task.cancelling() > 0

    async def execute(
        self, statement: Any, values: Mapping[str, Any] | None = None
    ) -> Result[*tuple[Any, ...]]:
        """As a connection does. A select that is kept costs least: it is given its values beside it."""
        found: Result[*tuple[Any, ...]] = await self._asked(statement, values)
        return found

    async def objects(
        self, made: type[T], statement: Any, values: Mapping[str, Any] | None = None
    ) -> list[T]:
        """As `execute`; each row is an object with its columns as attributes, and no more is made of it."""
        found: list[T] = await self._asked(statement, values, made)
        return found

    async def scalars(self, statement: Any) -> ScalarResult[Any]:
        return (await self.execute(statement)).scalars()

    async def scalar(self, statement: Any) -> Any:
        return (await self.execute(statement)).scalar()

    async def alone(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Meanwhile nobody else is asked: for a savepoint, or a limit of its own."""
        found: T = await self._asked(work=work)
        return found

    async def alone_with_rows(self, work: Callable[[AsyncSession], Awaitable[T]]) -> T:
        """The same where rows with their verbs are read."""

        async def within(connection: AsyncConnection) -> T:
            async with AsyncSession(connection, expire_on_commit=False) as session:
                return await work(session)

        return await self.alone(within)

    async def _asked(self, *asked: Any, **work: Any) -> Any:
        if self.has_ended:
            raise self._failure
        ask = Ask(self._loop.create_future(), *asked, **work)
        self._asks.append(ask)
        self._news.set()
        return await ask.answer

    async def _sing(self) -> None:
        try:
            await self._everybody()
            async with self._db.readers.one() as reader:
                while True:
                    self._asks, self._asked_now = [], [ask for ask in self._asks if not ask.answer.done()]
                    await self._ask(reader, self._asked_now)
                    self._asked_now = []
                    await self._everybody()
        except asyncio.CancelledError:  # by `end`; raised on, it would hold where we were, and what was read
            self._let_go()
        except Exception as failure:  # of all, and of who comes later
            self._failure = failure
            self._let_go(failure)

    def _let_go(self, failure: Exception | None = None) -> None:
        for ask in self._asked_now + self._asks:
            if failure:
                ask.failed(failure)
            else:
                ask.answer.cancel()

    async def _everybody(self) -> None:
        """Waits until those who run side by side have asked."""
        await self._news.wait()
        self._news.clear()
        quiet = 0
        while quiet < QUIET:
            before = len(self._asks)
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._asks) == before else 0

    async def _ask(self, reader: Reader, asks: list[Ask]) -> None:
        for few in batched([ask for ask in asks if isinstance(ask.statement, SelectBase)], MOST):
            try:
                await self._together(reader.driver, few)
            except asyncio.CancelledError:
                await reader.connection.invalidate()  # it may be speaking still
                raise
        for ask in asks:
            if not ask.answer.done():
                await self._alone(reader.connection, ask)

    async def _together(self, driver: Any, asks: list[Ask]) -> None:
        """If one of them fails, none is answered: then each is asked alone, and the others do not suffer."""
        try:
            said = [selects.told(ask.statement, ask.values) for ask in asks]
        except SQLAlchemyError as failure:  # whoever asked for what cannot be said hears of it alone
            log.warning("asked_alone", error=type(failure).__name__)
            return
        answers: Sequence[Any]
        try:
            if len(said) == 1 and self._at:
                answers = [await driver.fetch(selects.alone(said[0].kind), *said[0].values)]
            else:
                text, values = selects.together(said)
                *answers, self._at = await driver.fetchrow(text, *values)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as failure:
            if driver.is_closed() or isinstance(failure, asyncpg.QueryCanceledError):
                raise DBAPIError("a select", None, failure, hide_parameters=True) from failure
            log.warning("asked_alone", error=type(failure).__name__)
        else:
            for ask, one, rows in zip(asks, said, answers, strict=False):
                try:
                    ask.answered(one.kind.objects(ask.made, rows) if ask.made else one.kind.result(rows))
                except Exception as failure:  # a value that cannot be read is the fault of one of them
                    ask.failed(failure)

    async def _alone(self, connection: AsyncConnection, ask: Ask) -> None:
        try:
            if ask.work:
                ask.answered(await _in_transaction(connection, ask.work))
            else:
                found = await connection.execute(ask.statement, ask.values)
                ask.answered([_object(ask.made, row) for row in found] if ask.made else found)
        except DBAPIError as failure:
            if failure.connection_invalidated:
                raise
            ask.failed(failure)
        except Exception as failure:
            ask.failed(failure)


def _object(made: type[T], row: Row[*tuple[Any, ...]]) -> T:
    one = object.__new__(made)
    one.__dict__ = dict(row._mapping)
    return one


async def _in_transaction(connection: AsyncConnection, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    await connection.exec_driver_sql("BEGIN")
    try:
        return await work(connection)
    finally:
        if not connection.invalidated:  # as one is whose reader left in the middle of a statement
            await connection.exec_driver_sql("ROLLBACK")


Reads = Chorus | AsyncConnection | AsyncSession


async def side_by_side(connection: Reads, *readers: Coroutine[Any, Any, Any]) -> list[Any]:
    """One after another over what only one may ask at a time."""
    if isinstance(connection, Chorus):
        return await gathered(*readers)
    left = iter(readers)
    try:
        return [await reader for reader in left]
    finally:
        for reader in left:
            reader.close()


async def objects(
    connection: Reads, made: type[T], statement: Any, values: Mapping[str, Any] | None = None
) -> list[T]:
    if isinstance(connection, Chorus):
        return await connection.objects(made, statement, values)
    return [_object(made, row) for row in await connection.execute(statement, values)]


def batched(asks: list[Ask], most: int) -> list[list[Ask]]:
    return [asks[place : place + most] for place in range(0, len(asks), most)]

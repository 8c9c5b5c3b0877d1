"""One small loop for all rows that wait to be worked on: claim with a lease → do → settle if the lease is still mine.

A row that waits has `due_at`. Claiming it moves `due_at` to the end of the lease and counts `attempts`, which is the
lease's number: who settles with an older number has lost it. A claim that nobody settles is a death; after three the
row is set aside, so that a poisonous one cannot kill worker after worker.
"""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache, cached_property
from time import monotonic
from typing import Any, Generic, TypeVar

import sqlalchemy.exc
from sqlalchemy import ColumnElement, Integer, Select, Update, and_, bindparam, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import collided, database_time, first_id, one_of_given
from domain.operations.installation import nothing_is_held
from domain.telling import tell

DEATHS = 3
LONGEST_WAIT = 3600.0


class Work:
    """The columns of a table whose rows are work."""

    id: Mapped[uuid.UUID]
    due_at: Mapped[datetime | None] = mapped_column(default=None)
    """When somebody should take it up; none: nothing to do."""
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    deaths: Mapped[int] = mapped_column(default=0, server_default="0")
    failures: Mapped[int] = mapped_column(default=0, server_default="0")
    """In a row, until it is done or somebody asks for it anew."""
    failing_since: Mapped[datetime | None] = mapped_column(default=None)
    last_error: Mapped[str | None] = mapped_column(default=None)

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        """Nobody will try again: the row says so, and so does the history. `last_error` says why."""


Row = TypeVar("Row", bound=Work)


class LeaseLost(Exception):
    """Somebody else has this row now: whatever was done for it must not be committed."""


class TryLater(Exception):
    """Not now. `after` in seconds, where the far end said so; otherwise the queue's own back-off."""

    def __init__(self, error: str, *, after: float | None = None) -> None:
        super().__init__(error)
        self.after = after


@dataclass(frozen=True)
class Lease(Generic[Row]):
    model: type[Row]
    id: uuid.UUID
    number: int
    since: float = field(default_factory=monotonic, compare=False)

    async def settle(self, session: AsyncSession, **values: Any) -> Row:
        """Done: the row, as it is now."""
        return await self._write(session, due_at=None, deaths=0, failures=0, failing_since=None, **values)

    async def hold(self, session: AsyncSession, **values: Any) -> Row:
        """The row, with what is done so far: the lease goes on."""
        return await self._write(session, attempts=self.number, **values)

    async def go_on(self, session: AsyncSession) -> Row:
        """A part is done: the rest is due at once, with a lease of its own."""
        return await self._write(session, due_at=func.now(), deaths=0, failures=0, failing_since=None)

    async def wait(self, session: AsyncSession, *, until: datetime) -> Row:
        """Not its turn yet: no failure."""
        return await self._write(session, due_at=until, deaths=0)

    async def renew(self, session: AsyncSession, *, seconds: float) -> Row:
        """From now on; the row as it is now."""
        return await self.hold(session, due_at=func.now() + timedelta(seconds=seconds))

    async def retry(self, session: AsyncSession, *, after: float, error: str) -> Row:
        return await self._write(
            session,
            due_at=func.now() + timedelta(seconds=after),
            deaths=0,
            failures=self.model.failures + 1,
            failing_since=func.coalesce(self.model.failing_since, func.now()),
            last_error=error,
        )

    async def give_up(self, session: AsyncSession, *, error: str | None) -> None:
        row = await self.settle(session, last_error=error)
        await row.give_up(session, at=await database_time(session))

    async def _write(self, session: AsyncSession, **values: Any) -> Row:
        mine = and_(
            self.model.id == self.id, self.model.attempts == self.number, self.model.due_at.is_not(None)
        )
        written = await session.scalars(
            update(self.model).where(mine).values(**values).returning(self.model),
            execution_options={"synchronize_session": False, "populate_existing": True},
        )
        row = written.one_or_none()
        if row is None:
            raise LeaseLost(self.id)
        return row


async def settle_all(session: AsyncSession, leases: Sequence[Lease[Row]], **values: Any) -> None:
    """Done, all of them. Raises LeaseLost if one is not mine any more."""
    model: Any = leases[0].model
    said = {_TO + name: value for name, value in values.items()}
    settled = await tell(
        session, _settling(model, tuple(values)), {"ids": [lease.id for lease in leases], **said}
    )
    if lost := {(lease.id, lease.number) for lease in leases} - {(id, number) for id, number in settled}:
        raise LeaseLost(*(id for id, _ in lost))


@cache
def _settling(model: Any, names: tuple[str, ...]) -> Update:
    said: dict[str, Any] = {name: bindparam(_TO + name, type_=getattr(model, name).type) for name in names}
    return (
        update(model)
        .where(one_of_given(model.id), model.due_at.is_not(None))
        .values(due_at=None, deaths=0, failures=0, failing_since=None, **said)
        .returning(model.id, model.attempts)
    )


_TO = "to_"
"""Before a column's name: the value that it is set to."""


@dataclass(frozen=True)
class Queue(Generic[Row]):
    model: type[Row]
    topic: str
    """What is rung when a row is added."""
    lease: timedelta = timedelta(seconds=60)
    patience: timedelta = timedelta(hours=24)
    """How long it may go on failing before a row is given up."""
    ready: ColumnElement[bool] | None = None
    outward: bool = False
    """Does somebody else hear of it? Then it is held after a restore."""

    @property
    def longest(self) -> float:
        """Seconds that one row may take: so much less than the lease that nobody else has it meanwhile."""
        return self.lease.total_seconds() * 0.75

    def due(self) -> list[ColumnElement[bool]]:
        """Of rows that somebody should take up now."""
        waiting = [self.model.due_at <= func.now(), self.model.deaths < DEATHS]
        return waiting if self.ready is None else [*waiting, self.ready]

    async def claim(self, session: AsyncSession, limit: int) -> Sequence[tuple[Row, Lease[Row]]]:
        # Who dies takes the whole batch along: what was held by a dead worker is claimed alone, to find the poisonous one.
        first = await session.scalar(self._deaths_of_first)
        taken = await session.scalars(
            self._any if first else self._fresh,
            {"most": 1 if first else limit},
            execution_options={"synchronize_session": False, "populate_existing": True},
        )
        rows = sorted(taken, key=lambda row: row.id)
        return [(row, Lease(self.model, row.id, row.attempts)) for row in rows]

    @cached_property
    def _deaths_of_first(self) -> Select[int]:
        model = self.model
        return select(model.deaths).where(*self._claimable()).order_by(model.due_at, model.id).limit(1)

    @cached_property
    def _fresh(self) -> Any:
        return self._taking(self.model.deaths == 0)

    @cached_property
    def _any(self) -> Any:
        return self._taking()

    def _taking(self, *further: ColumnElement[bool]) -> Any:
        model = self.model
        # As a subquery it may be planned to run once for each row, and then takes more than the limit.
        chosen = (
            select(model.id)
            .where(*self._claimable(), *further)
            .order_by(model.due_at, model.id)
            .limit(bindparam("most", type_=Integer()))
            .with_for_update(skip_locked=True, of=model)
            .cte("chosen")
            .prefix_with("MATERIALIZED")
        )
        return (
            update(model)
            .where(model.id.in_(select(chosen.c.id)))
            .values(due_at=func.now() + self.lease, attempts=model.attempts + 1, deaths=model.deaths + 1)
            .returning(model)
        )

    def _claimable(self) -> list[ColumnElement[bool]]:
        return [*self.due(), nothing_is_held] if self.outward else self.due()

    async def discard(self, session: AsyncSession, *, before: datetime) -> int:
        """Gives up what was waiting then."""
        model = self.model
        discarded = await session.scalars(
            update(model)
            .where(model.due_at.is_not(None), model.id < first_id(before))
            .values(due_at=None, last_error="given up after a restore")
            .returning(model),
            execution_options={"synchronize_session": False, "populate_existing": True},
        )
        rows = discarded.all()
        for row in rows:
            await row.give_up(session, at=await database_time(session))
        return len(rows)

    async def set_aside(self, session: AsyncSession) -> None:
        """Rows whose worker died three times in a row: given up, so that they kill no other."""
        model = self.model
        deadly = await session.scalars(
            update(model)
            .where(model.due_at <= func.now(), model.deaths >= DEATHS)
            .values(due_at=None, last_error="its worker died three times")
            .returning(model),
            execution_options={"synchronize_session": False, "populate_existing": True},
        )
        for row in deadly.all():
            await row.give_up(session, at=await database_time(session))


def passes(failure: Exception) -> bool:
    """Is it the database's state (a deadlock, a lost race, no connection), and not what was asked of it?"""
    if isinstance(failure, sqlalchemy.exc.TimeoutError):
        return True  # all connections are in use
    if not isinstance(failure, DBAPIError):
        return False
    state = getattr(failure.orig, "sqlstate", None)
    return state is None or collided(failure) or state[:2] in ("08", "53", "55", "57", "58")


def back_off(attempt: int) -> float:
    """Seconds until the next attempt: 2, 4, 8 … up to an hour, a quarter of it by chance."""
    return min(2.0 ** min(attempt, 20), LONGEST_WAIT) * random.uniform(0.75, 1.0)

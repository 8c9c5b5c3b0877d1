"""A wheel sleeps until the first of many moments that are written in rows, and wakes when an earlier one is written."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog
from sqlalchemy import ColumnElement, func, select, true, union_all
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.bell import heard
from domain.db import Database

log = structlog.get_logger()

LONGEST_SLEEP = 30.0
NOW = func.clock_timestamp()
"""By the database's clock, the one that all processes share."""


@dataclass(frozen=True)
class Wheel:
    topic: str
    """Rung when an earlier moment is written."""
    moments: tuple[InstrumentedAttribute[object], ...]
    does: tuple[Callable[[AsyncSession], Awaitable[int]], ...]
    """Each in a transaction of its own, says how many rows it did."""
    batch: int
    """As many of these say that there may be more."""
    works_if: ColumnElement[bool] | None = None
    """It rests otherwise; what it does looks at this too."""

    async def seconds_to_next(self, session: AsyncSession) -> float | None:
        firsts = union_all(
            *(
                select(func.min(moment).label("at")).where(
                    moment.is_not(None), true() if self.works_if is None else self.works_if
                )
                for moment in self.moments
            )
        ).subquery()
        seconds = await session.scalar(select(func.extract("epoch", func.min(firsts.c.at) - NOW)))
        return None if seconds is None else float(seconds)

    async def turn(self, db: Database) -> None:
        """Until cancelled."""
        with db.bell.listening(self.topic) as earlier:
            while True:
                earlier.clear()
                try:
                    done = 0
                    for do in self.does:
                        async with db.transaction() as session:
                            done = max(done, await do(session))
                    async with db.transaction() as session:
                        left = await self.seconds_to_next(session)
                    wait = LONGEST_SLEEP if left is None else left
                except (SQLAlchemyError, OSError) as failure:
                    log.warning("wheel_waits_for_database", wheel=self.topic, error=type(failure).__name__)
                    done, wait = 0, 1.0
                if done < self.batch:
                    await heard(earlier, max(0.005, min(wait, LONGEST_SLEEP)))

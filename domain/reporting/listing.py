"""The tickets behind a figure of a report: each once, with how much of the figure it is."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Row, Select, func, literal, select, tuple_

from domain.chorus import Reads
from domain.reporting.asking import Asked, Key, of
from domain.reporting.figures import OF_TICKETS, SOURCES, STANDING, TIMES, Figure


@dataclass(frozen=True)
class Behind:
    """Which figure's tickets are asked for."""

    asked: Asked
    figure: Figure
    key: Key = None
    whole: bool = False
    """Of all rows together, whatever the key."""

    def shares(self) -> Select[Any]:
        asked, conditions = self.asked, [SOURCES[self.figure].holds(of), *self.asked.seen()]
        if self.figure in STANDING:
            conditions += asked.stood_open(self.key, whole=self.whole)
        else:
            conditions += [of.at >= asked.period.begin, of.at < asked.period.end]
            conditions += [] if self.whole else [asked.is_under(self.key)]
        once = self.figure in OF_TICKETS
        return (
            select(
                of.ticket_id,
                func.max(of.at).label("last_at"),
                (literal(1, Integer) if once else func.count()).label("times"),
                (func.max(of.wall_seconds) if self.figure in TIMES else literal(None, Integer)).label(
                    "seconds"
                ),
            )
            .where(*conditions)
            .group_by(of.ticket_id)
        )


async def shares(
    connection: Reads, behind: Behind, *, after: tuple[datetime, uuid.UUID] | None, limit: int
) -> list[Row[Any]]:
    """`ticket_id, last_at, times, seconds` (the longest, of what is timed), the latest first. The `times` of all of them together are
    the figure."""
    found = behind.shares().subquery("shares")
    query = select(found)
    if after:
        query = query.where(tuple_(found.c.last_at, found.c.ticket_id) < tuple_(*after))
    query = query.order_by(found.c.last_at.desc(), found.c.ticket_id.desc()).limit(limit)
    return list((await connection.execute(query)).all())


async def how_many(connection: Reads, behind: Behind, *, most: int) -> int:
    """How many tickets, up to `most`."""
    found = behind.shares().with_only_columns(of.ticket_id).limit(most).subquery("shares")
    return await connection.scalar(select(func.count()).select_from(found)) or 0

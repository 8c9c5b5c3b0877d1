"""How many tickets each view holds, for whoever looks."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.access import may_see
from domain.actors import Actor
from domain.chorus import Chorus, Reads
from domain.desk.tickets import Ticket
from domain.finding.asking import is_unsettled, shown
from domain.finding.conditions import Asking
from domain.finding.names import asking_as
from domain.finding.query import parse, understood
from domain.finding.tree import Query, parts_of
from domain.gathering import gathered

COUNTED = 1_000
MOST_PARTS = 200
"""Of all queries together: to write a statement of more holds up everybody whom this process serves."""
PATIENCE = "1s"
"""For counting what is settled too: nobody waits longer for a number."""


@dataclass(frozen=True)
class Count:
    """Of tickets; 1,001 means more. None where counting would take too long."""

    all: int | None
    breached: int | None


UNCOUNTED = Count(None, None)


async def counts(
    connection: Chorus, views: Sequence[Any], *, to: Actor, at: datetime
) -> dict[uuid.UUID, Count]:
    """Of all views at once, as this person sees them; of those that reach into what is settled, as far as time allows."""
    read = _as_many_as_may_be(views)
    asking = await asking_as(connection, to, read.values(), at=at)
    few = {id: query for id, query in read.items() if is_unsettled(query)}
    many = {id: query for id, query in read.items() if id not in few}
    counted, patiently = await gathered(
        _counted(connection, few, to=to, asking=asking), _patiently(connection, many, to=to, asking=asking)
    )
    found = counted | patiently
    return {view.id: found.get(view.id, UNCOUNTED) for view in views}


async def _patiently(
    connection: Chorus, queries: dict[uuid.UUID, Query], *, to: Actor, asking: Asking
) -> dict[uuid.UUID, Count]:
    async def count(alone: AsyncConnection) -> dict[uuid.UUID, Count]:
        await alone.execute(select(func.set_config("statement_timeout", PATIENCE, True)))
        return await _counted(alone, queries, to=to, asking=asking)

    try:
        return await connection.alone(count) if queries else {}
    except DBAPIError as failure:
        if "statement timeout" not in str(failure.orig):
            raise
        return {}


def _as_many_as_may_be(views: Sequence[Any]) -> dict[uuid.UUID, Query]:
    """The first ones'; a long one is left out, and those after it are not."""
    read, left = {}, MOST_PARTS
    for view in views:
        query = understood(view.query)
        if query is not None and (parts := parts_of(query)) <= left:
            read[view.id], left = query, left - parts
    return read


async def _counted(
    connection: Reads, queries: dict[uuid.UUID, Query], *, to: Actor, asking: Asking
) -> dict[uuid.UUID, Count]:
    if not queries:
        return {}
    broken = parse("clock:breached")
    numbers = []
    for query in queries.values():
        for also in ((), (shown(broken, asking),)):
            held = select(Ticket.id).where(may_see(Ticket, to), shown(query, asking), *also)
            counted = select(func.count()).select_from(held.limit(COUNTED + 1).subquery())
            numbers.append(counted.scalar_subquery())
    row = (await connection.execute(select(*numbers))).one()
    return {id: Count(row[2 * place], row[2 * place + 1]) for place, id in enumerate(queries)}

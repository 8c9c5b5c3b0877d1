"""How many tickets each view holds, for whoever looks."""

import uuid
from collections.abc import Collection, Sequence
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


ALSO = {"count": "", "breached": "clock:breached"}
"""What is counted of a view: its tickets, and those of them that are this, too."""
Counts = dict[uuid.UUID, dict[str, int]]
"""By the names of `ALSO`; 1,001 means more. Nothing of a view whose counting would take too long."""


async def counts(
    connection: Chorus, views: Sequence[Any], names: Collection[str], *, to: Actor, at: datetime
) -> Counts:
    """Of all views at once, as this person sees them; of those that reach into what is settled, as far as time allows."""
    read = _as_many_as_may_be(views)
    asking = await asking_as(connection, to, read.values(), at=at)
    few = {id: query for id, query in read.items() if is_unsettled(query)}
    many = {id: query for id, query in read.items() if id not in few}
    counted, patiently = await gathered(
        _counted(connection, few, names, to=to, asking=asking),
        _patiently(connection, many, names, to=to, asking=asking),
    )
    return counted | patiently


async def _patiently(
    connection: Chorus, queries: dict[uuid.UUID, Query], names: Collection[str], *, to: Actor, asking: Asking
) -> Counts:
    async def count(alone: AsyncConnection) -> Counts:
        await alone.execute(select(func.set_config("statement_timeout", PATIENCE, True)))
        return await _counted(alone, queries, names, to=to, asking=asking)

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
    connection: Reads, queries: dict[uuid.UUID, Query], names: Collection[str], *, to: Actor, asking: Asking
) -> Counts:
    if not queries:
        return {}
    numbers = []
    for query in queries.values():
        for name in names:
            also = [shown(parse(ALSO[name]), asking)] if ALSO[name] else []
            held = select(Ticket.id).where(may_see(Ticket, to), shown(query, asking), *also)
            counted = select(func.count()).select_from(held.limit(COUNTED + 1).subquery())
            numbers.append(counted.scalar_subquery())
    row = iter((await connection.execute(select(*numbers))).one())
    return {id: {name: next(row) for name in names} for id in queries}

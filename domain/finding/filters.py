"""Queries that no person asks: whether a ticket meets them is asked when something happened to it."""

import uuid
from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.db import database_time
from domain.desk.tickets import Ticket
from domain.events import Event
from domain.finding import indexing
from domain.finding.asking import looks_for_words, shown
from domain.finding.conditions import Asking
from domain.finding.mistakes import WrongQuery
from domain.finding.names import check
from domain.finding.query import parse, understood


async def checked(session: AsyncSession, written: str) -> str:
    try:
        await check(session, parse(written), nobody_asks=True)
    except WrongQuery as refusal:
        refusal.field = ["filter"]
        raise
    return written.strip()


async def met_by(session: AsyncSession, event: Event, filters: Mapping[uuid.UUID, str]) -> set[uuid.UUID]:
    """Which of the filters hold for the event's ticket as it is now; of a merged one, for what it became."""
    queries = {id: query for id, written in filters.items() if written and (query := understood(written))}
    if not queries or event.ticket_id is None:
        return set()
    if any(map(looks_for_words, queries.values())):
        await indexing.catch_up(session, event)
    asking = Asking(await database_time(session))
    became = select(func.coalesce(Ticket.merged_into_id, Ticket.id)).where(Ticket.id == event.ticket_id)
    hold = [shown(query, asking).label(f"filter_{place}") for place, query in enumerate(queries.values())]
    met = select(*hold).select_from(Ticket).where(Ticket.id == became.scalar_subquery())
    row = (await session.execute(met)).one_or_none()
    return {id for id, holds in zip(queries, row, strict=True) if holds} if row else set()

"""Queries as they come: read, and asked as whoever sent them."""

from collections.abc import Collection, Sequence

from api.context import Reading
from domain.finding.conditions import Asking
from domain.finding.mistakes import WrongQuery
from domain.finding.names import asking_as, check
from domain.finding.query import parse
from domain.finding.tree import Query


async def asked(
    reading: Reading,
    written: Sequence[tuple[str, str]],
    *,
    saved: Collection[str] = (),
    within: str | None = None,
) -> tuple[list[Query], Asking]:
    """`written`: each query with the field it stands in, which a refusal names beside the word. `saved`: the fields whose queries
    somebody has saved."""
    queries = []
    for text, field in written:
        try:
            query = parse(text)
            await check(reading.connection, query, by=reading.actor, is_saved=field in saved)
        except WrongQuery as refusal:
            refusal.field = [field] if within is None else [within, field]
            raise
        queries.append(query)
    return queries, await asking_as(reading.connection, reading.actor, queries, at=reading.at)

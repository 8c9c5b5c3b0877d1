"""Moments as callers give them: without its zone a time of day is none, and far from now it is a mistake."""

from datetime import datetime

from graphql import GraphQLError

FIRST_YEAR, LAST_YEAR = 1970, 9998
"""A day further and there is no such moment in UTC."""


def moment_of(given: object) -> datetime:
    try:
        at = datetime.fromisoformat(given)  # type: ignore[arg-type]  # what is no text is refused as well
    except (TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None or not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise GraphQLError(f"Not a moment in ISO 8601 with a zone, from {FIRST_YEAR} on: {given!r:.60}")
    return at

"""The scalars beyond GraphQL's own."""

from datetime import datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError

FIRST_YEAR, LAST_YEAR = 1970, 9998
"""A day further and there is no such moment in UTC."""
LARGEST = 2**53 - 1
"""Up to here JavaScript's numbers are whole."""

BigInt = NewType("BigInt", int)
Cursor = NewType("Cursor", str)


def moment_of(given: object) -> datetime:
    """Without its zone a time of day is none, and far from now it is a mistake."""
    try:
        at = datetime.fromisoformat(given)  # type: ignore[arg-type]  # what is no text is refused as well
    except (TypeError, ValueError):
        at = None
    if at is None or at.tzinfo is None or not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise GraphQLError(f"Not a moment in ISO 8601 with a zone, from {FIRST_YEAR} on: {given!r:.60}")
    return at


def whole_number(given: object) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or abs(given) > LARGEST:
        raise GraphQLError(f"Not a whole number of at most {LARGEST}: {given!r:.60}")
    return given


SCALARS: dict[Any, Any] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment: ISO 8601 with a zone, such as 2026-12-24T12:00:00Z.",
        serialize=datetime.isoformat,
        parse_value=moment_of,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number that outgrows 32 bits, as a JSON number of at most 2^53 - 1.",
        serialize=int,
        parse_value=whole_number,
    ),
    Cursor: strawberry.scalar(
        name="Cursor", description="A place in the change feed. Opaque.", serialize=str, parse_value=str
    ),
}

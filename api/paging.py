"""Keyset pages: a cursor is the place of a row in its order, so pages neither skip nor repeat while rows come and go."""

import base64
import uuid
from datetime import UTC, datetime
from typing import Any

import strawberry
from sqlalchemy import Select, func, select

from domain.errors import InvalidInput
from domain.languages import N_

MOST = 100
COUNTED = 1000
"""Totals are exact up to here."""


@strawberry.type
class PageInfo:
    end_cursor: str | None
    has_next_page: bool


def page_size(first: int) -> int:
    if not 1 <= first <= MOST:
        raise InvalidInput(N_("`first` is a number from 1 to {most}."), field=["first"], most=MOST)
    return first


def of_each(query: Select[Any], parent: Any, *order: Any, most: int = MOST) -> Select[Any]:
    """The first rows of every parent, so that one with many takes nothing from the others."""
    place = func.row_number().over(partition_by=parent, order_by=order).label("place")
    ranked = query.add_columns(place).subquery()
    return select(ranked).where(ranked.c.place <= most).order_by(ranked.c.place)


def cursor_of(at: datetime, id: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(f"{int(at.timestamp() * 1_000_000)}.{id.hex}".encode()).decode()


def place_of(cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        at, id = base64.urlsafe_b64decode(cursor).decode().split(".")
        return datetime.fromtimestamp(int(at) / 1_000_000, UTC), uuid.UUID(hex=id)
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(N_("This cursor is not one of ours."), field=["after"]) from None

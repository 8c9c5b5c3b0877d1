"""Keyset pages: a cursor is the place of a row in its order, so pages neither skip nor repeat while rows come and go."""

import base64
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import strawberry
from sqlalchemy import Select, func, select

from domain.errors import InvalidInput
from domain.languages import N_

MOST = 100
COUNTED = 1000
"""Totals are exact up to here."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@strawberry.type
class PageInfo:
    start_cursor: str | None
    end_cursor: str | None
    has_previous_page: bool
    has_next_page: bool


def page_info(edges: Sequence[Any], *, after: str | None, more: bool) -> PageInfo:
    """Of a list that is read in one direction: who came by a cursor has passed what was before it."""
    return PageInfo(
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
        has_previous_page=after is not None,
        has_next_page=more,
    )


def page_size(asked: int, *, field: str = "first") -> int:
    if not 1 <= asked <= MOST:
        sentence = N_("`first` is a number from 1 to {most}.")
        if field == "last":
            sentence = N_("`last` is a number from 1 to {most}.")
        raise InvalidInput(sentence, field=[field], most=MOST)
    return asked


def by_name_cursor(of: str, name: str, id: uuid.UUID) -> str:
    """Of a list in the order of `domain.db.by_name`."""
    return _written(of, id.hex, name)


def named_place_of(of: str, cursor: str) -> tuple[str, uuid.UUID]:
    try:
        id, _, name = _read(of, cursor).partition(".")
        if "\x00" in name:
            raise ValueError(name)
        return name, uuid.UUID(hex=id)
    except ValueError:
        raise InvalidInput(N_("This cursor is not one of ours."), field=["after"]) from None


def of_each(query: Select[Any], parent: Any, *order: Any, most: int = MOST) -> Select[Any]:
    """The first rows of every parent, so that one with many takes nothing from the others."""
    place = func.row_number().over(partition_by=parent, order_by=order).label("place")
    ranked = query.add_columns(place).subquery()
    return select(ranked).where(ranked.c.place <= most).order_by(ranked.c.place)


def cursor_of(of: str, at: datetime, id: uuid.UUID) -> str:
    return _written(of, str(int(at.timestamp() * 1_000_000)), id.hex)


def place_of(of: str, cursor: str) -> tuple[datetime, uuid.UUID]:
    try:
        at, id = _read(of, cursor).split(".")
        return EPOCH + timedelta(microseconds=int(at)), uuid.UUID(hex=id)
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(N_("This cursor is not one of ours."), field=["after"]) from None


def _written(of: str, *place: str) -> str:
    """`of`: the list and its order. Another list's place would skip and repeat without a word."""
    return base64.urlsafe_b64encode(".".join((of, *place)).encode()).decode()


def _read(of: str, cursor: str) -> str:
    said, _, place = base64.urlsafe_b64decode(cursor).decode().partition(".")
    if said != of:
        raise ValueError(said)
    return place

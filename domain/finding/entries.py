"""The index: for each ticket, item and contact the words by which it is found.

An entry has the id of its row and points nowhere: whose it is, where it was moved, and who may see it is asked of the row
itself. It stands beside the row, not in it: an item changes often (it is sent, delivered, read), its words hardly ever.
"""

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    Boolean,
    ColumnElement,
    DateTime,
    Index,
    String,
    Uuid,
    bindparam,
    delete,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY, TSVECTOR, insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.db import Base, one_of


class EntryKind(StrEnum):
    TICKET = "ticket"
    ITEM = "item"
    CONTACT = "contact"


class SearchEntry(Base):
    __tablename__ = "search_entry"
    __table_args__ = (
        *(
            Index(
                f"ix_search_entry_{kind}",
                "lexemes",
                postgresql_using="gin",
                postgresql_where=text(f"kind = '{kind}'"),
            )
            for kind in EntryKind
        ),
        Index("ix_search_entry_at", "at", postgresql_where=text("kind = 'item'")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """The row's own."""
    kind: Mapped[EntryKind]
    at: Mapped[datetime]
    """By which the newest come first."""
    lexemes: Mapped[str] = mapped_column(TSVECTOR)


def is_of(kind: EntryKind) -> ColumnElement[bool]:
    """In the words of the partial indexes: what many items have in common shall not be gone through for a few tickets."""
    return literal_column(f"(search_entry.kind = '{kind}')", Boolean)


def matches(asked: str) -> ColumnElement[bool]:
    """`asked`: a tsquery, as `domain/finding/lexemes.py` writes it."""
    return SearchEntry.lexemes.bool_op("@@")(sql_cast(literal(asked, String), TSQUERY))


async def keep(
    session: AsyncSession, kind: EntryKind, rows: Iterable[tuple[uuid.UUID, datetime, str]]
) -> None:
    """Each row's id, time and lexemes; one without lexemes is not found any more."""
    given = sorted(rows)
    kept = [row for row in given if row[2]]
    if gone := [row[0] for row in given if not row[2]]:
        await forget(session, gone)
    if not kept:
        return
    ids, times, lexemes = zip(*kept, strict=True)
    columns = func.unnest(
        bindparam("ids", list(ids), ARRAY(Uuid)),
        bindparam("times", list(times), ARRAY(DateTime(timezone=True))),
        bindparam("lexemes", list(lexemes), ARRAY(String)),
    )
    one = columns.table_valued("id", "at", "lexemes").render_derived(name="one")
    row = insert(SearchEntry).from_select(
        ["id", "kind", "at", "lexemes"],
        select(one.c.id, sql_cast(kind.value, String), one.c.at, sql_cast(one.c.lexemes, TSVECTOR)),
    )
    row = row.on_conflict_do_update(
        index_elements=["id"], set_={"at": row.excluded.at, "lexemes": row.excluded.lexemes}
    )
    await session.execute(row)


async def forget(session: AsyncSession, ids: Collection[uuid.UUID]) -> None:
    await session.execute(delete(SearchEntry).where(one_of(SearchEntry.id, ids)))

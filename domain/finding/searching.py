"""Looking for words in everything: which tickets, messages, notes, calls and contacts have them, through the door."""

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, String, Uuid, func, literal, null, select, union_all

from domain.access import may_see
from domain.actors import Actor
from domain.chorus import Reads
from domain.customers.contacts import Contact
from domain.desk.messages import DeliveryState, Item, ItemKind
from domain.desk.tickets import Ticket
from domain.finding.asking import holds, speaks_of_spam
from domain.finding.conditions import Asking
from domain.finding.entries import EntryKind, SearchEntry, is_of, matches
from domain.finding.tree import Every, Query, Said, asked_in

MOST_OF_ONE_TICKET = 3
"""So that one long conversation does not hide all others."""
LOOKED_THROUGH = 5
"""Times as many items as are wanted: those of one ticket go beside each other."""
RECENT = timedelta(days=30)
"""Looked through first: of a word that stands everywhere, the newest are here."""


class SearchKind(StrEnum):
    TICKET = "ticket"
    MESSAGE = "message"
    NOTE = "note"
    CALL = "call"
    CONTACT = "contact"


OF_ITEMS = {
    SearchKind.MESSAGE: ItemKind.MESSAGE,
    SearchKind.NOTE: ItemKind.NOTE,
    SearchKind.CALL: ItemKind.CALL,
}

_item = Item.__table__.c


@dataclass(frozen=True)
class Hit:
    kind: SearchKind
    id: uuid.UUID
    at: datetime
    ticket_id: uuid.UUID | None = None
    number: int | None = None
    """A ticket's."""


def as_typed(query: Query) -> Query:
    """While somebody types, the last word may be the beginning of one."""
    match query:
        case Said() if not query.begins:
            return replace(query, begins=True)
        case Every(of=many) if many and isinstance(many[-1], Said):
            return Every((*many[:-1], as_typed(many[-1])))
    return query


async def search(
    connection: Reads, query: Query, *, kinds: Collection[SearchKind], to: Actor, asking: Asking, first: int
) -> list[Hit]:
    """Contacts only where nothing is asked of tickets."""
    found = matches_of(as_typed(query), asking)
    parts = []
    if SearchKind.TICKET in kinds:
        parts.append(_tickets(found, query, to, first))
    if SearchKind.CONTACT in kinds and not any(asked_in(query)):
        parts.append(_contacts(found, to, first))
    of_items = [OF_ITEMS[kind] for kind in SearchKind if kind in OF_ITEMS and kind in kinds]
    said = _items(found, query, of_items, to)
    if of_items:
        recent = said.where(SearchEntry.at > asking.at - RECENT)
        parts.append(_newest(recent, first * LOOKED_THROUGH, "recent"))
    if not parts or query == Every():
        return []
    hits = await _read(connection, union_all(*parts))
    if of_items and len(_few_of_each(hit for hit in hits if hit.kind in OF_ITEMS)) < first:
        hits += await _read(connection, _newest(said, first * LOOKED_THROUGH, "said"))
    return chosen(hits, first=first, number=_number(query))


async def _read(connection: Reads, query: Any) -> list[Hit]:
    rows = (await connection.execute(query)).all()
    return [Hit(SearchKind(row.kind), row.id, row.at, row.ticket_id, row.number) for row in rows]


def matches_of(query: Query, asking: Asking) -> ColumnElement[bool]:
    """Of an entry, with its ticket beside it."""
    return holds(query, asking, found=lambda asked: matches(asked or ""))


def _number(query: Query) -> int | None:
    """`#123` and `123` may be a ticket's."""
    text = query.text.removeprefix("#") if isinstance(query, Said) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def chosen(hits: Iterable[Hit], *, first: int, number: int | None = None) -> list[Hit]:
    """The ticket of that number; then contacts and tickets, each at most a quarter while there is more to show; then what was
    said, the newest first and of one ticket only a few."""
    newest = sorted(set(hits), key=lambda hit: (hit.at, hit.id), reverse=True)
    exact = [hit for hit in newest if hit.kind == SearchKind.TICKET and hit.number == number and number]
    people = [hit for hit in newest if hit.kind == SearchKind.CONTACT]
    tickets = [hit for hit in newest if hit.kind == SearchKind.TICKET and hit not in exact]
    said = _few_of_each([hit for hit in newest if hit.kind in OF_ITEMS])
    quarter = max(1, first // 4)
    fronts, rests = [people[:quarter], tickets[:quarter]], [people[quarter:], tickets[quarter:]]
    shown = [
        *exact,
        *(hit for front in fronts for hit in front),
        *said,
        *(hit for rest in rests for hit in rest),
    ]
    return shown[:first]


def _few_of_each(hits: Iterable[Hit]) -> list[Hit]:
    seen: dict[uuid.UUID | None, int] = {}
    few = []
    for hit in hits:
        seen[hit.ticket_id] = seen.get(hit.ticket_id, 0) + 1
        if seen[hit.ticket_id] <= MOST_OF_ONE_TICKET:
            few.append(hit)
    return few


def _columns(kind: Any, id: Any, ticket_id: Any, number: Any) -> Select[Any]:
    return select(
        kind.label("kind"), id.label("id"), SearchEntry.at, ticket_id.label("ticket_id"), number.label("number")
    )  # fmt: skip


def _newest(query: Select[Any], most: int, name: str) -> Select[Any]:
    """Gathered first: with the limit in sight PostgreSQL goes through everything from the newest on, and where the words never
    stand together, or not for these eyes, to the very end."""
    gathered = query.cte(name).prefix_with("MATERIALIZED")
    newest = select(gathered).order_by(gathered.c.at.desc(), gathered.c.id.desc()).limit(most)
    return select(newest.subquery())


def _of_tickets(query: Query, to: Actor) -> list[ColumnElement[bool]]:
    return [may_see(Ticket, to), *(() if speaks_of_spam(query) else (Ticket.spam_at.is_(None),))]


def _tickets(found: ColumnElement[bool], query: Query, to: Actor, most: int) -> Select[Any]:
    """Of merged ones, what they became: that is what somebody must be allowed to see."""
    former = Ticket.__table__.alias("former")
    rows = _columns(literal(SearchKind.TICKET.value, String), Ticket.id, Ticket.id, Ticket.number)
    rows = rows.select_from(SearchEntry).join(former, former.c.id == SearchEntry.id)
    rows = rows.join(Ticket, Ticket.id == func.coalesce(former.c.merged_into_id, former.c.id))
    rows = rows.where(is_of(EntryKind.TICKET), found, *_of_tickets(query, to))
    return _newest(rows, most, "tickets")


def _items(found: ColumnElement[bool], query: Query, kinds: list[ItemKind], to: Actor) -> Select[Any]:
    rows = _columns(_item.kind.cast(String), _item.id, _item.ticket_id, null().cast(BigInteger))
    rows = rows.join_from(SearchEntry, Item.__table__, _item.id == SearchEntry.id)
    return rows.join(Ticket, Ticket.id == _item.ticket_id).where(
        is_of(EntryKind.ITEM),
        _item.kind.in_(kinds),
        _item.delivery.is_distinct_from(DeliveryState.UNDONE),
        found,
        *_of_tickets(query, to),
    )


def _contacts(found: ColumnElement[bool], to: Actor, most: int) -> Select[Any]:
    """Of merged ones, who they became."""
    former = Contact.__table__.alias("former_contact")
    nothing, none = null().cast(Uuid), null().cast(BigInteger)
    rows = _columns(literal(SearchKind.CONTACT.value, String), Contact.id, nothing, none)
    rows = rows.select_from(SearchEntry).join(former, former.c.id == SearchEntry.id)
    rows = rows.join(Contact, Contact.id == func.coalesce(former.c.canonical_id, former.c.id))
    rows = rows.where(is_of(EntryKind.CONTACT), Contact.erased_at.is_(None), found, may_see(Contact, to))
    return _newest(rows, most, "people")

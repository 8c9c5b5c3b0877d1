"""`search`: words looked for in everything that the asker sees."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import func, select

from api.context import Info, Reading
from api.finding.asking import asked
from api.paging import page_size
from domain.customers.companies import Company
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.db import one_of
from domain.desk.messages import Item
from domain.desk.tickets import Ticket
from domain.finding.searching import Hit, SearchKind, as_typed, search
from domain.finding.snippets import Snippet, Sought, snippet, sought_in
from domain.ids import public_id
from domain.ways_in.channels import Channel, ChannelKind

strawberry.enum(SearchKind)

READ = 20_000
"""Letters of a text in which the place is looked for."""
SHOWN = (IdentityKind.EMAIL, IdentityKind.PHONE, IdentityKind.CUSTOMER)


@strawberry.type(description="A part of a text.")
class TextSpan:
    start: int = strawberry.field(description="Place of its first character, counted from 0.")
    end: int = strawberry.field(description="Place after its last.")


@strawberry.type(description="Something in which words were found.")
class SearchHit:
    kind: SearchKind
    id: strawberry.ID
    title: str = strawberry.field(
        description="The ticket's number and subject, also of what was said in it; the contact's name."
    )
    snippet: str = strawberry.field(description="Plain text around the first place.")
    marks: list[TextSpan] = strawberry.field(
        description="The words found in `snippet`, which is short: at most 100 of them."
    )
    channel: ChannelKind | None
    at: datetime | None
    ticket_id: strawberry.ID | None = strawberry.field(
        description="The ticket itself, or that in which it was said; null of a contact."
    )


async def _search(
    info: Info, text: str, kinds: list[SearchKind] | None = None, first: int = 20
) -> list[SearchHit]:
    size = page_size(first)
    async with info.context.reading() as reading:
        (query,), asking = await asked(reading, [(text, "text")])
        wanted = SearchKind if kinds is None else kinds
        hits = await search(
            reading.connection, query, kinds=set(wanted), to=reading.actor, asking=asking, first=size
        )
        rows = await _read(reading, hits)
    sought = sought_in(as_typed(query))
    return [_shown(hit, rows[hit.id], sought) for hit in hits if hit.id in rows]


async def _read(reading: Reading, hits: Iterable[Hit]) -> dict[uuid.UUID, Any]:
    """What is shown of each, of what the reader sees already."""
    ids: dict[str, list[uuid.UUID]] = {}
    for hit in hits:
        ids.setdefault("Item" if hit.kind not in _OTHERS else hit.kind, []).append(hit.id)
    found: dict[uuid.UUID, Any] = {}
    for of, query in (
        ("Item", _items(ids.get("Item", []))),
        (SearchKind.TICKET, _tickets(ids.get(SearchKind.TICKET, []))),
        (SearchKind.CONTACT, _people(ids.get(SearchKind.CONTACT, []))),
    ):
        if of in ids:
            found |= {row.id: row for row in await reading.connection.execute(query)}
    return found


_OTHERS = (SearchKind.TICKET, SearchKind.CONTACT)


def _items(ids: list[uuid.UUID]) -> Any:
    item = Item.__table__.c
    text = func.left(func.coalesce(item.folded, item.text), READ)
    return (
        select(item.id, item.at, Ticket.number, Ticket.subject, Channel.kind.label("channel"), text.label("text"))
        .select_from(Item.__table__.join(Ticket, Ticket.id == item.ticket_id).outerjoin(Channel, Channel.id == item.channel_id))
        .where(one_of(item.id, ids))
    )  # fmt: skip


def _tickets(ids: list[uuid.UUID]) -> Any:
    return select(Ticket.id, Ticket.number, Ticket.subject, Ticket.subject.label("text")).where(
        one_of(Ticket.id, ids)
    )


def _people(ids: list[uuid.UUID]) -> Any:
    """By what they are known, in one line."""
    known = (
        select(func.string_agg(Identity.value, ", "))
        .where(Identity.contact_id == Contact.id, Identity.kind.in_(SHOWN))
        .scalar_subquery()
    )
    text = func.concat_ws(
        ", ", func.nullif(Contact.name, ""), Company.name, func.nullif(Contact.city, ""), known
    )
    return (
        select(Contact.id, Contact.name, text.label("text"))
        .outerjoin(Company, Company.id == Contact.company_id)
        .where(one_of(Contact.id, ids))
    )


TYPES = {
    SearchKind.TICKET: "Ticket",
    SearchKind.MESSAGE: "Message",
    SearchKind.NOTE: "Note",
    SearchKind.CALL: "Call",
    SearchKind.CONTACT: "Contact",
}


def _shown(hit: Hit, row: Any, sought: Sought) -> SearchHit:
    piece: Snippet = snippet(row.text, sought)
    is_contact = hit.kind == SearchKind.CONTACT
    return SearchHit(
        kind=hit.kind,
        id=strawberry.ID(public_id(TYPES[hit.kind], hit.id)),
        title=row.name or piece.text if is_contact else f"#{row.number} {row.subject}".rstrip(),
        snippet=piece.text,
        marks=[TextSpan(start=start, end=end) for start, end in piece.marks],
        channel=getattr(row, "channel", None),
        at=hit.at,
        ticket_id=strawberry.ID(public_id("Ticket", hit.ticket_id)) if hit.ticket_id else None,
    )


@strawberry.type
class SearchQueries:
    search: list[SearchHit] = strawberry.field(
        resolver=_search,
        description="As many as `first` says, 100 at most: the ticket of that number, contacts, tickets, then what was said, the "
        "newest first. `text` is a query, as `tickets` takes it; of its last word the beginning is enough. Contacts are found by "
        "words and numbers only.",
    )

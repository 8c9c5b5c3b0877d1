"""The address book: contacts by page, in an order, found by a name, an address or a number."""

from enum import StrEnum
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.orm import aliased

from api.context import Info
from api.customers.contacts import Contact, contacts_now
from api.paging import PageInfo, by_name_cursor, cursor_of, named_place_of, page_info, page_size, place_of
from api.selection import wanted
from domain.access import may_see
from domain.customers.contacts import Contact as ContactRow
from domain.customers.contacts import Identity, IdentityKind
from domain.customers.mailboxes import mail_address
from domain.db import by_name


class ContactOrder(StrEnum):
    NEWEST = "newest"
    NAME = "name"


strawberry.enum(ContactOrder)

PLACE = by_name(ContactRow.name)
FEW_DIGITS = 3
"""Of a number: fewer are in nearly all."""


@strawberry.type
class ContactEdge:
    cursor: str
    node: Contact


@strawberry.type
class ContactConnection:
    edges: list[ContactEdge]
    page_info: PageInfo


async def contact_page(
    info: Info, *conditions: ColumnElement[bool], first: int, after: str | None, order_by: ContactOrder
) -> ContactConnection:
    """Those this person sees, of merged ones the survivors."""
    size = page_size(first)
    async with info.context.reading() as reading:
        query: Select[Any] = (
            select(ContactRow.__table__, PLACE.label("place"))
            .where(ContactRow.canonical_id.is_(None), may_see(ContactRow, reading.actor), *conditions)
            .limit(size + 1)
        )
        rows = (await reading.connection.execute(_in_order(query, order_by, after))).all()
        shown = rows[:size]
        people = await contacts_now(reading, [row.id for row in shown], wanted(info).below("edges", "node"))
    edges = [ContactEdge(cursor=_cursor(row, order_by), node=people[row.id]) for row in shown]
    return ContactConnection(edges=edges, page_info=page_info(edges, after=after, more=len(rows) > size))


def _in_order(query: Select[Any], order_by: ContactOrder, after: str | None) -> Select[Any]:
    match order_by:
        case ContactOrder.NEWEST:
            if after:
                earlier = tuple_(ContactRow.created_at, ContactRow.id) < tuple_(*place_of("contacts", after))
                query = query.where(earlier)
            return query.order_by(ContactRow.created_at.desc(), ContactRow.id.desc())
        case ContactOrder.NAME:
            if after:
                query = query.where(
                    tuple_(PLACE, ContactRow.id) > tuple_(*named_place_of("contacts by name", after))
                )
            return query.order_by(PLACE, ContactRow.id)


def _cursor(row: Any, order_by: ContactOrder) -> str:
    if order_by == ContactOrder.NEWEST:
        return cursor_of("contacts", row.created_at, row.id)
    return by_name_cursor("contacts by name", row.place, row.id)


def _found_by(search: str) -> list[ColumnElement[bool]]:
    """Each word is in a name or an address, or all of it is a piece of a number; whoever became a contact counts as it."""
    digits = "".join(letter for letter in search if letter.isdigit())
    if len(digits) >= FEW_DIGITS and not any(letter.isalpha() or letter == "@" for letter in search):
        return [_has(Identity.kind == IdentityKind.PHONE, Identity.value.contains(digits, autoescape=True))]
    conditions: list[ColumnElement[bool]] = []
    for word in search.split():
        one = aliased(ContactRow)
        named = select(func.coalesce(one.canonical_id, one.id)).where(
            one.name.icontains(word, autoescape=True)
        )
        address = Identity.value.contains(mail_address(word) or word.lower(), autoescape=True)
        conditions.append(ContactRow.id.in_(named) | _has(Identity.kind == IdentityKind.EMAIL, address))
    return conditions


def _has(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    owner = aliased(ContactRow)
    return ContactRow.id.in_(
        select(func.coalesce(owner.canonical_id, owner.id))
        .join_from(Identity, owner, owner.id == Identity.contact_id)
        .where(*conditions)
    )


async def _contacts(
    info: Info,
    search: str | None = None,
    first: int = 25,
    after: str | None = None,
    order_by: ContactOrder = ContactOrder.NEWEST,
) -> ContactConnection:
    return await contact_page(info, *_found_by(search or ""), first=first, after=after, order_by=order_by)


@strawberry.type
class AddressBookQueries:
    contacts: ContactConnection = strawberry.field(
        resolver=_contacts,
        description="`search`: words of a name or an address, or a piece of a phone number. Of merged contacts, the one they "
        "became.",
    )

"""Customers: who they are, and their whole history."""

import uuid
from collections.abc import Collection
from datetime import datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import Select, func, select

from api.columns import Columns
from api.computed import computed
from api.context import Info, Reading, fill, nothing, plain
from api.customers.companies import Company, companies_by_id
from api.customers.contact_fields import ContactField, ContactFieldValue
from api.customers.contact_notes import ContactNote
from api.customers.contact_parts import PARTS
from api.customers.contact_stats import ContactStats
from api.customers.identities import Identity
from api.desk.history import PAGED, Asked, TimelineConnection, timeline_of_contact
from api.fields import fields_of, values_of
from api.node import Node
from api.reads import opened
from api.selection import Selection, wanted
from domain.access import visible
from domain.actors import Actor
from domain.customers import contacts
from domain.db import Json, one_of_given
from domain.desk.history import TimelineKind
from domain.gathering import gathered
from domain.ids import public_id, row_id
from domain.ways_in.channels import ChannelKind

if TYPE_CHECKING:
    from api.desk.tasks import Task
    from api.desk.tickets import Ticket
    from api.joining.merging import MergeCandidate


@strawberry.type(description="A customer.")
class Contact(Node):
    name: str
    locale: str | None
    timezone: str | None
    is_vip: bool
    tags: list[str]
    city: str
    company: Company | None
    fields: list[ContactFieldValue] = strawberry.field(
        description="What an admin has defined (`contactFields`), where something is known; by label, at most 50."
    )
    notes: list[ContactNote] = strawberry.field(description="Newest first, at most 100.")
    stats: ContactStats
    merge_candidates: list[Annotated["MergeCandidate", strawberry.lazy("api.joining.merging")]] = (
        strawberry.field(
            description="Who may be the same person, the likeliest first, at most 5. `contactMerge` accepts, `mergeDismiss` refuses for good."
        )
    )
    erased_at: datetime | None = strawberry.field(
        description="Since then nothing here names anybody: the person asked for it, or the shop did."
    )
    identities: list[Identity]
    open_tickets: list[Annotated["Ticket", strawberry.lazy("api.desk.tickets")]] = strawberry.field(
        description="The newest hundred: `tickets(filter: {contactId:})` pages through all."
    )
    tasks: list[Annotated["Task", strawberry.lazy("api.desk.tasks")]] = strawberry.field(
        description="The first hundred, in the order of `tasks(filter: {contactId:})`."
    )
    row_id: strawberry.Private[uuid.UUID]
    company_id: strawberry.Private[uuid.UUID | None]
    kept_fields: strawberry.Private[Json]

    @strawberry.field(
        description=f"Everything with this customer, across all channels and tickets, newest first. {PAGED}"
    )
    async def timeline(
        self,
        info: Info,
        first: int = 30,
        before: str | None = None,
        last: int | None = None,
        after: str | None = None,
        kinds: list[TimelineKind] | None = None,
        channels: list[ChannelKind] | None = None,
    ) -> TimelineConnection:
        await opened(info.context, [self.row_id])
        asked = Asked(first, before, last, after, kinds, channels)
        return await timeline_of_contact(info, self.row_id, asked)


computed(Contact, id=lambda contact: public_id("Contact", contact.row_id), fields=lambda _: [])


async def seen_contacts(reading: Reading, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """By the id asked for, the id of the contact it became or still is, where this person sees that one."""
    rows = await reading.connection.execute(_standing(reading.actor), {"ids": list(ids)})
    return {row.asked_id: row.id for row in rows}


@lru_cache(1000)
def _standing(actor: Actor) -> Select[Any]:
    asked = contacts.Contact.__table__.alias()
    return (
        visible(contacts.Contact, to=actor)
        .with_only_columns(asked.c.id.label("asked_id"), contacts.Contact.id)
        .join(asked, contacts.Contact.id == func.coalesce(asked.c.canonical_id, asked.c.id))
        .where(one_of_given(asked.c.id))
    )


async def contacts_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Contact]:
    """Those this person sees, by the id asked for: of a merged contact, the one it became."""
    stands = await seen_contacts(reading, ids)
    found = await contacts_now(reading, set(stands.values()), selection)
    return {id: found[standing] for id, standing in stands.items()}


async def contacts_now(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Contact]:
    """By the id of a row that points to them: no merged one is among them, for such pointers move. So what is around them
    need not wait for themselves."""
    people = {id: plain(Contact, {"row_id": id}) for id in ids}
    told, _ = await gathered(
        _read(reading, people, selection), fill(PARTS, reading, list(people.values()), selection)
    )
    return {id: people[id] for id in told}


_table = contacts.Contact.__table__.c
COLUMNS = Columns(
    (_table.id.label("row_id"),),
    {
        "name": _table.name,
        "locale": _table.locale,
        "timezone": _table.timezone,
        "isVip": _table.is_vip,
        "tags": _table.tags,
        "city": _table.city,
        "company": _table.company_id,
        "fields": _table.fields.label("kept_fields"),
        "erasedAt": _table.erased_at,
    },
)


@cache
def _rows(asked: frozenset[str]) -> Select[Any]:
    return select(*COLUMNS.of(asked)).where(one_of_given(_table.id))


async def _read(reading: Reading, people: dict[uuid.UUID, Contact], selection: Selection) -> list[uuid.UUID]:
    """What stands in their own rows; the ids of those that are there."""
    query = _rows(COLUMNS.asked(selection))
    rows, fields = await gathered(
        reading.connection.objects(Contact, query, {"ids": list(people)}),
        fields_of(reading, ContactField) if "fields" in selection else nothing(),
    )
    firms = {row.company_id for row in rows if row.company_id} if "company" in selection else set()
    companies = await companies_by_id(reading, firms) if firms else {}
    for row in rows:
        person = people[row.row_id]
        vars(person).update(vars(row))
        if "company" in selection:
            # None of a contact that is not to be shown either: whether it is, is asked at the same time.
            person.company = companies.get(person.company_id) if person.company_id else None
        if fields:
            person.fields = values_of(person.kept_fields, fields, ContactFieldValue)
    return [row.row_id for row in rows]


async def _contact(info: Info, id: strawberry.ID) -> Contact | None:
    asked = row_id("Contact", id)
    async with info.context.reading() as reading:
        found = await _seen(reading, asked, wanted(info))
    await opened(info.context, [found.row_id] if found else [])
    return found


async def read_contact(info: Info, id: str) -> Contact | None:
    async with info.context.reading() as reading:
        return await _seen(reading, uuid.UUID(id), wanted(info).below("contact"))


async def _seen(reading: Reading, asked: uuid.UUID, selection: Selection) -> Contact | None:
    seen = await seen_contacts(reading, [asked])
    found = await contacts_now(reading, seen.values(), selection)
    return found[seen[asked]] if seen else None


@strawberry.type
class ContactQueries:
    contact: Contact | None = strawberry.field(resolver=_contact)

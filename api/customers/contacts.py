"""Customers: who they are, and their whole history."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from sqlalchemy import func, select

from api.context import Info, Reading, by, plain
from api.customers.companies import Company, companies_by_id
from api.customers.contact_fields import ContactField, ContactFieldValue
from api.customers.contact_notes import ContactNote, notes_of
from api.customers.contact_stats import ContactStats, stats_of
from api.customers.identities import Identity, by_contact, identities_where
from api.desk.history import PAGED, Asked, TimelineConnection, timeline_of_contact
from api.fields import fields_of, values_of
from api.node import Node
from api.reads import opened
from api.selection import Selection, wanted
from domain.access import visible
from domain.customers import contacts
from domain.db import Json, one_of
from domain.desk.history import TimelineKind
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
    open_tickets: list[Annotated["Ticket", strawberry.lazy("api.desk.tickets")]]
    tasks: list[Annotated["Task", strawberry.lazy("api.desk.tasks")]]
    row_id: strawberry.Private[uuid.UUID]
    company_id: strawberry.Private[uuid.UUID | None]
    kept: strawberry.Private[Json]

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


async def seen_contacts(reading: Reading, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID]:
    """By the id asked for, the id of the contact it became or still is, where this person sees that one."""
    asked = contacts.Contact.__table__.alias()
    rows = await reading.connection.execute(
        visible(contacts.Contact, to=reading.actor)
        .with_only_columns(asked.c.id.label("asked_id"), contacts.Contact.id)
        .join(asked, contacts.Contact.id == func.coalesce(asked.c.canonical_id, asked.c.id))
        .where(one_of(asked.c.id, ids))
    )
    return {row.asked_id: row.id for row in rows}


async def contacts_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Contact]:
    """By the id asked for: of a merged contact, the one it became. It asks no door: a ticket that is seen shows its
    contact, and for other ids there is `seen_contacts`."""
    asked, became = contacts.Contact.__table__.alias(), contacts.Contact.__table__.alias()
    rows = await reading.connection.execute(
        select(asked.c.id.label("asked_id"), became)
        .join_from(asked, became, became.c.id == func.coalesce(asked.c.canonical_id, asked.c.id))
        .where(one_of(asked.c.id, ids))
    )
    found: dict[uuid.UUID, Contact] = {}
    by_asked = {}
    for row in rows:
        by_asked[row.asked_id] = found.setdefault(
            row.id,
            plain(
                Contact,
                {
                    "id": public_id("Contact", row.id),
                    "row_id": row.id,
                    "name": row.name,
                    "locale": row.locale,
                    "timezone": row.timezone,
                    "is_vip": row.is_vip,
                    "tags": row.tags,
                    "city": row.city,
                    "company_id": row.company_id,
                    "kept": row.fields,
                    "erased_at": row.erased_at,
                },
            ),
        )
    await _fill(reading, list(found.values()), selection)
    return by_asked


async def _fill(reading: Reading, found: list[Contact], selection: Selection) -> None:
    ids = [contact.row_id for contact in found]
    if "company" in selection:
        companies = await companies_by_id(reading, {one.company_id for one in found if one.company_id})
        for contact in found:
            contact.company = companies.get(contact.company_id) if contact.company_id else None
    if "fields" in selection:
        fields = await fields_of(reading, ContactField)
        for contact in found:
            contact.fields = values_of(contact.kept, fields, ContactFieldValue)
    if "notes" in selection:
        notes = await notes_of(reading, ids)
        for contact in found:
            contact.notes = notes.get(contact.row_id, [])
    if "stats" in selection:
        stats = await stats_of(reading, ids)
        for contact in found:
            contact.stats = stats[contact.row_id]
    if "mergeCandidates" in selection:
        from api.joining.merging import candidates_of

        candidates = await candidates_of(reading, ids, selection["mergeCandidates"])
        for contact in found:
            contact.merge_candidates = candidates.get(contact.row_id, [])
    if "identities" in selection:
        groups = by_contact(await identities_where(reading, one_of(contacts.Identity.contact_id, ids)))
        for contact in found:
            contact.identities = groups.get(contact.row_id, [])
    if "openTickets" in selection:
        from api.desk.tickets import open_tickets_of

        tickets = by("contact_id", await open_tickets_of(reading, ids, selection["openTickets"]))
        for contact in found:
            contact.open_tickets = tickets.get(contact.row_id, [])
    if "tasks" in selection:
        from api.desk.tasks import tasks_of
        from domain.desk.tasks import Task as TaskRow

        tasks = by("contact_id", await tasks_of(reading, TaskRow.contact_id, ids, selection["tasks"]))
        for contact in found:
            contact.tasks = tasks.get(contact.row_id, [])


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
    return (await contacts_by_id(reading, seen, selection)).get(asked)


@strawberry.type
class ContactQueries:
    contact: Contact | None = strawberry.field(resolver=_contact)

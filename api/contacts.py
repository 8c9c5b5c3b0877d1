"""Customers: who they are, by what they can be reached, and their whole history."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, exists, func, select

from api.companies import Company, companies_by_id
from api.contact_fields import ContactFieldValue, fields_here, values_of
from api.contact_notes import ContactNote, notes_of
from api.contact_stats import ContactStats, stats_of
from api.context import Info, Reading, by, plain
from api.history import PAGED, Asked, TimelineConnection, timeline_of_contact
from api.node import Node
from api.reads import opened
from api.selection import Selection, wanted
from domain import contacts, reply_windows
from domain.access import visible
from domain.channels import Channel, ChannelKind
from domain.consents import Consent
from domain.contacts import IdentityKind
from domain.db import Json, one_of
from domain.history import TimelineKind
from domain.ids import public_id, row_id
from domain.replies import CHANNEL_OF
from domain.reply_windows import A_PERSON, ANYBODY
from domain.threads import Thread

if TYPE_CHECKING:
    from api.merging import MergeCandidate
    from api.tasks import Task
    from api.tickets import Ticket

CHANNELS = {**CHANNEL_OF, IdentityKind.PHONE: ChannelKind.PHONE}
"""By which each is shown; a number that text messages go to as that of SMS."""


@strawberry.type(description="`closesAt` null: always open.")
class ReplyWindow:
    is_open: bool
    closes_at: datetime | None
    human_agent_until: datetime | None = strawberry.field(
        description="Of Messenger: until then `messageSend` takes what a person wrote, with `humanAgent`, although it is closed."
    )


@strawberry.type(
    description="One way in which the customer is known: an address, a number, a Messenger person."
)
class Identity(Node):
    channel: ChannelKind
    label: str
    verified: bool
    verified_by: str | None = strawberry.field(description="What proved it, as a code.")
    can_reply: bool
    reply_window: ReplyWindow | None
    last_used_at: datetime | None
    bounced_at: datetime | None = strawberry.field(
        description="Since when our mail comes back from there, twice at least, because there is nobody: `messageSend` wants `force`."
    )
    stopped_at: datetime | None = strawberry.field(
        description="Since when whoever has this number wants no text messages: `messageSend` refuses, as `RECIPIENT_STOPPED`."
    )
    row: strawberry.Private[Any]


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
    merge_candidates: list[Annotated["MergeCandidate", strawberry.lazy("api.merging")]] = strawberry.field(
        description="Who may be the same person, the likeliest first, at most 5. `contactMerge` accepts, `mergeDismiss` refuses for good."
    )
    erased_at: datetime | None = strawberry.field(
        description="Since then nothing here names anybody: the person asked for it, or the shop did."
    )
    identities: list[Identity]
    open_tickets: list[Annotated["Ticket", strawberry.lazy("api.tickets")]]
    tasks: list[Annotated["Task", strawberry.lazy("api.tasks")]]
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
        fields = await fields_here(reading)
        for contact in found:
            contact.fields = values_of(contact.kept, fields)
    if "notes" in selection:
        notes = await notes_of(reading, ids)
        for contact in found:
            contact.notes = notes.get(contact.row_id, [])
    if "stats" in selection:
        stats = await stats_of(reading, ids)
        for contact in found:
            contact.stats = stats[contact.row_id]
    if "mergeCandidates" in selection:
        from api.merging import candidates_of

        candidates = await candidates_of(reading, ids, selection["mergeCandidates"])
        for contact in found:
            contact.merge_candidates = candidates.get(contact.row_id, [])
    if "identities" in selection:
        groups = by_contact(await identities_where(reading, one_of(contacts.Identity.contact_id, ids)))
        for contact in found:
            contact.identities = groups.get(contact.row_id, [])
    if "openTickets" in selection:
        from api.tickets import open_tickets_of

        tickets = by("contact_id", await open_tickets_of(reading, ids, selection["openTickets"]))
        for contact in found:
            contact.open_tickets = tickets.get(contact.row_id, [])
    if "tasks" in selection:
        from api.tasks import tasks_of
        from domain.tasks import Task as TaskRow

        tasks = by("contact_id", await tasks_of(reading, TaskRow.contact_id, ids, selection["tasks"]))
        for contact in found:
            contact.tasks = tasks.get(contact.row_id, [])


def by_contact(identities: list[Identity]) -> dict[uuid.UUID, list[Identity]]:
    groups: dict[uuid.UUID, list[Identity]] = {}
    for identity in each_once(identities):
        groups.setdefault(identity.row.contact_id, []).append(identity)
    return groups


def each_once(identities: list[Identity]) -> list[Identity]:
    """Of an address that contacts brought twice when they became one, the proven row."""
    shown: dict[tuple[Any, ...], Identity] = {}
    for identity in identities:
        row = identity.row
        key = (row.contact_id, row.kind, row.scope, row.value)
        if key not in shown or (identity.verified and not shown[key].verified):
            shown[key] = identity
    return list(shown.values())


async def identities_where(reading: Reading, condition: ColumnElement[bool]) -> list[Identity]:
    """What can be shown and answered to: the shop's own customer ids are neither."""
    table = contacts.Identity.__table__
    theirs = Thread.identity_id == table.c.id
    last = select(func.max(Thread.last_inbound_at)).where(theirs).scalar_subquery()
    begun = exists().where(theirs, Channel.id == Thread.channel_id, Channel.disabled_at.is_(None))
    texted = begun.where(Channel.kind == ChannelKind.SMS)
    stopped = (
        select(func.max(Consent.stopped_at))
        .where(table.c.kind == IdentityKind.PHONE, Consent.number == table.c.value)
        .scalar_subquery()
    )
    rows = await reading.connection.execute(
        select(
            table,
            last.label("last_inbound_at"),
            begun.label("has_begun"),
            texted.label("is_texted"),
            stopped.label("stopped_at"),
        )
        .where(condition, table.c.kind.in_(CHANNELS))
        .order_by(table.c.created_at)
    )
    return [_identity(reading, row) for row in rows]


def _identity(reading: Reading, row: Any) -> Identity:
    window = None
    can_reply = row.has_begun or row.kind == IdentityKind.EMAIL
    if row.kind == IdentityKind.PHONE:
        can_reply = row.is_texted and row.stopped_at is None
    if row.kind == IdentityKind.MESSENGER:
        last = row.last_inbound_at
        is_open = reply_windows.is_open(last, reading.at)
        window = ReplyWindow(
            is_open=is_open,
            closes_at=last + ANYBODY if last else None,
            human_agent_until=last + A_PERSON if last else None,
        )
        can_reply = can_reply and is_open
    return plain(
        Identity,
        {
            "id": public_id("Identity", row.id),
            "row": row,
            "channel": ChannelKind.SMS if row.is_texted else CHANNELS[row.kind],
            "label": row.label,
            "verified": row.verified_at is not None,
            "verified_by": row.verified_by.value.upper() if row.verified_by else None,
            "can_reply": can_reply,
            "reply_window": window,
            "last_used_at": row.last_used_at,
            "bounced_at": row.bounced_at,
            "stopped_at": row.stopped_at,
        },
    )


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

"""The fields that an admin defines for contacts, and their values."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, plain
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.customers import contact_fields
from domain.customers.contact_fields import FieldKind
from domain.db import Json
from domain.ids import public_id, row_id, typed

strawberry.enum(
    FieldKind,
    name="ContactFieldKind",
    description="How a value is written: NUMBER as 12.50, DATE as 2026-12-24, YES_NO as true or false.",
)


@strawberry.type(description="Something this shop wants to know of its contacts.")
class ContactField(Node):
    label: str
    kind: FieldKind
    options: list[str] = strawberry.field(description="Of a choice.")
    archived: bool


@strawberry.type
class ContactFieldValue:
    field: ContactField
    value: str


@strawberry.input(description="Null takes the value away.")
class ContactFieldValueInput:
    field_id: strawberry.ID
    value: str | None = None


@strawberry.input(
    description="Without `id` a new one. What is left out stays; the kind stays for ever, as values are kept in it."
)
class ContactFieldSaveInput:
    id: strawberry.ID | None = None
    label: str | None = None
    kind: FieldKind | None = None
    options: list[str] | None = None
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="An archived field is shown no longer. Its values stay; `archived: false` brings it back."
)
class ContactFieldArchiveInput:
    id: strawberry.ID
    archived: bool = True
    client_mutation_id: strawberry.ID


@strawberry.type
class ContactFieldPayload:
    contact_field: ContactField | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def fields_here(reading: Reading, *, archived: bool = False) -> dict[str, ContactField]:
    """By the id under which contacts keep their values, in the order of their labels."""
    row_of = contact_fields.ContactField
    is_archived = row_of.archived_at.is_not(None)
    rows = await reading.connection.execute(
        select(row_of.__table__)
        .where(may_see(row_of, reading.actor), is_archived if archived else ~is_archived)
        .order_by(row_of.label, row_of.id)
    )
    return {str(row.id): _field(row) for row in rows}


def values_of(kept: Json, fields: dict[str, ContactField]) -> list[ContactFieldValue]:
    return [
        plain(ContactFieldValue, {"field": field, "value": kept[id]})
        for id, field in fields.items()
        if id in kept
    ]


def given_values(given: Iterable[ContactFieldValueInput]) -> list[tuple[uuid.UUID | None, str | None]]:
    """By their field's row; none where there is no such id at all."""
    pairs = []
    for one in given:
        named, id = typed(one.field_id) or ("", None)
        pairs.append((id if named == "ContactField" else None, one.value))
    return pairs


def _field(row: Any) -> ContactField:
    return plain(
        ContactField,
        {
            "id": public_id("ContactField", row.id),
            "label": row.label,
            "kind": row.kind,
            "options": row.options,
            "archived": row.archived_at is not None,
        },
    )


async def _contact_fields(info: Info, archived: bool = False) -> list[ContactField]:
    async with info.context.reading() as reading:
        return list((await fields_here(reading, archived=archived)).values())[:100]


async def _field_save(info: Info, input: ContactFieldSaveInput) -> ContactFieldPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        saved = await contact_fields.save_field(
            session,
            await _held(session, input.id, actor) if input.id else None,
            label=input.label,
            kind=input.kind,
            options=input.options,
            at=now,
        )
        return {"field": str(saved.id)}

    return await _payload(info, await changed(info, input, change))


async def _field_archive(info: Info, input: ContactFieldArchiveInput) -> ContactFieldPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        field = await _held(session, input.id, actor)
        await contact_fields.archive(session, field, input.archived, at=now)
        return {"field": str(field.id)}

    return await _payload(info, await changed(info, input, change))


async def _held(session: AsyncSession, id: str, actor: Actor) -> contact_fields.ContactField:
    asked = row_id("ContactField", id)
    return await access.one(session, contact_fields.ContactField, asked, to=actor, lock=True)


async def _payload(info: Info, done: Json) -> ContactFieldPayload:
    async with info.context.reading() as reading:
        found = await fields_here(reading) | await fields_here(reading, archived=True)
    return ContactFieldPayload(contact_field=found.get(done["field"]))


@strawberry.type
class ContactFieldQueries:
    contact_fields: list[ContactField] = strawberry.field(
        resolver=_contact_fields,
        description="By label; those in use, of which there are at most 50, or up to 100 of the archived ones.",
    )


@strawberry.type
class ContactFieldMutations:
    contact_field_save: ContactFieldPayload = mutation(resolver=_field_save)
    contact_field_archive: ContactFieldPayload = mutation(resolver=_field_archive)

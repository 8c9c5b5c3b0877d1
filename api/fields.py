"""The fields that an admin defines, for contacts and for tickets, and their values: what both have in common."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, plain
from api.mutations import changed
from api.node import Node
from domain import access, fields
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json
from domain.fields import CustomField, FieldKind, FieldSubject
from domain.ids import public_id, row_id, typed

strawberry.enum(
    FieldKind,
    name="ContactFieldKind",
    description="How a value is written: NUMBER as 12.50, DATE as 2026-12-24, YES_NO as true or false.",
)


@strawberry.type
class Field(Node):
    label: str
    kind: FieldKind
    options: list[str] = strawberry.field(description="Of a choice.")
    archived: bool


@strawberry.input
class FieldValueInput:
    field_id: strawberry.ID
    value: str | None = None


@strawberry.input
class FieldSaveInput:
    id: strawberry.ID | None = None
    label: str | None = None
    kind: FieldKind | None = None
    options: list[str] | None = None
    client_mutation_id: strawberry.ID


@strawberry.input
class FieldArchiveInput:
    id: strawberry.ID
    archived: bool = True
    client_mutation_id: strawberry.ID


Shown = TypeVar("Shown", bound=Field)
NEW = "Without `id` a new one. What is left out stays; the kind stays for ever, as values are kept in it."
ARCHIVED = "An archived field is shown no longer. Its values stay; `archived: false` brings it back."
LISTED = "By label; those in use, of which there are at most 50, or up to 100 of the archived ones."


async def fields_of(reading: Reading, kind: type[Shown], *, archived: bool = False) -> dict[str, Shown]:
    """By the id under which values are kept, in the order of their labels."""
    is_archived = CustomField.archived_at.is_not(None)
    rows = await reading.connection.execute(
        select(CustomField.__table__)
        .where(
            CustomField.subject == SUBJECTS[kind.__name__],
            may_see(CustomField, reading.actor),
            is_archived if archived else ~is_archived,
        )
        .order_by(CustomField.label, CustomField.id)
    )
    return {str(row.id): _field(kind, row) for row in rows}


SUBJECTS = {"ContactField": FieldSubject.CONTACT, "TicketField": FieldSubject.TICKET}
"""By the type that shows them, which is the type of their ids too."""


def _field(kind: type[Shown], row: Any) -> Shown:
    return plain(
        kind,
        {
            "id": public_id(kind.__name__, row.id),
            "label": row.label,
            "kind": row.kind,
            "options": row.options,
            "archived": row.archived_at is not None,
        },
    )


Value = TypeVar("Value")


def values_of(kept: Json, fields: dict[str, Shown], value: type[Value]) -> list[Value]:
    return [plain(value, {"field": field, "value": kept[id]}) for id, field in fields.items() if id in kept]


async def spelled(
    session: AsyncSession, kind: type[Field], given: Iterable[FieldValueInput]
) -> dict[str, str | None]:
    pairs: list[tuple[uuid.UUID | None, str | None]] = []
    for one in given:
        named, id = typed(one.field_id) or ("", None)
        pairs.append((id if named == kind.__name__ else None, one.value))
    return await fields.spelled_values(session, SUBJECTS[kind.__name__], pairs)


async def listed(info: Info, kind: type[Shown], archived: bool) -> list[Shown]:
    async with info.context.reading() as reading:
        return list((await fields_of(reading, kind, archived=archived)).values())[:100]


async def saved(info: Info, kind: type[Shown], input: FieldSaveInput) -> Shown | None:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        field = await fields.save_field(
            session,
            await _held(session, kind, input.id, actor) if input.id else None,
            subject=SUBJECTS[kind.__name__],
            label=input.label,
            kind=input.kind,
            options=input.options,
            at=now,
        )
        return {"field": str(field.id)}

    return await _shown(info, kind, await changed(info, input, change))


async def archived(info: Info, kind: type[Shown], input: FieldArchiveInput) -> Shown | None:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        field = await _held(session, kind, input.id, actor)
        await fields.archive(session, field, input.archived, at=now)
        return {"field": str(field.id)}

    return await _shown(info, kind, await changed(info, input, change))


async def _held(session: AsyncSession, kind: type[Field], id: str, actor: Actor) -> CustomField:
    return await access.one(session, CustomField, row_id(kind.__name__, id), to=actor, lock=True)


async def _shown(info: Info, kind: type[Shown], done: Json) -> Shown | None:
    async with info.context.reading() as reading:
        found = await fields_of(reading, kind) | await fields_of(reading, kind, archived=True)
    return found.get(done["field"])

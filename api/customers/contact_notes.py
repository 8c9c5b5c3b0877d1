"""Notes about a contact."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import Select, Uuid, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, by, plain
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from api.paging import of_each
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.agents.staff import Agent
from domain.customers import contact_notes, contacts
from domain.db import Json, one_of
from domain.ids import public_id, row_id

if TYPE_CHECKING:
    from api.customers.contacts import Contact


@strawberry.type(
    description="What somebody of the shop wrote down about a contact. The customer never sees it."
)
class ContactNote(Node):
    author: str
    at: datetime
    text: str
    contact_id: strawberry.Private[uuid.UUID]


@strawberry.input
class ContactNoteAddInput:
    contact_id: strawberry.ID
    text: str
    client_mutation_id: strawberry.ID


@strawberry.input
class ContactNoteDeleteInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class ContactNotePayload:
    contact: Annotated["Contact", strawberry.lazy("api.customers.contacts")] | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def notes_of(reading: Reading, ids: list[uuid.UUID]) -> dict[uuid.UUID, list[ContactNote]]:
    """For each contact its newest hundred, with those of all that were merged into it."""
    note, about = contact_notes.ContactNote, contacts.Contact.__table__.alias()
    whose = func.coalesce(about.c.canonical_id, about.c.id, type_=Uuid())
    query: Select[Any] = (
        select(note.__table__, Agent.name.label("agent_name"), whose.label("whose"))
        .join_from(note, about, about.c.id == note.contact_id)
        .outerjoin(Agent, Agent.id == note.agent_id)
        .where(one_of(about.c.id, ids) | one_of(about.c.canonical_id, ids), may_see(note, reading.actor))
    )
    rows = await reading.connection.execute(of_each(query, whose, note.id.desc()))
    return by("contact_id", [_note(row) for row in rows])


def _note(row: Any) -> ContactNote:
    return plain(
        ContactNote,
        {
            "id": public_id("ContactNote", row.id),
            "contact_id": row.whose,
            "author": row.agent_name or row.author,
            "at": row.at,
            "text": row.text,
        },
    )


async def _note_add(info: Info, input: ContactNoteAddInput) -> ContactNotePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        asked = row_id("Contact", input.contact_id, field="contactId")
        contact = await access.contact(session, asked, to=actor, lock=True)
        contact_notes.add_note(session, contact, input.text, by=actor, at=now)
        return {"contact": str(contact.id)}

    return await _payload(info, await changed(info, input, change))


async def _note_delete(info: Info, input: ContactNoteDeleteInput) -> ContactNotePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        asked = row_id("ContactNote", input.id)
        note = await access.one(session, contact_notes.ContactNote, asked, to=actor, lock=True)
        contact = await access.contact(session, note.contact_id, to=actor)
        note.delete(contact, by=actor, at=now)
        return {"contact": str(contact.id)}

    return await _payload(info, await changed(info, input, change))


async def _payload(info: Info, done: Json) -> ContactNotePayload:
    from api.customers.contacts import read_contact

    return ContactNotePayload(contact=await read_contact(info, done["contact"]))


@strawberry.type
class ContactNoteMutations:
    contact_note_add: ContactNotePayload = mutation(resolver=_note_add)
    contact_note_delete: ContactNotePayload = mutation(
        resolver=_note_delete, description="For ever. Agents delete what they wrote themselves."
    )

"""Writing down what is known of a contact."""

from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info
from api.customers.contact_fields import ContactField, ContactFieldValueInput
from api.customers.contacts import read_contact
from api.fields import spelled
from api.joining.linking import ContactPayload
from api.mutations import changed, mutation
from domain import access, naming
from domain.actors import Actor
from domain.customers import companies, contacts, profiles
from domain.customers.describing import describe
from domain.db import Json
from domain.ids import row_id


@strawberry.input(
    description="Without `id` a new contact, who has a name and can be reached once `identityLink` says how. What is left out "
    "stays; null takes away. Of two who change the same, the later wins."
)
class ContactSaveInput:
    id: strawberry.ID | None = None
    name: str | None = None
    locale: strawberry.Maybe[str | None] = strawberry.field(
        description="A language by BCP 47: `pl`, `ca`, `en-GB`."
    )
    timezone: strawberry.Maybe[str | None] = strawberry.field(description="By IANA: `Europe/Warsaw`.")
    is_vip: bool | None = None
    tags: list[str] | None = strawberry.field(
        default=None, description="All of them; kept in small letters, each once."
    )
    city: str | None = None
    company_id: strawberry.Maybe[strawberry.ID | None]
    fields: list[ContactFieldValueInput] | None = None
    client_mutation_id: strawberry.ID


async def _contact_save(info: Info, input: ContactSaveInput) -> ContactPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        said = _said(input)
        if input.company_id is not None:
            said["company_id"] = await _company(session, input.company_id.value, actor)
        if input.fields is not None:
            said["fields"] = await spelled(session, ContactField, input.fields)
        if input.id:
            contact = await access.contact(session, row_id("Contact", input.id), to=actor, lock=True)
        else:
            name, locale = naming.name(input.name or ""), said.pop("locale", None)
            contact = contacts.add_contact(session, name=name, locale=locale, by=actor, at=now)
            await session.flush()
        await describe(session, contact, by=actor, at=now, **said)
        return {"contact": str(contact.id)}

    done = await changed(info, input, change)
    return ContactPayload(contact=await read_contact(info, done["contact"]))


def _said(input: ContactSaveInput) -> dict[str, Any]:
    """By the contact's columns, in the spelling in which they are kept."""
    said: dict[str, Any] = {}
    if input.name is not None:
        said["name"] = naming.name(input.name)
    if input.locale is not None:
        said["locale"] = profiles.locale(input.locale.value) if input.locale.value else None
    if input.timezone is not None:
        said["timezone"] = profiles.timezone(input.timezone.value) if input.timezone.value else None
    if input.is_vip is not None:
        said["is_vip"] = input.is_vip
    if input.tags is not None:
        said["tags"] = profiles.tags(input.tags)
    if input.city is not None:
        said["city"] = naming.line(input.city, "city")
    return said


async def _company(session: AsyncSession, id: str | None, actor: Actor) -> Any:
    if id is None:
        return None
    asked = row_id("Company", id, field="companyId")
    return (await access.one(session, companies.Company, asked, to=actor)).id


@strawberry.type
class ProfileMutations:
    contact_save: ContactPayload = mutation(resolver=_contact_save)

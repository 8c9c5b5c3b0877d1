"""The fields that an admin defines for contacts, and their values."""

import strawberry

from api import fields
from api.context import Info
from api.errors import UserError
from api.fields import Field, FieldArchiveInput, FieldSaveInput, FieldValueInput
from api.mutations import mutation


@strawberry.type(description="Something this shop wants to know of its contacts.")
class ContactField(Field):
    pass


@strawberry.type
class ContactFieldValue:
    field: ContactField
    value: str


@strawberry.input(description="Null takes the value away.")
class ContactFieldValueInput(FieldValueInput):
    pass


@strawberry.input(description=fields.NEW)
class ContactFieldSaveInput(FieldSaveInput):
    pass


@strawberry.input(description=fields.ARCHIVED)
class ContactFieldArchiveInput(FieldArchiveInput):
    pass


@strawberry.type
class ContactFieldPayload:
    contact_field: ContactField | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _contact_fields(info: Info, archived: bool = False) -> list[ContactField]:
    return await fields.listed(info, ContactField, archived)


async def _field_save(info: Info, input: ContactFieldSaveInput) -> ContactFieldPayload:
    return ContactFieldPayload(contact_field=await fields.saved(info, ContactField, input))


async def _field_archive(info: Info, input: ContactFieldArchiveInput) -> ContactFieldPayload:
    return ContactFieldPayload(contact_field=await fields.archived(info, ContactField, input))


@strawberry.type
class ContactFieldQueries:
    contact_fields: list[ContactField] = strawberry.field(resolver=_contact_fields, description=fields.LISTED)


@strawberry.type
class ContactFieldMutations:
    contact_field_save: ContactFieldPayload = mutation(resolver=_field_save)
    contact_field_archive: ContactFieldPayload = mutation(resolver=_field_archive)

"""The fields that an admin defines for tickets, and their values."""

import strawberry

from api import fields
from api.context import Info
from api.errors import UserError
from api.fields import Field, FieldArchiveInput, FieldSaveInput, FieldValueInput
from api.mutations import mutation


@strawberry.type(description="Something this shop wants to know of its tickets.")
class TicketField(Field):
    pass


@strawberry.type
class TicketFieldValue:
    field: TicketField
    value: str


@strawberry.input(description="Null takes the value away.")
class TicketFieldValueInput(FieldValueInput):
    pass


@strawberry.input(description=fields.NEW)
class TicketFieldSaveInput(FieldSaveInput):
    pass


@strawberry.input(description=fields.ARCHIVED)
class TicketFieldArchiveInput(FieldArchiveInput):
    pass


@strawberry.type
class TicketFieldPayload:
    ticket_field: TicketField | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _ticket_fields(info: Info, archived: bool = False) -> list[TicketField]:
    return await fields.listed(info, TicketField, archived)


async def _field_save(info: Info, input: TicketFieldSaveInput) -> TicketFieldPayload:
    return TicketFieldPayload(ticket_field=await fields.saved(info, TicketField, input))


async def _field_archive(info: Info, input: TicketFieldArchiveInput) -> TicketFieldPayload:
    return TicketFieldPayload(ticket_field=await fields.archived(info, TicketField, input))


@strawberry.type
class TicketFieldQueries:
    ticket_fields: list[TicketField] = strawberry.field(resolver=_ticket_fields, description=fields.LISTED)


@strawberry.type
class TicketFieldMutations:
    ticket_field_save: TicketFieldPayload = mutation(resolver=_field_save)
    ticket_field_archive: TicketFieldPayload = mutation(resolver=_field_archive)

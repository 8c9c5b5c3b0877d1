"""What somebody wants to change on tickets: on some at once, or on many in the background."""

from dataclasses import replace
from datetime import datetime

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.desk.ticket_fields import TicketField, TicketFieldValueInput
from api.fields import spelled
from domain.desk.tickets import TicketStatus
from domain.ids import row_id
from domain.working.changing import Change


@strawberry.input
class TicketChangeInput:
    status: TicketStatus | None = None
    priority: int | None = None
    add_tags: list[str] | None = None
    remove_tags: list[str] | None = None
    fields: list[TicketFieldValueInput] | None = None
    pending_until: strawberry.Maybe[datetime | None] = strawberry.field(
        description="The ticket sleeps until then, at most a year, or until the customer writes; null wakes it."
    )


async def asked_change(session: AsyncSession, input: TicketChangeInput) -> Change:
    until = input.pending_until
    return Change(
        status=input.status,
        priority=input.priority,
        add_tags=input.add_tags or [],
        remove_tags=input.remove_tags or [],
        fields=await spelled(session, TicketField, input.fields) if input.fields else {},
        sleeps_until=until.value if until else None,
        wakes=until is not None and until.value is None,
    )


def asked_assignee(change: Change, given: strawberry.Maybe[strawberry.ID | None]) -> Change:
    """Along with who is to have the tickets."""
    if given is None:
        return change
    id = row_id("Agent", given.value, field="assigneeId") if given.value else None
    return replace(change, assigns=True, assignee_id=id)

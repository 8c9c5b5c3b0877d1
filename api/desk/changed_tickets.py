"""What mutations of tickets share: which they hold, how it is taken back, and what they answer."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent
from api.answering.messages import undo_for
from api.context import Info
from api.desk.tickets import MOST_AT_ONCE, Ticket, held, tickets_by_id
from api.errors import UserError
from api.selection import wanted
from domain.actors import Actor
from domain.db import Json
from domain.desk.tickets import Ticket as TicketRow
from domain.errors import InvalidInput
from domain.ids import public_id, row_id
from domain.languages import N_
from domain.working import edits


@strawberry.type
class TicketPayload:
    ticket: Ticket | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class TicketsPayload:
    tickets: list[Ticket] = strawberry.field(default_factory=list)
    conflict: Agent | None = strawberry.field(default=None, description="Who has the ticket, unexpectedly.")
    merge_id: strawberry.ID | None = strawberry.field(
        default=None, description="Of a merge or a move: what `joinUndo` takes."
    )
    change_id: strawberry.ID | None = strawberry.field(
        default=None,
        description="What `changeUndo` takes, until `undoUntil`; null where nothing was changed that it could take back.",
    )
    undo_until: datetime | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


AnId = TypeVar("AnId", bound=str)


async def held_tickets(
    session: AsyncSession, ids: list[strawberry.ID], actor: Actor, *, field: str = "ids"
) -> list[TicketRow]:
    """Each once: several may have become part of one."""
    found = [await held(session, id, actor, field=field) for id in few_tickets(ids, field=field)]
    return list(dict.fromkeys(found))


def few_tickets(ids: list[strawberry.ID], *, field: str = "ids") -> list[strawberry.ID]:
    """In the order in which everybody holds tickets: two people who change the same ones do not wait for each other in a circle."""
    if len(ids) > MOST_AT_ONCE:
        raise InvalidInput(N_("At most {most} tickets at once."), field=[field], most=MOST_AT_ONCE)
    return in_order(dict.fromkeys(ids, field))


def in_order(fields: Mapping[AnId, str]) -> list[AnId]:
    """Ids of tickets, each with the field that names it, as the rows lie; the letters of an id are in another order."""
    return sorted(fields, key=lambda id: row_id("Ticket", id, field=fields[id]))


Pictures = list[tuple[TicketRow, Json]]
"""Tickets in hand, each as it was before."""


def pictures(tickets: Sequence[TicketRow]) -> Pictures:
    return [(ticket, edits.picture(ticket)) for ticket in tickets]


async def kept_for_undo(
    info: Info, session: AsyncSession, before: Pictures, actor: Actor, now: datetime
) -> Json:
    """What a change of these tickets has come to, and how to take it back."""
    done: Json = {"tickets": [str(ticket.id) for ticket, _ in before]}
    edit = await edits.keep(session, before, by=actor, at=now, undo_for=undo_for(info))
    if edit and edit.undo_until:
        done |= {"change": str(edit.id), "undo_until": edit.undo_until.isoformat()}
    return done


async def tickets_payload(info: Info, done: Json) -> TicketsPayload:
    async with info.context.reading() as reading:
        ids = [uuid.UUID(id) for id in done["tickets"]]
        found = await tickets_by_id(reading, ids, wanted(info).below("tickets"))
    return TicketsPayload(
        tickets=[found[id] for id in ids if id in found],
        merge_id=strawberry.ID(public_id("Move", uuid.UUID(done["move"]))) if "move" in done else None,
        change_id=strawberry.ID(public_id("Change", uuid.UUID(done["change"]))) if "change" in done else None,
        undo_until=datetime.fromisoformat(done["undo_until"]) if "change" in done else None,
    )

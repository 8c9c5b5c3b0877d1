"""Changes of many tickets at once, and taking changes back."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading, plain
from api.desk.tickets import Ticket, tickets_by_id
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from api.selection import Selection, wanted
from api.working.changing import TicketChangeInput, asked_assignee, asked_change
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json
from domain.ids import public_id, row_id
from domain.working import bulk, undoing
from domain.working.edits import FIELD, Edit, EditedTicket, EditState, Outcome

strawberry.enum(EditState, name="BulkState")


@strawberry.type(description="`error`: the code of a refusal, as `userErrors` would have it.")
class BulkFailure:
    ticket_id: strawberry.ID
    ticket: Ticket | None
    error: str


@strawberry.type(
    description="What was not taken back, because somebody has changed it since, or because one does not see the ticket any more: "
    "`status`, `priority`, `assignee`, `policy`, `tags`, or the id of a field."
)
class KeptChange:
    ticket_id: strawberry.ID
    ticket: Ticket | None
    what: list[str]


@strawberry.type(description="One change of up to 500 tickets, made in the background.")
class BulkChange(Node):
    state: EditState
    total: int
    done: int = strawberry.field(
        description="Tickets whose turn has come: changed, or failed; while it is taken back, those that are as they were, too."
    )
    failed: list[BulkFailure] = strawberry.field(description="At most 500.")
    kept: list[KeptChange] = strawberry.field(description="Of a change that was taken back; at most 500.")
    created_at: datetime
    finished_at: datetime | None
    undo_until: datetime | None = strawberry.field(
        description="Until then `bulkUndo` takes it back; null while it runs (it may be stopped so) and when it was taken back."
    )


@strawberry.input(
    description="What is left out stays. The tickets are changed one after another, as if by hand."
)
class BulkChangeInput(TicketChangeInput):
    ids: list[strawberry.ID]
    assignee_id: strawberry.Maybe[strawberry.ID | None] = strawberry.field(description="Null: nobody's.")
    client_mutation_id: strawberry.ID


@strawberry.input
class BulkUndoInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.input(description="`id`: the `changeId` that `ticketUpdate` or `ticketAssign` answered.")
class ChangeUndoInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class BulkPayload:
    bulk_change: BulkChange | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type(description="`tickets` as they are now.")
class ChangeUndoPayload:
    tickets: list[Ticket] = strawberry.field(default_factory=list)
    kept: list[KeptChange] = strawberry.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _bulk_change(info: Info, input: BulkChangeInput) -> BulkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        wish = asked_assignee(await asked_change(session, input), input.assignee_id)
        ids = sorted({row_id("Ticket", id, field="ids") for id in input.ids})
        edit = await bulk.begin(session, ids, wish, by=actor, at=now)
        return {"bulk": str(edit.id)}

    return await _payload(info, await changed(info, input, change))


async def _bulk_undo(info: Info, input: BulkUndoInput) -> BulkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        edit = await undoing.undo_bulk(session, row_id("BulkChange", input.id), by=actor, at=now)
        return {"bulk": str(edit.id)}

    return await _payload(info, await changed(info, input, change))


async def _change_undo(info: Info, input: ChangeUndoInput) -> ChangeUndoPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        rows = await undoing.undo(session, row_id("Change", input.id), by=actor, at=now)
        return {"tickets": {str(row.ticket_id): row.kept for row in rows}}

    done = await changed(info, input, change)
    asked = wanted(info)
    ids = [uuid.UUID(id) for id in done["tickets"]]
    async with info.context.reading() as reading:
        found = await tickets_by_id(
            reading, ids, Selection(asked.below("tickets") | asked.below("kept", "ticket"))
        )
    return ChangeUndoPayload(
        tickets=[found[id] for id in ids if id in found],
        kept=[_kept(id, found.get(id), done["tickets"][str(id)]) for id in ids if done["tickets"][str(id)]],
    )


async def _payload(info: Info, done: Json) -> BulkPayload:
    async with info.context.reading() as reading:
        found = await _read(reading, uuid.UUID(done["bulk"]), wanted(info).below("bulkChange"))
    return BulkPayload(bulk_change=found)


async def _bulk(info: Info, id: strawberry.ID) -> BulkChange | None:
    async with info.context.reading() as reading:
        return await _read(reading, row_id("BulkChange", id), wanted(info))


async def _read(reading: Reading, id: uuid.UUID, selection: Selection) -> BulkChange | None:
    edits = select(Edit.__table__).where(Edit.id == id, may_see(Edit, reading.actor))
    row = (await reading.connection.execute(edits)).one_or_none()
    if row is None:
        return None
    told = select(EditedTicket.__table__).where(
        EditedTicket.edit_id == id, EditedTicket.state.in_((Outcome.FAILED, Outcome.KEPT))
    )
    special = (await reading.connection.execute(told.order_by(EditedTicket.place))).all()
    waits = {EditState.RUNNING: Outcome.WAITING, EditState.UNDOING: Outcome.DONE}.get(row.state)
    left = select(func.count()).where(EditedTicket.edit_id == id, EditedTicket.state == waits)
    waiting = await reading.connection.scalar(left) if waits else 0
    below = Selection(selection.below("failed", "ticket") | selection.below("kept", "ticket"))
    tickets = await tickets_by_id(reading, {one.ticket_id for one in special}, below) if below else {}
    return plain(
        BulkChange,
        {
            "id": public_id("BulkChange", row.id),
            "state": row.state,
            "total": row.total,
            "done": row.total - (waiting or 0),
            "failed": _failures(special, tickets),
            "kept": [
                _kept(one.ticket_id, tickets.get(one.ticket_id), one.kept)
                for one in special
                if one.state == Outcome.KEPT
            ],
            "created_at": row.at,
            "finished_at": row.finished_at,
            "undo_until": row.undo_until if row.state == EditState.DONE else None,
        },
    )


def _failures(rows: Sequence[Any], tickets: dict[uuid.UUID, Ticket]) -> list[BulkFailure]:
    return [
        BulkFailure(
            ticket_id=strawberry.ID(public_id("Ticket", row.ticket_id)),
            ticket=tickets.get(row.ticket_id),
            error=row.error,
        )
        for row in rows
        if row.state == Outcome.FAILED
    ]


def _kept(id: uuid.UUID, ticket: Ticket | None, names: Iterable[str]) -> KeptChange:
    what = [
        public_id("TicketField", uuid.UUID(name.removeprefix(FIELD))) if name.startswith(FIELD) else name
        for name in names
    ]
    return KeptChange(ticket_id=strawberry.ID(public_id("Ticket", id)), ticket=ticket, what=what)


@strawberry.type
class BulkQueries:
    bulk_change: BulkChange | None = strawberry.field(
        resolver=_bulk, description="How far it is. One's own, and for who manages anybody's; kept for a day."
    )


@strawberry.type
class BulkMutations:
    bulk_change: BulkPayload = mutation(resolver=_bulk_change)
    bulk_undo: BulkPayload = mutation(
        resolver=_bulk_undo,
        description="In the background too. What has not been done yet is not done any more.",
    )
    change_undo: ChangeUndoPayload = mutation(
        resolver=_change_undo,
        description="Takes back what one has changed by hand a moment ago, as far as nobody has changed it since.",
    )

"""Tickets that may be one matter, and making them one; moving a conversation; and taking any of it back."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading
from api.desk.changed_tickets import TicketsPayload, in_order, tickets_payload
from api.desk.tickets import held
from api.joining.merging import few
from api.mutations import changed, mutation
from api.node import Node
from api.selection import Selection
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json, one_of
from domain.desk import messages, threads
from domain.desk.tickets import Ticket as TicketRow
from domain.errors import InvalidInput, NotFound
from domain.ids import public_id, row_id, typed
from domain.joining import merging, moves, splitting, suggestions, undoing
from domain.joining.moves import MoveKind
from domain.joining.reasons import sentence
from domain.languages import N_

if TYPE_CHECKING:
    from api.desk.tickets import Ticket

BY_TICKETS = frozenset(MoveKind) - {MoveKind.CONTACT_MERGE}
"""What `joinUndo` takes back; contacts have an undo of their own, with its own right."""


@strawberry.type(description="Another ticket that may be the same matter. `ticketMerge` accepts it.")
class TicketSuggestion(Node):
    ticket: Annotated["Ticket", strawberry.lazy("api.desk.tickets")]
    code: str
    text: str
    score: float = strawberry.field(description="From 0 to 1: how likely, by what speaks for it.")


@strawberry.input(description="`primaryId` stays; the others become part of it.")
class TicketMergeInput:
    primary_id: strawberry.ID
    other_ids: list[strawberry.ID]
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="A whole conversation, or one from a message or call on with all that follows. Without `ticketId` to a new ticket."
)
class ThreadMoveInput:
    thread_id: strawberry.ID | None = None
    from_item_id: strawberry.ID | None = None
    ticket_id: strawberry.ID | None = None
    client_mutation_id: strawberry.ID


@strawberry.input(description="`eventId`: of a thread's `joinedBecause`, or the `mergeId` of tickets.")
class JoinUndoInput:
    event_id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.input
class SuggestionDismissInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


async def suggestions_of(
    reading: Reading, ticket_ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[TicketSuggestion]]:
    """By ticket, the likeliest first: those that nobody has decided about, whose other ticket this person sees."""
    from api.desk.tickets import tickets_by_id

    kept = suggestions.Suggestion
    rows = await reading.connection.execute(
        select(kept.__table__, TicketRow.id.label("current_id"))
        .join(
            TicketRow,
            or_(
                (TicketRow.id == kept.other_id) & one_of(kept.ticket_id, ticket_ids),
                (TicketRow.id == kept.ticket_id) & one_of(kept.other_id, ticket_ids),
            ),
        )
        .where(
            kept.decided_at.is_(None), TicketRow.merged_into_id.is_(None), may_see(TicketRow, reading.actor)
        )
        .order_by(kept.score.desc(), kept.id)
    )
    found = rows.all()
    others = await tickets_by_id(reading, {row.current_id for row in found}, selection.below("ticket"))
    told: dict[uuid.UUID, list[TicketSuggestion]] = {}
    for row in found:
        about = row.ticket_id if row.current_id == row.other_id else row.other_id
        told.setdefault(about, []).append(
            TicketSuggestion(
                id=strawberry.ID(public_id("TicketSuggestion", row.id)),
                ticket=others[row.current_id],
                code=row.code.value.upper(),
                text=sentence(row.code, reading.locale, value=row.value),
                score=row.score,
            )
        )
    return told


async def _ticket_merge(info: Info, input: TicketMergeInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        await moves.hold(session)
        ids = few(input.other_ids)
        fields = {input.primary_id: "primaryId"} | {id: "otherIds" for id in ids}
        found = {id: await held(session, id, actor, field=fields[id]) for id in in_order(fields)}
        others = [found[id] for id in ids]
        move = await merging.merge_tickets(session, found[input.primary_id], others, by=actor, at=now)
        return {"tickets": [str(found[input.primary_id].id)], "move": str(move.id)}

    return await tickets_payload(info, await changed(info, input, change))


async def _thread_move(info: Info, input: ThreadMoveInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        await moves.hold(session)
        to = await held(session, input.ticket_id, actor) if input.ticket_id else None
        first = await _first(session, input, actor)
        thread = await _thread(session, input, first, actor)
        before = thread.ticket_id
        move = await splitting.move(session, thread, to, by=actor, at=now, after=first)
        moved = await session.get_one(threads.Thread, first.thread_id if first else thread.id)
        return {"tickets": [str(moved.ticket_id), str(before)], "move": str(move.id)}

    return await tickets_payload(info, await changed(info, input, change))


async def _first(session: AsyncSession, input: ThreadMoveInput, actor: Actor) -> messages.Item | None:
    if input.from_item_id is None:
        return None
    named = typed(input.from_item_id)
    if named is None or named[0] not in ("Message", "Call"):
        raise NotFound(field=["fromItemId"])
    return await access.one(session, messages.Item, named[1], to=actor)


async def _thread(
    session: AsyncSession, input: ThreadMoveInput, first: messages.Item | None, actor: Actor
) -> threads.Thread:
    if input.thread_id:
        id = row_id("Thread", input.thread_id, field="threadId")
    elif first and first.thread_id:
        id = first.thread_id
    else:
        raise InvalidInput(N_("Say which conversation moves: threadId, or fromItemId."), field=["threadId"])
    return await access.one(session, threads.Thread, id, to=actor)


async def _join_undo(info: Info, input: JoinUndoInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        named = typed(input.event_id)
        if named and named[0] == "Thread":  # a rule put it there: it gets a ticket of its own
            thread = await access.one(session, threads.Thread, named[1], to=actor)
            before = thread.ticket_id
            await splitting.move(session, thread, None, by=actor, at=now)
            return {"tickets": [str(before), str(thread.ticket_id)]}
        move_id = row_id("Move", input.event_id, field="eventId")
        undone = await undoing.undo(session, move_id, BY_TICKETS, by=actor, at=now)
        return {"tickets": [str(id) for id in undone.ticket_ids]}

    return await tickets_payload(info, await changed(info, input, change))


async def _suggestion_dismiss(info: Info, input: SuggestionDismissInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        id = row_id("TicketSuggestion", input.id)
        suggestion = await session.get(suggestions.Suggestion, id, with_for_update=True)
        if suggestion is None:
            raise NotFound(field=["id"])
        for ticket_id in (suggestion.ticket_id, suggestion.other_id):
            await access.one(session, TicketRow, ticket_id, to=actor)
        suggestion.dismiss(by=actor, at=now)
        return {"tickets": [str(suggestion.ticket_id)]}

    return await tickets_payload(info, await changed(info, input, change))


@strawberry.type
class JoiningMutations:
    ticket_merge: TicketsPayload = mutation(resolver=_ticket_merge)
    thread_move: TicketsPayload = mutation(resolver=_thread_move)
    join_undo: TicketsPayload = mutation(
        resolver=_join_undo,
        description="Takes back a merge, a split or a move, within 30 days; a conversation that a rule joined gets a ticket of its own.",
    )
    suggestion_dismiss: TicketsPayload = mutation(
        resolver=_suggestion_dismiss, description="These are two matters: it is not suggested again."
    )

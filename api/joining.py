"""Merging, moving and splitting, with a preview and an undo; and what may belong together, for a person to say."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.contacts import Contact, contacts_by_id, read_contact, seen_contacts
from api.context import Info, Reading
from api.errors import UserError
from api.handling import TicketsPayload, tickets_payload
from api.linking import ContactPayload
from api.mutations import changed, mutation
from api.node import Node
from api.selection import Selection, wanted
from api.tickets import held
from domain import (
    access,
    contacts,
    duplicates,
    merging,
    messages,
    moves,
    splitting,
    suggestions,
    threads,
    undoing,
)
from domain.access import may_see
from domain.actors import Actor
from domain.db import Json, one_of
from domain.errors import InvalidInput, NotFound
from domain.ids import public_id, row_id, typed
from domain.languages import N_
from domain.reasons import duplicate_sentence, suggestion_sentence
from domain.tickets import Ticket as TicketRow

if TYPE_CHECKING:
    from api.tickets import Ticket

MOST_AT_ONCE = 10


@strawberry.type(description="Another ticket that may be the same matter. `ticketMerge` accepts it.")
class TicketSuggestion(Node):
    ticket: Annotated["Ticket", strawberry.lazy("api.tickets")]
    code: str
    text: str
    score: float = strawberry.field(description="From 0 to 1: how likely, by what speaks for it.")


@strawberry.type(description="Another contact that may be the same person.")
class MergeCandidate:
    contact: Contact
    score: float = strawberry.field(description="From 0 to 1: how likely, by what speaks for it.")
    reasons: list[str]


@strawberry.type(description="A field in which the contacts differ.")
class FieldConflict:
    field: str
    values: list[str]
    chosen: str = strawberry.field(description="What the survivor has if nothing is chosen.")


@strawberry.type(description="What a merge would do. Nothing is changed.")
class MergePreview:
    result: Contact = strawberry.field(description="The contact that stays, as it is now.")
    conflicts: list[FieldConflict]
    tickets_moved: int
    identities_moved: int
    undo_until: datetime


@strawberry.input
class FieldChoice:
    field: str
    value: str


@strawberry.input(description="`primaryId` stays; the others become it.")
class ContactMergeInput:
    primary_id: strawberry.ID
    other_ids: list[strawberry.ID]
    choices: list[FieldChoice] = strawberry.field(default_factory=list)
    client_mutation_id: strawberry.ID


@strawberry.input
class ContactUnmergeInput:
    merge_id: strawberry.ID
    client_mutation_id: strawberry.ID


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


@strawberry.input(description="`eventId`: of a thread's `joinedBecause`, or a `mergeId`.")
class JoinUndoInput:
    event_id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.input
class SuggestionDismissInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.input(description="These are two people.")
class MergeDismissInput:
    contact_id: strawberry.ID
    other_id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class MergePayload:
    contact: Contact | None = None
    merge_id: strawberry.ID | None = strawberry.field(
        default=None, description="What `contactUnmerge` takes."
    )
    undo_until: datetime | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def suggestions_of(
    reading: Reading, ticket_ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[TicketSuggestion]]:
    """By ticket, the likeliest first: those that nobody has decided about, whose other ticket this person sees."""
    from api.tickets import tickets_by_id

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
                text=suggestion_sentence(row.code, reading.locale, row.value),
                score=row.score,
            )
        )
    return told


async def candidates_of(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[MergeCandidate]]:
    """By contact, those whom this person sees."""
    found = await duplicates.duplicates_of(reading.connection, ids)
    others = {one.contact_id for group in found.values() for one in group}
    seen = await seen_contacts(reading, others)
    shown = await contacts_by_id(reading, set(seen.values()), selection.below("contact"))
    return {
        id: [
            MergeCandidate(
                contact=shown[one.contact_id],
                score=one.score,
                reasons=[duplicate_sentence(code, reading.locale, value) for code, value in one.reasons],
            )
            for one in group
            if one.contact_id in shown
        ]
        for id, group in found.items()
    }


async def _merge_preview(
    info: Info, primary_id: strawberry.ID, other_ids: list[strawberry.ID]
) -> MergePreview | None:
    asked = [row_id("Contact", id) for id in (primary_id, *_few(other_ids))]
    async with info.context.reading() as reading:
        seen = await seen_contacts(reading, asked)
        ids = list(dict.fromkeys(seen[id] for id in asked if id in seen))
        if len(ids) != len(asked):
            return None
        shown = await contacts_by_id(reading, ids[:1], wanted(info).below("result"))
        rows = await reading.connection.execute(
            select(contacts.Contact.__table__).where(one_of(contacts.Contact.id, ids))
        )
        people = {row.id: row for row in rows}
        moved = {
            model: await reading.connection.scalar(
                select(func.count()).where(one_of(model.contact_id, ids[1:]))
            )
            for model in (TicketRow, contacts.Identity)
        }
    return MergePreview(
        result=shown[ids[0]],
        conflicts=_conflicts([people[id] for id in ids]),
        tickets_moved=moved[TicketRow] or 0,
        identities_moved=moved[contacts.Identity] or 0,
        undo_until=reading.at + moves.UNDO_WITHIN,
    )


def _conflicts(people: Sequence[Any]) -> list[FieldConflict]:
    """The survivor's own first: it keeps what it has, and takes what it lacks."""
    found = []
    for field in merging.FIELDS:
        values = list(dict.fromkeys(value for row in people if (value := getattr(row, field))))
        if len(values) > 1:
            found.append(FieldConflict(field=field, values=values, chosen=values[0]))
    return found


async def _contact_merge(info: Info, input: ContactMergeInput) -> MergePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        await moves.hold(session)  # before any row: who undoes holds them in this order too
        primary, *others = [
            await access.contact(session, row_id("Contact", id, field=field), to=actor, lock=True)
            for field, id in (
                ("primaryId", input.primary_id),
                *(("otherIds", id) for id in _few(input.other_ids)),
            )
        ]
        chosen = {one.field: one.value for one in input.choices}
        if unknown := set(chosen) - set(merging.FIELDS):
            raise InvalidInput(N_("There is no such field: {name}."), field=["choices"], name=min(unknown))
        if any(
            value not in [getattr(one, field) for one in (primary, *others)]
            for field, value in chosen.items()
        ):
            raise InvalidInput(N_("Choose a value that one of the contacts has."), field=["choices"])
        move = await merging.merge_contacts(session, primary, others, by=actor, at=now, chosen=chosen)
        return {"contact": str(primary.id), "move": str(move.id), "until": move.undo_until.isoformat()}

    done = await changed(info, input, change)
    return MergePayload(
        contact=await read_contact(info, done["contact"]),
        merge_id=strawberry.ID(public_id("Move", uuid.UUID(done["move"]))),
        undo_until=datetime.fromisoformat(done["until"]),
    )


async def _contact_unmerge(info: Info, input: ContactUnmergeInput) -> MergePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        move_id = row_id("Move", input.merge_id, field="mergeId")
        undone = await undoing.undo(session, move_id, by=actor, at=now, field="mergeId")
        return {"contact": str(undone.contact_id)}

    done = await changed(info, input, change)
    return MergePayload(contact=await read_contact(info, done["contact"]))


async def _ticket_merge(info: Info, input: TicketMergeInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        await moves.hold(session)
        fields = {input.primary_id: "primaryId"} | {id: "otherIds" for id in _few(input.other_ids)}
        found = {id: await held(session, id, actor, field=fields[id]) for id in sorted(fields)}
        others = [found[id] for id in fields if id != input.primary_id]
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
        undone = await undoing.undo(session, move_id, by=actor, at=now)
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


async def _merge_dismiss(info: Info, input: MergeDismissInput) -> ContactPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        both = [
            await access.contact(session, row_id("Contact", id, field=field), to=actor)
            for field, id in (("contactId", input.contact_id), ("otherId", input.other_id))
        ]
        if both[0].id == both[1].id:
            raise InvalidInput(N_("This is one contact, not two."), field=["otherId"])
        await duplicates.are_two(session, both[0].id, both[1].id, by=actor, at=now)
        return {"contact": str(both[0].id)}

    done = await changed(info, input, change)
    return ContactPayload(contact=await read_contact(info, done["contact"]))


def _few(ids: list[strawberry.ID]) -> list[strawberry.ID]:
    if not 0 < len(set(ids)) <= MOST_AT_ONCE:
        raise InvalidInput(N_("From 1 to {most} at once."), field=["otherIds"], most=MOST_AT_ONCE)
    return list(dict.fromkeys(ids))


@strawberry.type
class JoiningQueries:
    merge_preview: MergePreview | None = strawberry.field(
        resolver=_merge_preview, description="Null where one of the contacts is not for these eyes."
    )


@strawberry.type
class JoiningMutations:
    contact_merge: MergePayload = mutation(resolver=_contact_merge)
    contact_unmerge: MergePayload = mutation(resolver=_contact_unmerge)
    merge_dismiss: ContactPayload = mutation(
        resolver=_merge_dismiss, description="These are two people: it is not suggested again."
    )
    ticket_merge: TicketsPayload = mutation(resolver=_ticket_merge)
    thread_move: TicketsPayload = mutation(resolver=_thread_move)
    join_undo: TicketsPayload = mutation(
        resolver=_join_undo,
        description="Takes back a merge, a split or a move, within 30 days; a conversation that a rule joined gets a ticket of its own.",
    )
    suggestion_dismiss: TicketsPayload = mutation(
        resolver=_suggestion_dismiss, description="These are two matters: it is not suggested again."
    )

"""Contacts that may be one person, and making them one: with a preview and an undo."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info, Reading
from api.customers.contacts import Contact, contacts_now, read_contact, seen_contacts
from api.errors import UserError
from api.joining.linking import ContactPayload
from api.mutations import changed, mutation
from api.selection import Selection, wanted
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.customers import contacts, duplicates
from domain.db import Json, one_of
from domain.desk.tickets import Ticket
from domain.errors import InvalidInput
from domain.gathering import gathered
from domain.ids import public_id, row_id
from domain.joining import merging, moves, undoing
from domain.joining.moves import MoveKind
from domain.joining.reasons import sentence
from domain.languages import N_

MOST_AT_ONCE = 10


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


async def candidates_of(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[MergeCandidate]]:
    """By contact, those whom this person sees."""
    found = await duplicates.duplicates_of(reading.connection, ids, to=reading.actor)
    others = {one.contact_id for group in found.values() for one in group}
    seen, people = await gathered(
        seen_contacts(reading, others), contacts_now(reading, others, selection.below("contact"))
    )
    shown = {id: contact for id, contact in people.items() if id in seen}
    return {
        id: [
            MergeCandidate(
                contact=shown[one.contact_id],
                score=one.score,
                reasons=[sentence(code, reading.locale, value=value) for code, value in one.reasons],
            )
            for one in group
            if one.contact_id in shown
        ]
        for id, group in found.items()
    }


async def _merge_preview(
    info: Info, primary_id: strawberry.ID, other_ids: list[strawberry.ID]
) -> MergePreview | None:
    asked = [row_id("Contact", id) for id in (primary_id, *few(other_ids))]
    async with info.context.reading() as reading:
        seen = await seen_contacts(reading, asked)
        ids = list(dict.fromkeys(seen[id] for id in asked if id in seen))
        if len(ids) != len(asked):
            return None
        theirs = select(contacts.Contact.__table__).where(one_of(contacts.Contact.id, ids))
        tickets = select(func.count()).where(
            one_of(Ticket.contact_id, ids[1:]),
            Ticket.merged_into_id.is_(None),
            may_see(Ticket, reading.actor),
        )
        identities = select(func.count()).where(one_of(contacts.Identity.contact_id, ids[1:]))
        shown, rows, *moved = await gathered(
            contacts_now(reading, ids[:1], wanted(info).below("result")),
            reading.connection.execute(theirs),
            reading.connection.scalar(tickets),
            reading.connection.scalar(identities),
        )
        people = {row.id: row for row in rows}
    return MergePreview(
        result=shown[ids[0]],
        conflicts=_conflicts([people[id] for id in ids]),
        tickets_moved=moved[0],
        identities_moved=moved[1],
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
                *(("otherIds", id) for id in few(input.other_ids)),
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
        undone = await undoing.undo(
            session, move_id, {MoveKind.CONTACT_MERGE}, by=actor, at=now, field="mergeId"
        )
        return {"contact": str(undone.contact_id)}

    done = await changed(info, input, change)
    return MergePayload(contact=await read_contact(info, done["contact"]))


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


def few(ids: list[strawberry.ID]) -> list[strawberry.ID]:
    if not 0 < len(set(ids)) <= MOST_AT_ONCE:
        raise InvalidInput(N_("From 1 to {most} at once."), field=["otherIds"], most=MOST_AT_ONCE)
    return list(dict.fromkeys(ids))


@strawberry.type
class MergeQueries:
    merge_preview: MergePreview | None = strawberry.field(
        resolver=_merge_preview, description="Null where one of the contacts is not for these eyes."
    )


@strawberry.type
class MergeMutations:
    contact_merge: MergePayload = mutation(resolver=_contact_merge)
    contact_unmerge: MergePayload = mutation(resolver=_contact_unmerge)
    merge_dismiss: ContactPayload = mutation(
        resolver=_merge_dismiss, description="These are two people: it is not suggested again."
    )

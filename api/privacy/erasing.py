"""A contact's erasure: what it would take, who asked for it, and how far it is. Sealed data is not to be had here."""

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent, agents_by_id
from api.context import Info, Reading, plain
from api.customers.contacts import seen_contacts
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from api.paging import page_size
from api.scalars import BigInt
from domain import access, shop
from domain.access import may_see
from domain.actors import Actor, Role
from domain.customers.contacts import Contact
from domain.customers.survivors import same_person
from domain.db import Json
from domain.errors import NotAllowed, NotFound
from domain.ids import public_id, row_id
from domain.joining import moves
from domain.languages import translate
from domain.privacy import erasure, erasure_plan
from domain.privacy.erasure import ErasureState, state_of

strawberry.enum(ErasureState)


@strawberry.type(description="What lies in one table, or is kept as one thing.")
class ErasureShare:
    what: str = strawberry.field(description="A stable word.")
    count: int | None = strawberry.field(description="Rows; null for what cannot be counted.")
    text: str = strawberry.field(description="In the caller's language.")


@strawberry.type(description="What an erasure would do now. Nothing is done.")
class ErasurePlan:
    contact_id: strawberry.ID
    taken: list[ErasureShare]
    kept: list[ErasureShare] = strawberry.field(description="What stays, and why.")
    open_tickets: int = strawberry.field(description="They are closed first.")
    stored_bytes: BigInt = strawberry.field(description="Of attached files.")
    shared_originals: int = strawberry.field(
        description="Of the originals, those in which other people's messages came too; these stay in them."
    )
    sealed_days: int = strawberry.field(description="How long it would be kept sealed; 0: destroyed at once.")


@strawberry.type(description="An erasure that was asked for.")
class Erasure(Node):
    contact_id: strawberry.ID
    state: ErasureState
    asked_at: datetime
    asked_by: Agent | None = strawberry.field(description="Null: by the command line.")
    confirmed_at: datetime | None
    confirmed_by: Agent | None
    sealed_at: datetime | None
    destroy_at: datetime | None = strawberry.field(description="When what is sealed is destroyed.")
    destroyed_at: datetime | None
    taken: list[ErasureShare]


async def _erasure_plan(info: Info, contact_id: strawberry.ID) -> ErasurePlan:
    asked = row_id("Contact", contact_id, field="contactId")
    async with info.context.reading() as reading:
        held = await _held(reading, asked)
        days, _ = await shop.erasing(reading.connection)
        made = await erasure_plan.plan(reading.connection, held)
    return ErasurePlan(
        contact_id=strawberry.ID(public_id("Contact", held)),
        taken=[_share(reading, share.what, share.count, share.sentence) for share in made.taken],
        kept=[_share(reading, share.what, share.count, share.sentence) for share in made.kept],
        open_tickets=made.open_tickets,
        stored_bytes=BigInt(made.stored_bytes),
        shared_originals=made.shared_originals,
        sealed_days=days,
    )


async def _held(reading: Reading, asked: uuid.UUID) -> uuid.UUID:
    """The contact that this one became, or still is, and that names somebody still."""
    seen = (await seen_contacts(reading, [asked])).get(asked)
    there = select(Contact.id).where(Contact.id == seen, Contact.erased_at.is_(None))
    if await reading.connection.scalar(there) is None:
        raise NotFound(field=["contactId"])
    return cast(uuid.UUID, seen)


def _share(reading: Reading, what: str, count: int | None, sentence: str) -> ErasureShare:
    return ErasureShare(what=what, count=count, text=translate(reading.locale, sentence))


async def _erasures(info: Info, contact_id: strawberry.ID | None = None, first: int = 25) -> list[Erasure]:
    row_of = erasure.Erasure
    async with info.context.reading() as reading:
        query = select(row_of.__table__).where(may_see(row_of, reading.actor))
        if contact_id:
            asked = row_id("Contact", contact_id, field="contactId")
            query = query.where(same_person(row_of.contact_id, asked))
        return await _shown(reading, query.order_by(row_of.id.desc()).limit(page_size(first)))


async def _shown(reading: Reading, query: Any) -> list[Erasure]:
    rows = (await reading.connection.execute(query)).all()
    ids = {id for row in rows for id in (row.asked_by_id, row.confirmed_by_id) if id}
    agents = await agents_by_id(reading, ids)
    return [_erasure(reading, row, agents) for row in rows]


def _erasure(reading: Reading, row: Any, agents: Mapping[Any, Agent]) -> Erasure:
    said = erasure_plan.TAKEN
    return plain(
        Erasure,
        {
            "id": public_id("Erasure", row.id),
            "contact_id": strawberry.ID(public_id("Contact", row.contact_id)),
            "state": state_of(row),
            "asked_at": row.asked_at,
            "asked_by": agents.get(row.asked_by_id) if row.asked_by_id else None,
            "confirmed_at": row.confirmed_at,
            "confirmed_by": agents.get(row.confirmed_by_id) if row.confirmed_by_id else None,
            "sealed_at": row.sealed_at,
            "destroy_at": row.destroy_at,
            "destroyed_at": row.destroyed_at,
            "taken": [
                _share(reading, what, count, said.get(what, what)) for what, count in row.emptied.items()
            ],
        },
    )


@strawberry.input(
    description="Without `confirm` it is only asked for, and an admin confirms it; `confirm` is for admins, who may ask and "
    "confirm at once unless the shop's `erasingTakesTwo` says otherwise."
)
class ContactEraseInput:
    contact_id: strawberry.ID
    confirm: bool = False
    client_mutation_id: strawberry.ID


@strawberry.input
class ErasureWithdrawInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class ErasurePayload:
    erasure: Erasure | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _contact_erase(info: Info, input: ContactEraseInput) -> ErasurePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if input.confirm and actor.role != Role.ADMIN:
            raise NotAllowed(field=["confirm"])
        if input.confirm:
            await moves.hold(session)  # before any row, as whoever makes contacts one
        id = row_id("Contact", input.contact_id, field="contactId")
        contact = await access.contact(session, id, to=actor)
        asked = await erasure.ask(session, contact, by=actor, at=now)
        if input.confirm:
            days, two = await shop.erasing(session)
            await asked.confirm(session, info.context.house.keys, by=actor, at=now, days=days, takes_two=two)
        return {"erasure": str(asked.id), "contact": str(contact.id)}

    return await _payload(info, await changed(info, input, change))


async def _erasure_withdraw(info: Info, input: ErasureWithdrawInput) -> ErasurePayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        asked = await access.one(session, erasure.Erasure, row_id("Erasure", input.id), to=actor, lock=True)
        asked.withdraw(at=now)
        return {"erasure": str(asked.id), "contact": str(asked.contact_id)}

    return await _payload(info, await changed(info, input, change))


async def _payload(info: Info, done: Json) -> ErasurePayload:
    row_of = erasure.Erasure
    async with info.context.reading() as reading:
        found = await _shown(reading, select(row_of.__table__).where(row_of.id == uuid.UUID(done["erasure"])))
    if not found:
        raise NotFound
    return ErasurePayload(erasure=found[0])


@strawberry.type
class ErasureQueries:
    erasure_plan: ErasurePlan = strawberry.field(
        resolver=_erasure_plan, description="A dry run: what an erasure would take, and what it would leave."
    )
    erasures: list[Erasure] = strawberry.field(resolver=_erasures, description="Newest first; at most 100.")


@strawberry.type
class ErasureMutations:
    contact_erase: ErasurePayload = mutation(
        resolver=_contact_erase,
        description="Takes away all that names or quotes a contact, in the background. There is no way back.",
    )
    erasure_withdraw: ErasurePayload = mutation(
        resolver=_erasure_withdraw, description="As long as nobody has confirmed it."
    )

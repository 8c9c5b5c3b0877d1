"""Calls: who spoke to whom, what came of it, and whom the number may belong to."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent, agents_by_id
from api.context import Info, Reading, by, nothing, plain
from api.desk.attachments import Attachment, attached_to
from api.errors import UserError
from api.mutations import changed, mutation
from api.node import Node
from api.scalars import BigInt
from api.selection import Selection
from domain import access
from domain.actors import Actor
from domain.calling import call_backs
from domain.calling.call_steps import NO_END, Told, standing
from domain.calling.dials import Dial, DialState
from domain.customers.contacts import Contact as ContactRow
from domain.customers.contacts import Identity, IdentityKind
from domain.db import Json, one_of
from domain.desk import messages
from domain.desk.messages import CallOutcome, CallState, Direction
from domain.desk.survivors import locked
from domain.errors import NotFound
from domain.gathering import gathered
from domain.ids import public_id, row_id
from domain.languages import as_said
from domain.ways_in.channels import Channel

if TYPE_CHECKING:
    from api.customers.contacts import Contact
    from api.desk.tickets import Ticket

strawberry.enum(CallState)
strawberry.enum(DialState, name="CallDialling")
strawberry.enum(CallOutcome, description="What came of a call, as whoever spoke or called says.")


@strawberry.type
class Call(Node):
    seq: BigInt
    ticket_id: strawberry.ID
    thread_id: strawberry.ID | None = strawberry.field(
        description="With `threadMove` it moves to another ticket, or with all that follows by this call's id as `fromItemId`."
    )
    direction: Direction
    state: CallState
    number: str = strawberry.field(description="As the line showed it: a caller's number proves nothing.")
    agent: Agent | None = strawberry.field(description="Who had it last.")
    agents: list[Agent] = strawberry.field(description="All who had it, in their order; at most 100.")
    at: datetime
    seconds: int | None = strawberry.field(
        description="Of talk, once it has ended; none where its end was never told."
    )
    answered_in_seconds: int | None = strawberry.field(
        description="How long it rang until somebody took it: the speed of answer."
    )
    dialling: DialState | None = strawberry.field(
        description="Of one that was begun here. `UNKNOWN`: somebody's telephone may have rung, and it is not tried again."
    )
    trouble: str | None = strawberry.field(
        description="Why a call that was begun here was not made, or is not known to have been; below it the provider's words."
    )
    cause: str | None = strawberry.field(
        description="Why it ended, in the provider's word; `no_end` where nobody told of its end."
    )
    voicemail: bool = strawberry.field(description="Did a machine take it?")
    pressed: list[str] = strawberry.field(description="Keys, in a spoken menu; at most 100.")
    dialled: str | None = strawberry.field(description="The number of ours that was called.")
    campaign: str | None = strawberry.field(description="Of the number that was dialled, as it was then.")
    source: str | None = strawberry.field(
        description="The advert, page or product on which that number stood."
    )
    language: str | None = strawberry.field(
        description="The contact's, or of the number that was dialled, or the line's."
    )
    notes: str
    outcome: CallOutcome | None
    recordings: list[Attachment]
    consent: str | None = strawberry.field(description="How the caller agreed to be recorded.")
    contact: Annotated["Contact", strawberry.lazy("api.customers.contacts")] | None = strawberry.field(
        description="On whom the call was placed by its number alone: not verified."
    )
    candidates: list[Annotated["Contact", strawberry.lazy("api.customers.contacts")]] = strawberry.field(
        description="Others who have this number, that this person sees; at most 20."
    )
    open_tickets: list[Annotated["Ticket", strawberry.lazy("api.desk.tickets")]] = strawberry.field(
        description="Of the contact and of the candidates, the newest first, that this person sees; at most 100 of each."
    )


MOST_CANDIDATES = 20

Calls = Mapping[uuid.UUID, Call]

_call = messages.Item.__table__.c


async def calls_of(reading: Reading, rows: Sequence[Any], selection: Selection) -> Calls:
    """Of rows of `history.ITEMS` that are calls, by their ids."""
    if not rows:
        return {}
    language = func.coalesce(ContactRow.locale, func.nullif(Channel.config["language"].astext, ""))
    told = (
        select(
            _call.id, _call.steps, _call.cause, _call.dialled, _call.campaign, _call.source,
            _call.outcome, language.label("language"), Dial.state.label("dialling"), Dial.last_error.label("trouble"),
        )
        .select_from(messages.Item.__table__)
        .join(ContactRow, ContactRow.id == _call.contact_id)
        .outerjoin(Channel, Channel.id == _call.channel_id)
        .outerjoin(Dial, Dial.call_id == _call.id)
        .where(one_of(_call.id, [row.id for row in rows]))
    )  # fmt: skip
    had_it = {row.id: _handlers(row) for row in rows}
    more, agents, recorded, around = await gathered(
        reading.connection.execute(told),
        agents_by_id(reading, [id for ids in had_it.values() for id in ids]),
        attached_to(reading, rows, _recordings(selection)),
        _around(reading, rows, selection),
    )
    known = {row.id: row for row in more}
    found = {
        row.id: _shown(
            row, known[row.id], [agents[id] for id in had_it[row.id] if id in agents], recorded.attachments, reading.locale
        )
        for row in rows
    }  # fmt: skip
    for id, its in around.items():
        vars(found[id]).update(its)
    return found


def _handlers(row: Any) -> list[uuid.UUID]:
    ids = [uuid.UUID(id) for id in row.handled_by or ()]
    return ids or ([row.agent_id] if row.agent_id else [])


def _recordings(selection: Selection) -> Selection:
    return Selection(attachments=selection.below("recordings")) if "recordings" in selection else Selection()


def _shown(
    row: Any, more: Any, agents: list[Agent], recordings: dict[uuid.UUID, list[Attachment]], locale: str
) -> Call:
    told = Told.from_json(more.steps) if more.steps else Told()
    talked = row.ended_at and row.answered_at and more.cause != NO_END and row.ended_at - row.answered_at
    return plain(
        Call,
        {
            "id": public_id("Call", row.id),
            "seq": row.seq,
            "at": row.at,
            "ticket_id": public_id("Ticket", row.ticket_id),
            "thread_id": public_id("Thread", row.thread_id) if row.thread_id else None,
            "direction": row.direction,
            "state": row.call_state,
            "number": row.number or "",
            "agent": agents[-1] if agents else None,
            "agents": agents,
            "seconds": max(0, int(talked.total_seconds())) if talked else None,
            "answered_in_seconds": (
                max(0, int((row.answered_at - row.at).total_seconds())) if row.answered_at else None
            ),
            "dialling": more.dialling,
            "trouble": as_said(locale, more.trouble),
            "cause": more.cause,
            "voicemail": standing(told).voicemail,
            "pressed": [key for _, key in sorted(told.pressed)],
            "dialled": more.dialled,
            "campaign": more.campaign,
            "source": more.source,
            "language": more.language,
            "notes": row.text,
            "outcome": more.outcome,
            "recordings": recordings.get(row.id, []),
            "consent": told.consent[1] if told.consent else None,
            "contact": None,
            "candidates": [],
            "open_tickets": [],
        },
    )


async def _around(
    reading: Reading, rows: Sequence[Any], selection: Selection
) -> dict[uuid.UUID, dict[str, Any]]:
    """By call: who may have called, and their open tickets."""
    from api.customers.contacts import contacts_now, seen_contacts
    from api.desk.tickets import open_tickets_of

    asked = {"contact", "candidates", "openTickets"} & selection.keys()
    if not asked:
        return {}
    asks_others = bool(asked & {"candidates", "openTickets"})
    theirs, others = await gathered(
        seen_contacts(reading, {row.contact_id for row in rows}),
        _candidates(reading, rows) if asks_others else nothing(),
    )
    survivors = await seen_contacts(reading, {id for ids in others.values() for id in ids}) if others else {}
    may_be = {
        row.id: [
            id
            for id in dict.fromkeys(survivors[other] for other in others.get(row.number, ()) if other in survivors)
            if id != theirs.get(row.contact_id)
        ][:MOST_CANDIDATES]
        for row in rows
    }  # fmt: skip
    wanted_ids = {*theirs.values(), *(id for ids in may_be.values() for id in ids)}
    below = Selection({**selection.below("contact"), **selection.below("candidates")})
    people, tickets = await gathered(
        contacts_now(reading, wanted_ids, below) if asked & {"contact", "candidates"} else nothing(),
        open_tickets_of(reading, wanted_ids, selection.below("openTickets"))
        if "openTickets" in asked
        else nothing(),
    )
    tickets_of = by("contact_id", tickets)
    found = {}
    for row in rows:
        own = theirs.get(row.contact_id)
        of = [*([own] if own else []), *may_be[row.id]]
        found[row.id] = {
            "contact": people.get(own) if own else None,
            "candidates": [people[id] for id in may_be[row.id] if id in people],
            "open_tickets": [ticket for id in of for ticket in tickets_of.get(id, [])],
        }
    return found


async def _candidates(reading: Reading, rows: Sequence[Any]) -> dict[str, list[uuid.UUID]]:
    """By number, the contacts that have it, merged ones among them."""
    numbers = {row.number for row in rows if row.number}
    if not numbers:
        return {}
    owners = await reading.connection.execute(
        select(Identity.value, Identity.contact_id)
        .where(Identity.kind == IdentityKind.PHONE, Identity.scope == "", one_of(Identity.value, numbers))
        .order_by(Identity.verified_at.is_(None), Identity.created_at)
    )
    found: dict[str, list[uuid.UUID]] = {}
    for value, contact_id in owners:
        found.setdefault(value, []).append(contact_id)
    return found


@strawberry.input(description="What is left out stays; an outcome of null takes it away.")
class CallUpdateInput:
    id: strawberry.ID
    notes: str | None = None
    outcome: strawberry.Maybe[CallOutcome | None]
    client_mutation_id: strawberry.ID


@strawberry.type
class CallPayload:
    call: Call | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _call_update(info: Info, input: CallUpdateInput) -> CallPayload:
    from api.desk.timeline import read_item

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        seen = await access.one(session, messages.Item, row_id("Call", input.id), to=actor)
        if not isinstance(seen, messages.Call):
            raise NotFound(field=["id"])
        ticket = await locked(session, seen.ticket_id)
        call = await session.get_one(messages.Call, seen.id, populate_existing=True)
        outcome = call.outcome if input.outcome is None else input.outcome.value
        call.note(input.notes, outcome, by=actor, at=now)
        if outcome in call_backs.SETTLED:
            await call_backs.finish(session, ticket, by=actor, at=now)
        return {"call": str(call.id)}

    done = await changed(info, input, change)
    return CallPayload(call=await read_item(info, done["call"], "call"))


@strawberry.type
class CallMutations:
    call_update: CallPayload = mutation(
        resolver=_call_update,
        description="What was said, and what came of it. Who was reached, helped, or is not there at all need not be called back.",
    )

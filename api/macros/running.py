"""What a macro would say to a customer, and putting it to work."""

import uuid
from datetime import datetime
from time import monotonic
from typing import Any

import strawberry
from sqlalchemy import inspect, update
from sqlalchemy.ext.asyncio import AsyncSession

from api import limits
from api.answering.messages import undo_for
from api.answering.texting import SmsSegments, segments_shown
from api.changes import too_old
from api.context import Info, plain
from api.cursors import place
from api.desk.changed_tickets import few_tickets
from api.desk.messages import Message
from api.desk.tickets import MOST_AT_ONCE, Ticket, held, tickets_by_id
from api.desk.timeline import items_by_id
from api.errors import UserError
from api.mutations import changed, mutation
from api.scalars import Cursor
from api.selection import wanted
from domain import access
from domain.actors import Actor
from domain.agents.staff import Agent
from domain.customers.contacts import Identity
from domain.db import Json
from domain.desk.tickets import Ticket as TicketRow
from domain.errors import InvalidInput, NotFound, Refused, SomebodyAnswered
from domain.ids import public_id, row_id
from domain.languages import N_, translate
from domain.macros import filling, running
from domain.macros.macros import Macro
from domain.macros.running import Ran, Sending, Words
from domain.ways_in.channels import ChannelKind

ENOUGH = limits.SECONDS * 0.6
"""Seconds after which no other ticket is begun, so that what is done can still be told."""


@strawberry.type(description="A place of a macro where nothing stands.")
class MacroGap:
    variable: str
    at: int = strawberry.field(description="In `text`, in letters (Unicode code points).")
    known: bool = strawberry.field(
        description="Otherwise there is no such variable, and its place stands as it was written."
    )


@strawberry.type(description="What a macro says to one customer.")
class MacroWords:
    locale: str
    text: str
    missing: list[MacroGap]


@strawberry.type
class MacroPreview(MacroWords):
    segments: SmsSegments | None = strawberry.field(description="Where it would leave by text message.")


@strawberry.input(
    description="Does what the macro does to each ticket, and gives back its words for the editor. With `send` they leave, by the channel in which "
    "each customer wrote last; a ticket to which somebody has added something since `changeCursor` is refused alone."
)
class MacroRunInput:
    macro_id: strawberry.ID
    ticket_ids: list[strawberry.ID]
    send: bool = False
    change_cursor: Cursor | None = strawberry.field(
        default=None, description="With `send`: that of the screen's query, up to which the asker has read."
    )
    identity_id: strawberry.ID | None = strawberry.field(
        default=None, description="With `send` and one ticket: whom it goes to."
    )
    client_mutation_id: strawberry.ID


@strawberry.type
class MacroReply:
    ticket_id: strawberry.ID
    message: Message | None = strawberry.field(
        description="With `send`; `messageUndo` takes it back for a while."
    )
    words: MacroWords | None


@strawberry.type(
    description="`tickets` and `replies`: those that were not refused. The `field` of a refusal is `ticketIds` and its place there."
)
class MacroRunPayload:
    tickets: list[Ticket] = strawberry.field(default_factory=list)
    replies: list[MacroReply] = strawberry.field(default_factory=list)
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _macro_preview(
    info: Info, macro_id: strawberry.ID, ticket_id: strawberry.ID, identity_id: strawberry.ID | None = None
) -> MacroPreview | None:
    async with info.context.reading() as reading:
        actor, now = reading.actor, reading.at

        async def read(session: AsyncSession) -> tuple[Words | None, filling.Known]:
            macro = await access.one(session, Macro, row_id("Macro", macro_id, field="macroId"), to=actor)
            ticket = await access.one(
                session, TicketRow, row_id("Ticket", ticket_id, field="ticketId"), to=actor
            )
            agent = await session.get_one(Agent, actor.agent_id)
            known = (await filling.known_of(session, [ticket]))[ticket.id]
            if identity_id:
                to = await _identity(session, identity_id)
                known = await filling.reached_by(session, ticket, known, to)
            return running.words_of(macro, known, agent, at=now), known

        words, known = await reading.connection.alone_with_rows(read)
    if words is None:
        return None
    by_text_message = known.channel is not None and known.channel.kind == ChannelKind.SMS
    said = _words(_kept(words))
    return MacroPreview(
        locale=said.locale,
        text=said.text,
        missing=said.missing,
        segments=segments_shown(said.text) if by_text_message else None,
    )


async def _identity(session: AsyncSession, id: str) -> Identity:
    found = await session.get(Identity, row_id("Identity", id, field="identityId"))
    if found is None:
        raise NotFound(field=["identityId"])
    return found


async def _macro_run(info: Info, input: MacroRunInput) -> MacroRunPayload:
    is_too_old = await _is_too_old(info, input)  # asked here: the change holds another connection

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        macro = await access.one(session, Macro, row_id("Macro", input.macro_id, field="macroId"), to=actor)
        sending = _sending(info, input, is_too_old)
        asked: dict[TicketRow, strawberry.ID] = {}
        for id in few_tickets(input.ticket_ids, field="ticketIds"):
            asked.setdefault(await held(session, id, actor, field="ticketIds"), id)
        known = await filling.known_of(session, [*asked])
        if input.identity_id:
            to = await _identity(session, input.identity_id)
            for ticket in asked:
                known[ticket.id] = await filling.reached_by(session, ticket, known[ticket.id], to)
        agent = await session.get_one(Agent, actor.agent_id)
        until = monotonic() + ENOUGH
        done: dict[str, Json] = {}
        refused: list[Json] = []
        for ticket, id in asked.items():
            key = str(ticket.id)
            try:
                if monotonic() > until:
                    raise running.NotReached
                async with session.begin_nested():
                    ran = await running.run(
                        session, macro, ticket, known[ticket.id], agent, sending, by=actor, at=now
                    )
                    done[key] = _done(ran)
            except Refused as refusal:
                refused.append(_refused(refusal, number=input.ticket_ids.index(id)))
                await _reread(session)
        if done:
            used = update(Macro).where(Macro.id == macro.id).values(used=Macro.used + len(done))
            await session.execute(used.execution_options(synchronize_session=False))
        return {"done": done, "refused": refused}

    return await _payload(info, await changed(info, input, change))


async def _reread(session: AsyncSession) -> None:
    """What was changed before a refusal has expired with it, and is not read again by itself: the agent, whom the next ticket needs."""
    for row in list(session.identity_map.values()):
        if inspect(row).expired:
            await session.refresh(row)


async def _is_too_old(info: Info, input: MacroRunInput) -> bool:
    """The cursor. What was made already is told again nevertheless."""
    if not input.send or input.change_cursor is None:
        return False
    async with info.context.reading() as reading:
        return await too_old(reading, place(info.context.house, input.change_cursor))


def _sending(info: Info, input: MacroRunInput, is_too_old: bool) -> Sending | None:
    if not input.send:
        if input.identity_id:
            raise InvalidInput(N_("This goes with `send` only."), field=["identityId"])
        return None
    if input.identity_id and len(set(input.ticket_ids)) > 1:
        raise InvalidInput(N_("Whom it goes to is said for one ticket at a time."), field=["identityId"])
    if input.change_cursor is None:
        raise InvalidInput(N_("To send, say up to where you have read."), field=["changeCursor"])
    seen = place(info.context.house, input.change_cursor)
    if is_too_old:
        raise SomebodyAnswered(field=["changeCursor"])
    return Sending(info.context.house.keys, seen, undo_for(info))


def _done(ran: Ran) -> Json:
    return {
        "message": str(ran.message.id) if ran.message else None,
        "words": _kept(ran.words) if ran.words else None,
    }


def _kept(words: Words) -> Json:
    gaps = [[gap.name, gap.at, gap.known] for gap in words.filled.gaps]
    return {"locale": words.language, "text": words.filled.text, "gaps": gaps}


def _words(kept: Json) -> MacroWords:
    return MacroWords(
        locale=kept["locale"],
        text=kept["text"],
        missing=[MacroGap(variable=name, at=at, known=known) for name, at, known in kept["gaps"]],
    )


def _refused(refusal: Refused, *, number: int) -> Json:
    """In no language yet: whoever asks again may speak another."""
    return {
        "code": refusal.code,
        "sentence": refusal.sentence,
        "values": refusal.values,
        "field": ["ticketIds", str(number)],
    }


async def _payload(info: Info, result: Json) -> MacroRunPayload:
    ids = {uuid.UUID(id): done for id, done in result["done"].items()}
    messages = [uuid.UUID(done["message"]) for done in ids.values() if done["message"]]
    selection = wanted(info)
    async with info.context.reading() as reading:
        found = await tickets_by_id(reading, ids, selection.below("tickets"))
        sent = await items_by_id(reading, messages, selection.below("replies", "message")) if messages else {}
    return MacroRunPayload(
        tickets=[found[id] for id in ids if id in found],
        replies=[_reply(id, done, sent) for id, done in ids.items()],
        user_errors=[
            UserError(
                code=one["code"],
                field=one["field"],
                message=translate(info.context.locale, one["sentence"], **one["values"]),
            )
            for one in sorted(result["refused"], key=lambda one: int(one["field"][1]))
        ],
    )


def _reply(ticket_id: uuid.UUID, done: Json, sent: dict[uuid.UUID, Any]) -> MacroReply:
    return plain(
        MacroReply,
        {
            "ticket_id": public_id("Ticket", ticket_id),
            "message": sent.get(uuid.UUID(done["message"])) if done["message"] else None,
            "words": _words(done["words"]) if done["words"] else None,
        },
    )


@strawberry.type
class MacroRunningQueries:
    macro_preview: MacroPreview | None = strawberry.field(
        resolver=_macro_preview,
        description="In the customer's language, filled in; null for a macro without words.",
    )


@strawberry.type
class MacroRunningMutations:
    macro_run: MacroRunPayload = mutation(
        resolver=_macro_run, description=f"On at most {MOST_AT_ONCE} tickets."
    )

"""What is spam, and whose mail, words and calls the shop does not want."""

from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent, agents_by_id
from api.context import Info, plain
from api.desk.changed_tickets import TicketsPayload, held_tickets, tickets_payload
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.node import Node
from api.paging import page_size
from domain import access, audit
from domain.access import may_see
from domain.actors import Actor
from domain.audit import AuditKind
from domain.customers.contacts import Identity, IdentityKind
from domain.db import Json
from domain.desk import spam
from domain.errors import InvalidInput, NotFound
from domain.ids import public_id, row_id
from domain.languages import N_
from domain.ways_in import blocking

strawberry.enum(IdentityKind, name="SenderKind")


@strawberry.type(
    description="An address, or a domain with all below it; a number, a chat's visitor, a Messenger person. What comes from there is "
    "kept among `arrivals` as `IGNORED`, and not placed."
)
class BlockedSender(Node):
    kind: IdentityKind
    sender: str = strawberry.field(description="As it is compared.")
    label: str = strawberry.field(description="As contacts show it, where one is known by it.")
    reason: str
    created_at: datetime
    created_by: Agent | None


@strawberry.input(
    description="`blockSender`: what comes from the same addresses, numbers, visitors and Messenger people is not placed any more."
)
class TicketMarkSpamInput:
    ids: list[strawberry.ID]
    block_sender: bool = False
    client_mutation_id: strawberry.ID


@strawberry.input
class TicketUnmarkSpamInput:
    ids: list[strawberry.ID]
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="Either `sender`: `eve@example.net`, `example.net`, or a number, a national one as the shop's own lines read it; or "
    "`identityId`: a visitor, a Messenger person, a caller."
)
class SenderBlockInput:
    sender: str | None = None
    identity_id: strawberry.ID | None = None
    reason: str = ""
    client_mutation_id: strawberry.ID


@strawberry.input
class SenderUnblockInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class BlockedSenderPayload:
    blocked_sender: BlockedSender | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


_known = Identity.__table__.c
_label = (
    select(_known.label)
    .where(
        _known.kind == blocking.BlockedSender.kind,
        _known.scope == blocking.BlockedSender.scope,
        _known.value == blocking.BlockedSender.sender,
    )
    .limit(1)
    .scalar_subquery()
)


async def _blocked_senders(info: Info, first: int = 25, search: str | None = None) -> list[BlockedSender]:
    only = (
        []
        if search is None
        else [blocking.has_in_it(search) | _label.icontains(search.strip(), autoescape=True)]
    )
    return await _read(info, page_size(first), *only)


async def _read(info: Info, limit: int, *only: ColumnElement[bool]) -> list[BlockedSender]:
    row_of = blocking.BlockedSender
    async with info.context.reading() as reading:
        found = await reading.connection.execute(
            select(row_of.__table__, _label.label("label"))
            .where(may_see(row_of, reading.actor), *only)
            .order_by(row_of.created_at.desc(), row_of.id.desc())
            .limit(limit)
        )
        rows = found.all()
        agents = await agents_by_id(reading, [row.created_by_id for row in rows])
        return [
            plain(
                BlockedSender,
                {
                    "id": public_id("BlockedSender", row.id),
                    "kind": row.kind,
                    "sender": row.sender,
                    "label": row.label or row.sender,
                    "reason": row.reason,
                    "created_at": row.created_at,
                    "created_by": agents.get(row.created_by_id),
                },
            )
            for row in rows
        ]


async def _sender_block(info: Info, input: SenderBlockInput) -> BlockedSenderPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if (input.sender is None) == (input.identity_id is None):
            raise InvalidInput(N_("Say either whom it is from, or which identity."), field=["sender"])
        told: dict[str, Any] = {"reason": input.reason, "by": actor, "at": now}
        if input.identity_id is not None:
            id = row_id("Identity", input.identity_id, field="identityId")
            identity = await session.get(Identity, id)
            if identity is None:
                raise NotFound(field=["identityId"])
            blocked = await blocking.block_identity(session, identity, **told)
        else:
            blocked = await blocking.block(session, input.sender or "", **told)
        return {"blocked": public_id("BlockedSender", blocked.id)}

    done = await changed(info, input, change)
    found = await _read(info, 1, blocking.BlockedSender.id == row_id("BlockedSender", done["blocked"]))
    return BlockedSenderPayload(blocked_sender=found[0] if found else None)


async def _sender_unblock(info: Info, input: SenderUnblockInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        id = row_id("BlockedSender", input.id)
        await session.delete(await access.one(session, blocking.BlockedSender, id, to=actor, lock=True))
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def _mark_spam(info: Info, input: TicketMarkSpamInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        tickets = await held_tickets(session, input.ids, actor)
        for ticket in tickets:
            await spam.mark(session, ticket, by=actor, at=now)
            if input.block_sender:
                audit.note(
                    session,
                    AuditKind.SENDER_BLOCKED,
                    by=actor,
                    at=now,
                    address=info.context.address,
                    contact_id=ticket.contact_id,
                )
                await blocking.block_all(session, await spam.senders_of(session, ticket), by=actor, at=now)
        return {"tickets": [str(ticket.id) for ticket in tickets]}

    return await tickets_payload(info, await changed(info, input, change))


async def _unmark_spam(info: Info, input: TicketUnmarkSpamInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        tickets = await held_tickets(session, input.ids, actor)
        for ticket in tickets:
            await spam.unmark(session, ticket, by=actor, at=now)
        return {"tickets": [str(ticket.id) for ticket in tickets]}

    return await tickets_payload(info, await changed(info, input, change))


@strawberry.type
class SpamQueries:
    blocked_senders: list[BlockedSender] = strawberry.field(
        resolver=_blocked_senders,
        description="For managers: the newest first, at most 100; `search`: a piece of the address, domain, number or label.",
    )


@strawberry.type
class SpamMutations:
    ticket_mark_spam: TicketsPayload = mutation(
        resolver=_mark_spam,
        description="Nothing is sent to who wrote it, what waits to be sent is taken back, and no promise runs. It leaves the lists.",
    )
    ticket_unmark_spam: TicketsPayload = mutation(
        resolver=_unmark_spam, description="A ticket like any other again; senders stay blocked."
    )
    sender_block: BlockedSenderPayload = mutation(resolver=_sender_block)
    sender_unblock: OkPayload = mutation(
        resolver=_sender_unblock, description="What came meanwhile stays ignored; `arrivalRetry` places it."
    )

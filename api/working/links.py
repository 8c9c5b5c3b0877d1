"""Links between tickets, each end only for who sees both."""

import uuid
from collections.abc import Iterable
from datetime import datetime

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent, agents_by_id
from api.context import Info, Reading, by, plain
from api.desk.changed_tickets import TicketsPayload, in_order, tickets_payload
from api.desk.tickets import Ticket, held, tickets_by_id
from api.mutations import changed, mutation
from api.node import Node
from api.selection import Selection
from domain import access
from domain.actors import Actor
from domain.db import Json
from domain.desk import tickets
from domain.desk.survivors import became
from domain.ids import public_id, row_id
from domain.working import links
from domain.working.links import LinkRole

strawberry.enum(LinkRole, name="TicketLinkKind", description="What the other ticket is to this one.")


@strawberry.type(
    description="Another ticket that has to do with this one. Two that are one matter are merged instead."
)
class TicketLink(Node):
    kind: LinkRole
    ticket: Ticket
    at: datetime
    by: Agent | None
    mine: strawberry.Private[uuid.UUID]


@strawberry.input(description="`kind`: what the other is to the ticket. The same link twice is one.")
class TicketLinkInput:
    ticket_id: strawberry.ID
    other_id: strawberry.ID
    kind: LinkRole
    client_mutation_id: strawberry.ID


@strawberry.input
class TicketUnlinkInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


async def links_of(
    reading: Reading, ids: list[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[TicketLink]]:
    """By ticket, as far as the other end may be seen, the oldest first."""
    rows = (await reading.connection.execute(links.links_of(ids))).all()
    if not rows:
        return {}
    others = await tickets_by_id(reading, {row.other_id for row in rows}, selection.below("ticket"))
    agents = await agents_by_id(reading, [row.by_id for row in rows]) if "by" in selection else {}
    found = [
        plain(
            TicketLink,
            {
                "id": public_id("TicketLink", row.id),
                "kind": links.role(row.kind, towards=row.towards),
                "ticket": others[row.other_id],
                "at": row.at,
                "by": agents.get(row.by_id),
                "mine": row.mine,
            },
        )
        for row in rows
        if row.other_id in others
    ]
    return {id: list(_each_once(group)) for id, group in by("mine", found).items()}


def _each_once(found: Iterable[TicketLink]) -> Iterable[TicketLink]:
    """A merge may bring the same twice."""
    return {(one.kind, one.ticket.id): one for one in reversed(list(found))}.values()


async def _ticket_link(info: Info, input: TicketLinkInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        both = await _held_both(session, input.ticket_id, input.other_id, actor)
        await links.link(session, *both, input.kind, by=actor, at=now)
        return {"tickets": [str(ticket.id) for ticket in both]}

    return await tickets_payload(info, await changed(info, input, change))


async def _ticket_unlink(info: Info, input: TicketUnlinkInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        link = await access.one(
            session, links.TicketLink, row_id("TicketLink", input.id), to=actor, lock=True
        )
        ends = (link.from_id, link.to_id)
        now_part_of = await became(session, ends)
        source, target = (public_id("Ticket", now_part_of.get(id, id)) for id in ends)
        both = await _held_both(session, source, target, actor)
        await links.unlink(session, link, *both, by=actor, at=now)
        return {"tickets": [str(ticket.id) for ticket in both]}

    return await tickets_payload(info, await changed(info, input, change))


async def _held_both(
    session: AsyncSession, id: str, other: str, actor: Actor
) -> tuple[tickets.Ticket, tickets.Ticket]:
    """Held in the order in which everybody holds tickets."""
    fields = {id: "ticketId", other: "otherId"}
    found = {one: await held(session, one, actor, field=fields[one]) for one in in_order(fields)}
    return found[id], found[other]


@strawberry.type
class LinkedTicketMutations:
    ticket_link: TicketsPayload = mutation(resolver=_ticket_link)
    ticket_unlink: TicketsPayload = mutation(resolver=_ticket_unlink)

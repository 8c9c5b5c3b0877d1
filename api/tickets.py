"""Tickets: the inbox, one ticket with all that belongs to it, and what agents do with it."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, Uuid, func, literal, select, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from api.contacts import Contact, Identity, contacts_by_id, identities_where
from api.context import Info, Reading, by, plain
from api.errors import UserError
from api.ids import public_id, row_id
from api.mutations import changed, mutation
from api.node import Node
from api.paging import COUNTED, PageInfo, cursor_of, page_size, place_of
from api.selection import Selection, wanted
from api.sla import Clock, clocks_of
from api.staff import Agent, Team, agents_by_id, teams_by_id
from api.threads import Thread, threads_of
from api.timeline import TimelineConnection, timeline_of_ticket
from domain import access, contacts, staff
from domain.access import may_see
from domain.actors import Actor
from domain.channels import Channel, ChannelKind
from domain.contacts import same_person
from domain.db import Json, one_of
from domain.errors import InvalidInput, NotFound, SomebodyElseAssigned
from domain.languages import N_
from domain.messages import Item
from domain.threads import Thread as ThreadRow
from domain.tickets import Ticket as TicketRow
from domain.tickets import TicketStatus, open_ticket

if TYPE_CHECKING:
    from api.alerts import Alert
    from api.tasks import Task

strawberry.enum(TicketStatus)

PREVIEW = 140
MOST_AT_ONCE = 100


@strawberry.type(description="One matter of one contact, joining any number of conversations.")
class Ticket(Node):
    number: int
    subject: str
    status: TicketStatus
    priority: int = strawberry.field(description="1 urgent, 2 high, 3 normal, 4 low.")
    tags: list[str]
    created_at: datetime
    updated_at: datetime
    contact: Contact
    assignee: Agent | None
    team: Team | None
    preview: str = strawberry.field(description="The beginning of what was written last.")
    channels: list[ChannelKind]
    last_channel: ChannelKind | None
    seq: int = strawberry.field(description="Of the newest item: what `messageSend` takes as `lastSeenSeq`.")
    clock: Clock | None = strawberry.field(description="The most urgent promise.")
    clocks: list[Clock]
    alert: Annotated["Alert", strawberry.lazy("api.alerts")] | None = strawberry.field(
        description="The newest one that is not resolved."
    )
    threads: list[Thread]
    tasks: list[Annotated["Task", strawberry.lazy("api.tasks")]]
    reply_channels: list[Identity] = strawberry.field(
        description="By what the customer can be reached, the one used last first."
    )
    row_id: strawberry.Private[uuid.UUID]
    contact_id: strawberry.Private[uuid.UUID]
    assignee_id: strawberry.Private[uuid.UUID | None]
    team_id: strawberry.Private[uuid.UUID | None]

    @strawberry.field(description="Newest first.")
    async def timeline(self, info: Info, first: int = 30, before: str | None = None) -> TimelineConnection:
        return await timeline_of_ticket(info, self.row_id, first=first, before=before)


@strawberry.type
class TicketEdge:
    cursor: str
    node: Ticket


@strawberry.type
class TicketConnection:
    edges: list[TicketEdge]
    page_info: PageInfo
    total_count: int = strawberry.field(description="Exact up to 1,000; 1,001 means more.")


@strawberry.input
class TicketFilter:
    statuses: list[TicketStatus] | None = None
    assignee_ids: list[strawberry.ID] | None = None
    unassigned: bool | None = None
    channels: list[ChannelKind] | None = None
    contact_id: strawberry.ID | None = None


async def tickets_where(
    reading: Reading, *conditions: ColumnElement[bool], selection: Selection
) -> list[Ticket]:
    """The newest hundred that this person sees."""
    query = _query(reading, *conditions).order_by(TicketRow.updated_at.desc(), TicketRow.id.desc())
    return await _load(reading, query.limit(MOST_AT_ONCE), selection)


async def tickets_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Ticket]:
    found = await tickets_where(reading, one_of(TicketRow.id, ids), selection=selection)
    return {ticket.row_id: ticket for ticket in found}


def _query(reading: Reading, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(TicketRow.__table__).where(may_see(TicketRow, reading.actor), *conditions)


async def _load(reading: Reading, query: Select[Any], selection: Selection) -> list[Ticket]:
    rows = (await reading.connection.execute(query)).all()
    tickets = [
        plain(
            Ticket,
            {
                "id": public_id("Ticket", row.id),
                "row_id": row.id,
                "contact_id": row.contact_id,
                "assignee_id": row.assignee_id,
                "team_id": row.team_id,
                "number": row.number,
                "subject": row.subject,
                "status": row.status,
                "priority": row.priority,
                "tags": row.tags,
                "created_at": row.created_at,
                "updated_at": row.updated_at,
            },
        )
        for row in rows
    ]
    if tickets:
        await _fill(reading, tickets, selection)
    return tickets


async def _fill(reading: Reading, tickets: list[Ticket], selection: Selection) -> None:
    """One statement for each level that is asked for."""
    ids = [ticket.row_id for ticket in tickets]
    if "contact" in selection:
        people = await contacts_by_id(reading, {one.contact_id for one in tickets}, selection["contact"])
        for ticket in tickets:
            ticket.contact = people[ticket.contact_id]
    if "assignee" in selection:
        agents = await agents_by_id(reading, [ticket.assignee_id for ticket in tickets])
        for ticket in tickets:
            ticket.assignee = agents.get(ticket.assignee_id)
    if "team" in selection:
        teams = await teams_by_id(reading, [ticket.team_id for ticket in tickets])
        for ticket in tickets:
            ticket.team = teams.get(ticket.team_id)
    if "preview" in selection or "seq" in selection:
        newest = await _newest_items(reading, ids)
        for ticket in tickets:
            ticket.preview, ticket.seq = newest.get(ticket.row_id, ("", 0))
    if "channels" in selection or "lastChannel" in selection:
        kinds = await _channels(reading, ids)
        for ticket in tickets:
            used = kinds.get(ticket.row_id, [])
            ticket.channels, ticket.last_channel = list(dict.fromkeys(used)), used[0] if used else None
    if "clock" in selection or "clocks" in selection:
        clocks = await clocks_of(reading, ids)
        for ticket in tickets:
            ticket.clocks = clocks.get(ticket.row_id, [])
            ticket.clock = ticket.clocks[0] if ticket.clocks else None
    if "alert" in selection:
        from api.alerts import newest_alerts

        alerts = await newest_alerts(reading, ids, selection["alert"])
        for ticket in tickets:
            ticket.alert = alerts.get(ticket.row_id)
    if "threads" in selection:
        threads = await threads_of(reading, ids, selection["threads"])
        for ticket in tickets:
            ticket.threads = threads.get(ticket.row_id, [])
    if "tasks" in selection:
        from api.tasks import tasks_where
        from domain.tasks import Task as TaskRow

        tasks = await tasks_where(reading, one_of(TaskRow.ticket_id, ids), selection=selection["tasks"])
        groups = by("ticket_id", tasks)
        for ticket in tickets:
            ticket.tasks = groups.get(ticket.row_id, [])
    if "replyChannels" in selection:
        await _reply_channels(reading, tickets)


async def _newest_items(reading: Reading, ids: list[uuid.UUID]) -> dict[uuid.UUID, tuple[str, int]]:
    asked = func.unnest(literal(ids, ARRAY(Uuid))).table_valued("id", name="asked").render_derived()
    item = Item.__table__.c
    newest = (
        select(func.left(item.text, PREVIEW).label("text"), item.at)
        .where(item.ticket_id == asked.c.id, item.text != "")
        .order_by(item.at.desc(), item.seq.desc())
        .limit(1)
        .lateral()
    )
    last_seq = select(func.max(item.seq)).where(item.ticket_id == asked.c.id).scalar_subquery()
    rows = await reading.connection.execute(
        select(asked.c.id, newest.c.text, last_seq.label("seq")).select_from(asked.outerjoin(newest, true()))
    )
    return {row.id: (" ".join((row.text or "").split()), row.seq or 0) for row in rows}


async def _channels(reading: Reading, ids: list[uuid.UUID]) -> dict[uuid.UUID, list[ChannelKind]]:
    """The kinds of a ticket's conversations, the one the customer used last first."""
    rows = await reading.connection.execute(
        select(ThreadRow.ticket_id, Channel.kind)
        .join(Channel, Channel.id == ThreadRow.channel_id)
        .where(one_of(ThreadRow.ticket_id, ids))
        .order_by(func.coalesce(ThreadRow.last_inbound_at, ThreadRow.joined_at).desc())
    )
    return {
        ticket_id: [row.kind for row in group] for ticket_id, group in by("ticket_id", rows.all()).items()
    }


async def _reply_channels(reading: Reading, tickets: list[Ticket]) -> None:
    identities = await identities_where(
        reading, one_of(contacts.Identity.contact_id, [ticket.contact_id for ticket in tickets])
    )
    last_used = {
        (row.ticket_id, row.identity_id): row.at
        for row in await reading.connection.execute(
            select(
                ThreadRow.ticket_id, ThreadRow.identity_id, func.max(ThreadRow.last_inbound_at).label("at")
            )
            .where(one_of(ThreadRow.ticket_id, [ticket.row_id for ticket in tickets]))
            .group_by(ThreadRow.ticket_id, ThreadRow.identity_id)
        )
    }
    for ticket in tickets:
        mine = [identity for identity in identities if identity.row.contact_id == ticket.contact_id]

        def recency(identity: Identity, ticket: Ticket = ticket) -> float:
            at = last_used.get((ticket.row_id, identity.row.id))
            return at.timestamp() if at else 0.0

        ticket.reply_channels = sorted(mine, key=recency, reverse=True)


async def _tickets(
    info: Info, filter: TicketFilter | None = None, first: int = 25, after: str | None = None
) -> TicketConnection:
    size = page_size(first)
    asked = wanted(info)
    async with info.context.reading() as reading:
        query = _query(reading, TicketRow.merged_into_id.is_(None), *_filtered(filter))
        total = 0
        if "totalCount" in asked:
            counted = query.with_only_columns(TicketRow.id).limit(COUNTED + 1).subquery()
            total = await reading.connection.scalar(select(func.count()).select_from(counted)) or 0
        if after:
            query = query.where(tuple_(TicketRow.updated_at, TicketRow.id) < tuple_(*place_of(after)))
        query = query.order_by(TicketRow.updated_at.desc(), TicketRow.id.desc()).limit(size + 1)
        found = await _load(reading, query, asked.below("edges", "node"))
    edges = [
        TicketEdge(cursor=cursor_of(ticket.updated_at, ticket.row_id), node=ticket) for ticket in found[:size]
    ]
    return TicketConnection(
        edges=edges,
        page_info=PageInfo(end_cursor=edges[-1].cursor if edges else None, has_next_page=len(found) > size),
        total_count=total,
    )


def _filtered(asked: TicketFilter | None) -> list[ColumnElement[bool]]:
    if asked is None:
        return []
    conditions: list[ColumnElement[bool]] = []
    if asked.statuses:
        conditions.append(TicketRow.status.in_(asked.statuses))
    if asked.assignee_ids:
        ids = [row_id("Agent", id, field="assigneeIds") for id in asked.assignee_ids]
        conditions.append(one_of(TicketRow.assignee_id, ids))
    if asked.unassigned is not None:
        nobody = TicketRow.assignee_id.is_(None)
        conditions.append(nobody if asked.unassigned else ~nobody)
    if asked.channels:
        used = (
            select(ThreadRow.ticket_id)
            .join(Channel, Channel.id == ThreadRow.channel_id)
            .where(Channel.kind.in_(asked.channels))
        )
        conditions.append(TicketRow.id.in_(used))
    if asked.contact_id:
        conditions.append(same_person(TicketRow.contact_id, row_id("Contact", asked.contact_id)))
    return conditions


async def _ticket(info: Info, id: strawberry.ID) -> Ticket | None:
    asked = row_id("Ticket", id)
    async with info.context.reading() as reading:
        survivor = await reading.connection.scalar(
            select(func.coalesce(TicketRow.merged_into_id, TicketRow.id)).where(TicketRow.id == asked)
        )
        if survivor is None:
            return None
        return (await tickets_by_id(reading, [survivor], wanted(info))).get(survivor)


@strawberry.input
class TicketCreateInput:
    contact_id: strawberry.ID
    subject: str
    text: str | None = None
    priority: int = 3
    assignee_id: strawberry.ID | None = None
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="`expectedAssigneeId`: who has it, as far as the caller knows; somebody else is a refusal."
)
class TicketAssignInput:
    ticket_ids: list[strawberry.ID]
    agent_id: strawberry.ID | None = None
    take_over: bool = strawberry.field(default=False, description="To oneself; then `agentId` is left out.")
    note: str | None = None
    expected_assignee_id: strawberry.ID | None = None
    client_mutation_id: strawberry.ID


@strawberry.input(description="What is left out stays.")
class TicketUpdateInput:
    ids: list[strawberry.ID]
    status: TicketStatus | None = None
    priority: int | None = None
    add_tags: list[str] | None = None
    remove_tags: list[str] | None = None
    client_mutation_id: strawberry.ID


@strawberry.type
class TicketPayload:
    ticket: Ticket | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class TicketsPayload:
    tickets: list[Ticket] = strawberry.field(default_factory=list)
    conflict: Agent | None = strawberry.field(default=None, description="Who has the ticket, unexpectedly.")
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def read_ticket(info: Info, id: str) -> Ticket | None:
    async with info.context.reading() as reading:
        asked = uuid.UUID(id)
        return (await tickets_by_id(reading, [asked], wanted(info).below("ticket"))).get(asked)


async def held(session: AsyncSession, id: str, actor: Actor, *, field: str = "ticketId") -> TicketRow:
    """A ticket this person sees, held: of a merged one, the survivor."""
    ticket = await access.one(session, TicketRow, row_id("Ticket", id, field=field), to=actor, lock=True)
    if ticket.merged_into_id:
        return await access.one(session, TicketRow, ticket.merged_into_id, to=actor, lock=True)
    return ticket


async def _ticket_create(info: Info, input: TicketCreateInput) -> TicketPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if not input.subject.strip():
            raise InvalidInput(N_("This may not be empty."), field=["subject"])
        contact = await access.one(
            session, contacts.Contact, row_id("Contact", input.contact_id, field="contactId"), to=actor
        )
        ticket = open_ticket(session, contact, subject=input.subject.strip(), by=actor, at=now)
        await session.flush()
        ticket.change(by=actor, at=now, priority=input.priority)
        if input.text:
            ticket.note(input.text, by=actor, at=now)
        if input.assignee_id:
            ticket.assign(to=await _agent(session, input.assignee_id, actor, "assigneeId"), by=actor, at=now)
        return {"ticket": str(ticket.id)}

    done = await changed(info, input, change)
    return TicketPayload(ticket=await read_ticket(info, done["ticket"]))


async def _agent(session: AsyncSession, id: str, actor: Actor, field: str) -> staff.Agent:
    agent = await access.one(session, staff.Agent, row_id("Agent", id, field=field), to=actor)
    if agent.left_at:
        raise NotFound(field=[field])
    return agent


async def _ticket_assign(info: Info, input: TicketAssignInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        to = None
        if input.take_over:
            to = await session.get_one(staff.Agent, actor.id)
        elif input.agent_id:
            to = await _agent(session, input.agent_id, actor, "agentId")
        expected = input.expected_assignee_id and row_id(
            "Agent", input.expected_assignee_id, field="expectedAssigneeId"
        )
        tickets = [await held(session, id, actor, field="ticketIds") for id in _few(input.ticket_ids)]
        for ticket in tickets:
            ticket.assign(to=to, by=actor, at=now, expected=expected or None)
            if input.note:
                ticket.note(input.note, by=actor, at=now)
        return {"tickets": [str(ticket.id) for ticket in tickets]}

    try:
        done = await changed(info, input, change)
    except SomebodyElseAssigned as conflict:
        return TicketsPayload(
            conflict=await _conflict(info, input.ticket_ids),
            user_errors=[
                UserError(
                    code=conflict.code,
                    field=conflict.field,
                    message=conflict.in_language(info.context.locale),
                )
            ],
        )
    return await _payload(info, done)


async def _conflict(info: Info, ids: list[strawberry.ID]) -> Agent | None:
    async with info.context.reading() as reading:
        found = await tickets_by_id(
            reading, [row_id("Ticket", id) for id in ids], Selection(assignee=Selection())
        )
        return next((ticket.assignee for ticket in found.values() if ticket.assignee), None)


async def _ticket_update(info: Info, input: TicketUpdateInput) -> TicketsPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        tickets = [await held(session, id, actor, field="ids") for id in _few(input.ids)]
        for ticket in tickets:
            ticket.change(
                by=actor,
                at=now,
                status=input.status,
                priority=input.priority,
                add_tags=input.add_tags,
                remove_tags=input.remove_tags,
            )
        return {"tickets": [str(ticket.id) for ticket in tickets]}

    return await _payload(info, await changed(info, input, change))


def _few(ids: list[strawberry.ID]) -> list[strawberry.ID]:
    """Always in the same order: two people who change the same tickets do not wait for each other in a circle."""
    if len(ids) > MOST_AT_ONCE:
        raise InvalidInput(N_("At most {most} tickets at once."), field=["ids"], most=MOST_AT_ONCE)
    return sorted(set(ids))


async def _payload(info: Info, done: Json) -> TicketsPayload:
    async with info.context.reading() as reading:
        ids = [uuid.UUID(id) for id in done["tickets"]]
        found = await tickets_by_id(reading, ids, wanted(info).below("tickets"))
    return TicketsPayload(tickets=[found[id] for id in ids if id in found])


@strawberry.type
class TicketQueries:
    tickets: TicketConnection = strawberry.field(
        resolver=_tickets, description="The inbox, newest activity first."
    )
    ticket: Ticket | None = strawberry.field(
        resolver=_ticket, description="Of a merged ticket, the one it became."
    )


@strawberry.type
class TicketMutations:
    ticket_create: TicketPayload = mutation(resolver=_ticket_create)
    ticket_assign: TicketsPayload = mutation(resolver=_ticket_assign)
    ticket_update: TicketsPayload = mutation(resolver=_ticket_update)

"""Tickets: the inbox, one ticket with all that belongs to it, and what agents do with it."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, Uuid, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent, Team, agents_by_id, teams_by_id
from api.answering.reply_channels import reply_channels_of
from api.context import Info, Reading, by, plain
from api.customers.contacts import Contact, contacts_by_id
from api.customers.identities import Identity
from api.desk.history import PAGED, Asked, TimelineConnection, timeline_of_ticket
from api.desk.threads import Thread, threads_of
from api.desk.unread import unread_of
from api.node import Node
from api.paging import of_each
from api.reads import opened
from api.scalars import BigInt
from api.selection import Selection, wanted
from api.sla.sla import Clock, clocks_of
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.db import one_of
from domain.desk.history import TimelineKind
from domain.desk.messages import DeliveryState, Direction, Item
from domain.desk.threads import Thread as ThreadRow
from domain.desk.tickets import LIVE, TicketStatus, became
from domain.desk.tickets import Ticket as TicketRow
from domain.ids import public_id, row_id
from domain.ways_in.channels import Channel, ChannelKind

if TYPE_CHECKING:
    from api.alerting.alerts import Alert
    from api.desk.tasks import Task
    from api.joining.joining import TicketSuggestion

strawberry.enum(TicketStatus)

NEWEST = (TicketRow.updated_at.desc(), TicketRow.id.desc())
PREVIEW = 140
MOST_AT_ONCE = 100


@strawberry.type(description="One matter of one contact, joining any number of conversations.")
class Ticket(Node):
    number: int
    subject: str
    status: TicketStatus
    priority: int = strawberry.field(description="1 urgent, 2 high, 3 normal, 4 low.")
    tags: list[str]
    is_spam: bool
    created_at: datetime
    updated_at: datetime
    contact: Contact
    assignee: Agent | None
    team: Team | None
    preview: str = strawberry.field(description="The beginning of what was written last.")
    channels: list[ChannelKind]
    last_channel: ChannelKind | None
    seq: BigInt = strawberry.field(
        description="Of the newest item: what `messageSend` takes as `lastSeenSeq`."
    )
    unread_count: int = strawberry.field(
        description="The customer's messages after our last answer; 0 of a solved or closed ticket, whoever has looked at it."
    )
    clock: Clock | None = strawberry.field(description="The most urgent promise.")
    clocks: list[Clock]
    alert: Annotated["Alert", strawberry.lazy("api.alerting.alerts")] | None = strawberry.field(
        description="Of those that are not resolved, the highest."
    )
    threads: list[Thread]
    suggestions: list[Annotated["TicketSuggestion", strawberry.lazy("api.joining.joining")]] = (
        strawberry.field(description="Other tickets that may be the same matter, the likeliest first.")
    )
    tasks: list[Annotated["Task", strawberry.lazy("api.desk.tasks")]]
    reply_channels: list[Identity] = strawberry.field(
        description="By what the customer can be reached, the one used last first."
    )
    row_id: strawberry.Private[uuid.UUID]
    contact_id: strawberry.Private[uuid.UUID]
    assignee_id: strawberry.Private[uuid.UUID | None]
    team_id: strawberry.Private[uuid.UUID | None]
    due_at: strawberry.Private[datetime]

    @strawberry.field(description=f"Newest first. {PAGED}")
    async def timeline(
        self,
        info: Info,
        first: int = 30,
        before: str | None = None,
        last: int | None = None,
        after: str | None = None,
        kinds: list[TimelineKind] | None = None,
        channels: list[ChannelKind] | None = None,
    ) -> TimelineConnection:
        await opened(info.context, [self.contact_id])
        asked = Asked(first, before, last, after, kinds, channels)
        return await timeline_of_ticket(info, self.row_id, asked)


async def tickets_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Ticket]:
    """Those this person sees, newest activity first, by the id asked for: of a merged ticket, the one it became."""
    moved = await became(reading.connection, ids)
    survivors = {moved.get(id, id) for id in ids}
    query = seen_tickets(reading, one_of(TicketRow.id, survivors)).order_by(*NEWEST)
    found = {ticket.row_id: ticket for ticket in await load_tickets(reading, query, selection)}
    asked = {id: found[survivor] for id, survivor in moved.items() if survivor in found and id in ids}
    return {id: ticket for id, ticket in found.items() if id in ids} | asked


async def open_tickets_of(
    reading: Reading, contact_ids: Collection[uuid.UUID], selection: Selection
) -> list[Ticket]:
    """For each contact the newest hundred that this person sees."""
    query = seen_tickets(
        reading,
        one_of(TicketRow.contact_id, contact_ids),
        TicketRow.status.in_(LIVE),
        TicketRow.merged_into_id.is_(None),
        TicketRow.spam_at.is_(None),
    )
    return await load_tickets(reading, of_each(query, TicketRow.contact_id, *NEWEST), selection)


def seen_tickets(reading: Reading, *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(TicketRow.__table__).where(may_see(TicketRow, reading.actor), *conditions)


async def load_tickets(reading: Reading, query: Select[Any], selection: Selection) -> list[Ticket]:
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
                "is_spam": row.spam_at is not None,
                "created_at": row.created_at,
                "updated_at": row.updated_at,
                "due_at": row.due_at,
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
            ticket.preview, ticket.seq = newest.get(ticket.row_id, ("", BigInt(0)))
    if "unreadCount" in selection:
        unread = await unread_of(reading, ids)
        for ticket in tickets:
            ticket.unread_count = unread.get(ticket.row_id, 0)
    if "channels" in selection or "lastChannel" in selection:
        kinds = await _channels(reading, ids)
        for ticket in tickets:
            used = kinds.get(ticket.row_id, [])
            ticket.channels, ticket.last_channel = list(dict.fromkeys(used)), used[0] if used else None
    if "clock" in selection or "clocks" in selection:
        asked = Selection(selection.below("clock") | selection.below("clocks"))
        clocks = await clocks_of(reading, ids, asked)
        for ticket in tickets:
            ticket.clocks = clocks.get(ticket.row_id, [])
            ticket.clock = ticket.clocks[0] if ticket.clocks else None
    if "alert" in selection:
        from api.alerting.alerts import pressing_alerts

        alerts = await pressing_alerts(reading, ids, selection["alert"])
        for ticket in tickets:
            ticket.alert = alerts.get(ticket.row_id)
    if "threads" in selection:
        threads = await threads_of(reading, ids, selection["threads"])
        for ticket in tickets:
            ticket.threads = threads.get(ticket.row_id, [])
    if "suggestions" in selection:
        from api.joining.joining import suggestions_of

        told = await suggestions_of(reading, ids, selection["suggestions"])
        for ticket in tickets:
            ticket.suggestions = told.get(ticket.row_id, [])
    if "tasks" in selection:
        from api.desk.tasks import tasks_of
        from domain.desk.tasks import Task as TaskRow

        groups = by("ticket_id", await tasks_of(reading, TaskRow.ticket_id, ids, selection["tasks"]))
        for ticket in tickets:
            ticket.tasks = groups.get(ticket.row_id, [])
    if "replyChannels" in selection:
        ways = await reply_channels_of(reading, {ticket.row_id: ticket.contact_id for ticket in tickets})
        for ticket in tickets:
            ticket.reply_channels = ways[ticket.row_id]


async def _newest_items(reading: Reading, ids: list[uuid.UUID]) -> dict[uuid.UUID, tuple[str, BigInt]]:
    asked = func.unnest(literal(ids, ARRAY(Uuid))).table_valued("id", name="asked").render_derived()
    item = Item.__table__.c
    acknowledged = (item.direction == Direction.OUT) & func.coalesce(item.automatic, False)
    newest = (
        select(func.left(item.text, PREVIEW).label("text"), item.at)
        .where(
            item.ticket_id == asked.c.id,
            item.text != "",
            ~acknowledged,
            item.delivery.is_distinct_from(DeliveryState.UNDONE),
        )
        .order_by(item.at.desc(), item.seq.desc())
        .limit(1)
        .lateral()
    )
    last_seq = select(func.max(item.seq)).where(item.ticket_id == asked.c.id).scalar_subquery()
    rows = await reading.connection.execute(
        select(asked.c.id, newest.c.text, last_seq.label("seq")).select_from(asked.outerjoin(newest, true()))
    )
    return {row.id: (" ".join((row.text or "").split()), BigInt(row.seq or 0)) for row in rows}


async def _channels(reading: Reading, ids: list[uuid.UUID]) -> dict[uuid.UUID, list[ChannelKind]]:
    """The kinds of a ticket's conversations, the one the customer used last first."""
    rows = await reading.connection.execute(
        select(ThreadRow.ticket_id, Channel.kind)
        .join(Channel, Channel.id == ThreadRow.channel_id)
        .where(one_of(ThreadRow.ticket_id, ids), ThreadRow.side.is_(False))
        .order_by(func.coalesce(ThreadRow.last_inbound_at, ThreadRow.joined_at).desc())
    )
    return {
        ticket_id: [row.kind for row in group] for ticket_id, group in by("ticket_id", rows.all()).items()
    }


async def _ticket(info: Info, id: strawberry.ID) -> Ticket | None:
    asked = row_id("Ticket", id)
    async with info.context.reading() as reading:
        found = (await tickets_by_id(reading, [asked], wanted(info))).get(asked)
    await opened(info.context, [found.contact_id] if found else [])
    return found


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


@strawberry.type
class TicketQueries:
    ticket: Ticket | None = strawberry.field(
        resolver=_ticket, description="Of a merged ticket, the one it became."
    )

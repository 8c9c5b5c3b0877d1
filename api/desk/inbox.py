"""The inbox: tickets by page, chosen by a filter."""

import strawberry
from sqlalchemy import ColumnElement, func, select, tuple_

from api.context import Info
from api.desk.tickets import Ticket, load_tickets, seen_tickets
from api.paging import COUNTED, PageInfo, cursor_of, page_info, page_size, place_of
from api.selection import wanted
from domain.customers.contacts import same_person
from domain.db import one_of
from domain.desk.threads import Thread as ThreadRow
from domain.desk.tickets import Ticket as TicketRow
from domain.desk.tickets import TicketStatus
from domain.ids import row_id
from domain.ways_in.channels import Channel, ChannelKind


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
    spam: bool = strawberry.field(
        default=False, description="Those that are spam, which are left out otherwise."
    )


async def _tickets(
    info: Info, filter: TicketFilter | None = None, first: int = 25, after: str | None = None
) -> TicketConnection:
    size = page_size(first)
    asked = wanted(info)
    async with info.context.reading() as reading:
        query = seen_tickets(reading, TicketRow.merged_into_id.is_(None), *_filtered(filter))
        total = 0
        if "totalCount" in asked:
            counted = query.with_only_columns(TicketRow.id).limit(COUNTED + 1).subquery()
            total = await reading.connection.scalar(select(func.count()).select_from(counted)) or 0
        if after:
            query = query.where(tuple_(TicketRow.updated_at, TicketRow.id) < tuple_(*place_of(after)))
        query = query.order_by(TicketRow.updated_at.desc(), TicketRow.id.desc()).limit(size + 1)
        found = await load_tickets(reading, query, asked.below("edges", "node"))
    edges = [
        TicketEdge(cursor=cursor_of(ticket.updated_at, ticket.row_id), node=ticket) for ticket in found[:size]
    ]
    return TicketConnection(
        edges=edges, page_info=page_info(edges, after=after, more=len(found) > size), total_count=total
    )


def _filtered(asked: TicketFilter | None) -> list[ColumnElement[bool]]:
    if asked is None:
        return [TicketRow.spam_at.is_(None)]
    conditions: list[ColumnElement[bool]] = [
        TicketRow.spam_at.is_not(None) if asked.spam else TicketRow.spam_at.is_(None)
    ]
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


@strawberry.type
class InboxQueries:
    tickets: TicketConnection = strawberry.field(resolver=_tickets, description="Newest activity first.")

"""The inbox: tickets by page, chosen by a filter or a view, in an order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import strawberry
from sqlalchemy import ColumnElement, DateTime, Select, Uuid, bindparam, func, or_, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from api.computed import computed
from api.context import Info, Reading, nothing, plain
from api.desk.tickets import COLUMNS, Ticket, load_tickets
from api.finding.asking import asked
from api.finding.views import view_row
from api.paging import COUNTED, PageInfo, cursor_of, page_info, page_size, place_of
from api.selection import wanted
from domain import access
from domain.access import may_see
from domain.actors import Actor
from domain.customers.survivors import same_person
from domain.db import one_of
from domain.desk.tickets import Ticket as TicketRow
from domain.desk.tickets import TicketStatus
from domain.finding import conditions
from domain.finding.asking import holds, speaks_of_spam
from domain.finding.conditions import Asking, Promises
from domain.finding.tree import Every
from domain.finding.views import TicketOrder
from domain.gathering import gathered
from domain.ids import row_id
from domain.sla.clocks import ClockState
from domain.ways_in.channels import ChannelKind


@strawberry.type
class TicketEdge:
    cursor: str
    node: Ticket
    at: strawberry.Private[datetime]
    order: strawberry.Private[TicketOrder]


computed(TicketEdge, cursor=lambda edge: cursor_of(edge.order, edge.at, edge.node.row_id))


@strawberry.type
class TicketConnection:
    edges: list[TicketEdge]
    page_info: PageInfo
    total_count: int = strawberry.field(description="Exact up to 1,000; 1,001 means more.")


@strawberry.input(description="All that is given must hold.")
class TicketFilter:
    view_id: strawberry.ID | None = None
    query: str | None = strawberry.field(
        default=None, description="Such as `is:open clock:risk -tag:vip buty`: see docs/finding.md."
    )
    statuses: list[TicketStatus] | None = None
    clock_states: list[ClockState] | None = strawberry.field(
        default=None, description="As the query's `clock:`; one of them."
    )
    assignee_ids: list[strawberry.ID] | None = None
    unassigned: bool | None = None
    channels: list[ChannelKind] | None = None
    has_complaint: bool | None = None
    contact_id: strawberry.ID | None = None
    spam: bool = strawberry.field(
        default=False,
        description="Those that are spam, which are left out otherwise, unless the query speaks of them.",
    )


async def _tickets(
    info: Info,
    filter: TicketFilter | None = None,
    order_by: TicketOrder | None = None,
    first: int = 25,
    after: str | None = None,
) -> TicketConnection:
    size = page_size(first)
    selection = wanted(info)
    async with info.context.reading() as reading:
        chosen, view_order = await _chosen(reading, filter) if filter else ([_NO_SPAM], None)
        order = order_by or view_order or TicketOrder.UPDATED
        place = place_of(order, after) if after else None
        asked = selection.below("edges", "node")
        columns, sight = COLUMNS.asked(asked), access.sight(reading.actor)
        values: dict[str, Any] | None = None
        if filter:
            query = _page(sight, columns, order, chosen, place, size + 1)
        else:
            query = _page_of_all(sight, columns, order, size + 1, further=place is not None)
            values = dict(zip(_PLACE, place or (), strict=False))
        found, total = await gathered(
            load_tickets(reading, query, asked, values),
            reading.connection.scalar(_count(sight, chosen)) if "totalCount" in selection else nothing(),
        )
    edges = [
        plain(TicketEdge, {"at": getattr(ticket, _ORDERS[order].by.key), "order": order, "node": ticket})
        for ticket in found[:size]
    ]
    return TicketConnection(
        edges=edges, page_info=page_info(edges, after=after, more=len(found) > size), total_count=total or 0
    )


@dataclass(frozen=True)
class _Order:
    by: InstrumentedAttribute[Any]
    ascending: bool = False

    def columns(self) -> list[ColumnElement[Any]]:
        both = (self.by, TicketRow.id)
        return [column.asc() if self.ascending else column.desc() for column in both]

    def after(self, last: tuple[Any, Any]) -> ColumnElement[bool]:
        place, here = tuple_(self.by, TicketRow.id), tuple_(*last)
        return place > here if self.ascending else place < here


_ORDERS = {
    TicketOrder.DUE: _Order(TicketRow.due_at, ascending=True),
    TicketOrder.UPDATED: _Order(TicketRow.updated_at),
    TicketOrder.CREATED: _Order(TicketRow.created_at),
}


_NO_SPAM = TicketRow.spam_at.is_(None)
_PLACE = {"at": bindparam("at", type_=DateTime(timezone=True)), "id": bindparam("id", type_=Uuid())}


def _page(
    sight: Actor,
    columns: frozenset[str],
    order: TicketOrder,
    chosen: Sequence[ColumnElement[bool]],
    place: Any,
    size: int,
) -> Select[Any]:
    """`place`: of the last ticket of the page before."""
    query = select(*COLUMNS.of(columns)).where(
        may_see(TicketRow, sight), TicketRow.merged_into_id.is_(None), *chosen
    )
    if place:
        query = query.where(_ORDERS[order].after(place))
    return query.order_by(*_ORDERS[order].columns()).limit(size)


@lru_cache(1000)
def _page_of_all(
    sight: Actor, columns: frozenset[str], order: TicketOrder, size: int, *, further: bool
) -> Select[Any]:
    place = tuple(_PLACE.values()) if further else None
    return _page(sight, columns, order, [_NO_SPAM], place, size)


def _count(sight: Actor, chosen: Sequence[ColumnElement[bool]]) -> Select[Any]:
    one = select(TicketRow.id).where(may_see(TicketRow, sight), TicketRow.merged_into_id.is_(None), *chosen)
    return select(func.count()).select_from(one.limit(COUNTED + 1).subquery())


async def _chosen(
    reading: Reading, filter: TicketFilter
) -> tuple[list[ColumnElement[bool]], TicketOrder | None]:
    """What must hold of a ticket, and a view's order."""
    view = await view_row(reading, filter.view_id) if filter.view_id else None
    written = [(view.query, "viewId")] if view else []
    written += [(filter.query, "query")] if filter.query else []
    queries, asking = await asked(reading, written, saved=["viewId"], within="filter")
    query = Every(tuple(queries))
    found = [holds(query, asking), *_named(filter, asking)]
    if filter.spam:
        found.append(TicketRow.spam_at.is_not(None))
    elif not speaks_of_spam(query):
        found.append(_NO_SPAM)
    return found, view.order_by if view else None


def _named(filter: TicketFilter, asking: Asking) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filter.statuses:
        found.append(TicketRow.status.in_(filter.statuses))
    if filter.clock_states:
        states = [Promises(state.value) for state in filter.clock_states]
        found.append(or_(*(conditions.is_promised(state, asking) for state in states)))
    if filter.assignee_ids:
        ids = [row_id("Agent", id, field="assigneeIds") for id in filter.assignee_ids]
        found.append(one_of(TicketRow.assignee_id, ids))
    if filter.unassigned is not None:
        nobody = conditions.is_nobodys(asking)
        found.append(nobody if filter.unassigned else ~nobody)
    if filter.channels:
        found.append(or_(*(conditions.came_by(kind, asking) for kind in filter.channels)))
    if filter.has_complaint is not None:
        complaint = conditions.is_complaint(asking)
        found.append(complaint if filter.has_complaint else ~complaint)
    if filter.contact_id:
        found.append(same_person(TicketRow.contact_id, row_id("Contact", filter.contact_id)))
    return found


@strawberry.type
class InboxQueries:
    tickets: TicketConnection = strawberry.field(
        resolver=_tickets,
        description="Newest activity first, or as the view has it, unless `orderBy` says otherwise.",
    )

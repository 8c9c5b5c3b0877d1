"""The timeline: items and the events worth telling, newest first, for a ticket or for a whole contact."""

import base64
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Result, Row, Select, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.channels import Channel
from domain.contacts import same_person
from domain.errors import InvalidInput
from domain.events import Event, EventKind
from domain.languages import N_
from domain.messages import Item
from domain.staff import Agent

TOLD = (
    EventKind.TICKET_OPENED,
    EventKind.TICKET_ASSIGNED,
    EventKind.TICKET_CHANGED,
    EventKind.TICKET_REOPENED,
    EventKind.TICKET_MERGED,
    EventKind.THREAD_JOINED,
    EventKind.CONTACT_MERGED,
    EventKind.CONTACT_ERASED,
    EventKind.SLA_BREACHED,
    EventKind.ALERT_ACKED,
)

Moment = tuple[datetime, int]
"""A place in a timeline: when, and the seq that orders what happened at once."""

_item = Item.__table__.c
_event = Event.__table__

ITEMS = select(
    _item.id, _item.seq, _item.kind, _item.ticket_id, _item.contact_id, _item.thread_id, _item.direction,
    _item.agent_id, _item.author, _item.at, _item.text, _item.html, _item.automatic, _item.sender_verified,
    _item.delivery, _item.last_error, _item.call_state, _item.number, _item.answered_at, _item.ended_at,
    Agent.name.label("agent_name"), Channel.kind.label("channel"),
).select_from(
    Item.__table__.outerjoin(Agent, Agent.id == _item.agent_id).outerjoin(Channel, Channel.id == _item.channel_id)
)  # fmt: skip
"""Rows of the table itself: asked for through its classes, a column of one kind would leave out the other kinds."""


async def of_ticket(
    connection: AsyncConnection, ticket_id: uuid.UUID, *, before: Moment | None, limit: int
) -> Sequence[Row[Any]]:
    return await _page(connection, _item.ticket_id == ticket_id, Event.ticket_id == ticket_id, before, limit)


async def of_contact(
    connection: AsyncConnection,
    contact_id: uuid.UUID,
    *,
    tickets: Select[Any],
    before: Moment | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """`tickets`: the ids of those whose share of the history may be seen."""
    seen_event = or_(Event.ticket_id.is_(None), Event.ticket_id.in_(tickets))
    return await _page(
        connection,
        same_person(_item.contact_id, contact_id) & _item.ticket_id.in_(tickets),
        same_person(Event.contact_id, contact_id) & seen_event,
        before,
        limit,
    )


async def _page(
    connection: AsyncConnection,
    items: ColumnElement[bool],
    events: ColumnElement[bool],
    before: Moment | None,
    limit: int,
) -> Sequence[Row[Any]]:
    item_query = ITEMS.where(items)
    event_query = select(_event).where(events, Event.kind.in_(TOLD))
    if before:
        item_query = item_query.where(tuple_(_item.at, _item.seq) < tuple_(*before))
        event_query = event_query.where(tuple_(Event.at, Event.seq) < tuple_(*before))
    item_rows: Result[Any] = await connection.execute(
        item_query.order_by(_item.at.desc(), _item.seq.desc()).limit(limit)
    )
    event_rows: Result[Any] = await connection.execute(
        event_query.order_by(Event.at.desc(), Event.seq.desc()).limit(limit)
    )
    both: list[Row[Any]] = [*item_rows.all(), *event_rows.all()]
    both.sort(key=lambda row: (row.at, row.seq), reverse=True)
    return both[:limit]


def cursor(moment: Moment) -> str:
    at, seq = moment
    return base64.urlsafe_b64encode(f"{int(at.timestamp() * 1_000_000)}.{seq}".encode()).decode().rstrip("=")


def moment(cursor: str) -> Moment:
    try:
        at, seq = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(".")
        if not 0 <= int(seq) < 2**63:
            raise ValueError(seq)
        return datetime.fromtimestamp(int(at) / 1_000_000, UTC), int(seq)
    except (ValueError, OverflowError, OSError):
        raise InvalidInput(N_("This cursor is not one of ours."), field=["before"]) from None

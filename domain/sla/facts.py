"""What of a ticket's history counts for what was promised: who spoke when, and which status it had."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import asked
from domain.db import one_of
from domain.desk.messages import CallState, DeliveryState, Direction, Item, ItemKind
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.sla.promises import Deed, Fact
from domain.ways_in.channels import Channel

SETS_STATUS = (
    EventKind.TICKET_ASSIGNED,
    EventKind.TICKET_CHANGED,
    EventKind.TICKET_REOPENED,
    EventKind.TICKET_SNOOZED,
    EventKind.TICKET_WOKE,
)


async def facts_of(session: AsyncSession, ticket: Ticket) -> list[Fact]:
    said = await asked(session, _said, ticket.id)
    changed = await asked(session, _changed, (ticket.id, ticket.created_at))
    return facts_in(ticket.created_at, said, changed)


async def _said(session: AsyncSession, ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, list[Row[Any]]]:
    item = Item.__table__.c
    rows = await session.execute(
        select(
            item.ticket_id, item.seq, item.kind, item.at, item.direction, item.automatic, item.delivery, item.call_state,
            item.answered_at, item.ended_at, Channel.kind.label("channel"),
        )
        .select_from(
            Item.__table__.outerjoin(Channel, Channel.id == item.channel_id).outerjoin(
                Thread, Thread.id == item.thread_id
            )
        )
        # What is said on the side, with somebody else, is neither the customer's word nor an answer.
        .where(one_of(item.ticket_id, ids), item.kind != ItemKind.NOTE, Thread.side.is_not(True))
    )  # fmt: skip
    return _by_ticket(ids, rows.all())


Opened = tuple[uuid.UUID, datetime]
"""A ticket, and when it was opened."""


async def _changed(session: AsyncSession, tickets: Sequence[Opened]) -> Mapping[Opened, list[Row[Any]]]:
    ids = [id for id, _ in tickets]
    status = Event.data["status"][1].astext.label("status")
    rows = await session.execute(
        select(Event.ticket_id, Event.seq, Event.at, Event.kind, status).where(
            one_of(Event.ticket_id, ids),
            # A provider's clock may be slow.
            Event.at >= min(opened_at for _, opened_at in tickets) - timedelta(days=1),
            one_of(Event.kind, SETS_STATUS),
        )
    )
    found = _by_ticket(ids, rows.all())
    return {(id, opened_at): found[id] for id, opened_at in tickets}


def _by_ticket(ids: Sequence[uuid.UUID], rows: Iterable[Any]) -> dict[uuid.UUID, list[Row[Any]]]:
    found: dict[uuid.UUID, list[Row[Any]]] = {id: [] for id in ids}
    for row in rows:
        found[row.ticket_id].append(row)
    return found


def facts_in(opened_at: datetime, items: Sequence[Row[Any]], changes: Sequence[Row[Any]]) -> list[Fact]:
    """Of the messages and calls of a ticket that are not on the side, and the events that may have set its status."""
    answered = [row.answered_at for row in items if row.answered_at]
    facts = [Fact(opened_at, Deed.STATUS_SET, status=TicketStatus.NEW)]
    for row in items:
        spoken = _call(row, answered) if row.kind == ItemKind.CALL else _message(row)
        facts += [Fact(at, deed, row.channel, seq=row.seq) for at, deed in spoken]
    for row in changes:
        by_customer = row.kind == EventKind.TICKET_REOPENED
        if status := TicketStatus.OPEN if by_customer else row.status and TicketStatus(row.status):
            facts.append(Fact(row.at, Deed.STATUS_SET, None, status, by_customer, row.seq))
    return facts


async def is_a_machines(session: AsyncSession, ticket: Ticket, facts: Sequence[Fact]) -> bool:
    if any(fact.deed == Deed.CUSTOMER_SPOKE for fact in facts):
        return False
    item = Item.__table__.c
    first = await session.execute(
        select(item.direction, item.automatic)
        .where(item.ticket_id == ticket.id, item.kind == ItemKind.MESSAGE)
        .order_by(item.seq)
        .limit(1)
    )
    return began_by_machine(first.one_or_none(), facts)


def began_by_machine(first: Any, facts: Sequence[Fact]) -> bool:
    """An automatic mail opened it, and no customer has said a word: nobody waits for anything. `first`: of its messages."""
    if any(fact.deed == Deed.CUSTOMER_SPOKE for fact in facts):
        return False
    return first is not None and first.direction == Direction.IN and bool(first.automatic)


async def beginnings_of(session: AsyncSession, ticket: Ticket) -> tuple[datetime, datetime | None]:
    """When the ticket was opened, and since when legal days run: of all that were merged into it, the earliest."""
    opened_at, legal_since = await asked(session, _merged, ticket.id)
    legal = [since for since in (ticket.legal_since, legal_since) if since]
    return min(ticket.created_at, opened_at or ticket.created_at), min(legal, default=None)


Beginnings = tuple[datetime | None, datetime | None]


async def _merged(session: AsyncSession, ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Beginnings]:
    rows = await session.execute(
        select(Ticket.merged_into_id, func.min(Ticket.created_at), func.min(Ticket.legal_since))
        .where(one_of(Ticket.merged_into_id, ids))
        .group_by(Ticket.merged_into_id)
    )
    found: dict[uuid.UUID | None, Beginnings] = dict.fromkeys(ids, (None, None))
    found |= {into: (opened_at, since) for into, opened_at, since in rows}
    return {id: found[id] for id in ids}


def _message(row: Row[Any]) -> list[tuple[datetime, Deed]]:
    """An automatic answer keeps no promise, and neither does one that was not delivered, or never left."""
    if row.automatic or row.delivery in (DeliveryState.FAILED, DeliveryState.UNDONE):
        return []
    return [(row.at, Deed.CUSTOMER_SPOKE if row.direction == Direction.IN else Deed.SHOP_SPOKE)]


def _call(row: Row[Any], answered: Sequence[datetime]) -> list[tuple[datetime, Deed]]:
    """A missed call waits to be called back from its end, an answered one is an answer. Who rang twice at once and was
    answered once had one word, however late the other call is hung up."""
    incoming = row.direction == Direction.IN
    if row.answered_at:
        spoken = [(row.answered_at, Deed.SHOP_SPOKE)]
        return [(row.at, Deed.CUSTOMER_SPOKE), *spoken] if incoming else spoken
    if incoming and row.call_state == CallState.MISSED and row.ended_at:
        reached = any(row.at <= at <= row.ended_at for at in answered)
        return [(row.at if reached else row.ended_at, Deed.CUSTOMER_SPOKE)]
    return []

"""What of a ticket's history counts for what was promised: who spoke when, and which status it had."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

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
    item = Item.__table__.c
    said = await session.execute(
        select(
            item.seq, item.kind, item.at, item.direction, item.automatic, item.delivery, item.call_state,
            item.answered_at, item.ended_at, Channel.kind.label("channel"),
        )
        .select_from(
            Item.__table__.outerjoin(Channel, Channel.id == item.channel_id).outerjoin(
                Thread, Thread.id == item.thread_id
            )
        )
        # What is said on the side, with somebody else, is neither the customer's word nor an answer.
        .where(item.ticket_id == ticket.id, item.kind != ItemKind.NOTE, Thread.side.is_not(True))
    )  # fmt: skip
    changed = await session.execute(
        select(Event.seq, Event.at, Event.kind, Event.data["status"][1].astext.label("status")).where(
            Event.ticket_id == ticket.id,
            Event.at >= ticket.created_at - timedelta(days=1),  # a provider's clock may be slow
            Event.kind.in_(SETS_STATUS),
        )
    )
    return facts_in(ticket.created_at, said.all(), changed.all())


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
    merged = await session.execute(
        select(func.min(Ticket.created_at), func.min(Ticket.legal_since)).where(
            Ticket.merged_into_id == ticket.id
        )
    )
    opened_at, legal_since = merged.one()
    legal = [since for since in (ticket.legal_since, legal_since) if since]
    return min(ticket.created_at, opened_at or ticket.created_at), min(legal, default=None)


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

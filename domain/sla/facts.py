"""What of a ticket's history counts for what was promised: who spoke when, and which status it had."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Uuid, bindparam, cast, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.db import Json, one_of, one_of_given
from domain.desk.messages import CallState, DeliveryState, Direction, Item, ItemKind, Message
from domain.desk.threads import Thread
from domain.desk.tickets import OURS, Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.joining.moves import Move
from domain.sla.clocks import Clock
from domain.sla.policies import Policy
from domain.sla.promises import Deed, Fact, is_waited_for
from domain.telling import Wanted, tell_together
from domain.ways_in.channels import Channel, ChannelKind

SETS_STATUS = (
    EventKind.TICKET_ASSIGNED,
    EventKind.TICKET_CHANGED,
    EventKind.TICKET_REOPENED,
    EventKind.TICKET_SNOOZED,
    EventKind.TICKET_WOKE,
)

SLOW = timedelta(days=1)
"""A provider's clock may be."""
NOW = 2**62
"""In a ticket's history, after all that is there."""

_item = Item.__table__.c
_said = (
    select(
        _item.ticket_id, _item.seq, _item.kind, _item.at, _item.direction, _item.automatic, _item.delivery, _item.call_state,
        _item.answered_at, _item.ended_at, _item.agent_id, Channel.kind.label("channel"),
    )
    .select_from(
        Item.__table__.outerjoin(Channel, Channel.id == _item.channel_id).outerjoin(Thread, Thread.id == _item.thread_id)
    )
    # What is said on the side, with somebody else, is neither the customer's word nor an answer.
    .where(_item.kind != ItemKind.NOTE, Thread.side.is_not(True))
)  # fmt: skip
SAID = _said.where(one_of_given(_item.ticket_id))
_said_in = _said.where(_item.thread_id == bindparam("thread"))
_move = Event.data["move"].astext
STANDS = or_(_move.is_(None), exists().where(Move.id == cast(_move, Uuid), Move.undone_at.is_(None)))
"""A status that a merge or a move has set counts as long as that one is not taken back."""
CHANGED = select(
    Event.ticket_id, Event.seq, Event.at, Event.kind, Event.data["status"][1].astext.label("status")
).where(
    one_of_given(Event.ticket_id),
    Event.at >= bindparam("since"),
    one_of(Event.kind, (*SETS_STATUS, EventKind.TICKET_MERGED)),
    STANDS,
)
MERGED = (
    select(
        Ticket.merged_into_id.label("ticket_id"),
        func.min(Ticket.created_at).label("opened_at"),
        func.min(Ticket.legal_since).label("legal_since"),
    )
    .where(one_of_given(Ticket.merged_into_id))
    .group_by(Ticket.merged_into_id)
)


async def facts_of(session: AsyncSession, ticket: Ticket) -> list[Fact]:
    asked = {"ids": [ticket.id], "since": ticket.created_at - SLOW}
    said, changed = await tell_together(session, Wanted(SAID, asked), Wanted(CHANGED, asked))
    return facts_in(ticket.created_at, said.all(), changed.all())


async def waits_in(session: AsyncSession, thread: Thread) -> bool:
    """Is the customer's word the last in this conversation?"""
    said: Any = (await session.execute(_said_in, {"thread": thread.id})).all()
    return is_waited_for(facts_in(thread.joined_at, said, []))


@dataclass(frozen=True)
class History:
    """What is known of a ticket when its clocks are reckoned."""

    facts: Sequence[Fact]
    opened_at: datetime
    """It, or the first of those that were merged into it; as `legal_since`."""
    legal_since: datetime | None
    policies: Sequence[tuple[Policy, Json]]
    clocks: Sequence[Clock]

    def going_on(self, message: Message, channel: ChannelKind, status: TicketStatus | None) -> "History":
        """With what is written now."""
        return replace(self, facts=going_on(self.facts, message, channel, status))


def grouped(rows: Iterable[Any]) -> dict[uuid.UUID, list[Any]]:
    """By their ticket."""
    found: dict[uuid.UUID, list[Any]] = defaultdict(list)
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
    return list(_as_heard(facts, {row.seq: row for row in items if row.answered_at is None}))


def _as_heard(facts: Sequence[Fact], said: Mapping[int, Row[Any]]) -> Iterator[Fact]:
    """What a customer said before somebody here answered or put the ticket aside, and which came only afterwards, is not answered
    by that. `said`: the messages and missed calls."""
    acted_at = None
    for fact in sorted(facts, key=lambda fact: fact.seq):
        if fact.by_customer or (fact.deed == Deed.CUSTOMER_SPOKE and fact.seq in said):
            yield replace(fact, unheard_at=acted_at) if acted_at and acted_at > fact.at else fact
            continue
        answers = fact.seq in said and said[fact.seq].agent_id
        if answers or (fact.status and fact.status not in OURS):
            acted_at = max(fact.at, acted_at or fact.at)
        yield fact


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


def began_at(ticket: Ticket, merged: Any) -> tuple[datetime, datetime | None]:
    """When the ticket was opened, and since when legal days run: of all that were merged into it, the earliest."""
    opened_at, legal_since = (merged.opened_at, merged.legal_since) if merged else (None, None)
    legal = [since for since in (ticket.legal_since, legal_since) if since]
    return min(ticket.created_at, opened_at or ticket.created_at), min(legal, default=None)


def going_on(
    facts: Sequence[Fact], message: Message, channel: ChannelKind, status: TicketStatus | None
) -> list[Fact]:
    """With a message that is written now, and the status that it has set."""
    spoken = [Fact(at, deed, channel, seq=NOW) for at, deed in _message(message)]
    return [*facts, *spoken] + ([Fact(message.at, Deed.STATUS_SET, None, status, seq=NOW)] if status else [])


def _message(row: Row[Any] | Message) -> list[tuple[datetime, Deed]]:
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

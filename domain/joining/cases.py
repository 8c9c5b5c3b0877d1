"""The tickets that a conversation of the same contact may mean, with what each is about."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Uuid, column, func, literal, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql.selectable import TableValuedAlias

from domain.abreast import asked
from domain.customers.survivors import same_person
from domain.db import one_of
from domain.desk.messages import Direction, Item, ItemKind
from domain.desk.threads import Case, Thread
from domain.desk.tickets import Ticket, takes_more
from domain.joining.matters import Matter, matter_of
from domain.joining.named_numbers import NamedNumber
from domain.joining.numbers import CaseNumber, NumberKind
from domain.ways_in.channels import Channel, ChannelKind

MOST = 20
"""Of a contact: the newest."""
TEXTS = 12
"""Of a ticket that are read for what it is about: the newest."""


async def cases_of(session: AsyncSession, contact_id: uuid.UUID, *, at: datetime) -> list[Case]:
    return await asked(session, _cases_of, (contact_id, at))


Asking = tuple[uuid.UUID, datetime]
"""A contact, and when."""


async def _cases_of(session: AsyncSession, many: Sequence[Asking]) -> Mapping[Asking, list[Case]]:
    asking, ticket = newest_tickets(many, MOST)
    found = await session.execute(
        select(asking.c.contact_id, asking.c.at, ticket)
        .join_from(asking, ticket, true())
        .order_by(ticket.updated_at.desc())
    )
    tickets: dict[Asking, list[Ticket]] = {one: [] for one in many}
    for contact_id, at, one in found:
        tickets[contact_id, at].append(one)
    cases = await _cases(session, [ticket for some in tickets.values() for ticket in some])
    return {asking: [cases[ticket.id] for ticket in some] for asking, some in tickets.items()}


def newest_tickets(many: Sequence[Asking], most: int) -> tuple[TableValuedAlias, type[Ticket]]:
    """What is asked, and of each contact the tickets that take more, so many at most; to be joined."""
    columns = column("contact_id", Uuid), column("at", DateTime(timezone=True))
    arrays = (literal([one[place] for one in many], ARRAY(columns[place].type)) for place in (0, 1))
    asking = func.unnest(*arrays).table_valued(*columns).render_derived()
    newest = (
        select(Ticket)
        .where(
            same_person(Ticket.contact_id, asking.c.contact_id),
            Ticket.merged_into_id.is_(None),
            Ticket.spam_at.is_(None),
            takes_more(asking.c.at),
        )
        .order_by(Ticket.updated_at.desc())
        .limit(most)
        .lateral()
    )
    return asking, aliased(Ticket, newest)


async def case_of(session: AsyncSession, ticket: Ticket) -> Case:
    return (await _cases(session, [ticket]))[ticket.id]


async def _cases(session: AsyncSession, found: list[Ticket]) -> dict[uuid.UUID, Case]:
    ids = [ticket.id for ticket in found]
    if not ids:
        return {}
    threads = _by_ticket(await _threads(session, ids))
    texts = _by_ticket(await _texts(session, ids))
    numbers = _by_ticket(await _numbers(session, ids))
    last_words = await _last_words(session, ids)
    return {
        ticket.id: _case(
            ticket,
            threads[ticket.id],
            [row.text for row in texts[ticket.id]],
            frozenset(CaseNumber(row.kind, row.value) for row in numbers[ticket.id]),
            last_words.get(ticket.id, ticket.created_at),
        )
        for ticket in found
    }


def _by_ticket(rows: Sequence[Any]) -> dict[uuid.UUID, list[Any]]:
    found = defaultdict(list)
    for row in rows:
        found[row.ticket_id].append(row)
    return found


def _case(
    ticket: Ticket,
    threads: Sequence[Any],
    texts: Sequence[str],
    numbers: frozenset[CaseNumber],
    last_word_at: datetime,
) -> Case:
    subjects = {row.subject for row in threads} | {ticket.subject}
    matters = [matter_of(subject, "") for subject in subjects] + [matter_of("", text) for text in texts]
    return Case(
        ticket_id=ticket.id,
        matter=Matter(
            subjects=frozenset().union(*(one.subjects for one in matters)),
            numbers=numbers.union(*(one.numbers for one in matters)),
            topics=frozenset().union(*(one.topics for one in matters)),
            things=frozenset().union(*(one.things for one in matters)),
            codes=frozenset().union(*(one.codes for one in matters)),
            says_little=all(one.says_little for one in matters),
        ),
        channels=frozenset(row.channel for row in threads),
        last_word_at=last_word_at,
        is_live=ticket.is_live(),
        is_certain=not threads or any(map(_is_certain, threads)),
    )


def _is_certain(thread: Any) -> bool:
    """A call has no words that could draw anybody."""
    return thread.joined_proof is not None or thread.channel == ChannelKind.PHONE


async def _threads(session: AsyncSession, ids: list[uuid.UUID]) -> Sequence[Any]:
    rows = await session.execute(
        select(Thread.ticket_id, Thread.subject, Thread.joined_proof, Channel.kind.label("channel"))
        .join(Channel, Channel.id == Thread.channel_id)
        .where(one_of(Thread.ticket_id, ids), Thread.side.is_(False))
    )
    return rows.all()


async def _texts(session: AsyncSession, ids: list[uuid.UUID]) -> Sequence[Any]:
    place = func.row_number().over(partition_by=Item.ticket_id, order_by=Item.seq.desc()).label("place")
    ranked = (
        select(Item.ticket_id, func.left(Item.text, 5_000).label("text"), place)
        .outerjoin(Thread, Thread.id == Item.thread_id)
        .where(Thread.side.is_not(True))
        .where(one_of(Item.ticket_id, ids), Item.kind == ItemKind.MESSAGE, Item.direction == Direction.IN)
        .subquery()
    )
    return (await session.execute(select(ranked).where(ranked.c.place <= TEXTS))).all()


async def _numbers(session: AsyncSession, ids: list[uuid.UUID]) -> Sequence[Any]:
    rows = await session.execute(
        select(Item.ticket_id, NamedNumber.kind, NamedNumber.value)
        .join(Item, Item.id == NamedNumber.item_id)
        .where(one_of(Item.ticket_id, ids), NamedNumber.kind != NumberKind.PHONE)
    )
    return rows.all()


async def _last_words(session: AsyncSession, ids: list[uuid.UUID]) -> dict[uuid.UUID, datetime]:
    rows = await session.execute(
        select(Item.ticket_id, func.max(Item.at))
        .outerjoin(Thread, Thread.id == Item.thread_id)
        .where(Thread.side.is_not(True))
        .where(one_of(Item.ticket_id, ids), Item.kind != ItemKind.NOTE)
        .group_by(Item.ticket_id)
    )
    return {ticket_id: last for ticket_id, last in rows}

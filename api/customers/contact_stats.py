"""A contact in figures: counted over what this person sees, and over all that were merged into the contact."""

import uuid
from datetime import datetime
from functools import lru_cache
from typing import Any

import strawberry
from sqlalchemy import Float, Select, Uuid, bindparam, cast, exists, func, or_, select, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from api.context import Reading, plain
from domain.access import may_see, sight
from domain.actors import Actor
from domain.complaints.complaints import LEADS, Complaint
from domain.customers.contacts import Contact
from domain.desk.messages import DeliveryState, Direction, Item, ItemKind
from domain.desk.threads import Thread
from domain.desk.tickets import LIVE, Ticket
from domain.feedback.requests import SurveyRequest
from domain.feedback.scales import SurveyKind
from domain.gathering import gathered
from domain.sla.clocks import Clock
from domain.sla.targets import Metric


@strawberry.type(description="Of the tickets that the reader may see.")
class ContactStats:
    tickets: int
    open_tickets: int
    complaints: int = strawberry.field(
        description="Those opened as one, and tickets whose solution is promised in days, as laws count them."
    )
    messages: int = strawberry.field(description="Both ways.")
    calls: int
    first_seen_at: datetime | None = strawberry.field(
        description="When the customer first wrote or called; null: never."
    )
    last_seen_at: datetime | None
    csat_avg: float | None = strawberry.field(
        description="The average of what the customer answered when asked about the help, from 1 to 5; null: nothing yet."
    )


async def stats_of(reading: Reading, ids: list[uuid.UUID]) -> dict[uuid.UUID, ContactStats]:
    """However many contacts."""
    seen_by = sight(reading.actor)
    tickets, items = await gathered(
        _by_contact(reading, _tickets(seen_by), ids), _by_contact(reading, _items(seen_by), ids)
    )
    return {
        id: plain(ContactStats, {**vars(NOTHING), **tickets.get(id, {}), **items.get(id, {})}) for id in ids
    }


NOTHING = ContactStats(
    tickets=0,
    open_tickets=0,
    complaints=0,
    messages=0,
    calls=0,
    first_seen_at=None,
    last_seen_at=None,
    csat_avg=None,
)


def _everybody() -> Any:
    """Who is counted at whom: the contacts themselves, and those that became them."""
    asked = func.unnest(bindparam("ids", type_=ARRAY(Uuid))).table_valued("id", name="asked").render_derived()
    one = aliased(Contact)
    return (
        select(one.id, asked.c.id.label("counted_at"))
        .join_from(asked, one, or_(one.id == asked.c.id, one.canonical_id == asked.c.id))
        .cte("everybody", nesting=True)
    )


@lru_cache(1000)
def _tickets(actor: Actor) -> Select[Any]:
    everybody = _everybody()
    is_legal = exists().where(
        Clock.ticket_id == Ticket.id,
        Clock.metric == Metric.RESOLUTION,
        Clock.is_legal,
        Clock.ended_at.is_(None),
    )
    complained = exists().where(Complaint.ticket_id == Ticket.id, LEADS)
    ratings = (
        select(func.sum(SurveyRequest.score).label("total"), func.count(SurveyRequest.score).label("answers"))
        .where(SurveyRequest.ticket_id == Ticket.id, SurveyRequest.kind == SurveyKind.CSAT)
        .lateral()
    )
    average = func.sum(ratings.c.total) / func.nullif(func.sum(ratings.c.answers), 0)
    stands = Ticket.merged_into_id.is_(None)
    is_open = (stands, Ticket.status.in_(LIVE), Ticket.spam_at.is_(None))
    return (
        select(
            everybody.c.counted_at,
            func.count().filter(stands).label("tickets"),
            func.count().filter(*is_open).label("open_tickets"),
            func.count().filter(stands, or_(is_legal, complained)).label("complaints"),
            cast(func.round(average, 2), Float).label("csat_avg"),
        )
        .join_from(everybody, Ticket, Ticket.contact_id == everybody.c.id)
        .join(ratings, true())
        .where(may_see(Ticket, actor))
        .group_by(everybody.c.counted_at)
    )


@lru_cache(1000)
def _items(actor: Actor) -> Select[Any]:
    everybody, item = _everybody(), Item.__table__.c
    theirs = item.direction == Direction.IN
    return (
        select(
            everybody.c.counted_at,
            func.count().filter(item.kind == ItemKind.MESSAGE).label("messages"),
            func.count().filter(item.kind == ItemKind.CALL).label("calls"),
            func.min(item.at).filter(theirs).label("first_seen_at"),
            func.max(item.at).filter(theirs).label("last_seen_at"),
        )
        .join_from(everybody, Item.__table__, item.contact_id == everybody.c.id)
        .join(Ticket, Ticket.id == item.ticket_id)
        .outerjoin(Thread, Thread.id == item.thread_id)
        .where(
            may_see(Ticket, actor),
            Thread.side.is_not(True),
            item.delivery.is_distinct_from(DeliveryState.UNDONE),
        )
        .group_by(everybody.c.counted_at)
    )


async def _by_contact(
    reading: Reading, query: Select[Any], ids: list[uuid.UUID]
) -> dict[uuid.UUID, dict[str, Any]]:
    rows = await reading.connection.execute(query, {"ids": ids})
    return {
        row.counted_at: {name: value for name, value in row._mapping.items() if name != "counted_at"}
        for row in rows
    }

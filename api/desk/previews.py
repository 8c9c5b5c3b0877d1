"""What a row of the inbox shows of a ticket's conversations: how it begins, how far it goes, what waits for an answer, by which channels."""

import uuid
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, Uuid, bindparam, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from api.context import Reading
from api.scalars import BigInt
from domain.db import one_of_given
from domain.desk.messages import DeliveryState, Direction, Item
from domain.desk.threads import Thread
from domain.desk.tickets import LIVE, Ticket
from domain.finding.conditions import UNANSWERED
from domain.ways_in.channels import Channel, ChannelKind

PREVIEW = 140


def _newest() -> Select[Any]:
    asked = func.unnest(bindparam("ids", type_=ARRAY(Uuid))).table_valued("id", name="asked").render_derived()
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
    return select(asked.c.id, newest.c.text, last_seq.label("seq")).select_from(
        asked.outerjoin(newest, true())
    )


NEWEST = _newest()
CHANNELS = (
    select(Thread.ticket_id, Channel.kind)
    .join(Channel, Channel.id == Thread.channel_id)
    .where(one_of_given(Thread.ticket_id), Thread.side.is_(False))
    .order_by(func.coalesce(Thread.last_inbound_at, Thread.joined_at).desc())
)
UNREAD = (
    select(Item.__table__.c.ticket_id, func.count())
    .join_from(Item.__table__, Ticket, Ticket.id == Item.__table__.c.ticket_id)
    .where(one_of_given(Item.__table__.c.ticket_id), Ticket.status.in_(LIVE), *UNANSWERED)
    .group_by(Item.__table__.c.ticket_id)
)


class _Row:
    if TYPE_CHECKING:

        def __getattr__(self, column: str) -> Any: ...


async def newest_items(reading: Reading, ids: list[uuid.UUID]) -> dict[uuid.UUID, tuple[str, BigInt]]:
    found = await reading.connection.objects(_Row, NEWEST, {"ids": ids})
    return {row.id: (" ".join(row.text.split()) if row.text else "", BigInt(row.seq or 0)) for row in found}


async def channels_of(reading: Reading, ids: list[uuid.UUID]) -> dict[uuid.UUID, list[ChannelKind]]:
    """The kinds of a ticket's conversations, the one the customer used last first."""
    kinds = defaultdict[uuid.UUID, list[ChannelKind]](list)
    for row in await reading.connection.objects(_Row, CHANNELS, {"ids": ids}):
        kinds[row.ticket_id].append(row.kind)
    return dict(kinds)


async def unread_of(reading: Reading, ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
    rows = await reading.connection.execute(UNREAD, {"ids": ids})
    return {row[0]: row[1] for row in rows}

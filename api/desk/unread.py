"""How many messages of a ticket's customer wait for an answer."""

import uuid
from collections.abc import Collection

from sqlalchemy import func, select

from api.context import Reading
from domain.db import one_of
from domain.desk.messages import Item
from domain.desk.tickets import LIVE, Ticket
from domain.finding.conditions import UNANSWERED

_item = Item.__table__.c


async def unread_of(reading: Reading, ticket_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, int]:
    rows = await reading.connection.execute(
        select(_item.ticket_id, func.count())
        .join_from(Item.__table__, Ticket, Ticket.id == _item.ticket_id)
        .where(one_of(_item.ticket_id, ticket_ids), Ticket.status.in_(LIVE), *UNANSWERED)
        .group_by(_item.ticket_id)
    )
    return {row[0]: row[1] for row in rows}

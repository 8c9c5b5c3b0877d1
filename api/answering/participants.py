"""Who else takes part in a mail conversation."""

import uuid
from collections.abc import Collection
from datetime import datetime

import strawberry
from sqlalchemy import select

from api.agents.staff import Agent, agents_by_id
from api.context import Reading, by, plain
from api.node import Node
from domain.arriving import participants
from domain.db import one_of
from domain.ids import public_id


@strawberry.type(
    description="Somebody beside the customer whom the mails of a conversation named, or who wrote to it."
)
class Participant(Node):
    address: str
    name: str
    first_seen_at: datetime
    accepted_at: datetime | None = strawberry.field(
        description="Since then their mail belongs to the conversation, and an answer may go to them in `cc`."
    )
    accepted_by: Agent | None
    thread_id: strawberry.Private[uuid.UUID]


async def participants_of(
    reading: Reading, thread_ids: Collection[uuid.UUID]
) -> dict[uuid.UUID, list[Participant]]:
    """By conversation, the accepted ones first."""
    row_of = participants.Participant
    found = await reading.connection.execute(
        select(row_of.__table__)
        .where(one_of(row_of.thread_id, thread_ids))
        .order_by(row_of.accepted_at, row_of.first_seen_at, row_of.id)
    )
    rows = found.all()
    agents = await agents_by_id(reading, [row.accepted_by_id for row in rows])
    return by(
        "thread_id",
        [
            plain(
                Participant,
                {
                    "id": public_id("Participant", row.id),
                    "thread_id": row.thread_id,
                    "address": row.address,
                    "name": row.name,
                    "first_seen_at": row.first_seen_at,
                    "accepted_at": row.accepted_at,
                    "accepted_by": agents.get(row.accepted_by_id),
                },
            )
            for row in rows
        ],
    )

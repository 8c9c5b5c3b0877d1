"""A mail as it came, byte for byte, for whoever sees the message it became. Where it was emptied, there is none."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import may_see
from domain.actors import Actor
from domain.arriving.inbound import Arrival
from domain.chorus import Reads
from domain.db import one_of
from domain.desk.messages import Item
from domain.ways_in.channels import Channel, ChannelKind

_item = Item.__table__.c
_IS_WHOLE = and_(Channel.kind == ChannelKind.EMAIL, Arrival.emptied_at.is_(None))


@dataclass(frozen=True)
class Original:
    raw: bytes
    subject: str


async def original(session: AsyncSession, item_id: uuid.UUID, *, to: Actor) -> Original | None:
    found = await session.execute(
        select(Arrival.raw, _item.mail)
        .join(Item, Item.arrival_id == Arrival.id)
        .join(Channel, Channel.id == Arrival.channel_id)
        .where(Item.id == item_id, _IS_WHOLE, may_see(Item, to))
    )
    row = found.one_or_none()
    return Original(row.raw, (row.mail or {}).get("subject", "")) if row else None


async def with_original(connection: Reads, item_ids: Collection[uuid.UUID]) -> Collection[uuid.UUID]:
    """Those of these items that have one."""
    if not item_ids:
        return []
    found = await connection.scalars(
        select(_item.id)
        .join(Arrival, Arrival.id == _item.arrival_id)
        .join(Channel, Channel.id == Arrival.channel_id)
        .where(one_of(_item.id, item_ids), _IS_WHOLE)
    )
    return found.all()

"""The ways in, as agents see them."""

import uuid
from collections.abc import Collection
from typing import Any

import strawberry
from sqlalchemy import Select, func, select

from api.context import Info, Reading, plain
from api.node import Node
from domain import channels
from domain.access import may_see
from domain.channels import ChannelKind
from domain.db import one_of
from domain.fetching import Box
from domain.ids import public_id

strawberry.enum(ChannelKind)


@strawberry.type(description="One way in: a mailbox, a widget, a page, a line.")
class Channel(Node):
    kind: ChannelKind
    slug: str = strawberry.field(description="Its name in the addresses of webhooks and sockets.")
    name: str
    is_healthy: bool
    last_error: str | None


async def _channels(info: Info) -> list[Channel]:
    async with info.context.reading() as reading:
        by_name = _seen(reading).order_by(channels.Channel.name).limit(100)
        return [_channel(row) for row in await reading.connection.execute(by_name)]


async def channels_by_id(reading: Reading, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Channel]:
    rows = await reading.connection.execute(_seen(reading).where(one_of(channels.Channel.id, ids)))
    return {row.id: _channel(row) for row in rows}


def _seen(reading: Reading) -> Select[Any]:
    trouble = func.coalesce(channels.Channel.last_error, Box.last_error)
    return (
        select(channels.Channel.__table__, trouble.label("trouble"))
        .outerjoin(Box, Box.channel_id == channels.Channel.id)
        .where(may_see(channels.Channel, reading.actor))
    )


def _channel(row: Any) -> Channel:
    return plain(
        Channel,
        {
            "id": public_id("Channel", row.id),
            "kind": row.kind,
            "slug": row.slug,
            "name": row.name,
            "is_healthy": channels.is_healthy(disabled_at=row.disabled_at, last_error=row.trouble),
            "last_error": row.trouble,
        },
    )


@strawberry.type
class ChannelQueries:
    channels: list[Channel] = strawberry.field(
        resolver=_channels, description="All ways in, by name; at most 100."
    )

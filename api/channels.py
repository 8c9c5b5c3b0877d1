"""The ways in, as agents see them."""

from typing import Any

import strawberry
from sqlalchemy import select

from api.context import Info, plain
from api.node import Node
from domain import channels
from domain.access import may_see
from domain.channels import ChannelKind
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
        rows = await reading.connection.execute(
            select(channels.Channel.__table__)
            .where(may_see(channels.Channel, reading.actor))
            .order_by(channels.Channel.name)
            .limit(100)
        )
        return [_channel(row) for row in rows]


def _channel(row: Any) -> Channel:
    return plain(
        Channel,
        {
            "id": public_id("Channel", row.id),
            "kind": row.kind,
            "slug": row.slug,
            "name": row.name,
            "is_healthy": channels.is_healthy(disabled_at=row.disabled_at, last_error=row.last_error),
            "last_error": row.last_error,
        },
    )


@strawberry.type
class ChannelQueries:
    channels: list[Channel] = strawberry.field(
        resolver=_channels, description="All ways in, by name; at most 100."
    )

"""The ways in: as agents see them, and to who manages also how each is set up and whether it works."""

import uuid
from collections.abc import Collection
from datetime import datetime
from typing import Any

import strawberry
from cryptography.fernet import InvalidToken
from pydantic import ValidationError
from sqlalchemy import select
from strawberry.scalars import JSON

from api.agents.staff import Team, teams_by_id
from api.context import Info, Reading, plain
from api.node import Node
from api.selection import Selection, wanted
from api.sla.calendars import Calendar, calendars_by_id
from api.ways_in.channel_health import ChannelHealth, healths_of, trouble
from domain.access import may_see
from domain.db import one_of
from domain.ids import public_id
from domain.sla.calendars import Calendar as CalendarRow
from domain.sla.hours import Hours
from domain.ways_in import channels
from domain.ways_in.channels import ChannelKind
from domain.ways_in.fetching import Box
from domain.ways_in.office_hours import opens_at
from integrations.channel_settings import KINDS, Shape, settings_of

strawberry.enum(ChannelKind)


@strawberry.type(description="What a channel is told. `channelKinds` says what each means.")
class ChannelSetting:
    name: str
    value: JSON | None = strawberry.field(
        description="As it is, or as it is by itself; texts in several languages by language."
    )


@strawberry.type(description="A password, key or token: never shown, only that it is there.")
class ChannelSecret:
    name: str
    is_set: bool
    set_at: datetime | None = strawberry.field(description="Since when it is what it is.")
    previous_until: datetime | None = strawberry.field(
        description="Until then the one it took the place of is accepted as well."
    )


@strawberry.type(
    description="An address to type in at the provider. `{key}` in it stands for the secret of that name."
)
class ChannelDoor:
    name: str
    url: str


@strawberry.type(description="One way in: a mailbox, a widget, a page, a line.")
class Channel(Node):
    kind: ChannelKind
    slug: str = strawberry.field(description="Its name in the addresses of webhooks and sockets.")
    name: str
    is_healthy: bool
    last_error: str | None
    address: str | None = strawberry.field(
        description="What the world calls it: a mail address, a page's id, a number; none of a widget."
    )
    team: Team | None = strawberry.field(description="What opens a ticket here goes to it.")
    calendar: Calendar | None = strawberry.field(
        description="Its office hours; none: somebody is always there."
    )
    is_open: bool = strawberry.field(description="Is somebody there now, by its office hours?")
    opens_at: datetime | None = strawberry.field(description="When somebody is, if nobody is now.")
    disabled_at: datetime | None = strawberry.field(description="Since when it is switched off.")
    language: str | None = strawberry.field(description="Of its answers to who has told no language.")
    settings: list[ChannelSetting]
    secrets: list[ChannelSecret]
    webhook_urls: list[ChannelDoor]
    health: ChannelHealth


async def _channels(info: Info) -> list[Channel]:
    async with info.context.reading() as reading:
        return await channels_where(reading, selection=wanted(info))


async def channels_by_id(
    reading: Reading, ids: Collection[uuid.UUID], selection: Selection
) -> dict[uuid.UUID, Channel]:
    found = await channels_where(reading, one_of(channels.Channel.id, ids), selection=selection)
    return {channel.__dict__["row_id"]: channel for channel in found}


async def channels_where(reading: Reading, *conditions: Any, selection: Selection) -> list[Channel]:
    """By name; at most 100."""
    query = (
        select(channels.Channel.__table__, trouble.label("trouble"))
        .outerjoin(Box, Box.channel_id == channels.Channel.id)
        .where(may_see(channels.Channel, reading.actor), *conditions)
    )
    rows = (await reading.connection.execute(query.order_by(channels.Channel.name).limit(100))).all()
    found = [_channel(row) for row in rows]
    for channel, row in zip(found, rows, strict=True):
        if not {"settings", "secrets", "webhookUrls"}.isdisjoint(selection):
            channel.__dict__.update(_set_up(reading, row))
    await _surroundings(reading, found, rows, selection)
    if "health" in selection:
        healths = await healths_of(reading, [row.id for row in rows])
        for channel, row in zip(found, rows, strict=True):
            channel.health = healths[row.id]
    return found


def _channel(row: Any) -> Channel:
    return plain(
        Channel,
        {
            "row_id": row.id,
            "id": public_id("Channel", row.id),
            "kind": row.kind,
            "slug": row.slug,
            "name": row.name,
            "is_healthy": channels.is_healthy(disabled_at=row.disabled_at, last_error=row.trouble),
            "last_error": row.trouble,
            "address": row.address,
            "disabled_at": row.disabled_at,
            "language": row.config.get("language") or None,
        },
    )


def _set_up(reading: Reading, row: Any) -> dict[str, Any]:
    keys = reading.house.keys
    described = settings_of(row.kind)
    try:
        kept = keys.decrypt(row.secrets) if row.secrets else {}
        until = {
            name: max(one.until for one in those)
            for name, those in channels.retired_in(row.retired, keys).items()
        }
    except InvalidToken:  # of another HEDDLE_SECRET_KEY
        kept, until = {}, {}
    since = {name: datetime.fromisoformat(at) for name, at in row.secrets_set_at.items()}
    settings = [
        ChannelSetting(name=one.name, value=row.config.get(one.name, one.default))
        for one in described
        if one.shape != Shape.SECRET
    ]
    secrets = [
        ChannelSecret(
            name=one.name,
            is_set=bool(kept.get(one.name)),
            set_at=since.get(one.name, row.created_at) if kept.get(one.name) else None,
            previous_until=until[one.name] if until.get(one.name, reading.at) > reading.at else None,
        )
        for one in described
        if one.shape == Shape.SECRET
    ]
    return {"settings": settings, "secrets": secrets, "webhook_urls": _doors(reading, row)}


def _doors(reading: Reading, row: Any) -> list[ChannelDoor]:
    try:
        told = KINDS[row.kind].of(row, reading.house.keys)
    except (InvalidToken, ValidationError):
        return []
    base = reading.house.base_url
    return [ChannelDoor(name=name, url=base + path) for name, path in told.doors(row.slug).items()]


async def _surroundings(
    reading: Reading, found: list[Channel], rows: Collection[Any], selection: Selection
) -> None:
    teams = await teams_by_id(reading, [row.team_id for row in rows]) if "team" in selection else {}
    used = {row.calendar_id for row in rows if row.calendar_id}
    calendars = await calendars_by_id(reading, used) if "calendar" in selection and used else {}
    hours: dict[uuid.UUID, Hours] = {}
    if used and not {"isOpen", "opensAt"}.isdisjoint(selection):
        kept = select(CalendarRow.id, CalendarRow.hours).where(one_of(CalendarRow.id, used))
        hours = {one.id: Hours.from_json(one.hours) for one in await reading.connection.execute(kept)}
    for channel, row in zip(found, rows, strict=True):
        channel.team, channel.calendar = teams.get(row.team_id), calendars.get(row.calendar_id)
        its = hours.get(row.calendar_id)
        channel.is_open = its is None or its.is_open(reading.at)
        channel.opens_at = opens_at(its, reading.at)


@strawberry.type
class ChannelQueries:
    channels: list[Channel] = strawberry.field(
        resolver=_channels,
        description="All ways in, by name; at most 100. How they are set up is for who manages.",
    )

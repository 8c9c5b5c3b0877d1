"""A channel on a terminal."""

from collections.abc import Iterator
from typing import Any

from api.context import reading_as
from api.house import House
from api.selection import Selection
from api.ways_in.channel_health import ChannelHealth
from api.ways_in.channels import Channel, channels_where
from domain.actors import SYSTEM
from domain.settings import WrongSetting
from domain.ways_in import channels

ALL = Selection({name: Selection() for name in ("team", "calendar", "isOpen", "settings", "health")})


async def sheet(house: House, slug: str) -> list[str]:
    async with reading_as(house, SYSTEM, "en") as reading:
        found = await channels_where(reading, channels.Channel.slug == slug, selection=ALL)
    if not found:
        raise WrongSetting(f"There is no channel {slug!r}: `heddle channel list` shows them.")
    rows = [*_about(found[0]), *_settings(found[0]), *_health(found[0].health)]
    width = max(len(name) for name, _ in rows)
    return [f"{name.ljust(width)}  {value}".rstrip() if name else "" for name, value in rows]


Row = tuple[str, str]


def _about(channel: Channel) -> Iterator[Row]:
    yield channel.slug, f"{channel.kind.value} channel {channel.name!r}"
    if channel.disabled_at:
        yield "off", f"since {_moment(channel.disabled_at)}"
    yield "address", channel.address or "none"
    yield "team", channel.team.name if channel.team else "none"
    yield "office hours", _hours(channel)
    for door in channel.webhook_urls:
        yield f"webhook, {door.name}", door.url


def _hours(channel: Channel) -> str:
    if channel.calendar is None:
        return "always"
    if channel.is_open:
        return f"{channel.calendar.name}, open now"
    return f"{channel.calendar.name}, closed" + (
        f" until {_moment(channel.opens_at)}" if channel.opens_at else ""
    )


def _settings(channel: Channel) -> Iterator[Row]:
    yield "", ""
    for setting in channel.settings:
        yield from _setting(setting.name, setting.value)
    for secret in channel.secrets:
        if secret.is_set:
            until = (
                f"; the one before until {_moment(secret.previous_until)}" if secret.previous_until else ""
            )
            yield secret.name, f"set since {_moment(secret.set_at)}{until}"


def _setting(name: str, value: Any) -> Iterator[Row]:
    """Those that are what they are by themselves and say nothing are left out."""
    if isinstance(value, dict):
        for language, text in sorted(value.items()):
            yield f"{name}.{language}", str(text).replace("\n", "\\n")
    elif isinstance(value, list):
        if value:
            yield name, ",".join(map(str, value))
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value not in (None, ""):
        yield name, str(value).replace("\n", "\\n")


def _health(health: ChannelHealth) -> Iterator[Row]:
    yield "", ""
    yield "last came in", _moment(health.last_inbound_at)
    yield "waiting to be placed", str(health.waiting_arrivals)
    yield "waiting to be sent", str(health.queued_messages)
    yield "failed in seven days", str(health.failed_messages)
    if health.failing_since:
        yield "failing", f"since {_moment(health.failing_since)}: {health.last_error}"
    if health.last_turned_away_at:
        yield "turned away", f"{_moment(health.last_turned_away_at)}: a wrong signature or token"


def _moment(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC" if at else "never"

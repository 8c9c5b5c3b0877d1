"""What is typed about the ways in: `heddle channel add`, `set`, `list`."""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from cyclopts import App, Parameter
from sqlalchemy import func, select

from api.columns import print_table
from api.running import house_here
from domain.actors import SYSTEM
from domain.channels import Channel, ChannelKind, add_channel
from domain.db import database_time
from domain.fetching import Box
from domain.settings import WrongSetting
from integrations.channel_settings import KINDS, read_settings

channel = App(name="channel", help="The ways in.")


@channel.command(name="add")
async def add_a_channel(
    kind: ChannelKind,
    *settings: Annotated[
        str,
        Parameter(
            help="KEY=VALUE; a list is separated by commas, and KEY.LANGUAGE=VALUE says it in one language"
        ),
    ],
    name: str,
    slug: str | None = None,
) -> None:
    """Adds a way in: `heddle channel add email --name Support address=help@shop.example`."""
    read = read_settings(kind, _values(settings))
    made = slug or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    async with house_here() as (house, _), house.db.transaction() as session:
        added = await add_channel(
            session,
            house.keys,
            kind=kind,
            slug=made,
            name=name,
            address=read.place(),
            config=read.config(),
            secrets=read.secrets(),
            at=await database_time(session),
        )
    print(f"The {kind.value} channel {name!r} is here as {added.slug!r}.")


@channel.command(name="set")
async def set_up_a_channel(
    slug: str, *settings: Annotated[str, Parameter(help="KEY=VALUE, or KEY= for what it is by itself")]
) -> None:
    """Sets up a way in otherwise, at once: `heddle channel set support imap_password=…`. The other settings stay."""
    values = _values(settings)
    async with house_here() as (house, _), house.db.transaction() as session:
        kept = await session.scalar(select(Channel).where(Channel.slug == slug).with_for_update())
        if kept is None:
            raise WrongSetting(f"There is no channel {slug!r}: `heddle channel list` shows them.")
        before = KINDS[kept.kind].of(kept, house.keys)
        read = read_settings(kept.kind, _otherwise(before.config() | before.secrets(), values))
        if read.place() != before.place():
            raise WrongSetting("A channel keeps its address: another address is another channel.")
        kept.set_up(
            session,
            house.keys,
            config=read.config(),
            secrets=read.secrets(),
            by=SYSTEM,
            at=await database_time(session),
        )
    print(f"The {kept.kind.value} channel {slug!r} is set up.")


@channel.command(name="list")
async def list_channels() -> None:
    """The ways in, by kind: with what went wrong last, where something did."""
    async with house_here() as (house, _), house.db.transaction() as session:
        trouble = func.coalesce(Channel.last_error, Box.last_error, "")
        found = await session.execute(
            select(Channel, trouble)
            .outerjoin(Box, Box.channel_id == Channel.id)
            .order_by(Channel.kind, Channel.slug)
        )
        rows = [
            (one.slug, one.kind.value, one.address or "", one.name, "off" if one.disabled_at else wrong)
            for one, wrong in found
        ]
    print_table(rows)


LISTS = {"relays", "origins"}


def _values(settings: Iterable[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in map(_pair, settings):
        name, _, language = key.partition(".")
        if language:
            values.setdefault(name, {})[language] = value
        else:
            values[name] = value
    return values


def _otherwise(before: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """What is set to nothing goes; of what is said in several languages, those that are named."""
    said = dict(before)
    for name, value in values.items():
        kept = before.get(name)
        said[name] = _otherwise(kept, value) if isinstance(kept, dict) and isinstance(value, dict) else value
    return {name: value for name, value in said.items() if value not in ("", {})}


def _pair(setting: str) -> tuple[str, str | list[str]]:
    key, equals, value = setting.partition("=")
    if not equals:
        raise WrongSetting(f"{setting!r} should be KEY=VALUE")
    return key, [one for one in value.split(",") if one] if key in LISTS else value

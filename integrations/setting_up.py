"""A channel is added, set up otherwise, and given new secrets: the same by GraphQL and on the command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.fernet import InvalidToken
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.db import Json
from domain.errors import InvalidInput
from domain.keys import Keys
from domain.languages import N_
from domain.ways_in.channels import Channel, ChannelKind, add_channel
from integrations.channel_settings import (
    KINDS,
    Shape,
    new_secret,
    otherwise,
    read_settings,
    settings_of,
    with_ours,
)
from integrations.keeping import ChannelSettings

GRACE = timedelta(days=1)
LONGEST_GRACE = timedelta(days=30)
SEALED = N_("Its credentials were sealed with another HEDDLE_SECRET_KEY: give them anew.")


@dataclass(frozen=True)
class Added:
    channel: Channel
    made: dict[str, str]
    """Secrets that were made for it, by name: to be shown once."""


async def add(
    session: AsyncSession,
    keys: Keys,
    kind: ChannelKind,
    said: Mapping[str, Any],
    *,
    name: str,
    slug: str,
    by: Actor,
    at: datetime,
) -> Added:
    values, made = with_ours(kind, otherwise(kind, {}, said))
    read = read_settings(kind, values)
    channel = await add_channel(
        session,
        keys,
        kind=kind,
        slug=slug,
        name=_called(name),
        address=read.place(),
        config=read.config(),
        secrets=read.secrets(),
        by=by,
        at=at,
    )
    return Added(channel, made)


async def set_up(
    session: AsyncSession,
    keys: Keys,
    channel: Channel,
    said: Mapping[str, Any],
    *,
    name: str | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """What is named changes, at once; the others stay. `channel` is held by the caller."""
    if name is not None:
        channel.change(by=by, at=at, name=_called(name))
    if not said:
        return
    kept, place = as_kept(channel, keys, said)
    read = read_settings(channel.kind, otherwise(channel.kind, kept, said))
    if read.place() != place:
        raise InvalidInput(
            N_("A channel keeps its address: another address is another channel."), field=["settings"]
        )
    for name in sorted(_shown_elsewhere(read, kept) - said.keys()):
        raise InvalidInput(
            N_("{name} would be shown at another place: give it anew."), field=["settings", name], name=name
        )
    channel.set_up(session, keys, config=read.config(), secrets=read.secrets(), by=by, at=at)


async def rotate(
    session: AsyncSession,
    keys: Keys,
    channel: Channel,
    name: str,
    value: str | None = None,
    *,
    keep_for: timedelta = GRACE,
    by: Actor,
    at: datetime,
) -> str | None:
    """The new secret, if it was made here. `keep_for`: how long the one before is accepted."""
    if not timedelta(0) <= keep_for <= LONGEST_GRACE:
        raise InvalidInput(N_("An old secret is accepted for at most {days} days."), days=LONGEST_GRACE.days)
    setting = next((one for one in settings_of(channel.kind) if one.name == name), None)
    if setting is None or setting.shape != Shape.SECRET:
        raise InvalidInput(N_("There is no secret {name}."), field=["secret"], name=name)
    if not value and not setting.is_ours:
        raise InvalidInput(N_("{name} comes from its provider: say the new one."), field=["value"], name=name)
    made = None if value else new_secret()
    said = {name: value or made}
    kept, _ = as_kept(channel, keys, said)
    read = read_settings(channel.kind, otherwise(channel.kind, kept, said))
    channel.rotate(session, keys, name, read.secrets()[name], keep_for=keep_for, by=by, at=at)
    return made


def as_kept(channel: Channel, keys: Keys, said: Mapping[str, Any]) -> tuple[Json, str | None]:
    """Its settings, and its address. Secrets that another HEDDLE_SECRET_KEY sealed are all said anew, so that none is lost by the
    way."""
    try:
        before = KINDS[channel.kind].of(channel, keys)
    except InvalidToken:
        if channel.secrets_set_at.keys() - said.keys():
            raise InvalidInput(SEALED, field=["settings"]) from None
        return channel.config, channel.address
    return before.config() | before.secrets(), before.place()


def _shown_elsewhere(read: ChannelSettings, kept: Json) -> set[str]:
    """Secrets that were told before. Nobody shall learn one by pointing it at a server of theirs."""
    after = read.config()
    moved = [place for place in read.SHOWN_AT if after[place] and after[place] != kept.get(place)]
    return {name for place in moved for name in read.SHOWN_AT[place] if kept.get(name)}


def _called(name: str) -> str:
    if not (said := name.strip()):
        raise InvalidInput(N_("This may not be empty."), field=["name"])
    return said

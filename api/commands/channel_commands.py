"""What is typed about the ways in: `heddle channel add`, `set`, `list`, `show`, `test`, `disable`, `enable`, `rotate`."""

import sys
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from api.commands.channel_sheet import sheet
from api.commands.columns import print_table
from api.commands.phone_commands import numbers
from api.house import House
from api.running import house_here
from api.ways_in.channel_health import trouble
from domain import audit
from domain.actors import SYSTEM
from domain.agents.staff import Team
from domain.audit import AuditKind
from domain.db import database_time
from domain.ids import public_id
from domain.settings import WrongSetting
from domain.sla.calendars import Calendar
from domain.ways_in import channels, switching
from domain.ways_in.channels import Channel, ChannelKind
from domain.ways_in.fetching import Box
from integrations import setting_up
from integrations.channel_settings import Shape, settings_of
from integrations.checking import findings_of
from integrations.outbound import Means

channel = App(name="channel")
channel.command(numbers)

Settings = Annotated[
    str,
    Parameter(
        help="KEY=VALUE; a list is separated by commas, KEY.LANGUAGE=VALUE says it in one language, KEY=@FILE reads it from a "
        "file and KEY=- from a line of standard input, so that a secret stands in no history"
    ),
]
OneTeam = Annotated[str | None, Parameter(help="The team to which goes what opens a ticket; '' for none.")]
Hours = Annotated[
    str | None, Parameter(help="The calendar with its office hours; '' for none: somebody is always there.")
]


@channel.command(name="add")
async def add_a_channel(
    kind: ChannelKind,
    *settings: Settings,
    name: str,
    slug: str | None = None,
    team: OneTeam = None,
    hours: Hours = None,
) -> None:
    """Adds a way in: `heddle channel add email --name Support address=help@shop.example`."""
    said = _values(kind, settings)
    async with house_here() as (house, _):
        async with house.db.transaction() as session:
            now = await database_time(session)
            added = await setting_up.add(
                session,
                house.keys,
                kind,
                said,
                name=name,
                slug=slug or channels.slug_of(name),
                by=SYSTEM,
                at=now,
            )
            await session.flush()
            added.channel.change(by=SYSTEM, at=now, **await _places(session, team, hours))
            told = {"kind": kind.value, "name": name, **_named(settings)}
            _note(session, AuditKind.CHANNEL_ADDED, added.channel, now, told)
        print(f"The {kind.value} channel {name!r} is here as {added.channel.slug!r}.")
        _print_once(added.made)


@channel.command(name="set")
async def set_up_a_channel(
    slug: str, *settings: Settings, name: str | None = None, team: OneTeam = None, hours: Hours = None
) -> None:
    """Sets up a way in otherwise, at once: `heddle channel set support imap_password=-`. The other settings stay; KEY= is
    what it is by itself."""
    async with _held(slug) as held:
        said = _values(held.channel.kind, settings)
        await setting_up.set_up(
            held.session, held.house.keys, held.channel, said, name=name, by=SYSTEM, at=held.at
        )
        held.channel.change(by=SYSTEM, at=held.at, **await _places(held.session, team, hours))
        _note(held.session, AuditKind.CHANNEL_CHANGED, held.channel, held.at, _named(settings))
    print(f"The {held.channel.kind.value} channel {slug!r} is set up.")


@channel.command(name="list")
async def list_channels() -> None:
    """The ways in, by kind: with what went wrong last, where something did."""
    async with house_here() as (house, _), house.db.transaction() as session:
        found = await session.execute(
            select(Channel, func.coalesce(trouble, ""))
            .outerjoin(Box, Box.channel_id == Channel.id)
            .order_by(Channel.kind, Channel.slug)
        )
        rows = [
            (one.slug, one.kind.value, one.address or "", one.name, "off" if one.disabled_at else wrong)
            for one, wrong in found
        ]
    print_table(rows)


@channel.command(name="show")
async def show_a_channel(slug: str) -> None:
    """How a way in is set up, what to type in at its provider, and whether it works. Secrets are not shown."""
    async with house_here() as (house, _):
        for line in await sheet(house, slug):
            print(line)


@channel.command(name="test")
async def test_a_channel(slug: str) -> None:
    """Asks the far end whether it works; nothing is sent to anybody. Exit status 1 if something does not."""
    async with house_here() as (house, settings):
        async with house.db.transaction() as session:
            tested = await _called(session, slug)
        means = Means(house.db, house.keys, house.files, settings.integrations)
        found = await findings_of(tested, means)
    print_table([("✓" if one.ok else "✗", one.name, one.in_language("en")) for one in found])
    raise SystemExit(0 if all(one.ok for one in found) else 1)


@channel.command(name="disable")
async def disable_a_channel(slug: str) -> None:
    """Switches a way in off: nothing comes in, and what waits to be sent waits until it is enabled."""
    async with _held(slug) as held:
        await switching.switch_off(held.session, held.channel, by=SYSTEM, at=held.at)
        _note(held.session, AuditKind.CHANNEL_DISABLED, held.channel, held.at)
    print(
        f"The {held.channel.kind.value} channel {slug!r} is off. `heddle channel enable {slug}` switches it on."
    )


@channel.command(name="enable")
async def enable_a_channel(slug: str) -> None:
    """Switches a way in on again; what waited is sent."""
    async with _held(slug) as held:
        await switching.switch_on(held.session, held.channel, by=SYSTEM, at=held.at)
        _note(held.session, AuditKind.CHANNEL_ENABLED, held.channel, held.at)
    print(f"The {held.channel.kind.value} channel {slug!r} is on.")


@channel.command(name="rotate")
async def rotate_a_secret(
    slug: str,
    secret: Annotated[
        str, Parameter(help="Its name; of one that its provider gives NAME=VALUE, NAME=- or NAME=@FILE")
    ],
    *,
    grace_hours: Annotated[
        float, Parameter(help="How long the one before is accepted as well; 0: from now on only the new one.")
    ] = setting_up.GRACE / timedelta(hours=1),
) -> None:
    """Gives a channel another secret: `heddle channel rotate main-line key` makes one of ours and prints it, this once."""
    name, equals, written = secret.partition("=")
    value = _read(written) if equals else None
    keep_for = timedelta(hours=max(-1.0, min(grace_hours, 1e6)))
    async with _held(slug) as held:
        made = await setting_up.rotate(
            held.session, held.house.keys, held.channel, name, value, keep_for=keep_for, by=SYSTEM, at=held.at
        )
        told = {"secret": name, "grace_seconds": str(int(keep_for.total_seconds()))}
        _note(held.session, AuditKind.CHANNEL_SECRET_ROTATED, held.channel, held.at, told)
        before = channels.retired_in(held.channel.retired, held.house.keys).get(name)
    print(f"The channel {slug!r} has a new {name}.")
    if before:
        print(f"The one before is accepted until {before[-1].until:%Y-%m-%d %H:%M} UTC.")
    _print_once({name: made} if made else {})


@dataclass(frozen=True)
class Held:
    house: House
    session: AsyncSession
    channel: Channel
    at: datetime


@asynccontextmanager
async def _held(slug: str) -> AsyncIterator[Held]:
    async with house_here() as (house, _), house.db.transaction() as session:
        held = await _called(session, slug, lock=True)
        yield Held(house, session, held, await database_time(session))


async def _called(session: AsyncSession, slug: str, *, lock: bool = False) -> Channel:
    query = select(Channel).where(Channel.slug == slug)
    found = await session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise WrongSetting(f"There is no channel {slug!r}: `heddle channel list` shows them.")
    return found


async def _places(session: AsyncSession, team: str | None, hours: str | None) -> dict[str, Any]:
    """Those that are named; of an empty name none."""
    found: dict[str, Any] = {}
    named: tuple[tuple[str, str, type[Team | Calendar], str | None], ...] = (
        ("team_id", "team", Team, team),
        ("calendar_id", "calendar", Calendar, hours),
    )
    for column, what, model, name in named:
        if name is None:
            continue
        there = model.archived_at.is_(None)
        asked = select(model.id).where(model.name == name, there)
        found[column] = await session.scalar(asked) if name else None
        if name and found[column] is None:
            names = select(model.name).where(there).order_by(model.name)
            known = ", ".join(await session.scalars(names)) or "none"
            raise WrongSetting(f"There is no {what} {name!r}; there is {known}.")
    return found


def _note(
    session: AsyncSession, kind: AuditKind, about: Channel, at: datetime, told: dict[str, str] | None = None
) -> None:
    data = {"channel": public_id("Channel", about.id), **(told or {})}
    audit.note(session, kind, by=SYSTEM, at=at, data=data)


def _named(settings: Iterable[str]) -> dict[str, str]:
    """The names of settings, whose values may be secrets."""
    names = sorted({setting.partition("=")[0] for setting in settings})
    return {"settings": ", ".join(names)} if names else {}


def _print_once(made: dict[str, str]) -> None:
    for name, value in made.items():
        print(f"{name}: {value}")
    if made:
        print("It is shown this once.")


def _values(kind: ChannelKind, settings: Iterable[str]) -> dict[str, Any]:
    lists = {one.name for one in settings_of(kind) if one.shape == Shape.LIST}
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, written = setting.partition("=")
        if not equals:
            raise WrongSetting(f"{setting!r} should be KEY=VALUE")
        name, _, language = key.partition(".")
        value = _read(written)
        if language:
            values.setdefault(name, {})[language] = value
        else:
            values[name] = [one for one in value.split(",") if one] if name in lists else value
    return values


def _read(written: str) -> str:
    if written == "-":
        return sys.stdin.readline().rstrip("\n")
    if not written.startswith("@"):
        return written
    try:
        return Path(written[1:]).read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as failure:
        raise WrongSetting(f"{written}: {getattr(failure, 'strerror', None) or 'is no text'}.") from None

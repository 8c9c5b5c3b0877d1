"""What whoever sets up a Heddle types: its people, the ways in, integrators' tokens."""

import re
import secrets
import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeAlias

from cyclopts import App, Parameter
from sqlalchemy import func, select

from api.running import house_here
from domain import audit, tokens
from domain.actors import SYSTEM, Role, Scope
from domain.audit import AuditKind
from domain.channels import Channel, ChannelKind, add_channel
from domain.db import database_time
from domain.fetching import Box
from domain.passwords import hash_password
from domain.settings import DomainSettings, WrongSetting
from domain.staff import Agent, add_agent
from integrations.channel_settings import KINDS, read_settings

commands = App(version_flags=[])
agent = App(name="agent", help="The people of the shop.")
channel = App(name="channel", help="The ways in.")
token = App(name="token", help="Integrators' tokens.")
commands.command(agent)
commands.command(channel)
commands.command(token)

Kind: TypeAlias = Literal["email", "messenger", "chat", "phone", "sms"]
"""Of the channels that are here."""


@agent.command
async def add(
    email: str,
    *,
    name: str,
    role: Role = Role.AGENT,
    locale: Literal["en", "pl", "es", "ca"] = "en",
    timezone: str = "Europe/Madrid",
    password_stdin: bool = False,
) -> None:
    """Adds a person of the shop. Without --password-stdin a password is made up and printed."""
    given = sys.stdin.readline().rstrip("\n") if password_stdin else secrets.token_urlsafe(12)
    hashed = await hash_password(given)
    async with house_here() as (house, settings), house.db.transaction() as session:
        now = await database_time(session)
        added = await add_agent(
            session,
            email=email,
            name=name,
            role=role,
            password_hash=hashed,
            locale=locale,
            timezone=timezone,
            at=now,
        )
        audit.note(session, AuditKind.AGENT_ADDED, by=SYSTEM, at=now, agent_id=added.id, data={"role": role})
    print(f"{name} <{email}> is here, as {role.value}." + ("" if password_stdin else f" Password: {given}"))
    print(f"Kept in {_place(settings.domain)}.")


def _place(settings: DomainSettings) -> str:
    """Root's data lies elsewhere than the folder one stands in: who looks for it is told."""
    if settings.database_url:
        return "the database of HEDDLE_DATABASE_URL"
    return f"{settings.data.resolve()} (HEDDLE_DATA)"


@agent.command(name="list")
async def list_agents() -> None:
    """The people of the shop, by name."""
    async with house_here() as (house, _), house.db.transaction() as session:
        people = await session.scalars(select(Agent).order_by(Agent.name, Agent.email))
        rows = [(one.name, one.email, one.role.value, "left" if one.left_at else "") for one in people]
    _print_table(rows)


@token.command(name="create")
async def create_a_token(
    *,
    name: str,
    scope: Annotated[list[str], Parameter(help="Such as tickets:read; given once for each.")],
    days: Annotated[int | None, Parameter(help="How long it is good; otherwise until it is revoked.")] = None,
) -> None:
    """Makes an integrator's token and prints it, this once."""
    if unknown := set(scope) - set(Scope):
        raise WrongSetting(f"--scope {min(unknown)!r} is none of {', '.join(Scope)}.")
    async with house_here() as (house, _), house.db.transaction() as session:
        now = await database_time(session)
        secret, _ = tokens.create_token(
            session,
            name=name,
            scopes=[Scope(one) for one in scope],
            expires_at=now + timedelta(days=days) if days is not None else None,
            by=SYSTEM,
            at=now,
        )
        told = {"name": name, "scopes": scope}
        audit.note(session, AuditKind.TOKEN_CREATED, by=SYSTEM, at=now, data=told)
    print(secret)


@channel.command(name="add")
async def add_a_channel(
    kind: Kind,
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
    read = read_settings(ChannelKind(kind), _values(settings))
    made = slug or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    async with house_here() as (house, _), house.db.transaction() as session:
        added = await add_channel(
            session,
            house.keys,
            kind=ChannelKind(kind),
            slug=made,
            name=name,
            address=read.place(),
            config=read.config(),
            secrets=read.secrets(),
            at=await database_time(session),
        )
    print(f"The {kind} channel {name!r} is here as {added.slug!r}.")


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
        kept.set_up(session, house.keys, config=read.config(), secrets=read.secrets())
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
    _print_table(rows)


def _print_table(rows: Iterable[tuple[str, ...]]) -> None:
    """A line for each, in columns."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


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

"""What whoever sets up a Heddle types: its people, integrators' tokens."""

import secrets
import sys
from datetime import timedelta
from typing import Annotated, Literal

from cyclopts import App, Parameter
from sqlalchemy import func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.commands import phone_commands, team_commands
from api.commands.columns import print_table
from api.running import house_here
from domain import audit
from domain.actors import SYSTEM, Role, Scope
from domain.agents import invitations, second_factor, sign_in, tokens, tries
from domain.agents.passwords import hash_password
from domain.agents.sign_in import Ended
from domain.agents.staff import Agent, Team, TeamMember, account, add_agent
from domain.audit import AuditKind
from domain.db import database_time
from domain.settings import DomainSettings, WrongSetting

agent = App(name="agent", version_flags=[])
agent.command(phone_commands.line_of, name="line")
agent.command(team_commands.set_agent, name="set")
token = App(name="token", version_flags=[])

MOST_DAYS = 3650
"""That a token may be good for."""


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
    given = _password(password_stdin)
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


@agent.command
async def reset(email: str, *, password_stdin: bool = False) -> None:
    """Lets in who has lost the password, or the authenticator: with a new password, and no second factor any more."""
    given = _password(password_stdin)
    hashed = await hash_password(given)
    async with house_here() as (house, _), house.db.transaction() as session:
        locked_out = await account(session, email)
        if locked_out is None:
            raise WrongSetting(f"Nobody works here as {email!r}: `heddle agent list` shows who does.")
        now = await database_time(session)
        locked_out.password_hash = hashed
        await tries.succeeded(session, house.keys, account=locked_out.email)
        await invitations.spend_all(session, locked_out.id, at=now)
        await sign_in.end_all(session, locked_out.id, Ended.PASSWORD, at=now)
        done = [AuditKind.PASSWORD_CHANGED]
        if await second_factor.take_off(session, locked_out.id):
            done.append(AuditKind.SECOND_FACTOR_REMOVED)
        for kind in done:
            audit.note(session, kind, by=SYSTEM, at=now, agent_id=locked_out.id)
    print(f"{locked_out.name} gets in again." + ("" if password_stdin else f" Password: {given}"))


def _password(stdin: bool) -> str:
    return sys.stdin.readline().rstrip("\n") if stdin else secrets.token_urlsafe(12)


def _place(settings: DomainSettings) -> str:
    """Root's data lies elsewhere than the folder one stands in: who looks for it is told."""
    if settings.database_url:
        return "the database of HEDDLE_DATABASE_URL"
    return f"{settings.data.resolve()} (HEDDLE_DATA)"


@agent.command(name="list")
async def list_agents() -> None:
    """The people of the shop, by name, with their teams, languages and skills."""
    teams = (
        select(func.string_agg(Team.name, aggregate_order_by(literal(", "), Team.name)))
        .join(TeamMember, TeamMember.team_id == Team.id)
        .where(TeamMember.agent_id == Agent.id, Team.archived_at.is_(None))
        .scalar_subquery()
    )
    async with house_here() as (house, _), house.db.transaction() as session:
        people = await session.execute(select(Agent, teams).order_by(Agent.name, Agent.email))
        print_table(
            (
                one.name,
                one.email,
                "left" if one.left_at else one.role.value,
                theirs or "",
                ", ".join(one.languages),
                ", ".join(one.skills),
            )
            for one, theirs in people
        )


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
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise WrongSetting(
            f"--days {days}: a token is good for 1 to {MOST_DAYS} days, or without it until it is revoked."
        )
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

"""Agents, teams, and the one who is asking."""

import uuid
from collections.abc import Collection
from datetime import datetime

import strawberry
from sqlalchemy import select

from api.context import Context, Info, Reading, plain
from api.errors import UserError
from api.mutations import mutation
from api.node import Node
from domain import sign_in, staff
from domain.access import visible
from domain.actors import Role
from domain.db import database_time, one_of
from domain.errors import NotSignedIn
from domain.ids import public_id

strawberry.enum(Role, description="What an agent may do: answer, manage, administer.")


@strawberry.type(description="A person of the shop.")
class Agent(Node):
    name: str
    initials: str
    locale: str
    timezone: str
    role: Role


@strawberry.type
class Team(Node):
    name: str


@strawberry.type(description="Who is asking.")
class Viewer:
    agent: Agent
    role: Role


async def agents_by_id(reading: Reading, ids: Collection[uuid.UUID | None]) -> dict[uuid.UUID | None, Agent]:
    """Those who left are found too: their names stand in the history."""
    wanted = [id for id in set(ids) if id]
    if not wanted:
        return {}
    rows = await reading.connection.execute(_columns.where(one_of(staff.Agent.id, wanted)))
    return {row.id: _agent(row._asdict()) for row in rows}


async def teams_by_id(reading: Reading, ids: Collection[uuid.UUID | None]) -> dict[uuid.UUID | None, Team]:
    wanted = [id for id in set(ids) if id]
    if not wanted:
        return {}
    rows = await reading.connection.execute(
        select(staff.Team.id, staff.Team.name).where(one_of(staff.Team.id, wanted))
    )
    return {row.id: plain(Team, {"id": public_id("Team", row.id), "name": row.name}) for row in rows}


_columns = select(
    staff.Agent.id, staff.Agent.name, staff.Agent.locale, staff.Agent.timezone, staff.Agent.role
)


def _agent(row: dict[str, object]) -> Agent:
    id = row["id"]
    assert isinstance(id, uuid.UUID)
    return plain(Agent, {**row, "id": public_id("Agent", id), "initials": staff.initials(str(row["name"]))})


async def viewer(info: Info) -> Viewer:
    async with info.context.reading() as reading:
        found = await agents_by_id(reading, [reading.actor.id])
    if not found:
        raise NotSignedIn
    (agent,) = found.values()
    return plain(Viewer, {"agent": agent, "role": agent.role})


async def agents(info: Info) -> list[Agent]:
    async with info.context.reading() as reading:
        query = visible(staff.Agent, to=reading.actor).where(staff.Agent.left_at.is_(None))
        rows = await reading.connection.execute(query.order_by(staff.Agent.name).limit(100))
        return [
            _agent({n: getattr(row, n) for n in ("id", "name", "locale", "timezone", "role")}) for row in rows
        ]


@strawberry.input
class SignInInput:
    email: str
    password: str
    device_label: str | None = None
    client_mutation_id: strawberry.ID


@strawberry.input
class SignOutInput:
    everywhere: bool = False
    client_mutation_id: strawberry.ID


@strawberry.type(description="`accessToken` goes into `Authorization: Bearer …`, until `expiresAt`.")
class SessionPayload:
    access_token: str | None = None
    expires_at: datetime | None = None
    viewer: Viewer | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class OkPayload:
    ok: bool = False
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _sign_in(info: Info, input: SignInInput) -> SessionPayload:
    context: Context = info.context
    async with context.house.db.reading() as connection:
        hashed = await sign_in.password_hash_of(connection, input.email)
    await sign_in.check(input.password, hashed)
    async with context.house.db.transaction() as session:
        token, row = await sign_in.sign_in(
            session,
            email=input.email,
            checked=hashed,
            device_label=input.device_label,
            at=await database_time(session),
        )
    async with context.house.db.reading() as connection:
        context.somebody = await sign_in.actor_of(connection, token)
    return SessionPayload(access_token=token, expires_at=row.expires_at, viewer=await viewer(info))


async def _sign_out(info: Info, input: SignOutInput) -> OkPayload:
    context: Context = info.context
    if context.somebody is None or context.token is None:
        raise NotSignedIn
    async with context.house.db.transaction() as session:
        now = await database_time(session)
        await sign_in.sign_out(session, token=context.token, everywhere=input.everywhere, at=now)
    return OkPayload(ok=True)


@strawberry.type
class StaffQueries:
    viewer: Viewer = strawberry.field(resolver=viewer)
    agents: list[Agent] = strawberry.field(
        resolver=agents, description="Everybody who works here, by name; at most 100."
    )


@strawberry.type
class StaffMutations:
    sign_in: SessionPayload = mutation(resolver=_sign_in)
    sign_out: OkPayload = mutation(resolver=_sign_out)

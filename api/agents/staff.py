"""Agents, teams, and the one who is asking."""

import uuid
from collections.abc import Collection

import strawberry
from sqlalchemy import select

from api.context import Info, Reading, plain
from api.node import Node
from domain.access import may_see
from domain.actors import Role
from domain.agents import duty, staff
from domain.db import one_of
from domain.ids import public_id

strawberry.enum(Role, description="What an agent may do: answer, manage, administer.")


@strawberry.type(description="A person of the shop.")
class Agent(Node):
    name: str
    initials: str
    locale: str
    timezone: str
    role: Role
    languages: list[str] = strawberry.field(description="In which they can answer, besides `locale`.")
    line: str | None = strawberry.field(description="Their telephone, as the PBX calls it.")


@strawberry.type
class Team(Node):
    name: str


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


COLUMNS = ("id", "name", "locale", "timezone", "role", "languages", "line")
_columns = select(*(getattr(staff.Agent, name) for name in COLUMNS))


def _agent(row: dict[str, object]) -> Agent:
    id = row["id"]
    assert isinstance(id, uuid.UUID)
    return plain(Agent, {**row, "id": public_id("Agent", id), "initials": staff.initials(str(row["name"]))})


async def agents(info: Info, on_shift: bool | None = None) -> list[Agent]:
    async with info.context.reading() as reading:
        query = _columns.where(may_see(staff.Agent, reading.actor), staff.Agent.left_at.is_(None))
        if on_shift is not None:
            present = one_of(staff.Agent.id, await duty.on_duty(reading.connection, at=reading.at))
            query = query.where(present if on_shift else ~present)
        rows = await reading.connection.execute(query.order_by(staff.Agent.name).limit(100))
        return [_agent(row._asdict()) for row in rows]


async def _teams(info: Info) -> list[Team]:
    async with info.context.reading() as reading:
        rows = await reading.connection.execute(
            select(staff.Team.id, staff.Team.name)
            .where(may_see(staff.Team, reading.actor))
            .order_by(staff.Team.name)
            .limit(100)
        )
        return [plain(Team, {"id": public_id("Team", row.id), "name": row.name}) for row in rows]


@strawberry.type
class StaffQueries:
    agents: list[Agent] = strawberry.field(
        resolver=agents,
        description="Who works here, by name; `onShift`: only those who are, or who are not; at most 100.",
    )
    teams: list[Team] = strawberry.field(resolver=_teams, description="By name; at most 100.")

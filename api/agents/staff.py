"""Agents, who is there of them and how much they have to do; teams."""

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from sqlalchemy import ColumnElement, Select, or_, select

from api.computed import MAY_LIE_READY, computed
from api.context import Info, Part, Reading, by, fill, plain
from api.node import Node
from api.paging import of_each
from api.selection import NOTHING, Selection, wanted
from domain.access import may_see
from domain.actors import Role
from domain.agents import duty, presence, staff
from domain.agents.presence import Activity, Presence, Standing
from domain.assigning import workload
from domain.assigning.workload import Workload
from domain.db import one_of, one_of_given
from domain.gathering import gathered
from domain.ids import public_id, row_id

if TYPE_CHECKING:
    from api.assigning.policies import AssignmentPolicy

strawberry.enum(Role, description="What an agent may do: answer, manage, administer.")
strawberry.enum(
    Presence,
    description="`ONLINE`: a screen is open. `AWAY`: by their own word, or only a device of theirs can be rung. `OFFLINE`: neither.",
)
strawberry.enum(Activity, description="`WRAP_UP`: for half a minute after a call.")

MOST = 100


@strawberry.type(description="What somebody has to do now.")
class AgentLoad:
    open: int = strawberry.field(description="Tickets that are not solved.")
    capacity: int = strawberry.field(description="How much work is given to them at once.")
    used: int = strawberry.field(
        description="Of `capacity`, by tickets on which it is the shop's turn; a live chat takes more than a mail."
    )
    oldest_wait_seconds: int | None = strawberry.field(
        description="How long the customer has waited for an answer who waits longest."
    )
    breached: int = strawberry.field(description="Tickets of theirs with a promise that is broken.")
    live_chats: int


@strawberry.type(description="A person of the shop.")
class Agent(Node):
    name: str
    email: str
    initials: str
    locale: str
    timezone: str
    role: Role
    languages: list[str] = strawberry.field(description="In which they can answer, besides `locale`.")
    skills: list[str]
    line: str | None = strawberry.field(description="Their telephone, as the PBX calls it.")
    row_id: strawberry.Private[uuid.UUID]
    left_at: strawberry.Private[datetime | None]

    @strawberry.field(metadata=MAY_LIE_READY)
    async def presence(self, info: Info) -> Presence:
        return (await self._standing(info)).presence

    @strawberry.field(
        description="Who said that they are away: until then. Null where they said no time, or are not away.",
        metadata=MAY_LIE_READY,
    )
    async def away_until(self, info: Info) -> datetime | None:
        return (await self._standing(info)).away_until

    @strawberry.field(metadata=MAY_LIE_READY)
    async def activity(self, info: Info) -> Activity:
        return (await self._standing(info)).activity

    @strawberry.field(
        description="By the shifts, or by their own word: they are to work now.", metadata=MAY_LIE_READY
    )
    async def on_shift(self, info: Info) -> bool:
        return (await self._standing(info)).on_shift

    async def _standing(self, info: Info) -> Standing:
        found = await info.context.load(_standings, self.row_id)
        assert found
        return found

    @strawberry.field(metadata=MAY_LIE_READY)
    async def load(self, info: Info) -> AgentLoad:
        found = await info.context.load(_loads, self.row_id)
        assert found
        return found


@strawberry.type
class Team(Node):
    name: str
    row_id: strawberry.Private[uuid.UUID]

    @strawberry.field(description="By name; at most 100: `agents(teamId:, search:)` finds the others.")
    async def members(self, info: Info) -> list[Agent]:
        return await info.context.load(_members, self.row_id) or []

    @strawberry.field(description="How its work is handed out.")
    async def assignment(
        self, info: Info
    ) -> Annotated["AssignmentPolicy", strawberry.lazy("api.assigning.policies")]:
        from api.assigning.policies import assignments

        found = await info.context.load(assignments, self.row_id)
        assert found
        return found


async def _standings(reading: Reading, ids: set[uuid.UUID]) -> dict[uuid.UUID, Standing]:
    return await presence.standings(reading.connection, ids, at=reading.at)


async def _loads(reading: Reading, ids: set[uuid.UUID]) -> dict[uuid.UUID, AgentLoad]:
    found = await workload.workloads(reading.connection, ids, at=reading.at)
    return {id: _load(load, reading.at) for id, load in found.items()}


def _load(load: Workload, at: datetime) -> AgentLoad:
    waits = max(0, int((at - load.waits_since).total_seconds())) if load.waits_since else None
    return AgentLoad(
        open=load.open,
        capacity=load.capacity,
        used=load.used,
        oldest_wait_seconds=waits,
        breached=load.breached,
        live_chats=load.live_chats,
    )


async def _stand(reading: Reading, found: list[Agent], selection: Selection) -> None:
    known = await _standings(reading, {agent.row_id for agent in found})
    for agent in found:
        if one := known.get(agent.row_id):  # otherwise there is nobody of this id
            vars(agent).update(
                presence=one.presence, away_until=one.away_until, activity=one.activity, on_shift=one.on_shift
            )


async def _carry(reading: Reading, found: list[Agent], selection: Selection) -> None:
    loads = await _loads(reading, {agent.row_id for agent in found})
    for agent in found:
        if agent.row_id in loads:
            vars(agent).update(load=loads[agent.row_id])


PARTS: dict[str, Part[Agent]] = {
    "presence": _stand,
    "awayUntil": _stand,
    "activity": _stand,
    "onShift": _stand,
    "load": _carry,
}


async def _members(reading: Reading, ids: set[uuid.UUID]) -> dict[uuid.UUID, list[Agent]]:
    team = staff.TeamMember.team_id
    query = _columns.add_columns(team).join(staff.TeamMember, staff.TeamMember.agent_id == staff.Agent.id)
    query = query.where(one_of(team, ids), may_see(staff.Agent, reading.actor), staff.Agent.left_at.is_(None))
    of_teams = of_each(query, team, staff.Agent.name, staff.Agent.id, most=MOST)
    return by("team_id", await reading.connection.objects(Agent, of_teams))


async def agents_by_id(
    reading: Reading, ids: Collection[uuid.UUID | None], selection: Selection = NOTHING
) -> dict[uuid.UUID | None, Agent]:
    """Those who left are found too: their names stand in the history. With a selection, what they do now is read beside them."""
    people = {id: plain(Agent, {"row_id": id}) for id in set(ids) if id}
    if not people:
        return {}
    rows, _ = await gathered(
        reading.connection.objects(Agent, _named, {"ids": list(people)}),
        fill(PARTS, reading, list(people.values()), selection),
    )
    for row in rows:
        vars(row).update(vars(people[row.row_id]))
    return {row.row_id: row for row in rows}


async def agents_where(
    reading: Reading,
    condition: ColumnElement[bool],
    selection: Selection = NOTHING,
    values: Mapping[str, Any] | None = None,
) -> dict[uuid.UUID | None, Agent]:
    """`values`: of a condition that is kept."""
    query = _columns.where(condition) if values is None else _agents(condition)
    found = await reading.connection.objects(Agent, query, values)
    await fill(PARTS, reading, found, selection)
    return {agent.row_id: agent for agent in found}


@lru_cache(100)
def _agents(condition: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return _columns.where(condition)


async def teams_by_id(reading: Reading, ids: Collection[uuid.UUID | None]) -> dict[uuid.UUID | None, Team]:
    named = [id for id in set(ids) if id]
    if not named:
        return {}
    teams = await reading.connection.objects(Team, _named_teams, {"ids": named})
    return {team.row_id: team for team in teams}


COLUMNS = ("name", "email", "locale", "timezone", "role", "languages", "skills", "line", "left_at")
_columns = select(staff.Agent.id.label("row_id"), *(getattr(staff.Agent, name) for name in COLUMNS))
_named = _columns.where(one_of_given(staff.Agent.id))
_team_columns = select(staff.Team.id.label("row_id"), staff.Team.name)
_named_teams = _team_columns.where(one_of_given(staff.Team.id))


computed(
    Agent,
    id=lambda agent: public_id("Agent", agent.row_id),
    initials=lambda agent: staff.initials(agent.name),
)
computed(Team, id=lambda team: public_id("Team", team.row_id))


async def agents(
    info: Info,
    team_id: strawberry.ID | None = None,
    on_shift: bool | None = None,
    left: bool = False,
    search: str | None = None,
) -> list[Agent]:
    async with info.context.reading() as reading:
        gone = staff.Agent.left_at.is_not(None)
        query = _columns.where(may_see(staff.Agent, reading.actor), gone if left else ~gone)
        if team_id is not None:
            member = staff.TeamMember
            team = row_id("Team", team_id, field="teamId")
            query = query.where(staff.Agent.id.in_(select(member.agent_id).where(member.team_id == team)))
        if on_shift is not None:
            present = one_of(staff.Agent.id, await duty.on_duty(reading.connection, at=reading.at))
            query = query.where(present if on_shift else ~present)
        seen = [staff.Agent.name, *([staff.Agent.email] if reading.actor.manages else [])]
        for word in (search or "").split():
            query = query.where(or_(*(column.icontains(word, autoescape=True) for column in seen)))
        found = await reading.connection.objects(Agent, query.order_by(staff.Agent.name).limit(MOST))
        await fill(PARTS, reading, found, wanted(info))
        return found


async def _teams(info: Info, search: str | None = None) -> list[Team]:
    async with info.context.reading() as reading:
        seen = _team_columns.where(may_see(staff.Team, reading.actor), staff.Team.archived_at.is_(None))
        for word in (search or "").split():
            seen = seen.where(staff.Team.name.icontains(word, autoescape=True))
        return await reading.connection.objects(Team, seen.order_by(staff.Team.name).limit(MOST))


@strawberry.type
class StaffQueries:
    agents: list[Agent] = strawberry.field(
        resolver=agents,
        description="Who works here, by name; `teamId`: in that team; `onShift`: only those who are, or who are not; `left`: "
        "who worked here once, instead; each word of `search` is in the name, or, for who manages, in the address; at most 100.",
    )
    teams: list[Team] = strawberry.field(
        resolver=_teams, description="By name; each word of `search` is in the name; at most 100."
    )

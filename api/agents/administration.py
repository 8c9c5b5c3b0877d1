"""What admins decide: who works here, and in which teams."""

import uuid
from datetime import datetime

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent, Team, agents_by_id, teams_by_id
from api.context import Info
from api.errors import OkPayload, UserError
from api.house import House
from api.mutations import changed, mutation
from domain import access
from domain.actors import Actor, Role
from domain.agents import invitations, sign_in, staff
from domain.agents.invitations import Purpose
from domain.agents.sign_in import Ended
from domain.assigning.dissolving import archive_team
from domain.db import Json
from domain.ids import row_id
from notifications.welcome import send_link


@strawberry.input(description="A mail invites the person to set a password.")
class AgentInviteInput:
    email: str
    name: str
    role: Role = Role.AGENT
    team_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    locale: str = "en"
    timezone: str = "Europe/Madrid"
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="What is left out stays. `left` ends all sessions of that person within seconds."
)
class AgentUpdateInput:
    id: strawberry.ID
    name: str | None = None
    email: str | None = strawberry.field(
        default=None,
        description="By which they sign in and are mailed from now on. Who has no password yet is invited there.",
    )
    role: Role | None = None
    team_ids: list[strawberry.ID] | None = None
    locale: str | None = None
    timezone: str | None = None
    languages: list[str] | None = None
    line: str | None = strawberry.field(
        default=None,
        description="Their telephone as the PBX calls it: an extension, a SIP address or a number; an empty word takes it away.",
    )
    skills: list[str] | None = strawberry.field(
        default=None, description="What teams may ask for: see `assignmentSave`."
    )
    capacity: strawberry.Maybe[int | None] = strawberry.field(
        description="How much work the house gives them at once; 0: nothing, null: as their teams say."
    )
    left: bool | None = strawberry.field(
        default=None, description="What they had to do goes back into its queues."
    )
    client_mutation_id: strawberry.ID


@strawberry.input(description="Without `id` a new one.")
class TeamSaveInput:
    id: strawberry.ID | None = None
    name: str
    client_mutation_id: strawberry.ID


@strawberry.input
class TeamDeleteInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class AgentPayload:
    agent: Agent | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class TeamPayload:
    team: Team | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


async def _agent_invite(info: Info, input: AgentInviteInput) -> AgentPayload:
    house = info.context.house

    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        agent = await staff.add_agent(
            session,
            email=input.email,
            name=input.name,
            role=input.role,
            password_hash=None,
            locale=input.locale,
            timezone=input.timezone,
            by=actor,
            at=now,
        )
        await _put_in_teams(session, agent, input.team_ids, actor)
        await send_link(session, house.keys, house.base_url, agent, Purpose.INVITATION, at=now)
        return {"agent": str(agent.id)}

    return await agent_payload(info, await changed(info, input, change))


async def _agent_update(info: Info, input: AgentUpdateInput) -> AgentPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        agent = await access.one(session, staff.Agent, row_id("Agent", input.id), to=actor, lock=True)
        if input.line:
            await staff.free_line(session, agent, input.line)
        before = agent.email
        if input.email is not None:
            agent.email = await staff.free_address(session, input.email, of=agent.id)
        agent.change(
            by=actor,
            at=now,
            name=input.name,
            role=input.role,
            locale=input.locale,
            timezone=input.timezone,
            languages=input.languages,
            line=input.line,
            skills=input.skills,
            left=input.left,
        )
        if agent.email != before:
            await _moved(session, info.context.house, agent, at=now)
        if input.left:  # for good: who comes back signs in anew
            await sign_in.end_all(session, agent.id, Ended.ENDED, at=now)
            await invitations.spend_all(session, agent.id, at=now)
        if input.capacity is not None:
            agent.set_capacity(input.capacity.value)
        if input.team_ids is not None:
            await _put_in_teams(session, agent, input.team_ids, actor)
        return {"agent": str(agent.id)}

    return await agent_payload(info, await changed(info, input, change))


async def _moved(session: AsyncSession, house: House, agent: staff.Agent, *, at: datetime) -> None:
    """What was mailed to their former address opens nothing."""
    if agent.password_hash or agent.left_at:
        await invitations.spend_all(session, agent.id, at=at)
    else:
        await send_link(session, house.keys, house.base_url, agent, Purpose.INVITATION, at=at)


async def _put_in_teams(
    session: AsyncSession, agent: staff.Agent, ids: list[strawberry.ID], actor: Actor
) -> None:
    teams = [await access.team(session, row_id("Team", id, field="teamIds"), to=actor) for id in ids]
    await staff.put_in_teams(session, agent, [team.id for team in teams])


async def agent_payload(info: Info, done: Json) -> AgentPayload:
    id = uuid.UUID(done["agent"])
    async with info.context.reading() as reading:
        return AgentPayload(agent=(await agents_by_id(reading, [id])).get(id))


async def _team_save(info: Info, input: TeamSaveInput) -> TeamPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        team = await staff.save_team(session, row_id("Team", input.id) if input.id else None, input.name)
        return {"team": str(team.id)}

    return await team_payload(info, await changed(info, input, change))


async def _team_delete(info: Info, input: TeamDeleteInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        team = await access.one(session, staff.Team, row_id("Team", input.id), to=actor)
        await archive_team(session, team, by=actor, at=now)
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def team_payload(info: Info, done: Json) -> TeamPayload:
    id = uuid.UUID(done["team"])
    async with info.context.reading() as reading:
        return TeamPayload(team=(await teams_by_id(reading, [id])).get(id))


@strawberry.type
class AdministrationMutations:
    agent_invite: AgentPayload = mutation(resolver=_agent_invite)
    agent_update: AgentPayload = mutation(resolver=_agent_update)
    team_save: TeamPayload = mutation(resolver=_team_save)
    team_delete: OkPayload = mutation(
        resolver=_team_delete,
        description="Refused as `IN_USE` while it has open tickets or tasks, or a channel, a number, a policy or a macro names "
        "it. What is over keeps its name, and is seen by who was in it.",
    )

"""What admins decide: who works here, in which teams, and who sees what."""

import uuid
from datetime import datetime, timedelta

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.staff import Agent, Team, agents_by_id, teams_by_id
from api.complaints.complaints import StalledDays, StalledDaysInput
from api.context import Info
from api.errors import OkPayload, UserError
from api.house import House
from api.mutations import changed, mutation
from domain import access, shop
from domain.actors import Actor, Role
from domain.agents import invitations, sign_in, staff
from domain.agents.invitations import Purpose
from domain.agents.sign_in import Ended
from domain.assigning.dissolving import archive_team
from domain.complaints import stalling
from domain.db import Json
from domain.ids import row_id
from domain.shop import AgentsSee
from notifications.welcome import send_link

strawberry.enum(
    AgentsSee, description="Which tickets and contacts agents see: their teams' and those of no team, or all."
)


@strawberry.type(
    description="Hours after the last word of a ticket, by what a new conversation has in common with it."
)
class SameMatter:
    same_channel: int
    other_channel: int
    same_topic: int
    same_subject: int


@strawberry.type(description="What holds for everybody here.")
class Shop:
    agents_see: AgentsSee
    order_numbers: list[str]
    marketplaces: list[str]
    same_matter: SameMatter
    language: str = strawberry.field(
        description="In which Heddle writes what stays in the shop: the tasks of a complaint, its file."
    )
    stalled_days: list[StalledDays] = strawberry.field(description="One for each open stage.")


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


@strawberry.input(
    description="How many hours after the last word of a ticket a new conversation of the same customer still means it."
)
class SameMatterInput:
    same_channel: int | None = strawberry.field(
        default=None, description="A text that says little; at first 24."
    )
    other_channel: int | None = strawberry.field(
        default=None, description="The same by another channel; at first 72."
    )
    same_topic: int | None = strawberry.field(default=None, description="At first 14 days.")
    same_subject: int | None = strawberry.field(default=None, description="At first 30 days.")


@strawberry.input(description="What is left out stays.")
class ShopUpdateInput:
    agents_see: AgentsSee | None = None
    order_numbers: list[str] | None = strawberry.field(
        default=None,
        description="How the shop's order numbers look, with # for a digit and @ for a letter: `ES-####-#####`. The usual ones are known.",
    )
    marketplaces: list[str] | None = strawberry.field(
        default=None, description="Domains that write on behalf of buyers, beside the known ones."
    )
    same_matter: SameMatterInput | None = None
    language: str | None = strawberry.field(default=None, description="en, pl, es or ca.")
    stalled_days: list[StalledDaysInput] | None = None
    client_mutation_id: strawberry.ID


@strawberry.type
class AgentPayload:
    agent: Agent | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class TeamPayload:
    team: Team | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class ShopPayload:
    shop: Shop | None = None
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


async def _shop(info: Info) -> Shop:
    async with info.context.reading() as reading:
        rules = await shop.joining(reading.connection)
        return Shop(
            agents_see=await shop.agents_see(reading.connection),
            order_numbers=list(rules.order_numbers),
            marketplaces=list(rules.marketplaces),
            same_matter=SameMatter(
                **{name: getattr(rules.windows, name) // timedelta(hours=1) for name in shop.WINDOWS}
            ),
            language=await shop.language(reading.connection),
            stalled_days=[
                StalledDays(stage=stage, days=days)
                for stage, days in (await shop.stalled_days(reading.connection)).items()
            ],
        )


async def _shop_update(info: Info, input: ShopUpdateInput) -> ShopPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        if input.agents_see:
            await shop.set_agents_see(session, input.agents_see)
        hours = {
            name: given
            for name in shop.WINDOWS
            if input.same_matter and (given := getattr(input.same_matter, name)) is not None
        }
        await shop.set_joining(
            session, order_numbers=input.order_numbers, marketplaces=input.marketplaces, hours=hours
        )
        days = {one.stage: one.days for one in input.stalled_days or ()}
        await shop.set_complaints(session, language=input.language, days=days)
        await stalling.watch_all(session, list(days), by=actor, at=now)
        return {}

    await changed(info, input, change)
    return ShopPayload(shop=await _shop(info))


@strawberry.type
class AdministrationQueries:
    shop: Shop = strawberry.field(resolver=_shop)


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
    shop_update: ShopPayload = mutation(resolver=_shop_update)

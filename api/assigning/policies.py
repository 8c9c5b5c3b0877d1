"""How a team's work is handed out, and who says that they are away."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.agents.administration import AgentPayload, TeamPayload, agent_payload, team_payload
from api.context import Info, Reading
from api.mutations import changed, mutation
from domain import access
from domain.actors import Actor
from domain.agents import presence, staff
from domain.assigning import policies
from domain.assigning.choosing import AssignmentMode
from domain.assigning.policies import SkillRule as Rule
from domain.assigning.policies import Terms
from domain.db import Json
from domain.errors import InvalidInput, NotAllowed, NotFound
from domain.ids import public_id, row_id
from domain.languages import N_
from domain.ways_in.channels import Channel, ChannelKind

strawberry.enum(
    AssignmentMode,
    description="`BY_HAND`: people take what they do. `ROUND_ROBIN`: in turn. `BY_LOAD`: to who has the most of their capacity left.",
)


@strawberry.type(description="How much of somebody's capacity a ticket takes that came by such a channel.")
class ChannelWeight:
    channel: ChannelKind
    weight: int


@strawberry.type(
    description="Tickets with one of the tags, or that came by one of the channels, are for who has the skill."
)
class SkillRule:
    skill: str
    tags: list[str]
    channel_ids: list[strawberry.ID]


@strawberry.type(description="How a team's work is handed out.")
class AssignmentPolicy:
    mode: AssignmentMode
    by_language: bool = strawberry.field(
        description="Those who speak the customer's language come first, and are waited for."
    )
    language_wait_seconds: int
    capacity: int = strawberry.field(description="Of members who have none of their own.")
    weights: list[ChannelWeight] = strawberry.field(
        description="One for each kind of channel; a chat weighs so much while its customer is there."
    )
    skills: list[SkillRule] = strawberry.field(description="At most 50.")
    off_shift_after_seconds: int | None = strawberry.field(
        description="After so long off shift, customers who wait are somebody else's; null: they stay with whoever has them."
    )
    unreachable_after_seconds: int | None = strawberry.field(
        description="The same of somebody who cannot be reached at all; live chats at once. Null: never."
    )


@strawberry.input
class ChannelWeightInput:
    channel: ChannelKind
    weight: int = strawberry.field(description="1 to 100.")


@strawberry.input
class SkillRuleInput:
    skill: str
    tags: list[str] = strawberry.field(default_factory=list)
    channel_ids: list[strawberry.ID] = strawberry.field(default_factory=list)


@strawberry.input(description="What is left out stays; so do the weights of channels that are not named.")
class AssignmentSaveInput:
    team_id: strawberry.ID
    mode: AssignmentMode | None = None
    by_language: bool | None = None
    language_wait_seconds: int | None = None
    capacity: int | None = None
    weights: list[ChannelWeightInput] | None = None
    skills: list[SkillRuleInput] | None = None
    off_shift_after_seconds: strawberry.Maybe[int | None]
    unreachable_after_seconds: strawberry.Maybe[int | None]
    client_mutation_id: strawberry.ID


@strawberry.input(
    description="Who is away is given nothing by the house, until then or until further word. Without `agentId` oneself; managers "
    "may say it for others."
)
class AwaySetInput:
    away: bool
    until: datetime | None = None
    agent_id: strawberry.ID | None = None
    client_mutation_id: strawberry.ID


async def assignments(reading: Reading, ids: set[uuid.UUID]) -> Mapping[uuid.UUID, AssignmentPolicy]:
    said = await policies.terms_of(reading.connection, ids)
    return {id: _shown(said.get(id, Terms())) for id in ids}


def _shown(terms: Terms) -> AssignmentPolicy:
    return AssignmentPolicy(
        mode=terms.mode,
        by_language=terms.by_language,
        language_wait_seconds=int(terms.language_wait.total_seconds()),
        capacity=terms.capacity,
        weights=[ChannelWeight(channel=kind, weight=weight) for kind, weight in terms.weights.items()],
        skills=[
            SkillRule(
                skill=rule.skill,
                tags=list(rule.tags),
                channel_ids=[strawberry.ID(public_id("Channel", id)) for id in rule.channel_ids],
            )
            for rule in terms.skills
        ],
        off_shift_after_seconds=_seconds(terms.off_shift_after),
        unreachable_after_seconds=_seconds(terms.unreachable_after),
    )


def _seconds(wait: timedelta | None) -> int | None:
    return None if wait is None else int(wait.total_seconds())


async def _assignment_save(info: Info, input: AssignmentSaveInput) -> TeamPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        team = await access.one(
            session, staff.Team, row_id("Team", input.team_id, field="teamId"), to=actor, lock=True
        )
        if team.archived_at:
            raise NotFound(field=["teamId"])
        before = (await policies.terms_of(session, [team.id])).get(team.id, Terms())
        await policies.save(session, team, await _terms(session, before, input, actor))
        return {"team": str(team.id)}

    return await team_payload(info, await changed(info, input, change))


async def _terms(session: AsyncSession, before: Terms, input: AssignmentSaveInput, actor: Actor) -> Terms:
    given = {"mode": input.mode, "by_language": input.by_language, "capacity": input.capacity}
    said: Json = {name: value for name, value in given.items() if value is not None}
    if input.language_wait_seconds is not None:
        said["language_wait"] = _wait(input.language_wait_seconds)
    if input.off_shift_after_seconds is not None:
        said["off_shift_after"] = _wait(input.off_shift_after_seconds.value)
    if input.unreachable_after_seconds is not None:
        said["unreachable_after"] = _wait(input.unreachable_after_seconds.value)
    if input.weights is not None:
        said["weights"] = {**before.weights, **{one.channel: one.weight for one in input.weights}}
    if input.skills is not None:
        said["skills"] = tuple([await _rule(session, one, actor) for one in input.skills])
    return replace(before, **said)


def _wait(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


async def _rule(session: AsyncSession, given: SkillRuleInput, actor: Actor) -> Rule:
    ids = [row_id("Channel", id, field="skills.channelIds") for id in given.channel_ids]
    channels = [await access.one(session, Channel, id, to=actor) for id in ids]
    return Rule(given.skill, tuple(given.tags), tuple(channel.id for channel in channels))


async def _away_set(info: Info, input: AwaySetInput) -> AgentPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        asked = row_id("Agent", input.agent_id, field="agentId") if input.agent_id else actor.agent_id
        if asked != actor.agent_id and not actor.manages:
            raise NotAllowed(field=["agentId"])
        if input.until and input.until <= now:
            raise InvalidInput(N_("That moment has passed."), field=["until"])
        agent = await access.one(session, staff.Agent, asked, to=actor)
        await presence.set_away(session, agent, input.away, until=input.until, by=actor, at=now)
        return {"agent": str(agent.id)}

    return await agent_payload(info, await changed(info, input, change))


@strawberry.type
class AssignmentMutations:
    assignment_save: TeamPayload = mutation(resolver=_assignment_save)
    away_set: AgentPayload = mutation(resolver=_away_set)

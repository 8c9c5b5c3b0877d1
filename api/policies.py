"""Policies: what is promised, to whom, and who is told when it is at risk."""

import uuid
from datetime import datetime
from typing import Any

import strawberry
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.calendars import Calendar, calendars_by_id
from api.context import Info, Reading, plain
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.node import Node
from api.staff import Agent, Team, agents_by_id, teams_by_id
from domain import access, policies, recounts, staff
from domain.access import may_see
from domain.actors import Actor
from domain.channels import ChannelKind
from domain.db import Json, one_of
from domain.errors import InvalidInput
from domain.ids import public_id, row_id
from domain.ladders import DEFAULT, Ladder, Step, Told, Way
from domain.languages import N_, translate
from domain.policies import Conditions
from domain.promises import Metric, Target
from domain.templates import SUGGESTED, Template
from domain.tickets import TicketStatus

strawberry.enum(Told, name="LadderTells", description="Who is told, as things are then.")
strawberry.enum(Way, name="LadderWay")
strawberry.enum(Template, name="PolicyTemplateCode")

MOST_SECONDS = 366 * 86_400
MOST_DAYS = 366


@strawberry.type(description="How soon. The most particular one applies: a channel's before a priority's.")
class PolicyTarget:
    metric: Metric
    seconds: int | None = strawberry.field(description="Of open time.")
    days: int | None = strawberry.field(
        description="As laws count: due at the end of the last day, the first not counted, never paused."
    )
    working_days: bool = strawberry.field(
        description="Do only working days count, Monday to Friday without holidays?"
    )
    warn_days: list[int] = strawberry.field(description="So many days before the last one somebody is told.")
    priority: int | None
    channel: ChannelKind | None


@strawberry.type(
    description="All that is named must hold; of each list one is enough; what is empty always holds."
)
class PolicyConditions:
    channels: list[ChannelKind]
    teams: list[Team]
    priorities: list[int]
    tags: list[str]
    languages: list[str]


@strawberry.type(description="Level 0 warns; from 1 the promise is broken.")
class LadderStep:
    level: int
    after_seconds: int = strawberry.field(description="Since the alert fired.")
    tells: list[Told]
    agents: list[Agent]
    ways: list[Way]


@strawberry.type(description="Who is told, and who next if nobody acknowledges.")
class PolicyLadder:
    steps: list[LadderStep]
    rounds: int = strawberry.field(description="How often the last step is said; then once an hour.")
    round_seconds: int


@strawberry.type(
    description="After a policy or a calendar changed, the clocks of open tickets are reckoned anew."
)
class Recount:
    started_at: datetime
    finished_at: datetime | None
    tickets: int
    moved: int = strawberry.field(description="How many of these have other clocks now.")


@strawberry.type
class Policy(Node):
    name: str
    is_default: bool = strawberry.field(description="It holds where no other does.")
    position: int = strawberry.field(description="The first whose conditions hold is a ticket's.")
    conditions: PolicyConditions
    calendar: Calendar
    targets: list[PolicyTarget]
    pauses: list[TicketStatus] = strawberry.field(description="Statuses that stop the clocks.")
    reopen_seconds: int = strawberry.field(
        description="A ticket reopened within this goes on with its resolution's clock; later a new one begins."
    )
    ladder: PolicyLadder


@strawberry.type(description="A policy to begin with.")
class PolicyTemplate:
    code: Template
    name: str
    about: str
    targets: list[PolicyTarget]


async def policies_where(reading: Reading, *conditions: Any) -> dict[uuid.UUID, Policy]:
    policy = policies.Policy
    rows = (
        await reading.connection.execute(
            select(policy.__table__)
            .where(may_see(policy, reading.actor), *conditions)
            .order_by(policy.is_default, policy.position, policy.name)
            .limit(100)
        )
    ).all()
    calendars = await calendars_by_id(reading, {row.calendar_id for row in rows})
    conditions_of = {row.id: Conditions.from_json(row.conditions) for row in rows}
    ladder_of = {row.id: Ladder.from_json(row.ladder) if row.ladder else DEFAULT for row in rows}
    teams = await teams_by_id(reading, [team for one in conditions_of.values() for team in one.teams])
    named = [agent for one in ladder_of.values() for step in one.steps for agent in step.agents]
    agents = await agents_by_id(reading, named)
    return {
        row.id: plain(
            Policy,
            {
                "id": public_id("Policy", row.id),
                "name": row.name,
                "is_default": row.is_default,
                "position": row.position,
                "conditions": _conditions(conditions_of[row.id], teams),
                "calendar": calendars[row.calendar_id],
                "targets": [_target(Target.from_json(target)) for target in row.targets],
                "pauses": [TicketStatus(status) for status in row.pauses],
                "reopen_seconds": row.reopen_seconds,
                "ladder": _ladder(ladder_of[row.id], agents),
            },
        )
        for row in rows
    }


def _target(target: Target) -> PolicyTarget:
    return PolicyTarget(
        metric=target.metric,
        seconds=None if target.legal else target.seconds,
        days=target.days if target.legal else None,
        working_days=target.working,
        warn_days=list(target.warn_days),
        priority=target.priority,
        channel=target.channel,
    )


def _conditions(conditions: Conditions, teams: dict[uuid.UUID | None, Team]) -> PolicyConditions:
    return PolicyConditions(
        channels=list(conditions.channels),
        teams=[teams[id] for id in conditions.teams if id in teams],
        priorities=list(conditions.priorities),
        tags=list(conditions.tags),
        languages=list(conditions.languages),
    )


def _ladder(ladder: Ladder, agents: dict[uuid.UUID | None, Agent]) -> PolicyLadder:
    return PolicyLadder(
        steps=[
            LadderStep(
                level=step.level,
                after_seconds=step.after,
                tells=list(step.tell),
                agents=[agents[id] for id in step.agents if id in agents],
                ways=list(step.ways),
            )
            for step in ladder.steps
        ],
        rounds=ladder.rounds,
        round_seconds=ladder.round_seconds,
    )


async def _policies(info: Info) -> list[Policy]:
    async with info.context.reading() as reading:
        return list((await policies_where(reading, policies.Policy.archived_at.is_(None))).values())


async def _recount(info: Info) -> Recount | None:
    recount = recounts.Recount
    async with info.context.reading() as reading:
        row = (
            await reading.connection.execute(
                select(recount.__table__).order_by(recount.created_at.desc(), recount.id.desc()).limit(1)
            )
        ).one_or_none()
    return (
        Recount(started_at=row.created_at, finished_at=row.finished_at, tickets=row.tickets, moved=row.moved)
        if row
        else None
    )


async def _templates(info: Info) -> list[PolicyTemplate]:
    return [
        PolicyTemplate(
            code=code,
            name=translate(info.context.locale, one.name),
            about=translate(info.context.locale, one.about),
            targets=[_target(target) for target in one.targets],
        )
        for code, one in SUGGESTED.items()
    ]


@strawberry.input(description="Either `seconds` of open time, or `days`.")
class PolicyTargetInput:
    metric: Metric
    seconds: int | None = None
    days: int | None = None
    working_days: bool = False
    warn_days: list[int] = strawberry.field(default_factory=list)
    priority: int | None = None
    channel: ChannelKind | None = None


@strawberry.input
class PolicyConditionsInput:
    channels: list[ChannelKind] = strawberry.field(default_factory=list)
    team_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    priorities: list[int] = strawberry.field(default_factory=list)
    tags: list[str] = strawberry.field(default_factory=list)
    languages: list[str] = strawberry.field(default_factory=list)


@strawberry.input
class LadderStepInput:
    level: int
    after_seconds: int
    tells: list[Told] = strawberry.field(default_factory=list)
    agent_ids: list[strawberry.ID] = strawberry.field(default_factory=list)
    ways: list[Way] = strawberry.field(default_factory=lambda: [Way.PUSH])


@strawberry.input
class PolicyLadderInput:
    steps: list[LadderStepInput]
    rounds: int = 3
    round_seconds: int = 300


@strawberry.input(
    description="What is left out stays. Without `id` a new one, which needs a name and a calendar; with `template` it begins "
    "as that. Clocks of open tickets are reckoned anew in the background: `recount` says how many moved."
)
class PolicySaveInput:
    id: strawberry.ID | None = None
    template: Template | None = None
    name: str | None = None
    calendar_id: strawberry.ID | None = None
    is_default: bool | None = None
    position: int | None = None
    conditions: PolicyConditionsInput | None = None
    targets: list[PolicyTargetInput] | None = None
    pauses: list[TicketStatus] | None = None
    reopen_seconds: int | None = None
    ladder: PolicyLadderInput | None = None
    client_mutation_id: strawberry.ID


@strawberry.input
class PolicyDeleteInput:
    id: strawberry.ID
    client_mutation_id: strawberry.ID


@strawberry.type
class PolicyPayload:
    policy: Policy | None = None
    user_errors: list[UserError] = strawberry.field(default_factory=list)


def _read_target(place: int, given: PolicyTargetInput) -> Target:
    field = ["targets", str(place)]
    if (given.seconds is None) == (given.days is None):
        raise InvalidInput(N_("A target has either seconds or days."), field=field)
    length, most = (given.seconds, MOST_SECONDS) if given.days is None else (given.days, MOST_DAYS)
    if length is None or not 1 <= length <= most:
        raise InvalidInput(N_("A target lies between a second and a year."), field=field)
    if given.priority is not None and not 1 <= given.priority <= 4:
        raise InvalidInput(N_("A priority is 1 (urgent), 2, 3 or 4 (low)."), field=[*field, "priority"])
    if any(not 0 <= day < (given.days or 0) for day in given.warn_days):
        raise InvalidInput(
            N_("A warning comes before the last day and after the first."), field=[*field, "warnDays"]
        )
    return Target(
        given.metric,
        seconds=given.seconds or 0,
        days=given.days or 0,
        working=given.working_days,
        warn_days=tuple(sorted(set(given.warn_days), reverse=True)),
        priority=given.priority,
        channel=given.channel,
    )


async def _read_conditions(session: AsyncSession, given: PolicyConditionsInput, actor: Actor) -> Conditions:
    teams = [row_id("Team", id, field="conditions.teamIds") for id in given.team_ids]
    for team in teams:
        await access.one(session, staff.Team, team, to=actor)
    return Conditions(
        channels=tuple(given.channels),
        teams=tuple(teams),
        priorities=tuple(given.priorities),
        tags=tuple(given.tags),
        languages=tuple(given.languages),
    )


async def _read_ladder(session: AsyncSession, given: PolicyLadderInput, actor: Actor) -> Ladder:
    steps = []
    for step in given.steps:
        agents = [row_id("Agent", id, field="ladder.steps.agentIds") for id in step.agent_ids]
        for agent in agents:
            await access.one(session, staff.Agent, agent, to=actor)
        steps.append(Step(step.level, step.after_seconds, tuple(step.tells), tuple(agents), tuple(step.ways)))
    try:
        return Ladder(tuple(steps), rounds=given.rounds, round_seconds=given.round_seconds)
    except ValueError as problem:
        raise InvalidInput(str(problem), field=["ladder"]) from None


async def _policy_save(info: Info, input: PolicySaveInput) -> PolicyPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        suggested = SUGGESTED[input.template] if input.template else None
        targets = (
            [_read_target(*one) for one in enumerate(input.targets)] if input.targets is not None else None
        )
        conditions = await _read_conditions(session, input.conditions, actor) if input.conditions else None
        name = input.name
        if suggested and not input.id:
            name = name or translate(actor.locale, suggested.name)
            targets = targets if targets is not None else list(suggested.targets)
            conditions = conditions or suggested.conditions
        if input.reopen_seconds is not None and not 0 <= input.reopen_seconds <= MOST_SECONDS:
            raise InvalidInput(N_("Between no time and a year."), field=["reopenSeconds"])
        if not set(input.pauses or ()) <= {TicketStatus.NEW, TicketStatus.OPEN, TicketStatus.PENDING}:
            raise InvalidInput(N_("Only an open ticket's status can pause it."), field=["pauses"])
        saved = await policies.save_policy(
            session,
            row_id("Policy", input.id) if input.id else None,
            name=name,
            calendar_id=row_id("Calendar", input.calendar_id, field="calendarId")
            if input.calendar_id
            else None,
            targets=targets,
            conditions=conditions,
            position=input.position,
            pauses=input.pauses,
            reopen_seconds=input.reopen_seconds,
            ladder=await _read_ladder(session, input.ladder, actor) if input.ladder else None,
            default=input.is_default,
        )
        await recounts.recount(session, at=now)
        return {"policy": str(saved.id)}

    done = await changed(info, input, change)
    async with info.context.reading() as reading:
        id = uuid.UUID(done["policy"])
        return PolicyPayload(policy=(await policies_where(reading, policies.Policy.id == id)).get(id))


async def _policy_delete(info: Info, input: PolicyDeleteInput) -> OkPayload:
    async def change(session: AsyncSession, actor: Actor, now: datetime) -> Json:
        policy = await access.one(session, policies.Policy, row_id("Policy", input.id), to=actor, lock=True)
        await policies.archive_policy(session, policy, at=now)
        await recounts.recount(session, at=now)
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


async def policies_by_id(reading: Reading, ids: set[uuid.UUID]) -> dict[uuid.UUID, Policy]:
    """Those that are gone are found too: what they promised once is still told."""
    return await policies_where(reading, one_of(policies.Policy.id, ids))


@strawberry.type
class PolicyQueries:
    policies: list[Policy] = strawberry.field(
        resolver=_policies,
        description="In the order in which they are tried, the default one last; at most 100.",
    )
    policy_templates: list[PolicyTemplate] = strawberry.field(resolver=_templates, description="A handful.")
    recount: Recount | None = strawberry.field(resolver=_recount, description="The newest one.")


@strawberry.type
class PolicyMutations:
    policy_save: PolicyPayload = mutation(resolver=_policy_save)
    policy_delete: OkPayload = mutation(
        resolver=_policy_delete,
        description="It promises nothing any more; open tickets fall under the next one.",
    )

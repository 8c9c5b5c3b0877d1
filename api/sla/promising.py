"""Saving what is promised: a policy's conditions, targets and ladder, read from what somebody gives and refused by field."""

import uuid
from datetime import datetime

import strawberry
from sqlalchemy.ext.asyncio import AsyncSession

from api.context import Info
from api.errors import OkPayload, UserError
from api.mutations import changed, mutation
from api.sla.policies import Policy, policies_where
from domain import access
from domain.actors import Actor
from domain.agents import staff
from domain.alerting.ladders import DEFAULT, Ladder, Step, Told, Way
from domain.customers import profiles
from domain.db import Json
from domain.desk.tickets import TicketStatus
from domain.errors import InvalidInput
from domain.ids import row_id
from domain.languages import N_, translate
from domain.sla import policies, recounts
from domain.sla.policies import Conditions
from domain.sla.targets import MOST_SECONDS, Metric, Target
from domain.sla.templates import SUGGESTED, Template
from domain.ways_in.channels import ChannelKind

MOST_DAYS = 366


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
    ladder: strawberry.Maybe[PolicyLadderInput | None] = strawberry.field(
        description="null: the house's own again."
    )
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
    if given.days is None and given.working_days:
        raise InvalidInput(
            N_("Seconds are open time: only days can be working days."), field=[*field, "workingDays"]
        )
    if given.priority is not None:
        _check_priority(given.priority, [*field, "priority"])
    if given.metric == Metric.RESOLUTION and given.channel:
        raise InvalidInput(N_("A resolution has no channel."), field=[*field, "channel"])
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


def _check_priority(given: int, field: list[str]) -> None:
    if not 1 <= given <= 4:
        raise InvalidInput(N_("A priority is 1 (urgent), 2, 3 or 4 (low)."), field=field)


async def _read_conditions(session: AsyncSession, given: PolicyConditionsInput, actor: Actor) -> Conditions:
    for priority in given.priorities:
        _check_priority(priority, ["conditions", "priorities"])
    try:
        languages = [profiles.locale(language) for language in given.languages]
    except InvalidInput as refusal:
        refusal.field = ["conditions", "languages"]
        raise
    teams = [row_id("Team", id, field="conditions.teamIds") for id in given.team_ids]
    for team in teams:
        await access.team(session, team, to=actor)
    return Conditions(
        channels=tuple(given.channels),
        teams=tuple(teams),
        priorities=tuple(given.priorities),
        tags=tuple(given.tags),
        languages=tuple(languages),
    )


async def _read_ladder(session: AsyncSession, given: PolicyLadderInput | None, actor: Actor) -> Ladder:
    if given is None:
        return DEFAULT
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
            ladder=await _read_ladder(session, input.ladder.value, actor) if input.ladder else None,
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
        policy = await access.one(session, policies.Policy, row_id("Policy", input.id), to=actor)
        await policies.archive_policy(session, policy, at=now)
        await recounts.recount(session, at=now)
        return {}

    await changed(info, input, change)
    return OkPayload(ok=True)


@strawberry.type
class PolicyMutations:
    policy_save: PolicyPayload = mutation(resolver=_policy_save)
    policy_delete: OkPayload = mutation(
        resolver=_policy_delete,
        description="It promises nothing any more; open tickets fall under the next one.",
    )

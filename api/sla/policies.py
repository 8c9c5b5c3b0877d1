"""Policies: what is promised, to whom, and who is told when it is at risk."""

import uuid
from datetime import datetime
from typing import Any, TypeAlias

import strawberry
from sqlalchemy import select

from api.agents.staff import Agent, Team, agents_by_id, teams_by_id
from api.context import Info, Reading, plain
from api.node import Node
from api.sla.calendars import Calendar, calendars_by_id
from api.sla.template_codes import PolicyTemplateCode
from domain.access import may_see
from domain.alerting.ladders import DEFAULT, Ladder, Told, Way
from domain.db import one_of
from domain.desk.tickets import TicketStatus
from domain.ids import public_id
from domain.languages import translate
from domain.sla import policies, recounts
from domain.sla.policies import Conditions
from domain.sla.targets import Metric, Target
from domain.sla.templates import SUGGESTED
from domain.ways_in.channels import ChannelKind

strawberry.enum(Metric, name="ClockMetric")
strawberry.enum(Told, name="LadderTells", description="Who is told, as things are then.")
LadderTells: TypeAlias = Told
strawberry.enum(Way, name="LadderWay")


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
    code: PolicyTemplateCode
    name: str
    about: str
    conditions: PolicyConditions
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
            conditions=_conditions(one.conditions, {}),
            targets=[_target(target) for target in one.targets],
        )
        for code, one in SUGGESTED.items()
    ]


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

"""Satisfaction in figures. What was answered counts when it was answered, what was asked when it was asked."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Date, cast, func, literal, select

from domain.access import may_see
from domain.actors import Actor
from domain.chorus import Reads
from domain.feedback.requests import SurveyRequest
from domain.feedback.scales import DETRACTOR, PROMOTER, SATISFIED, SurveyKind, net_promoters, percent


class Grouping(StrEnum):
    TOTAL = "total"
    AGENT = "agent"
    """Who solved the ticket."""
    TEAM = "team"
    """Whose ticket it was then."""
    CHANNEL = "channel"
    """Where the customer spoke last."""
    DAY = "day"


Key = uuid.UUID | date | None


@dataclass(frozen=True)
class Figures:
    """Of one group. Counts, of which everything else is made: groups can be added up."""

    kind: SurveyKind
    key: Key = None
    """None of the whole, and of tickets of no team."""
    asked: int = 0
    asked_and_answered: int = 0
    """Of those that were asked in this time, however late the answer came."""
    answers: int = 0
    total: int = 0
    """Of the scores."""
    satisfied: int = 0
    promoters: int = 0
    detractors: int = 0

    @property
    def csat(self) -> float | None:
        """The percentage of 4 and 5."""
        return percent(self.satisfied, self.answers) if self.kind == SurveyKind.CSAT else None

    @property
    def nps(self) -> float | None:
        if self.kind != SurveyKind.NPS:
            return None
        return net_promoters(self.promoters, self.detractors, self.answers)

    @property
    def average(self) -> float | None:
        return round(self.total / self.answers, 2) if self.answers else None

    @property
    def answer_rate(self) -> float | None:
        return percent(self.asked_and_answered, self.asked)


async def figures(
    connection: Reads,
    kind: SurveyKind,
    *,
    since: datetime,
    until: datetime,
    by: Grouping = Grouping.TOTAL,
    zone: str = "UTC",
    to: Actor,
    where: Sequence[ColumnElement[bool]] = (),
) -> list[Figures]:
    """From `since`, until before `until`; of what `to` may see. Days are those of `zone`. Two statements."""
    request = SurveyRequest
    seen = (request.kind == kind, may_see(request, to), *where)
    when_asked, when_answered = request.asked_at, request.answered_at
    asked = await connection.execute(
        select(
            _key(by, when_asked, zone),
            func.count().label("asked"),
            func.count(request.score).label("asked_and_answered"),
        )
        .where(when_asked >= since, when_asked < until, *seen)
        .group_by("key")
    )
    answered = await connection.execute(
        select(
            _key(by, when_answered, zone),
            func.count().label("answers"),
            func.coalesce(func.sum(request.score), 0).label("total"),
            func.count().filter(request.score >= SATISFIED).label("satisfied"),
            func.count().filter(request.score >= PROMOTER).label("promoters"),
            func.count().filter(request.score <= DETRACTOR).label("detractors"),
        )
        .where(when_answered >= since, when_answered < until, *seen)
        .group_by("key")
    )
    found = {row.key: Figures(kind, **row._mapping) for row in asked}
    for row in answered:
        found[row.key] = replace(found.get(row.key, Figures(kind)), **row._mapping)
    return sorted(found.values(), key=_order)


def _key(by: Grouping, at: Any, zone: str) -> ColumnElement[Any]:
    match by:
        case Grouping.AGENT:
            column: Any = SurveyRequest.agent_id
        case Grouping.TEAM:
            column = SurveyRequest.team_id
        case Grouping.CHANNEL:
            column = SurveyRequest.channel_id
        case Grouping.DAY:
            column = cast(func.timezone(zone, at), Date)
        case Grouping.TOTAL:
            column = literal(None)
    return column.label("key")  # type: ignore[no-any-return]


def _order(figures: Figures) -> str:
    return str(figures.key or "")

"""What customers thought of the help, beside the other figures of a report: the percentage of 4 and 5 of 5."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Date, Integer, cast, func, select

from domain.access import may_see
from domain.chorus import Reads
from domain.db import one_of
from domain.feedback.requests import SurveyRequest
from domain.feedback.scales import SATISFIED, SurveyKind, percent
from domain.reporting.asking import Asked, Grouping, Key
from domain.ways_in.channels import Channel


@dataclass
class Share:
    answers: int = 0
    satisfied: int = 0

    @property
    def csat(self) -> float | None:
        return percent(self.satisfied, self.answers)

    def add(self, row: Any) -> None:
        self.answers, self.satisfied = self.answers + row.answers, self.satisfied + row.satisfied


@dataclass
class Satisfaction:
    """By the keys of a report's rows. An answer counts for who solved the ticket, when it was given."""

    rows: dict[Key, Share] = field(default_factory=dict)
    total: Share = field(default_factory=Share)
    previous: Share = field(default_factory=Share)

    def csat(self, key: Key) -> float | None:
        return self.rows[key].csat if key in self.rows else None


async def satisfaction(connection: Reads, asked: Asked) -> Satisfaction:
    period, at = asked.period, SurveyRequest.answered_at
    earlier = at < period.begin
    answered = (
        select(
            earlier.label("earlier"),
            _key(asked).label("key"),
            func.count().label("answers"),
            func.count().filter(SurveyRequest.score >= SATISFIED).label("satisfied"),
        )
        .where(
            SurveyRequest.kind == SurveyKind.CSAT,
            at >= period.before(),
            at < period.end,
            may_see(SurveyRequest, asked.reader),
            *_narrowed(asked),
        )
        .group_by("earlier", "key")
    )
    found = Satisfaction()
    days = {day: place for place, (day, _) in enumerate(asked.days)} if asked.by == Grouping.DAY else {}
    for row in (await connection.execute(answered)).all():
        (found.previous if row.earlier else found.total).add(row)
        key = days.get(row.key) if days else row.key
        if not row.earlier and asked.shown(key):
            found.rows.setdefault(key, Share()).add(row)
    return found


def _key(asked: Asked) -> Any:
    local = func.timezone(asked.period.zone.key, SurveyRequest.answered_at)
    match asked.by:
        case Grouping.AGENT:
            return SurveyRequest.agent_id
        case Grouping.TEAM:
            return SurveyRequest.team_id
        case Grouping.CHANNEL:
            return SurveyRequest.channel_id
        case Grouping.DAY:
            return cast(local, Date)
        case Grouping.HOUR:
            return func.extract("hour", local).cast(Integer)


def _narrowed(asked: Asked) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if asked.channels:
        kinds = select(Channel.id).where(Channel.kind.in_(asked.channels))
        conditions.append(SurveyRequest.channel_id.in_(kinds))
    if asked.teams:
        conditions.append(one_of(SurveyRequest.team_id, asked.teams))
    if asked.agents:
        conditions.append(one_of(SurveyRequest.agent_id, asked.agents))
    return conditions

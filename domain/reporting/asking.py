"""What is asked of the measurements: a period, narrowed down and grouped, as far as the reader sees them."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Integer, false, func, select
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP
from sqlalchemy.sql.expression import literal

from domain.access import may_see
from domain.actors import Actor, ActorKind
from domain.db import one_of
from domain.errors import InvalidInput, NotAllowed
from domain.languages import N_
from domain.reporting.measurements import Measurement
from domain.reporting.periods import Period
from domain.ways_in.channels import Channel, ChannelKind


class Grouping(StrEnum):
    AGENT = "agent"
    CHANNEL = "channel"
    TEAM = "team"
    DAY = "day"
    HOUR = "hour"
    """Of the day, 0 to 23."""


MOST_ROWS = 100
"""Of days."""

of = Measurement.__table__.c
Columns = Any
"""Of what has a moment `at`, an `agent_id`, a `channel_id` and a `team_id`."""
WHOSE = {Grouping.AGENT: of.agent_id, Grouping.CHANNEL: of.channel_id, Grouping.TEAM: of.team_id}

Key = uuid.UUID | int | None
"""Of a row: an id; a day, counted from the first one; an hour. None: of those of nobody."""


@dataclass(frozen=True)
class Asked:
    reader: Actor
    period: Period
    by: Grouping
    now: datetime
    channels: Collection[ChannelKind] = ()
    """Each empty: all."""
    teams: Collection[uuid.UUID] = ()
    agents: Collection[uuid.UUID] = ()

    def __post_init__(self) -> None:
        if self._only_own and any(agent != self.reader.id for agent in self.agents):
            raise NotAllowed(field=["range", "agentIds"])

    @property
    def _only_own(self) -> bool:
        """Agents see their own figures and what their teams come to, not each other's."""
        return self.reader.kind == ActorKind.AGENT and not self.reader.manages

    @cached_property
    def days(self) -> list[tuple[date, datetime]]:
        """Those that have begun, with their ends."""
        found = [(day, end) for day, end in self.period.days() if self.period.midnight(day) < self.now]
        if len(found) > MOST_ROWS:
            raise InvalidInput(N_("At most {most} days at once."), field=["range"], most=MOST_ROWS)
        return found

    def seen(self) -> list[ColumnElement[bool]]:
        """Of the measurements, of whatever time."""
        return [may_see(Measurement, self.reader), *self.narrowed(of)]

    def narrowed(self, of: Columns) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if self.channels:
            kinds = select(Channel.id).where(Channel.kind.in_(self.channels))
            conditions.append(of.channel_id.in_(kinds))
        if self.teams:
            conditions.append(one_of(of.team_id, self.teams))
        if self.agents:
            conditions.append(one_of(of.agent_id, self.agents))
        return conditions

    def key(self, of: Columns) -> ColumnElement[Any]:
        """Under which row of the report it stands."""
        if self.by in WHOSE:
            whose: ColumnElement[Any] = of[WHOSE[self.by].name]
            return whose
        if self.by == Grouping.HOUR:
            return self._hour(of)
        begins = [self.period.midnight(day) for day, _ in self.days][1:]
        thresholds = literal(begins, ARRAY(TIMESTAMP(timezone=True)))
        return func.width_bucket(of.at, thresholds) if begins else literal(0, Integer)

    def shown(self, key: Key) -> bool:
        """Is there a row of it?"""
        if self.by == Grouping.AGENT:
            return key is not None and (not self._only_own or key == self.reader.id)
        return self.by in (Grouping.CHANNEL, Grouping.TEAM) or key is not None

    def is_under(self, key: Key) -> ColumnElement[bool]:
        """Of the measurements of the period."""
        if not self.shown(key):
            return false()
        if self.by in WHOSE:
            return WHOSE[self.by].is_not_distinct_from(key)
        if self.by == Grouping.HOUR:
            return self._hour(of) == key
        day, end = self.days[int(key)]  # type: ignore[arg-type]  # a day's
        return (of.at >= self.period.midnight(day)) & (of.at < end)

    def stood_open(self, key: Key | None = None, *, whole: bool = False) -> list[ColumnElement[bool]]:
        """Of the stretches of open tickets: at the end of the day, or of the period. An hour of many days has no end."""
        end, conditions = self.period.end, []
        if self.by == Grouping.DAY and not whole:
            end = self.days[int(key)][1]  # type: ignore[arg-type]
        elif not whole:
            conditions = [self.is_under(key) if self.by in WHOSE else false()]
        moment = min(end, self.now)
        return [*conditions, of.at <= moment, of.until.is_(None) | (of.until > moment)]

    def _hour(self, of: Columns) -> ColumnElement[Any]:
        return func.extract("hour", func.timezone(self.period.zone.key, of.at)).cast(Integer)

"""How somebody wants to be told of alerts: how much a lock screen shows, when not to ring, and for what."""

import uuid
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Integer, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.alerting.alerts import AlertKind
from domain.db import Base
from domain.errors import InvalidInput
from domain.languages import N_
from domain.sla.hours import is_time

MOST_LEVEL_IN_QUIET = 3
"""Nobody sleeps through the last level of the house's own ladder."""


class Privacy(StrEnum):
    FULL = "full"
    """The customer's name and the subject."""
    MINIMAL = "minimal"
    """The ticket's number, its channel, minutes."""
    NONE = "none"
    """That something is to be looked at."""


class Silence(StrEnum):
    """Why somebody was not rung."""

    QUIET = "quiet"
    MUTED = "muted"


class AlertPreferences(Base):
    __tablename__ = "alert_preferences"

    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"), primary_key=True)
    privacy: Mapped[Privacy] = mapped_column(default=Privacy.MINIMAL)
    quiet_from: Mapped[str | None]
    quiet_to: Mapped[str | None]
    """Wall times of the person's zone, such as 22:00; past midnight if the first is the later."""
    min_level_in_quiet: Mapped[int] = mapped_column(Integer, default=3)
    muted: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    """Kinds of alerts; the last level of a ladder rings all the same."""
    group_storms: Mapped[bool] = mapped_column(default=True)
    replies: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """To be told of what customers write in one's own tickets."""
    calls: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    """To be told of calls that ring and that one could take."""

    def silence(
        self, kind: AlertKind, level: int, *, is_top: bool, zone: str, at: datetime
    ) -> Silence | None:
        if kind in self.muted and not is_top:
            return Silence.MUTED
        return Silence.QUIET if self.rests(level, zone=zone, at=at) else None

    def rests(self, level: int = 0, *, zone: str, at: datetime) -> bool:
        """In quiet hours, from what is of this level. What is no alert is of none: 0."""
        return level < self.min_level_in_quiet and self._is_quiet(zone, at)

    def _is_quiet(self, zone: str, at: datetime) -> bool:
        if not self.quiet_from or not self.quiet_to:
            return False
        now = f"{at.astimezone(ZoneInfo(zone)):%H:%M}"
        if self.quiet_from <= self.quiet_to:
            return self.quiet_from <= now < self.quiet_to
        return now >= self.quiet_from or now < self.quiet_to

    def ring_from(self, level: int) -> None:
        """In quiet hours, from this level on."""
        if not 0 <= level <= MOST_LEVEL_IN_QUIET:
            raise InvalidInput(
                N_("Give a level from 0 to {most}."), field=["minLevelInQuiet"], most=MOST_LEVEL_IN_QUIET
            )
        self.min_level_in_quiet = level

    def keep_quiet(self, begin: str, end: str) -> None:
        """Two empty words: never."""
        for field, written in (("quietFrom", begin), ("quietTo", end)):
            if written and not is_time(written):
                raise InvalidInput(N_("Write a time as 22:00."), field=[field])
        if bool(begin) != bool(end):
            raise InvalidInput(
                N_("Quiet hours have a beginning and an end."), field=["quietTo" if begin else "quietFrom"]
            )
        self.quiet_from, self.quiet_to = begin or None, end or None


async def preferences_of(session: AsyncSession, agent_id: uuid.UUID) -> AlertPreferences:
    """Those of somebody who never chose are the defaults, and not stored."""
    found = await session.get(AlertPreferences, agent_id)
    return found or AlertPreferences(
        agent_id=agent_id,
        privacy=Privacy.MINIMAL,
        min_level_in_quiet=3,
        muted=[],
        group_storms=True,
        replies=True,
        calls=True,
    )

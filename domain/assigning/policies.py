"""How a team's work is handed out. A team without a policy does it by hand."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import ForeignKey, Index, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.agents.staff import MOST_CAPACITY, Team
from domain.assigning.choosing import AssignmentMode, Rules
from domain.chorus import Reads
from domain.db import Base, Json, one_of, ring
from domain.desk.tags import kept
from domain.errors import InvalidInput
from domain.languages import N_
from domain.ways_in.channels import ChannelKind

TOPIC = "assigning"
"""Rung when a team's queue is to be looked at."""

CAPACITY = 20
"""Of somebody who has none of their own and whose teams say nothing."""
WEIGHTS: Mapping[ChannelKind, int] = dict.fromkeys(ChannelKind, 1) | {ChannelKind.CHAT: 4}
"""Of a chat only while its customer is there: one who has left reads the answer later, as a mail."""
LIGHTEST, HEAVIEST = 1, 100
MOST_SKILLS = 50
LONGEST = timedelta(days=30)


@dataclass(frozen=True)
class SkillRule:
    """A ticket needs the skill if it has one of the tags, or came by one of the channels."""

    skill: str
    tags: tuple[str, ...] = ()
    channel_ids: tuple[uuid.UUID, ...] = ()

    def applies(self, tags: Collection[str], channel_ids: Collection[uuid.UUID]) -> bool:
        return bool(set(self.tags) & set(tags) or set(self.channel_ids) & set(channel_ids))

    def to_json(self) -> Json:
        return {"skill": self.skill, "tags": self.tags, "channels": [str(id) for id in self.channel_ids]}

    @classmethod
    def from_json(cls, said: Json) -> Self:
        return cls(said["skill"], tuple(said["tags"]), tuple(uuid.UUID(id) for id in said["channels"]))


@dataclass(frozen=True)
class Terms:
    """What a team has decided. Raises InvalidInput for what cannot be kept."""

    mode: AssignmentMode = AssignmentMode.BY_HAND
    by_language: bool = False
    language_wait: timedelta = timedelta(minutes=15)
    capacity: int = CAPACITY
    weights: Mapping[ChannelKind, int] = field(default_factory=lambda: WEIGHTS)
    skills: tuple[SkillRule, ...] = ()
    off_shift_after: timedelta | None = None
    """How long somebody is off shift until a waiting customer of theirs is somebody else's; none: for ever."""
    unreachable_after: timedelta | None = None
    """The same of somebody who cannot be reached at all; a live chat does not wait. None: for ever, and chats too."""

    def __post_init__(self) -> None:
        if not 0 <= self.capacity <= MOST_CAPACITY:
            raise InvalidInput(N_("A capacity is 0 to {most}."), field=["capacity"], most=MOST_CAPACITY)
        if not all(LIGHTEST <= weight <= HEAVIEST for weight in self.weights.values()):
            raise InvalidInput(N_("A weight is 1 to {most}."), field=["weights"], most=HEAVIEST)
        if len(self.skills) > MOST_SKILLS:
            raise InvalidInput(N_("At most {most} of them."), field=["skills"], most=MOST_SKILLS)
        rules = tuple(
            SkillRule(_word(one.skill), tuple(kept(one.tags)), one.channel_ids) for one in self.skills
        )
        object.__setattr__(self, "skills", rules)
        for wait in (self.language_wait, self.off_shift_after, self.unreachable_after):
            if wait is not None and not timedelta(0) <= wait <= LONGEST:
                raise InvalidInput(N_("A wait is at most {most} days."), most=LONGEST.days)

    @property
    def rules(self) -> Rules:
        return Rules(self.mode, self.language_wait)

    def needs(self, tags: Collection[str], channel_ids: Collection[uuid.UUID]) -> frozenset[str]:
        return frozenset(rule.skill for rule in self.skills if rule.applies(tags, channel_ids))

    def to_json(self) -> Json:
        return {
            "mode": self.mode,
            "by_language": self.by_language,
            "language_wait": _seconds(self.language_wait),
            "capacity": self.capacity,
            "weights": {kind.value: weight for kind, weight in self.weights.items()},
            "skills": [rule.to_json() for rule in self.skills],
            "off_shift_after": _seconds(self.off_shift_after),
            "unreachable_after": _seconds(self.unreachable_after),
        }

    @classmethod
    def from_json(cls, said: Json) -> Self:
        return cls(
            mode=AssignmentMode(said["mode"]),
            by_language=said["by_language"],
            language_wait=timedelta(seconds=said["language_wait"]),
            capacity=said["capacity"],
            weights={**WEIGHTS, **{ChannelKind(kind): weight for kind, weight in said["weights"].items()}},
            skills=tuple(map(SkillRule.from_json, said["skills"])),
            off_shift_after=_wait(said["off_shift_after"]),
            unreachable_after=_wait(said["unreachable_after"]),
        )


def _word(skill: str) -> str:
    (word,) = kept([skill])
    if not word:
        raise InvalidInput(N_("This may not be empty."), field=["skills", "skill"])
    return word


def _seconds(wait: timedelta | None) -> int | None:
    return None if wait is None else int(wait.total_seconds())


def _wait(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


class AssignmentPolicy(Base):
    __tablename__ = "assignment_policy"
    __table_args__ = (
        Index("ix_assignment_policy_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    team_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("team.id"), primary_key=True)
    terms: Mapped[Json]
    due_at: Mapped[datetime | None]
    """When the team's queue is looked at next. Who looks holds the row: one at a time."""


async def terms_of(connection: Reads, team_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Terms]:
    """Of those that have decided anything."""
    found = await connection.execute(
        select(AssignmentPolicy.team_id, AssignmentPolicy.terms).where(
            one_of(AssignmentPolicy.team_id, team_ids)
        )
    )
    return {row.team_id: Terms.from_json(row.terms) for row in found}


async def save(session: AsyncSession, team: Team, terms: Terms) -> None:
    said = {"terms": terms.to_json(), "due_at": func.now()}
    row = insert(AssignmentPolicy).values(team_id=team.id, **said)
    await session.execute(row.on_conflict_do_update(index_elements=["team_id"], set_=said))
    ring(session, TOPIC)

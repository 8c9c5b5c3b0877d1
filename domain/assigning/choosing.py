"""Whose a ticket becomes. Pure: a ticket, who could have it, the team's rules and the time go in; somebody, or why nobody, comes out."""

import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from domain.assigning.reasons import Because

LONG_AGO = datetime.min.replace(tzinfo=UTC)
STARTS_LEVEL = timedelta(minutes=15)


class AssignmentMode(StrEnum):
    BY_HAND = "by_hand"
    ROUND_ROBIN = "round_robin"
    BY_LOAD = "by_load"


@dataclass(frozen=True)
class Job:
    """A ticket, as far as it matters for who gets it."""

    weight: int = 1
    """Of somebody's capacity."""
    is_live: bool = False
    """The customer sits before a chat."""
    language: str | None = None
    """None: unknown, or the team does not ask for it."""
    skills: frozenset[str] = frozenset()
    waits_since: datetime = LONG_AGO
    let_go_by: uuid.UUID | None = None


@dataclass(frozen=True)
class Candidate:
    agent_id: uuid.UUID
    capacity: int
    used: int = 0
    open: int = 0
    """Tickets."""
    languages: frozenset[str] = frozenset()
    skills: frozenset[str] = frozenset()
    turns: int = 0
    """How often they were given something."""
    given_at: datetime | None = None
    in_team: bool = True
    on_shift: bool = True
    on_screen: bool = True
    away: bool = False
    reachable: bool = True
    """Not gone for so long that their team takes from them whatever a customer waits for."""
    busy: bool = False
    """On the telephone, or writing up a call."""

    def has_room(self, weight: int) -> bool:
        return self.used + weight <= self.capacity

    def is_there(self, job: Job) -> bool:
        """A mail may wait for who is on shift and can be reached; a chat is for who sits before a screen and has an ear free."""
        present = self.on_shift and not self.away and self.reachable
        return present and (not job.is_live or (self.on_screen and not self.busy))

    def given(self, job: Job, *, at: datetime) -> "Candidate":
        """With that ticket too."""
        used = self.used + job.weight
        return replace(self, used=used, open=self.open + 1, turns=self.turns + 1, given_at=at)

    def speaks(self, job: Job) -> bool:
        return job.language is None or job.language in self.languages

    def is_skilled(self, job: Job) -> bool:
        return job.skills <= self.skills


@dataclass(frozen=True)
class Chosen:
    candidate: Candidate
    because: tuple[Because, ...]


class Nobody(StrEnum):
    """Why, of all reasons the one nearest to somebody."""

    BY_HAND = "by_hand"
    NOT_THERE = "not_there"
    UNSKILLED = "unskilled"
    OTHER_LANGUAGE = "other_language"
    """Until the wait is over."""
    LET_GO = "let_go"
    """Only who gave it back could have it."""
    FULL = "full"


@dataclass(frozen=True)
class Rules:
    mode: AssignmentMode = AssignmentMode.BY_HAND
    language_wait: timedelta = timedelta(minutes=15)
    """How long somebody who speaks the language is waited for."""


def choose(job: Job, candidates: Iterable[Candidate], rules: Rules, now: datetime) -> Chosen | Nobody:
    if rules.mode == AssignmentMode.BY_HAND:
        return Nobody.BY_HAND
    anybody_will_do = now - job.waits_since >= rules.language_wait
    narrowing: tuple[tuple[Nobody, Callable[[Candidate], bool]], ...] = (
        (Nobody.NOT_THERE, lambda one: one.in_team and one.is_there(job)),
        (Nobody.UNSKILLED, lambda one: one.is_skilled(job)),
        (Nobody.OTHER_LANGUAGE, lambda one: anybody_will_do or one.speaks(job)),
        (Nobody.LET_GO, lambda one: one.agent_id != job.let_go_by),
        (Nobody.FULL, lambda one: one.has_room(job.weight)),
    )
    left = list(candidates)
    for why, fits in narrowing:
        left = list(filter(fits, left))
        if not left:
            return why
    best = best_first(job, left, rules)[0]
    return Chosen(best, _because(job, best, rules))


def best_first(job: Job, candidates: Sequence[Candidate], rules: Rules) -> list[Candidate]:
    """In its team, with its skills, in its language; then whose turn it is: who was given least, of these who has waited longest."""

    def order(one: Candidate) -> tuple[object, ...]:
        load = (
            0.0
            if rules.mode == AssignmentMode.ROUND_ROBIN
            else (one.used + job.weight) / max(one.capacity, 1)
        )
        turn = (load, one.turns, one.given_at or LONG_AGO, one.agent_id)
        return (not one.in_team, not one.is_skilled(job), not one.speaks(job), *turn)

    return sorted(candidates, key=order)


def levelled(candidates: Sequence[Candidate], now: datetime) -> list[Candidate]:
    """Who was given nothing for a while (they were off, away or full) starts level with those who were: what they have missed is
    not heaped upon them, and neither does it count what they had been given before."""
    recent = [one for one in candidates if one.given_at and now - one.given_at < STARTS_LEVEL]
    least = min((one.turns for one in recent), default=0)
    return [one if one in recent else replace(one, turns=least) for one in candidates]


def _because(job: Job, chosen: Candidate, rules: Rules) -> tuple[Because, ...]:
    turn = Because.ROUND_ROBIN if rules.mode == AssignmentMode.ROUND_ROBIN else Because.LEAST_LOADED
    found = [turn]
    if job.language:
        found.append(Because.SPEAKS if chosen.speaks(job) else Because.NOBODY_SPEAKS)
    if job.skills:
        found.append(Because.SKILLED)
    return tuple(found)

"""Ladders: who is told of an alert, and who next if nobody answers. Pure data and arithmetic."""

import uuid
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Self

from domain.db import Json
from domain.languages import N_


class Told(StrEnum):
    ASSIGNEE = "assignee"
    TEAM = "team"
    """Those of the ticket's team who are on shift."""
    MANAGER_ON_SHIFT = "manager_on_shift"
    """One of them: of the team, if there is one."""
    MANAGERS_ON_SHIFT = "managers_on_shift"
    MANAGERS = "managers"
    ADMINS = "admins"


class Way(StrEnum):
    PUSH = "push"
    EMAIL = "email"


@dataclass(frozen=True)
class Step:
    level: int
    """0 is a warning before the promise is broken; 1 and up come when it is."""
    after: int
    """Seconds since the alert began."""
    tell: tuple[Told, ...] = ()
    agents: tuple[uuid.UUID, ...] = ()
    """These too, whoever has the ticket."""
    ways: tuple[Way, ...] = (Way.PUSH,)

    def to_json(self) -> Json:
        return {
            "level": self.level,
            "after": self.after,
            "tell": list(self.tell),
            "agents": [str(agent) for agent in self.agents],
            "ways": list(self.ways),
        }

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        return cls(
            level=stored["level"],
            after=stored["after"],
            tell=tuple(Told(one) for one in stored["tell"]),
            agents=tuple(uuid.UUID(agent) for agent in stored["agents"]),
            ways=tuple(Way(way) for way in stored["ways"]),
        )


@dataclass(frozen=True)
class Ladder:
    """Rungs are its steps in order; above the last one it is said again in rounds, then once in each digest.

    Raises ValueError, with a sentence, for a ladder that nobody could climb.
    """

    steps: tuple[Step, ...]
    rounds: int = 3
    """How often the last step is said in all."""
    round_seconds: int = 300

    def __post_init__(self) -> None:
        if not any(step.level > 0 for step in self.steps):
            raise ValueError(N_("A ladder needs a step above level 0."))
        for warning in (True, False):
            steps = self._climbed(warning)
            if any(not step.tell and not step.agents for step in steps):
                raise ValueError(N_("Each step tells somebody."))
            if any(not step.ways or step.after < 0 or step.level < 0 for step in steps):
                raise ValueError(N_("Each step has a way, a level from 0 and a time from 0."))
            if steps and steps[0].after:
                raise ValueError(N_("The first step comes at once."))
            if any(one.after >= other.after for one, other in pairwise(steps)):
                raise ValueError(N_("Each step comes later than the one before."))
            if any(one.level > other.level for one, other in pairwise(steps)):
                raise ValueError(N_("Levels rise from step to step."))
        if not 1 <= self.rounds <= 10 or not 60 <= self.round_seconds <= 86_400:
            raise ValueError(N_("There are 1 to 10 rounds, a minute to a day apart."))

    def _climbed(self, warning: bool) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if (step.level == 0) == warning)

    def step(self, rung: int, *, warning: bool) -> Step | None:
        """None: this ladder says nothing (more) here; what is still open belongs to the digest."""
        steps = self._climbed(warning)
        if rung < len(steps):
            return steps[rung]
        if steps and not warning and rung < len(steps) + self.rounds - 1:
            return steps[-1]
        return None

    def wait(self, rung: int, *, warning: bool) -> int | None:
        """Seconds from this rung to the next; none where there is no next."""
        steps = self._climbed(warning)
        if rung + 1 < len(steps):
            return steps[rung + 1].after - steps[rung].after
        return self.round_seconds if self.step(rung + 1, warning=warning) else None

    def last(self, *, warning: bool) -> Step | None:
        return next(reversed(self._climbed(warning)), None)

    @property
    def top(self) -> Step:
        return max(self.steps, key=lambda step: (step.level, step.after))

    def is_top(self, level: int) -> bool:
        return level == self.top.level

    def to_json(self) -> Json:
        return {
            "steps": [step.to_json() for step in self.steps],
            "rounds": self.rounds,
            "round_seconds": self.round_seconds,
        }

    @classmethod
    def from_json(cls, stored: Json) -> Self:
        return cls(
            tuple(Step.from_json(step) for step in stored["steps"]),
            rounds=stored["rounds"],
            round_seconds=stored["round_seconds"],
        )


DEFAULT = Ladder(
    (
        Step(0, 0, (Told.ASSIGNEE,)),
        Step(1, 0, (Told.ASSIGNEE, Told.MANAGER_ON_SHIFT)),
        Step(2, 300, (Told.MANAGERS_ON_SHIFT,)),
        Step(3, 600, (Told.ADMINS,), ways=(Way.PUSH, Way.EMAIL)),
    )
)

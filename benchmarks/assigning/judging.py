"""The judge: follows every hand-over by the history alone, and knows the plan, not the rules' code."""

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from benchmarks.assigning.day import CAPACITY, LANGUAGE_WAIT, Case, Day, Person

ROUNDS = 200


@dataclass
class Judge:
    day: Day
    holders: dict[uuid.UUID, uuid.UUID] = field(default_factory=dict)
    """Of what is not solved, by ticket."""
    waiting: dict[uuid.UUID, datetime] = field(default_factory=dict)
    given: Counter[str] = field(default_factory=Counter)
    handed_back: int = 0
    wrong: list[str] = field(default_factory=list)
    longest_wait: float = 0.0
    peak: Counter[str] = field(default_factory=Counter)
    """The most that somebody carried."""
    shares: dict[tuple[datetime, frozenset[str]], int] = field(default_factory=lambda: defaultdict(int))
    """By half an hour, and who could have had it: how many tickets were given."""

    def __post_init__(self) -> None:
        self.cases = {case.id: case for case in self.day.cases}
        self.people = {person.id: person for person in self.day.people}

    def opened(self, case: Case) -> None:
        self.cases[case.id] = case
        self.waiting[case.id] = case.comes_at

    def solved(self, case: Case) -> None:
        del self.holders[case.id]

    def assigned(
        self, ticket: uuid.UUID, before: uuid.UUID | None, to: uuid.UUID | None, at: datetime
    ) -> None:
        """One event, in the order of the history."""
        case = self.cases[ticket]
        if self.holders.get(ticket) != before:
            self.wrong.append(f"{at:%H:%M} {ticket} was taken from somebody who did not have it")
        self.holders.pop(ticket, None)
        if to is None:
            self.handed_back += 1
            self.waiting[ticket] = at
            return
        person = self.people[to]
        could = frozenset(one.name for one in self.people.values() if self._could(one, case, at))
        if person.name not in could:
            self.wrong.append(
                f"{at:%H:%M} {person.name} was given a ticket of {case.language}, {case.skill}, in vain"
            )
        self.shares[_half_hour(at), could] += 1
        self.longest_wait = max(self.longest_wait, (at - self.waiting.pop(ticket)).total_seconds())
        self.holders[ticket] = to
        self.given[person.name] += 1
        load = self._load(person, at)
        self.peak[person.name] = max(self.peak[person.name], load)
        if load > CAPACITY:
            self.wrong.append(f"{at:%H:%M} {person.name} carries {load}")

    def look(self, at: datetime) -> None:
        """At the end of a minute: nothing waits for which somebody is free."""
        for ticket in self.waiting:
            if free := [one.name for one in self.people.values() if self._could(one, self.cases[ticket], at)]:
                self.wrong.append(f"{at:%H:%M} {ticket} waits while {', '.join(free)} could have it")

    def _could(self, one: Person, case: Case, at: datetime) -> bool:
        speaks = case.language in one.languages or at - case.comes_at >= LANGUAGE_WAIT
        skilled = case.skill is None or case.skill in one.skills
        return one.is_there(at) and speaks and skilled and self._load(one, at) + case.weight(at) <= CAPACITY

    def _load(self, one: Person, at: datetime) -> int:
        return sum(
            self.cases[ticket].weight(at) for ticket, holder in self.holders.items() if holder == one.id
        )

    def fair(self) -> dict[str, float]:
        """What each would have had, had everything been spread as evenly as shifts, skills, languages and room allow."""
        total: dict[str, float] = defaultdict(float)
        for half in {half for half, _ in self.shares}:
            groups = {who: count for (at, who), count in self.shares.items() if at == half}
            for name, share in evenly(groups).items():
                total[name] += share
        return total


def evenly(groups: dict[frozenset[str], int]) -> dict[str, float]:
    """The most even spread of tickets among those who could have them: again and again each group is poured anew, the least
    loaded of it first, until nothing moves."""
    poured: dict[frozenset[str], dict[str, float]] = {who: dict.fromkeys(who, 0.0) for who in groups}
    for _ in range(ROUNDS):
        for who, count in groups.items():
            others = {
                name: sum(part.get(name, 0.0) for one, part in poured.items() if one != who) for name in who
            }
            poured[who] = _poured(others, count)
    names = {name for who in groups for name in who}
    return {name: sum(part.get(name, 0.0) for part in poured.values()) for name in names}


def _poured(levels: dict[str, float], amount: float) -> dict[str, float]:
    """As water: into the lowest vessels until they stand as high as the next."""
    low = sorted(levels.values())
    for count in range(1, len(low) + 1):
        level = (amount + sum(low[:count])) / count
        if count == len(low) or level <= low[count]:
            return {name: max(0.0, level - stands) for name, stands in levels.items()}
    return {}


def _half_hour(at: datetime) -> datetime:
    return at.replace(minute=at.minute // 30 * 30, second=0, microsecond=0)


def furthest(given: Counter[str], fair: dict[str, float], names: Iterable[str]) -> float:
    """By how much of their fair share somebody had more or less, at worst."""
    return max(abs(given[name] - fair.get(name, 0.0)) / max(fair.get(name, 0.0), 1.0) for name in names)

"""A call is the join of what its steps say. They may come twice, late or in any order, and the end is the same.

`joined` is commutative, associative and idempotent: earliest moments and sets, and nothing is ever taken back. So the state of a
call only goes forward:

    ringing ──nobody took it, or a machine did──▶ missed ──but somebody had, as a late step says──▶ answered ──▶ ended
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from domain.arriving.inbound import CallStep, InboundCall
from domain.db import Json
from domain.desk.messages import CallState

RINGS_FOR = timedelta(minutes=3)
RECORDS_FOR = timedelta(minutes=10)
TALKS_FOR = timedelta(hours=4)
"""After so long without an end nobody will tell of one."""
NO_END = "no_end"
"""The cause of a call whose end was never told."""

MOST = 100
"""Of each kind of thing that one call remembers."""

At = datetime | None
Word = tuple[datetime, str]
"""What was said first, and when."""

Key = TypeVar("Key", bound=Any)
Value = TypeVar("Value", bound=Any)


@dataclass(frozen=True)
class Line:
    rang_at: At = None
    answered_at: At = None
    ended_at: At = None
    rings: frozenset[str] = frozenset()
    """Whose telephones."""

    def joined(self, other: "Line") -> "Line":
        return Line(
            _earliest(self.rang_at, other.rang_at),
            _earliest(self.answered_at, other.answered_at),
            _earliest(self.ended_at, other.ended_at),
            frozenset(sorted(self.rings | other.rings)[:MOST]),
        )


Take = tuple[CallStep, str, str, At]
"""Who took it on which line. An answer is told again as the same one, later: it has no time here. A transfer has its own."""


@dataclass(frozen=True)
class Told:
    """All that the steps of a call have said so far."""

    since: At = None
    lines: Mapping[str, Line] = field(default_factory=dict)
    """By leg. The one without a name is the caller's own: when it ends, the call does."""
    takes: Mapping[Take, datetime] = field(default_factory=dict)
    machine_at: At = None
    cause: tuple[bool, datetime, str] | None = None
    """Is it only one line's, when, and what."""
    dialled: Word | None = None
    consent: Word | None = None
    pressed: frozenset[Word] = frozenset()
    no_answer_at: At = None
    no_end_at: At = None
    """When we gave up waiting for it."""

    def joined(self, other: "Told") -> "Told":
        return Told(
            since=_earliest(self.since, other.since),
            lines=_merged(self.lines, other.lines, Line.joined),
            takes=_merged(self.takes, other.takes, min),
            machine_at=_earliest(self.machine_at, other.machine_at),
            cause=_earliest(self.cause, other.cause),
            dialled=_earliest(self.dialled, other.dialled),
            consent=_earliest(self.consent, other.consent),
            pressed=frozenset(sorted(self.pressed | other.pressed)[:MOST]),
            no_answer_at=_earliest(self.no_answer_at, other.no_answer_at),
            no_end_at=_earliest(self.no_end_at, other.no_end_at),
        )

    def given_up(self, *, at: datetime) -> "Told":
        """Its end was never told."""
        if standing(self).answered_at:
            return replace(self, no_end_at=_earliest(self.no_end_at, at))
        return replace(self, no_answer_at=_earliest(self.no_answer_at, at))

    def to_json(self) -> Json:
        return {
            "since": _written(self.since),
            "lines": {
                leg: [_written(line.rang_at), _written(line.answered_at), _written(line.ended_at), sorted(line.rings)]
                for leg, line in self.lines.items()
            },
            "takes": [
                [step, leg, agent, _written(key_at), _written(at)]
                for (step, leg, agent, key_at), at in sorted(self.takes.items(), key=repr)
            ],
            "machine": _written(self.machine_at),
            "cause": self.cause and [self.cause[0], _written(self.cause[1]), self.cause[2]],
            "dialled": self.dialled and [_written(self.dialled[0]), self.dialled[1]],
            "consent": self.consent and [_written(self.consent[0]), self.consent[1]],
            "pressed": [[_written(at), key] for at, key in sorted(self.pressed)],
            "no_answer": _written(self.no_answer_at),
            "no_end": _written(self.no_end_at),
        }  # fmt: skip

    @classmethod
    def from_json(cls, kept: Json) -> "Told":
        cause = kept["cause"]
        return cls(
            since=_read(kept["since"]),
            lines={
                leg: Line(_read(rang), _read(answered), _read(ended), frozenset(rings))
                for leg, (rang, answered, ended, rings) in kept["lines"].items()
            },
            takes={
                (CallStep(step), leg, agent, _read(key_at)): _moment(at)
                for step, leg, agent, key_at, at in kept["takes"]
            },
            machine_at=_read(kept["machine"]),
            cause=(cause[0], _moment(cause[1]), cause[2]) if cause else None,
            dialled=_word(kept["dialled"]),
            consent=_word(kept["consent"]),
            pressed=frozenset((_moment(at), key) for at, key in kept["pressed"]),
            no_answer_at=_read(kept["no_answer"]),
            no_end_at=_read(kept["no_end"]),
        )


def told(step: InboundCall) -> Told:
    """What one step says."""
    said = Told(
        since=step.at,
        dialled=(step.at, step.dialled) if step.dialled else None,
        consent=(step.at, step.consent) if step.consent else None,
    )
    match step.step:
        case CallStep.RINGING:
            line = Line(rang_at=step.at, rings=frozenset(step.ringing))
            # Of a call of ours, the customer's telephone rings; who calls has it.
            takes = _taken(step, None) if step.outgoing else {}
            return replace(said, lines={step.leg: line}, takes=takes)
        case CallStep.ANSWERED:
            lines = {step.leg: Line(answered_at=step.at)}
            return replace(said, lines=lines, takes=_taken(step, None))
        case CallStep.TRANSFERRED:
            lines = {step.leg: Line(answered_at=step.at)}
            return replace(said, lines=lines, takes=_taken(step, step.at))
        case CallStep.VOICEMAIL:
            return replace(said, machine_at=step.at)
        case CallStep.RECORDED:
            return said
        case CallStep.PRESSED:
            return replace(said, pressed=frozenset({(step.at, step.pressed)} if step.pressed else ()))
        case CallStep.ENDED:
            cause = (bool(step.leg), step.at, step.cause) if step.cause else None
            return replace(said, lines={step.leg: Line(ended_at=step.at)}, cause=cause)


def _taken(step: InboundCall, at: At) -> dict[Take, datetime]:
    return {(step.step, step.leg, step.agent, at): step.at} if step.agent else {}


@dataclass(frozen=True)
class Standing:
    """What it comes to."""

    state: CallState
    at: At
    answered_at: At
    ended_at: At
    cause: str | None
    agents: tuple[str, ...]
    """Who took it, each once, the last one last: as the PBX calls them."""
    ringing: tuple[str, ...] | None
    """Whose telephones ring now, none where nobody says whose; None where none rings."""
    dialled: str
    voicemail: bool
    silent_after: timedelta | None
    """How much longer an end is waited for."""


def standing(told: Told) -> Standing:
    answered_at = min((line.answered_at for line in told.lines.values() if line.answered_at), default=None)
    caller = told.lines.get("", Line())
    ended_at = caller.ended_at or (told.no_end_at if answered_at else told.no_answer_at)
    if answered_at:
        state = CallState.ENDED if ended_at else CallState.ANSWERED
    else:
        state = CallState.MISSED if ended_at or told.machine_at else CallState.RINGING
    cause = NO_END if ended_at and not caller.ended_at else told.cause[2] if told.cause and ended_at else None
    return Standing(
        state=state,
        at=told.since,
        answered_at=answered_at,
        ended_at=ended_at,
        cause=cause,
        agents=_agents(told.takes),
        ringing=None if ended_at else _ringing(told, state, answered_at),
        dialled=told.dialled[1] if told.dialled else "",
        voicemail=told.machine_at is not None,
        silent_after=None if ended_at else _patience(state),
    )


def _patience(state: CallState) -> timedelta:
    match state:
        case CallState.RINGING:
            return RINGS_FOR
        case CallState.MISSED:
            return RECORDS_FOR
        case _:
            return TALKS_FOR


def _agents(takes: Mapping[Take, datetime]) -> tuple[str, ...]:
    last: dict[str, datetime] = {}
    for (_, _, agent, _), at in takes.items():
        last[agent] = max(at, last.get(agent, at))
    return tuple(sorted(last, key=lambda agent: (last[agent], agent)))


def _ringing(told: Told, state: CallState, answered_at: At) -> tuple[str, ...] | None:
    """Once it is answered, only what began to ring later: somebody is asked to take it over."""
    rings = [
        line
        for line in told.lines.values()
        if line.rang_at
        and not line.answered_at
        and not line.ended_at
        and (answered_at is None or line.rang_at > answered_at)
    ]
    if state == CallState.MISSED or not rings:
        return None
    return tuple(sorted(frozenset[str]().union(*(line.rings for line in rings))))


def _earliest(one: Value | None, other: Value | None) -> Value | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _merged(
    one: Mapping[Key, Value], other: Mapping[Key, Value], join: Callable[[Value, Value], Value]
) -> dict[Key, Value]:
    both = {**one, **other}
    kept: Iterable[Key] = sorted(both, key=repr)[:MOST]
    return {key: join(one[key], other[key]) if key in one and key in other else both[key] for key in kept}


def _written(at: At) -> str | None:
    return at.isoformat() if at else None


def _moment(kept: str) -> datetime:
    return datetime.fromisoformat(kept)


def _read(kept: str | None) -> At:
    return _moment(kept) if kept else None


def _word(kept: list[str] | None) -> Word | None:
    return (_moment(kept[0]), kept[1]) if kept else None

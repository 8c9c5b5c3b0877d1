"""From the history of a ticket to all that statistics measure in it: a pure function.

Who spoke, which word was an answer to which, and what was promised, is decided where promises are (`domain/sla`). A ticket that the
shop itself takes up again within a minute was solved by mistake: that counts for nothing.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from domain.complaints.stages import Stage
from domain.desk.messages import Direction, ItemKind
from domain.desk.tickets import OURS, OVER, TicketStatus
from domain.reporting.changes import assignees, statuses, teams
from domain.reporting.courses import Course
from domain.reporting.histories import MOVES, History
from domain.reporting.measurements import STAGES, Measured
from domain.sla.facts import SETS_STATUS, began_by_machine, facts_in
from domain.sla.hours import ALWAYS, Interval
from domain.sla.promises import Deed, Fact, Terms, promised
from domain.sla.targets import REPLIES, Metric, Target

EVERY_REPLY = Terms(uuid.UUID(int=0), tuple(Target(metric, seconds=1) for metric in REPLIES), ALWAYS)
"""What promises a reply to every word finds every reply."""
REPLY = {Metric.FIRST_REPLY: Measured.FIRST_REPLY, Metric.NEXT_REPLY: Measured.NEXT_REPLY}
PROMISE = {
    Metric.FIRST_REPLY: Measured.FIRST_REPLY_PROMISE,
    Metric.NEXT_REPLY: Measured.NEXT_REPLY_PROMISE,
    Metric.RESOLUTION: Measured.RESOLUTION_PROMISE,
}


@dataclass(frozen=True)
class Found:
    """One measurement, but for how much of its time the shop was open."""

    kind: Measured
    at: datetime
    until: datetime | None = None
    agent_id: uuid.UUID | None = None
    channel_id: uuid.UUID | None = None
    team_id: uuid.UUID | None = None
    wall_seconds: int | None = None
    kept: bool | None = None


Spent = tuple[Interval, ...]
"""When the time passed that a measurement is about."""


def measured(history: History) -> list[tuple[Found, Spent]]:
    changes = [event for event in history.events if event.kind in SETS_STATUS]
    facts = facts_in(history.began_at, history.items, history.events)
    first = next((row for row in history.items if row.kind == ItemKind.MESSAGE), None)
    return [] if began_by_machine(first, facts) else list(_Measuring(history, facts, changes).all())


class _Measuring:
    def __init__(self, history: History, facts: Sequence[Fact], changes: Sequence[Row[Any]]) -> None:
        self._history, self._facts = history, sorted(facts, key=lambda fact: fact.order)
        self._items = {row.seq: row for row in history.items}
        moves = [event.at for event in history.events if event.kind in MOVES]
        begin = history.began_at
        self._statuses = Course(begin, TicketStatus.NEW, statuses(changes), history.status, moves)
        self._assignees = Course(begin, None, assignees(changes), history.assignee_id, moves)
        moved = teams(changes)
        first = moved[0].before if moved else history.team_id
        self._teams = Course(begin, first, moved, history.team_id)
        earliest = min(history.items, key=lambda row: (row.at, row.seq), default=None)
        self._channel_id = earliest.channel_id if earliest else None
        """By which the ticket came."""

    def all(self) -> Iterator[tuple[Found, Spent]]:
        yield self._of_ticket(Measured.OPENED, self._history.opened_at), ()
        yield from self._messages()
        yield from self._calls()
        yield from self._replies()
        yield from self._settlings()
        yield from self._open()
        yield from self._promises()
        yield from self._complaint()

    def _messages(self) -> Iterator[tuple[Found, Spent]]:
        kinds = {Deed.CUSTOMER_SPOKE: Measured.MESSAGE_IN, Deed.SHOP_SPOKE: Measured.MESSAGE_OUT}
        for fact in self._facts:
            row = self._items.get(fact.seq)
            if fact.deed in kinds and row and row.kind == ItemKind.MESSAGE:
                yield self._found(kinds[fact.deed], fact.at, row.agent_id, row.channel_id), ()

    def _calls(self) -> Iterator[tuple[Found, Spent]]:
        for row in self._history.items:
            if row.kind == ItemKind.CALL and (row.answered_at or row.ended_at):
                kind = Measured.CALL_IN if row.direction == Direction.IN else Measured.CALL_OUT
                talk = _talk(row)
                yield (
                    self._found(
                        kind,
                        row.at,
                        row.agent_id,
                        row.channel_id,
                        spent=talk,
                        kept=row.answered_at is not None,
                    ),
                    talk,
                )

    def _replies(self) -> Iterator[tuple[Found, Spent]]:
        """Whose it is: who wrote it, whoever had the ticket. By which channel: where the customer waited."""
        said = self._spoken(Deed.SHOP_SPOKE)
        asked = self._spoken(Deed.CUSTOMER_SPOKE)
        waits = promised(self._facts, [EVERY_REPLY], opened_at=self._history.began_at, priority=1)
        for wait in waits:
            if wait.met_at:
                spent = ((wait.started_at, wait.met_at),)
                answer, question = said[wait.met_at], asked[wait.started_at]
                yield (
                    self._found(
                        REPLY[wait.metric], wait.met_at, answer.agent_id, question.channel_id, spent=spent
                    ),
                    spent,
                )

    def _spoken(self, deed: Deed) -> dict[datetime, Row[Any]]:
        """What was said when; of what was said at once, the first."""
        return {fact.at: self._items[fact.seq] for fact in reversed(self._facts) if fact.deed == deed}

    def _settlings(self) -> Iterator[tuple[Found, Spent]]:
        """Each time it was solved, and each time it came back."""
        begun, solver, is_over, times = self._history.opened_at, None, False, 0
        for turn in self._statuses.turns:
            was_over, is_over = is_over, turn.value in OVER
            if is_over and not was_over and turn.change:
                solver = turn.change.by_id or self._assignees.at(turn.at)
                spent = ((self._history.opened_at, turn.at),)
                kept = times == 0 and self._answers_until(turn.at) == 1
                yield self._of_ticket(Measured.SOLVED, turn.at, solver, spent=spent, kept=kept), spent
                if in_hand := tuple(self._in_hand(begun, turn.at)):
                    yield self._of_ticket(Measured.IN_HAND, turn.at, solver, spent=in_hand), in_hand
                begun, times = turn.at, times + 1
            elif was_over and not is_over and turn.change:
                yield self._of_ticket(Measured.REOPENED, turn.at, solver), ()

    def _answers_until(self, at: datetime) -> int:
        return sum(fact.deed == Deed.SHOP_SPOKE and fact.at <= at for fact in self._facts)

    def _in_hand(self, begin: datetime, end: datetime) -> Iterator[Interval]:
        """Somebody had it while it was the shop's turn, or talked on the phone; what overlaps passes once."""
        stretches = [
            (since, until or end)
            for since, until, status, agent_id, _ in self._stretches()
            if status in OURS and agent_id
        ]
        stretches += [talk for row in self._history.items for talk in _talk(row)]
        reached = begin
        for since, until in sorted(stretches):
            since, until = max(since, reached), min(until, end)
            if since < until:
                yield since, until
                reached = until

    def _open(self) -> Iterator[tuple[Found, Spent]]:
        """A change of nothing but the status makes no new stretch."""
        running: Found | None = None
        for since, until, status, agent_id, team_id in self._stretches():
            stretch = Found(Measured.OPEN, since, until, agent_id, self._channel_id, team_id)
            goes_on = running is not None and running.until == since and status not in OVER
            if goes_on and running and (running.agent_id, running.team_id) == (agent_id, team_id):
                running = Found(Measured.OPEN, running.at, until, agent_id, self._channel_id, team_id)
                continue
            if running:
                yield running, ()
            running = None if status in OVER else stretch
        if running:
            yield running, ()

    def _stretches(self) -> Iterator[tuple[datetime, datetime | None, Any, Any, Any]]:
        """In which nothing changed: since, until, status, agent, team. The last lasts still."""
        courses = (self._statuses, self._assignees, self._teams)
        moments = sorted({turn.at for course in courses for turn in course.turns})
        for since, until in zip(moments, [*moments[1:], None], strict=True):
            yield since, until, *(course.at(since) for course in courses)

    def _promises(self) -> Iterator[tuple[Found, Spent]]:
        """A kept one is of who kept it, when they did; a broken one of who had the ticket when it broke."""
        said, asked = self._spoken(Deed.SHOP_SPOKE), self._spoken(Deed.CUSTOMER_SPOKE)
        for clock in self._history.clocks:
            question = asked.get(clock.started_at)
            channel_id = self._channel_id
            if clock.metric in REPLIES and question:
                channel_id = question.channel_id
            if clock.breached_at:
                agent_id = self._assignees.at(clock.due_at)
                yield self._found(PROMISE[clock.metric], clock.due_at, agent_id, channel_id, kept=False), ()
            elif clock.met_at:
                answer = said.get(clock.met_at) if clock.metric in REPLIES else None
                agent_id = answer.agent_id if answer else self._solver(clock.met_at)
                yield self._found(PROMISE[clock.metric], clock.met_at, agent_id, channel_id, kept=True), ()

    def _complaint(self) -> Iterator[tuple[Found, Spent]]:
        """Where it stood, and who had the ticket meanwhile."""
        stages: list[Row[Any]] = []
        for step in self._history.steps:
            if not stages or stages[-1].stage != step.stage:
                stages.append(step)
        if stages:
            opened = stages[0].at
            yield self._of_ticket(Measured.COMPLAINT_OPENED, opened, self._assignees.at(opened)), ()
        for number, step in enumerate(stages, start=1):
            if step.stage == Stage.CLOSED:
                yield self._of_ticket(Measured.COMPLAINT_CLOSED, step.at, self._assignees.at(step.at)), ()
            else:
                end = stages[number].at if number < len(stages) else None
                yield from self._stood(STAGES[step.stage], step.at, end)

    def _stood(self, kind: Measured, begin: datetime, end: datetime | None) -> Iterator[tuple[Found, Spent]]:
        """A stretch for each who had the ticket."""
        moments = {turn.at for course in (self._assignees, self._teams) for turn in course.turns}
        cuts = [begin, *sorted(at for at in moments if begin < at and (end is None or at < end))]
        for since, until in zip(cuts, [*cuts[1:], end], strict=True):
            yield replace(self._of_ticket(kind, since, self._assignees.at(since)), until=until), ()

    def _solver(self, at: datetime) -> Any:
        by = [turn.change.by_id for turn in self._statuses.turns if turn.at == at and turn.change]
        return next((id for id in by if id), None) or self._assignees.at(at)

    def _of_ticket(self, kind: Measured, at: datetime, agent_id: Any = None, **others: Any) -> Found:
        return self._found(kind, at, agent_id, self._channel_id, **others)

    def _found(
        self,
        kind: Measured,
        at: datetime,
        agent_id: Any,
        channel_id: Any,
        *,
        spent: Spent = (),
        kept: bool | None = None,
    ) -> Found:
        passed = sum((until - since for since, until in spent), timedelta())
        seconds = passed // timedelta(seconds=1) if spent else None
        team_id = self._teams.at(at)
        return Found(kind, at, None, agent_id, channel_id, team_id, seconds, kept)


def _talk(row: Row[Any]) -> Spent:
    if row.kind == ItemKind.CALL and row.answered_at and row.ended_at:
        return ((row.answered_at, row.ended_at),)
    return ()

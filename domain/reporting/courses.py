"""What a field of a ticket held when, from the events that changed it and what it holds now: a pure function.

Merges, their undoing and splits set a ticket's fields without an event of that field's own. Such a silent change shows in what the next
event found there, or in the row itself; it is dated to the merge or undoing that lies between.
"""

import uuid
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

UNKNOWN = object()


@dataclass(frozen=True)
class Change:
    at: datetime
    before: Any
    """What it found; UNKNOWN where the event does not say."""
    after: Any
    by_id: uuid.UUID | None = None
    """The agent's."""
    by_customer: bool = False


@dataclass(frozen=True)
class Turn:
    at: datetime
    value: Any
    change: Change | None = None
    """None: silent."""


class Course:
    """Turns in the order in which they came about; each holds until the next."""

    def __init__(
        self, begin: datetime, first: Any, changes: Sequence[Change], now: Any, moves: Sequence[datetime] = ()
    ) -> None:
        """`changes` in the order of the history; what says to have happened before the one before it, happened with it."""
        self.turns = [Turn(begin, first)]
        for change in changes:
            at = max(change.at, self.turns[-1].at)
            if change.before is not UNKNOWN:
                self._found(change.before, at, moves)
            self.turns.append(Turn(at, change.after, change))
        self._found(now, max([self.turns[-1].at, *moves]), moves)
        self._moments = [turn.at for turn in self.turns]

    def _found(self, value: Any, at: datetime, moves: Sequence[datetime]) -> None:
        last = self.turns[-1]
        if value != last.value:
            between = [moved for moved in moves if last.at <= moved <= at]
            self.turns.append(Turn(max(between, default=last.at), value))

    def at(self, moment: datetime) -> Any:
        """What it held once all was done that was done then."""
        return self.turns[max(bisect_right(self._moments, moment) - 1, 0)].value

"""May a customer be asked about this ticket now? Read like the shop would say it; who looks it all up is `asking.py`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.feedback.requests import Unasked
from domain.feedback.scales import SurveyKind

TOO_LATE = timedelta(days=3)
"""After its time, as when Heddle stood still: whoever got help last week does not know any more which is meant."""
APART = timedelta(days=7)
"""Between two questions of whatever kind."""


@dataclass(frozen=True)
class Solved:
    """A ticket that was solved, as it is when its customer is to be asked."""

    kind: SurveyKind
    again_after_days: int
    solved_at: datetime
    delay: timedelta
    """After which it is asked, at the latest."""
    is_live: bool = False
    is_merged: bool = False
    is_spam: bool = False
    both_talked: bool = True
    """The customer, and a person of the shop."""
    promise_broken: bool = False
    """Of those that a law makes."""
    refused: bool = False
    asked: Sequence[tuple[SurveyKind, datetime]] = ()
    """When the same person was asked what before."""


def why_not(solved: Solved, *, at: datetime) -> Unasked | None:
    if solved.is_merged:
        return Unasked.MERGED
    if solved.is_live:
        return Unasked.REOPENED
    if solved.is_spam:
        return Unasked.SPAM
    if not solved.both_talked:
        return Unasked.NOBODY_TALKED
    if solved.promise_broken:
        return Unasked.PROMISE_BROKEN
    if solved.refused:
        return Unasked.REFUSED
    if at - solved.solved_at > solved.delay + TOO_LATE:
        return Unasked.TOO_LATE
    again = timedelta(days=solved.again_after_days)
    if any(at - asked_at < (again if kind == solved.kind else APART) for kind, asked_at in solved.asked):
        return Unasked.ASKED_LATELY
    return None

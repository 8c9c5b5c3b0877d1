"""Who is asked, and who is not: the rule, without a database."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.feedback.requests import Unasked
from domain.feedback.rules import Solved, why_not
from domain.feedback.scales import SurveyKind, is_low
from tests.factories import NOON

GOOD = Solved(SurveyKind.CSAT, again_after_days=30, solved_at=NOON, delay=timedelta(hours=1))
LATER = NOON + timedelta(hours=1)


def days_ago(days: float) -> Any:
    return LATER - timedelta(days=days)


@pytest.mark.parametrize(
    ("otherwise", "reason"),
    [
        ({}, None),
        ({"is_live": True}, Unasked.REOPENED),
        ({"is_live": True, "is_merged": True}, Unasked.MERGED),
        ({"is_spam": True}, Unasked.SPAM),
        ({"both_talked": False}, Unasked.NOBODY_TALKED),
        ({"promise_broken": True}, Unasked.PROMISE_BROKEN),
        ({"refused": True}, Unasked.REFUSED),
        ({"solved_at": days_ago(4)}, Unasked.TOO_LATE),
        ({"asked": [(SurveyKind.CSAT, days_ago(29))]}, Unasked.ASKED_LATELY),
        ({"asked": [(SurveyKind.CSAT, days_ago(31))]}, None),
        ({"asked": [(SurveyKind.NPS, days_ago(6))]}, Unasked.ASKED_LATELY),
        ({"asked": [(SurveyKind.NPS, days_ago(8))]}, None),
        ({"kind": SurveyKind.NPS, "again_after_days": 90, "asked": [(SurveyKind.NPS, days_ago(31))]}, Unasked.ASKED_LATELY),
        ({"kind": SurveyKind.NPS, "again_after_days": 90, "asked": [(SurveyKind.CSAT, days_ago(31))]}, None),
    ],
)  # fmt: skip
def test_who_may_be_asked(otherwise: dict[str, Any], reason: Unasked | None) -> None:
    assert why_not(replace(GOOD, **otherwise), at=LATER) == reason


def test_a_bad_answer_is_two_of_five_and_whoever_would_not_recommend_the_shop() -> None:
    low = {kind: [score for score in range(11) if is_low(kind, score)] for kind in SurveyKind}

    assert low[SurveyKind.CSAT] == [0, 1, 2]
    assert low[SurveyKind.NPS] == [0, 1, 2, 3, 4, 5, 6]

"""What of a change goes back: without a database."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from domain.events import EventKind
from domain.working.edits import EVERYTHING, difference, taken_back, touched

WORDS = some.lists(some.sampled_from(["mug", "vip", "late"]), unique=True)
PICTURES = some.fixed_dictionaries(
    {
        "status": some.sampled_from([["open", None, None], ["pending", None, "2026-03-02T12:00:00+00:00"]]),
        "priority": some.integers(1, 4),
        "assignee": some.sampled_from([None, "ben", "bo"]),
        "tags": WORDS,
    },
    optional={"field:1": some.sampled_from(["S", "M"])},
)


def filled(picture: dict[str, Any], back: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**picture, **back}.items() if value is not None}


@given(PICTURES, PICTURES)
def test_what_nobody_has_touched_since_is_as_it_was(before: dict[str, Any], after: dict[str, Any]) -> None:
    back, kept = taken_back(difference(before, after), set(), after)

    was, is_again = filled(before, {}), filled(after, back)
    assert not kept
    assert {**is_again, "tags": sorted(is_again["tags"])} == {**was, "tags": sorted(was["tags"])}


@given(PICTURES, PICTURES, PICTURES)
def test_what_somebody_has_touched_since_stays(
    before: dict[str, Any], after: dict[str, Any], now: dict[str, Any]
) -> None:
    changed = difference(before, after)
    names = [name for name in changed if name != "tags"]

    back, kept = taken_back(changed, names, now)

    assert kept == names
    assert set(back) <= {"tags"}
    assert taken_back(changed, {EVERYTHING}, now) == ({}, list(changed))


@given(WORDS, WORDS, WORDS)
def test_a_tag_that_somebody_else_has_added_or_taken_since_is_theirs(
    before: list[str], after: list[str], now: list[str]
) -> None:
    back, _ = taken_back(difference({"tags": before}, {"tags": after}), set(), {"tags": now})
    tags = set(back.get("tags", now))

    mine = set(before) ^ set(after)
    assert tags - mine == set(now) - mine
    assert tags & mine == set(before) & mine


def test_the_history_says_what_was_touched() -> None:
    assert touched(EventKind.TICKET_CHANGED, {"priority": [3, 1], "tags": 2}) == {"priority"}
    assert touched(EventKind.TICKET_CHANGED, {"status": ["open", "solved"], "fields": ["7"]}) == {
        "status",
        "field:7",
    }
    assert touched(EventKind.TICKET_ASSIGNED, {"to": "bo", "status": ["new", "open"]}) == {
        "status",
        "assignee",
    }
    assert touched(EventKind.TICKET_REOPENED, {}) == {"status"}
    assert touched(EventKind.TICKET_MERGED, {"merged": "1"}) == {EVERYTHING}
    assert touched(EventKind.NOTE_ADDED, {}) == set()

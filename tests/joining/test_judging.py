"""The judge sees what is joined, what is not, and whom it put together."""

import uuid
from datetime import UTC, datetime

from tests.joining.corpus import Happening, Story
from tests.joining.judging import judge
from tests.joining.playing import Ending, Place

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ONE, TWO = uuid.UUID(int=1), uuid.UUID(int=2)
JOINED, APART = frozenset({("a", "b")}), frozenset[tuple[str, str]]()


def test_events_of_two_people_in_one_ticket_are_the_gravest_fault() -> None:
    verdict = judge(_story(by="eve"), _ending(ONE))

    assert (verdict.score.wrong_person, verdict.score.wrong) == (1, 1)


def test_two_people_who_are_told_to_share_a_ticket_are_no_fault() -> None:
    verdict = judge(_story(by="piotr", joined=JOINED), _ending(ONE))

    assert (verdict.score.wrong_person, verdict.score.right, verdict.differences) == (0, 1, ())


def test_what_stays_apart_is_missing_and_a_suggestion_is_told_or_strange() -> None:
    told = judge(_story(by="ada", suggests=frozenset({("b", "a")})), _ending(TWO, (TWO, ONE)))
    strange = judge(_story(by="ada", joined=JOINED), _ending(TWO, (TWO, ONE)))

    assert (told.score.offered, told.score.wrongly_offered) == (1, 0)
    assert (strange.score.missing, strange.score.contacts_missing, strange.score.wrongly_offered) == (1, 1, 1)


def test_a_contact_that_may_be_either_is_not_judged_but_a_ticket_of_two_is() -> None:
    story = _story(by="eve", may_contact=JOINED)

    assert judge(story, _ending(TWO, contact=ONE)).score.wrong_person == 0
    assert judge(story, _ending(ONE)).score.wrong_person == 1


def _story(
    *,
    by: str,
    joined: frozenset[tuple[str, str]] = APART,
    may_contact: frozenset[tuple[str, str]] = APART,
    suggests: frozenset[tuple[str, str]] = APART,
) -> Story:
    happenings = (Happening("a", NOON, "ada", "mail", {}), Happening("b", NOON, by, "mail", {}))
    return Story("file", "name", "en", happenings, joined, joined, may_contact, suggests, APART)


def _ending(
    ticket: uuid.UUID, *offers: tuple[uuid.UUID, uuid.UUID], contact: uuid.UUID | None = None
) -> Ending:
    return Ending({"a": Place(ONE, ONE), "b": Place(ticket, contact or ticket)}, frozenset(offers))

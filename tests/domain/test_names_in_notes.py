"""Whom `@` calls in a text."""

import uuid

from domain.working.mentions import named_in

BEN, BO, ZOFIA, ANNA, OTHER_ANNA = (uuid.uuid4() for _ in range(5))
PEOPLE = {BEN: "Ben Nowak", BO: "Bo", ZOFIA: "Zofia Żak", ANNA: "Anna Kowalska", OTHER_ANNA: "Anna Puig"}


def test_a_whole_name_or_a_first_name_that_only_one_has_calls_in_any_case() -> None:
    assert named_in("@ben, look. And @ZOFIA ŻAK?", PEOPLE) == [BEN, ZOFIA]
    assert named_in("@Ben @ben nowak @Bo.", PEOPLE) == [BEN, BO]
    assert named_in("(@Anna Puig)", PEOPLE) == [OTHER_ANNA]


def test_what_is_no_name_or_not_one_persons_is_text() -> None:
    for text in ("bo@example.org", "@Bobby", "@Anna should know", "@", "@nobody", "a@Bo"):
        assert named_in(text, PEOPLE) == []
    assert named_in("@Bo", {}) == []

"""What a text is about is read in good time, however long it is: the whole house waits for it."""

import time

import pytest

from domain.joining.matters import matter_of


@pytest.mark.parametrize("piece", ["[cid:", "begin 644 a\n", "On Monday ada@example.org ", "1001-", "é "])
def test_what_a_text_is_about_takes_no_longer_the_longer_it_is(piece: str) -> None:
    matter_of("Mug", "Where is order 1042?")
    began = time.perf_counter()

    about = matter_of("Mug", f"Where is order 1042?\n{piece * (1_000_000 // len(piece))}")

    assert time.perf_counter() - began < 1
    assert "1042" in {number.value for number in about.numbers}

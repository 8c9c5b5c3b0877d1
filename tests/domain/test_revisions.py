"""What becomes of a message is the same in whatever order, and however often, its provider tells of it."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.arriving.afterwards import InboundEdit, InboundReaction, InboundUnsent, Revision
from domain.desk.revisions import Wording, edited_at, reactions_of, revised, unsent_at
from tests.factories import NOON

SECOND = timedelta(seconds=1)
SAID = Wording("One mug", {})


def history(dice: random.Random) -> list[Revision]:
    """As it happened, to one message."""
    told: list[Revision] = []
    edits = 0
    for step in range(dice.randint(1, 8)):
        at = NOON + step * SECOND * dice.choice((0, 1))
        match dice.choice(("edit", "edit", "react", "react", "shop reacts", "unreact", "unsend")):
            case "edit":
                edits += 1
                told.append(InboundEdit("m", "p", at, f"{edits} mugs", edits))
            case "react":
                told.append(InboundReaction("m", "p", at, dice.choice("❤👍😢")))
            case "shop reacts":
                told.append(InboundReaction("m", "p", at, "👍", from_shop=True))
            case "unreact":
                told.append(InboundReaction("m", "p", at, ""))
            case _:
                told.append(InboundUnsent("m", "p", at))
    return told


def after(told: list[Revision]) -> Wording:
    wording = SAID
    for one in told:
        wording = revised(wording, one)
    return wording


def check(seeds: range) -> None:
    for seed in seeds:
        dice = random.Random(seed)
        ordered = history(dice)
        shuffled = [*ordered, *dice.choices(ordered, k=dice.randint(0, 4))]
        dice.shuffle(shuffled)
        assert after(shuffled) == after(ordered), f"seed {seed}: {shuffled}"


def test_shuffled_and_repeated_it_ends_the_same() -> None:
    check(range(300))


@pytest.mark.slow
def test_ten_thousand_shuffled_and_repeated_schedules_end_the_same() -> None:
    check(range(1000, 11000))


def test_the_last_edit_is_what_it_says_and_a_message_taken_back_says_nothing() -> None:
    first, second = (
        InboundEdit("m", "p", NOON + n * SECOND, text, n) for n, text in ((1, "Two"), (2, "Three"))
    )
    taken_back = InboundUnsent("m", "p", NOON + 3 * SECOND)

    edited, gone = after([second, first]), after([taken_back, second])

    assert (edited.text, edited_at(edited.particulars)) == ("Three", NOON + 2 * SECOND)
    assert (gone.text, unsent_at(gone.particulars)) == ("", NOON + 3 * SECOND)


def test_a_reaction_taken_away_is_not_brought_back_by_an_older_word() -> None:
    heart = InboundReaction("m", "p", NOON, "❤")
    away = replace(heart, at=NOON + SECOND, emoji="")
    ours = InboundReaction("m", "p", NOON, "👍", from_shop=True)

    assert reactions_of(after([away, heart]).particulars) == []
    (left,) = reactions_of(after([heart, ours, away]).particulars)
    assert (left.emoji, left.from_shop) == ("👍", True)

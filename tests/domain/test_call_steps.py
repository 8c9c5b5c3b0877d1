"""Ten thousand schedules of a call, shuffled and repeated, come to what the ordered one comes to."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import reduce
from typing import Any

import pytest

from domain.arriving.inbound import CallStep, InboundCall
from domain.calling.call_steps import NO_END, Standing, Told, standing, told
from domain.desk.messages import CallState
from tests.factories import NOON, a_call_step


def step(kind: CallStep, second: int, **others: Any) -> InboundCall:
    return a_call_step("c1", kind, at=NOON + timedelta(seconds=second), **others)


def comes_to(steps: Iterable[InboundCall]) -> Standing:
    return standing(reduce(Told.joined, map(told, steps), Told()))


CALLS: dict[str, tuple[list[InboundCall], CallState]] = {
    "answered": (
        [
            step(CallStep.RINGING, 0, ringing=("7", "8"), dialled="+48221234567"),
            step(CallStep.ANSWERED, 5, agent="7"),
            step(CallStep.ENDED, 65, cause="normalClearing"),
        ],
        CallState.ENDED,
    ),
    "missed": ([step(CallStep.RINGING, 0), step(CallStep.ENDED, 20, cause="cancel")], CallState.MISSED),
    "a machine's": (
        [
            step(CallStep.RINGING, 0),
            step(CallStep.VOICEMAIL, 20),
            step(CallStep.RECORDED, 50, consent="pressed 1"),
            step(CallStep.ENDED, 51),
        ],
        CallState.MISSED,
    ),
    "passed on": (
        [
            step(CallStep.RINGING, 0, ringing=("7",)),
            step(CallStep.ANSWERED, 5, agent="7"),
            step(CallStep.TRANSFERRED, 30, agent="8"),
            step(CallStep.TRANSFERRED, 60, agent="7"),
            step(CallStep.TRANSFERRED, 90, agent="9"),
            step(CallStep.ENDED, 120),
        ],
        CallState.ENDED,
    ),
    "of several lines": (
        [
            step(CallStep.RINGING, 0),
            step(CallStep.PRESSED, 1, pressed="2"),
            step(CallStep.RINGING, 2, leg="a", ringing=("7",)),
            step(CallStep.RINGING, 2, leg="b", ringing=("8",)),
            step(CallStep.ENDED, 9, leg="a", cause="busy"),
            step(CallStep.ANSWERED, 10, leg="b", agent="8"),
            step(CallStep.ENDED, 99, leg="b"),
            step(CallStep.ENDED, 100, cause="normal"),
        ],
        CallState.ENDED,
    ),
    "not over yet": (
        [step(CallStep.RINGING, 0), step(CallStep.ANSWERED, 4, agent="7"), step(CallStep.RINGING, 9, leg="b")],
        CallState.ANSWERED,
    ),
}  # fmt: skip


def schedules(count: int, seed: int) -> Iterable[tuple[str, list[InboundCall]]]:
    dice = random.Random(seed)
    names = list(CALLS)
    for number in range(count):
        name = names[number % len(names)]
        steps = CALLS[name][0]
        again = dice.choices(steps, k=dice.randrange(6))
        shuffled = [*steps, *again]
        dice.shuffle(shuffled)
        yield name, shuffled


def check(count: int, seed: int) -> None:
    ordered = {name: reduce(Told.joined, map(told, steps)) for name, (steps, _) in CALLS.items()}
    ranks = [CallState.RINGING, CallState.MISSED, CallState.ANSWERED, CallState.ENDED]
    for name, steps in schedules(count, seed):
        reached, highest = Told(), 0
        for one in steps:
            reached = Told.from_json(reached.joined(told(one)).to_json())
            rank = ranks.index(standing(reached).state)
            assert rank >= highest, (name, steps)
            highest = rank
        assert reached == ordered[name], (name, steps)


@pytest.mark.parametrize("name", CALLS)
def test_the_ordered_one_comes_to_what_happened(name: str) -> None:
    steps, state = CALLS[name]

    assert comes_to(steps).state == state


def test_any_order_and_any_repetition_come_to_the_same_and_never_go_back() -> None:
    check(400, seed=1)


@pytest.mark.slow
def test_so_do_ten_thousand() -> None:
    check(10_000, seed=2)


def test_steps_may_be_joined_in_any_grouping() -> None:
    dice = random.Random(3)
    for _, steps in schedules(60, seed=4):
        parts = [told(one) for one in steps]
        while len(parts) > 1:
            place = dice.randrange(len(parts) - 1)
            parts[place : place + 2] = [parts[place].joined(parts[place + 1])]

        assert parts[0] == reduce(Told.joined, map(told, steps))


def test_the_last_who_took_it_has_it_and_the_earlier_ones_are_remembered() -> None:
    assert comes_to(CALLS["passed on"][0]).agents == ("8", "7", "9")


def test_an_answer_told_again_later_takes_it_from_nobody() -> None:
    steps = [step(CallStep.ANSWERED, 5, agent="7"), step(CallStep.TRANSFERRED, 30, agent="8")]

    assert comes_to([*steps, step(CallStep.ANSWERED, 60, agent="7")]).agents == ("7", "8")


def _ringing(steps: Sequence[InboundCall]) -> tuple[str, ...] | None:
    return comes_to(steps).ringing


def test_those_ring_whose_lines_nobody_has_taken_or_let_go() -> None:
    lines = CALLS["of several lines"][0]

    assert _ringing(lines[:4]) == ("7", "8")
    assert _ringing(lines[:5]) == ("8",)
    assert _ringing(lines[:6]) is None
    assert _ringing([*lines[:6], step(CallStep.RINGING, 30, leg="c", ringing=("9",))]) == ("9",)
    assert _ringing([step(CallStep.RINGING, 0)]) == ()


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        ([CallStep.RINGING], CallState.MISSED),
        ([CallStep.RINGING, CallStep.VOICEMAIL], CallState.MISSED),
        ([CallStep.RINGING, CallStep.ANSWERED], CallState.ENDED),
    ],
)
def test_what_was_given_up_is_over_until_its_end_is_told_after_all(
    steps: list[CallStep], state: CallState
) -> None:
    said = reduce(Told.joined, [told(step(one, 3 * place)) for place, one in enumerate(steps)])
    given_up = said.given_up(at=NOON + timedelta(hours=5))

    assert (standing(given_up).state, standing(given_up).cause) == (state, NO_END)
    assert standing(given_up).silent_after is None

    corrected = standing(given_up.joined(told(step(CallStep.ENDED, 40, cause="normal"))))
    assert (corrected.state, corrected.cause) == (state, "normal")
    assert corrected.ended_at == NOON + timedelta(seconds=40)


def test_who_is_answered_after_all_was_not_missed() -> None:
    missed = told(step(CallStep.RINGING, 0)).given_up(at=NOON + timedelta(minutes=3))

    answered = standing(missed.joined(told(step(CallStep.ANSWERED, 200, agent="7"))))

    assert (answered.state, answered.ended_at) == (CallState.ANSWERED, None)


def test_a_call_remembers_only_so_much() -> None:
    steps = [replace(step(CallStep.TRANSFERRED, second), agent=f"{second}") for second in range(300)]
    random.Random(5).shuffle(steps)

    assert len(comes_to(steps).agents) == 100

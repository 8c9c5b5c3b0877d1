"""Whose a ticket becomes: the rule, without a database."""

import uuid
from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.assigning.choosing import AssignmentMode, Candidate, Chosen, Job, Nobody, Rules, choose, levelled
from domain.assigning.reasons import Because, reasons
from tests.factories import NOON

IN_TURN = Rules(AssignmentMode.ROUND_ROBIN)
BY_LOAD = Rules(AssignmentMode.BY_LOAD)

BEN = Candidate(uuid.UUID(int=1), capacity=5, languages=frozenset({"en"}))
BO = Candidate(uuid.UUID(int=2), capacity=5, languages=frozenset({"en", "ca"}))


def chosen(job: Job, *people: Candidate, rules: Rules = IN_TURN) -> Candidate | Nobody:
    found = choose(job, people, rules, NOON)
    return found.candidate if isinstance(found, Chosen) else found


def test_who_was_given_least_gets_it_and_of_equals_who_has_waited_longest() -> None:
    earlier = replace(BEN, turns=4, given_at=NOON - timedelta(minutes=9))
    later = replace(BO, turns=4, given_at=NOON - timedelta(minutes=3))

    assert chosen(Job(), later, earlier) == earlier
    assert chosen(Job(), replace(earlier, turns=5), later) == later


def test_what_somebody_has_missed_is_not_heaped_upon_them() -> None:
    busy = replace(BEN, turns=40, given_at=NOON - timedelta(minutes=1))
    back_from_holiday = replace(BO, turns=2, given_at=NOON - timedelta(days=14))
    new = replace(BO, agent_id=uuid.UUID(int=3))
    veteran = replace(BO, agent_id=uuid.UUID(int=4), turns=900, given_at=NOON - timedelta(hours=12))

    turns = [one.turns for one in levelled([busy, back_from_holiday, new, veteran], NOON)]

    assert turns == [40, 40, 40, 40]
    assert [one.turns for one in levelled([back_from_holiday, veteran], NOON)] == [0, 0]


def test_by_load_counts_what_is_left_of_each_ones_capacity() -> None:
    busy_but_strong = replace(BEN, capacity=20, used=4)
    idle_but_small = replace(BO, capacity=2, used=1)

    assert chosen(Job(), idle_but_small, busy_but_strong, rules=BY_LOAD) == busy_but_strong


def test_nobody_is_given_more_than_they_can_carry() -> None:
    nearly_full = replace(BEN, used=4)

    assert chosen(Job(weight=1), nearly_full) == nearly_full
    assert chosen(Job(weight=2), nearly_full) == Nobody.FULL
    assert chosen(Job(), replace(BEN, capacity=0)) == Nobody.FULL


def test_a_mail_may_wait_for_who_is_on_shift_a_chat_is_for_who_sits_before_a_screen() -> None:
    gone_for_coffee = replace(BEN, on_screen=False)
    talking = replace(BEN, busy=True)

    assert chosen(Job(), gone_for_coffee) == gone_for_coffee
    assert chosen(Job(is_live=True), gone_for_coffee) == Nobody.NOT_THERE
    assert chosen(Job(), talking) == talking
    assert chosen(Job(is_live=True), talking) == Nobody.NOT_THERE
    assert chosen(Job(), replace(BEN, away=True)) == Nobody.NOT_THERE
    assert chosen(Job(), replace(BEN, on_shift=False)) == Nobody.NOT_THERE


def test_a_language_is_waited_for_and_then_anybody_will_do() -> None:
    catalan = Job(language="ca", waits_since=NOON - timedelta(minutes=14))

    assert chosen(catalan, BEN, BO) == BO
    assert chosen(catalan, BEN) == Nobody.OTHER_LANGUAGE
    assert chosen(catalan, BEN, replace(BO, used=5)) == Nobody.FULL
    found = choose(replace(catalan, waits_since=NOON - timedelta(minutes=15)), [BEN], IN_TURN, NOON)
    assert isinstance(found, Chosen)
    assert (found.candidate, found.because) == (BEN, (Because.ROUND_ROBIN, Because.NOBODY_SPEAKS))


def test_a_skill_is_needed_however_long_it_takes() -> None:
    returns = Job(skills=frozenset({"returns"}))

    assert chosen(returns, BEN, BO) == Nobody.UNSKILLED
    skilled = replace(BO, skills=frozenset({"returns"}))
    assert chosen(returns, BEN, skilled) == skilled


def test_who_gave_it_back_does_not_get_it_again() -> None:
    assert chosen(Job(let_go_by=BEN.agent_id), BEN, BO) == BO
    assert chosen(Job(let_go_by=BEN.agent_id), BEN) == Nobody.LET_GO


def test_by_hand_nobody_is_chosen() -> None:
    assert chosen(Job(), BEN, rules=Rules()) == Nobody.BY_HAND


def test_the_reason_is_said_in_the_readers_language() -> None:
    found = choose(Job(language="ca", skills=frozenset()), [BEN, BO], IN_TURN, NOON)
    assert isinstance(found, Chosen)
    data = {"because": [code.value for code in found.because], "language": "ca"}

    assert reasons(data, "en") == "their turn, language: Catalan"
    assert reasons(data, "pl") == "zgodnie z kolejnością, język: kataloński"
    assert reasons({}, "en") == ""


PEOPLE = st.builds(
    Candidate,
    agent_id=st.uuids(),
    capacity=st.integers(0, 6),
    used=st.integers(0, 6),
    languages=st.frozensets(st.sampled_from(["en", "pl", "ca"])),
    skills=st.frozensets(st.sampled_from(["returns", "legal"])),
    in_team=st.booleans(),
    on_shift=st.booleans(),
    on_screen=st.booleans(),
    away=st.booleans(),
    busy=st.booleans(),
)
JOBS = st.builds(
    Job,
    weight=st.integers(1, 4),
    is_live=st.booleans(),
    language=st.sampled_from([None, "en", "pl", "ca"]),
    skills=st.frozensets(st.sampled_from(["returns", "legal"]), max_size=1),
    waits_since=st.sampled_from([NOON, NOON - timedelta(hours=1)]),
)


@given(
    JOBS,
    st.lists(PEOPLE, max_size=6, unique_by=lambda one: one.agent_id),
    st.sampled_from([IN_TURN, BY_LOAD]),
)
def test_whoever_is_chosen_fits_and_nobody_who_fits_is_passed_over(
    job: Job, people: list[Candidate], rules: Rules
) -> None:
    def fits(one: Candidate) -> bool:
        free = one.in_team and one.on_shift and not one.away and one.used + job.weight <= one.capacity
        there = not job.is_live or (one.on_screen and not one.busy)
        understands = job.language in (None, *one.languages) or job.waits_since < NOON
        return free and there and understands and job.skills <= one.skills

    found = choose(job, people, rules, NOON)

    assert isinstance(found, Chosen) == any(map(fits, people))
    if isinstance(found, Chosen):
        assert fits(found.candidate)


@given(st.integers(2, 8), st.integers(1, 60))
def test_in_turn_everybody_gets_as_many_as_everybody_else(people: int, tickets: int) -> None:
    team = {uuid.UUID(int=one): Candidate(uuid.UUID(int=one), capacity=100) for one in range(people)}
    counts: Counter[uuid.UUID] = Counter(dict.fromkeys(team, 0))

    for ticket in range(tickets):
        found = choose(Job(), team.values(), IN_TURN, NOON)
        assert isinstance(found, Chosen)
        id = found.candidate.agent_id
        counts[id] += 1
        team[id] = team[id].given(Job(), at=NOON + timedelta(seconds=ticket))

    assert max(counts.values()) - min(counts.values()) <= 1

"""Who is told, as a rule about people; no database."""

import uuid

from domain.actors import Role
from domain.alerting.ladders import Step, Told
from notifications.recipients import Concern, Person, named_by, next_after

SUPPORT, RETURNS = uuid.uuid4(), uuid.uuid4()
BEN = Person(uuid.uuid4(), Role.AGENT, frozenset({SUPPORT}))
BO = Person(uuid.uuid4(), Role.AGENT, frozenset({SUPPORT}), on_duty=False)
MIA = Person(uuid.uuid4(), Role.MANAGER, frozenset({RETURNS}))
MAX = Person(uuid.uuid4(), Role.MANAGER, frozenset({SUPPORT}))
ADMIN = Person(uuid.uuid4(), Role.ADMIN, on_duty=False)
EVERYBODY = [BEN, BO, MIA, MAX, ADMIN]


def tells(*told: Told, people: list[Person] = EVERYBODY, **concern: uuid.UUID) -> list[uuid.UUID]:
    return named_by(Step(1, 0, told), people, Concern(**concern))


def test_the_assignee_is_told_and_in_place_of_one_who_is_off_shift_the_manager_who_is_on() -> None:
    assert tells(Told.ASSIGNEE, assignee_id=BEN.id) == [BEN.id]
    assert tells(Told.ASSIGNEE, assignee_id=BO.id) == [MIA.id]
    assert tells(Told.ASSIGNEE) == [MIA.id]


def test_the_manager_on_shift_is_one_and_of_the_tickets_team_if_there_is_one() -> None:
    assert tells(Told.MANAGER_ON_SHIFT) == [MIA.id]
    assert tells(Told.MANAGER_ON_SHIFT, team_id=SUPPORT) == [MAX.id]
    assert tells(Told.MANAGERS_ON_SHIFT, team_id=SUPPORT) == [MAX.id, MIA.id]


def test_nobody_is_told_twice() -> None:
    assert tells(Told.ASSIGNEE, Told.MANAGER_ON_SHIFT) == [MIA.id]


def test_the_team_is_those_of_it_who_are_on_shift() -> None:
    assert tells(Told.TEAM, team_id=SUPPORT) == [BEN.id, MAX.id]


def test_somebody_is_always_told() -> None:
    """A team of which nobody is there; a shop at night; a shop that has but one admin."""
    assert tells(Told.TEAM, team_id=uuid.uuid4()) == [MIA.id, MAX.id]
    assert tells(Told.MANAGERS_ON_SHIFT, people=[BO, ADMIN]) == [ADMIN.id]
    assert tells(Told.MANAGERS, people=[BO]) == []


def test_the_next_person_is_a_manager_on_shift_then_any_then_nobody() -> None:
    told: list[uuid.UUID] = [BEN.id]
    while somebody := next_after(told, EVERYBODY, Concern(team_id=SUPPORT)):
        told.append(somebody)

    assert told == [BEN.id, MAX.id, MIA.id, ADMIN.id]

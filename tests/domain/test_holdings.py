"""Nothing of a customer is forgotten when a person is erased: every column that can hold words is in a list."""

from collections.abc import Iterator

import pytest
from sqlalchemy import ARRAY, BigInteger, Boolean, Column, DateTime, Enum, Integer, Uuid

import domain.migrations  # noqa: F401 - brings in every table
from domain.access import may_see
from domain.actors import Actor, ActorKind, Role, Scope
from domain.customers.contacts import Contact, Identity
from domain.db import XID8, Base
from domain.privacy.erasure import SealedPart
from domain.privacy.erasure_plan import TAKEN
from domain.privacy.holdings import HARMLESS, HOLDINGS

WORDLESS = (BigInteger, Boolean, DateTime, Enum, Integer, Uuid, XID8)
"""Anything else (a text, JSON, bytes, a date of birth) may say who somebody is."""


def _wordy() -> Iterator[Column[object]]:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            type = column.type.item_type if isinstance(column.type, ARRAY) else column.type
            if not isinstance(type, WORDLESS) or isinstance(column.type, ARRAY):
                yield column


def _emptied(column: Column[object]) -> bool:
    return any(
        holding.table is column.table and (not holding.left or column.name in holding.left or _stored(column))
        for holding in HOLDINGS
    )


def _stored(column: Column[object]) -> bool:
    """The key goes with the bytes, in a step of its own (`Sealer._files_of`)."""
    return str(column) == "attachment.file"


def test_every_column_that_can_hold_words_is_emptied_or_harmless() -> None:
    unknown = [
        str(column)
        for column in _wordy()
        if not _emptied(column) and str(column) not in HARMLESS and f"{column.table.name}.*" not in HARMLESS
    ]

    assert not unknown, (
        f"\nWhat happens to {', '.join(unknown)} when a person is erased? In domain/privacy/holdings.py:\n"
        "  * does it hold anything a customer said or that names one: add it to `left` of its table's Holding, with what "
        "stands there afterwards; a new table gets a Holding, whose `theirs` finds a person's rows by their contact.\n"
        "    Give it words in domain/privacy/erasure_plan.py TAKEN and, for the export, a name in domain/privacy/dossier.py LISTS.\n"
        "  * does it not: add it to HARMLESS, with why.\n"
        "Then plant a canary there in tests/journeys/test_erasure.py."
    )


def test_what_an_erasure_takes_is_told_in_words() -> None:
    assert {holding.table.name for holding in HOLDINGS} == TAKEN.keys()


def test_no_list_names_a_column_that_is_gone() -> None:
    tables = Base.metadata.tables
    named = {name for name in HARMLESS if not name.endswith(".*")}
    known = {str(column) for table in tables.values() for column in table.columns}

    assert named <= known
    assert {name.removesuffix(".*") for name in HARMLESS if name.endswith(".*")} <= tables.keys()
    for holding in HOLDINGS:
        assert set(holding.left) <= set(holding.table.columns.keys())


@pytest.mark.parametrize("role", Role)
def test_nobody_of_the_shop_sees_what_is_sealed(role: Role) -> None:
    assert str(may_see(SealedPart, Actor(ActorKind.AGENT, role=role))) == "false"
    assert str(may_see(SealedPart, Actor(ActorKind.TOKEN, scopes=frozenset(Scope)))) == "false"


def test_only_known_rows_point_to_who_is_erased() -> None:
    """Identities go as rows: a table that points to them has to let go first. What points to contacts is a person's."""
    pointing = {
        str(key.parent)
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table is Identity.__table__
    }
    assert pointing == {"thread.identity_id", "draft.identity_id"}, (
        "let go of it in domain/privacy/holdings.py, before Identity"
    )

    theirs = {
        key.parent.table.name
        for table in Base.metadata.tables.values()
        for key in table.foreign_keys
        if key.column.table is Contact.__table__
    }
    known = {holding.table.name for holding in HOLDINGS} | {"erasure", "contact_export"}
    known |= {"move", "two_people"}  # ids alone
    assert theirs <= known, "a table that points to contacts needs a Holding in domain/privacy/holdings.py"

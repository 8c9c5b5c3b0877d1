"""What the web inbox and the phone ask: each operation of docs/operations, in one round trip, by whom it is for."""

import asyncio
import json
import sys
import uuid
from typing import Any

import pytest
from graphql import OperationDefinitionNode, OperationType, parse, validate

from api.explorer.samples import Sample, samples
from api.house import House
from api.limits import size_of
from api.schema import schema
from api.settings import ApiSettings
from benchmarks.plans.hearing import overheard
from tests.answers import learned, refusals
from tests.capitals import capitals, filled
from tests.client import Client
from tests.plans import without_index
from tests.statements import statements
from tests.two_teams import TwoTeams

GRAPHQL = schema._schema
MOST_STATEMENTS = 8
"""To read for a screen. A mutation says as many as it changes things, a subscription as many as things change."""

MORE_STATEMENTS: dict[str, int] = {}
"""Queries that still say more: a number here may only become smaller."""

NOT_YET: set[str] = set()
"""Wait for elements that the schema does not have yet. Who adds the last of them takes the operation out here."""

FIRST = {"AUndoSend": "Send", "AUnmerge": "AMerge", "UndoJoin": "MoveThread"}
"""What has to be done before an operation makes sense."""


@pytest.mark.parametrize("one", samples(), ids=lambda one: one.name)
def test_an_operation_is_valid_and_within_the_limits(one: Sample) -> None:
    document = parse(one.query)
    errors = validate(GRAPHQL, document)

    if one.name in NOT_YET:
        assert errors, "it is valid now: take it out of NOT_YET"
        return
    assert errors == []
    size_of(GRAPHQL, document, _operation(one), one.variables).check()


async def test_every_operation_is_answered_in_few_statements_and_by_indexes(
    house: House, two_teams: TwoTeams, capsys: pytest.CaptureFixture[str]
) -> None:
    object.__setattr__(house, "settings", ApiSettings.model_construct(undo_seconds=10))
    people = {"inbox": two_teams.ben, "phone": two_teams.mia, "start": two_teams.mia}
    waiting = NOT_YET | {name for name, first in FIRST.items() if first in NOT_YET}
    ready = {one.name: one for one in samples() if one.name not in waiting}
    values = await capitals(house, two_teams)

    told: list[tuple[Sample, int, list[Any]]] = []
    with overheard(house.db) as heard:
        for one in sorted(ready.values(), key=lambda one: _kind(one) == OperationType.MUTATION):
            client = people[one.subject]
            if before := FIRST.get(one.name):
                values |= learned(await _answer(client, ready[before], values))
            with statements(house.db) as said:
                answer = await _answer(client, one, values)
            told.append((one, len(said), refusals(answer)))
            values |= learned(answer)

    with capsys.disabled():
        sys.stdout.write("\n" + "".join(f"{one.name:20} {count:3} statements\n" for one, count, _ in told))
    assert [(one.name, wrong) for one, _, wrong in told if wrong] == []
    queries = [(one.name, count) for one, count, _ in told if _kind(one) == OperationType.QUERY]
    assert [one for one in queries if one[1] > MORE_STATEMENTS.get(one[0], MOST_STATEMENTS)] == []
    assert await without_index(house.db, heard.values()) == []


async def _answer(client: Client, one: Sample, values: dict[str, str]) -> dict[str, Any]:
    variables = json.loads(filled(json.dumps(one.variables), values | {"UUID": str(uuid.uuid4())}))
    if _kind(one) == OperationType.SUBSCRIPTION:
        async with asyncio.timeout(30), client.listening(one.query, **variables) as stream:
            return {"data": await stream.next()}
    return dict((await client.post(one.query, variables)).json())


def _operation(one: Sample) -> OperationDefinitionNode:
    operation = parse(one.query).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return operation


def _kind(one: Sample) -> OperationType:
    return _operation(one).operation

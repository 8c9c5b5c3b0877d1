"""Who asks together is answered what one would be answered who asks one thing after another."""

import asyncio
import json
import re
from typing import Any

import pytest
from graphql import OperationDefinitionNode, OperationType, parse

from api.explorer.samples import samples
from api.house import House
from domain import chorus
from tests.api.test_permissions import QUERIES
from tests.capitals import capitals, filled
from tests.client import Client
from tests.statements import statements
from tests.two_teams import TwoTeams

PASSING = re.compile(
    r'"(serverTime|undoUntil|oldestWaitSeconds|secondsLeft|changeCursor|url|thumbUrl|csvUrl|original|html|file)":("(\\.|[^"])*"|\d+)'
    r'|"changes":\{"cursor":"[^"]*"'
)
"""What is another each second; links, which live so many minutes from then; and how far the feed reaches, for which every
transaction in the cluster counts."""
PATIENCE = 20
"""Askings, while such a transaction holds back what the feed tells."""

Asked = list[tuple[str, dict[str, Any]]]


async def test_every_screen_is_answered_alike(
    house: House, two_teams: TwoTeams, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = await capitals(house, two_teams)
    screens = [
        (one.query, json.loads(filled(json.dumps(one.variables), values)))
        for one in samples()
        if _is_query(one.query)
    ]

    for client in (two_teams.ben, two_teams.mia):
        assert await _answered_differently(house, client, screens, monkeypatch) == []


@pytest.mark.slow
async def test_every_sample_of_a_query_is_answered_alike(
    house: House, two_teams: TwoTeams, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {**two_teams.ids, "start": (await two_teams.mia.ask("{ changeCursor }"))["changeCursor"]}
    queries = [
        (query, {name: id for name, id in known.items() if f"${name}:" in query})
        for query in QUERIES.values()
        if _is_query(query)
    ]

    for client in (two_teams.admin, two_teams.eve):
        assert await _answered_differently(house, client, queries, monkeypatch) == []


async def _answered_differently(
    house: House, client: Client, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, str, str]]:
    differ, saved = [], 0
    for query, variables in asked:
        await client.post(query, variables)  # that somebody read a contact is written once in an hour
        for _ in range(PATIENCE):
            with statements(house.db) as few:
                together = await _answer(client, query, variables)
            with monkeypatch.context() as patch, statements(house.db) as many:
                patch.setattr(chorus, "MOST", 1)
                alone = await _answer(client, query, variables)
            if together == alone:
                break
            await asyncio.sleep(0.1)
        else:
            differ.append((query, together, alone))
        saved += len(many) - len(few)
    assert saved > 0
    return differ


def _is_query(text: str) -> bool:
    first = parse(text).definitions[0]
    return isinstance(first, OperationDefinitionNode) and first.operation == OperationType.QUERY


async def _answer(client: Client, query: str, variables: dict[str, Any]) -> str:
    return PASSING.sub("", (await client.post(query, variables)).text)

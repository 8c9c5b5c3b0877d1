"""What asks for too much is refused by the limit's name, with what was found and what is allowed."""

import asyncio
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import select, text

from api import limits
from api.house import House
from api.rates import Rates
from api.schema import schema
from domain.db import begin_request
from domain.desk.tickets import Ticket
from domain.errors import TooManyTries
from domain.ids import row_id
from tests.client import Client
from tests.two_teams import TwoTeams

GRAPHQL = schema._schema
INTROSPECTION = "{ __schema { types { name fields { type { ofType { ofType { ofType { ofType { name }}}}}}}}}"


def over(limit: str, value: Any, most: Any) -> dict[str, Any]:
    return {"code": "OVER_LIMIT", "limit": limit, "value": value, "most": most}


async def refusal(client: Client, query: str, **variables: Any) -> dict[str, Any]:
    (error,) = await client.errors(query, **variables)
    assert str(error["extensions"]["most"]) in error["message"]
    return dict(error["extensions"])


def nested(levels: int) -> str:
    """A query of so many levels."""
    around = "contact { openTickets { " * (levels // 2)
    return f"{{ tickets(first: 1) {{ edges {{ node {{ {around} id {'} } ' * (levels // 2)} }} }} }} }}"


async def test_depth(ben: Client) -> None:
    assert await refusal(ben, nested(6)) == over("depth", 10, limits.DEPTH)
    assert await ben.ask(nested(4))


async def test_depth_hidden_in_fragments(ben: Client) -> None:
    query = """{ tickets(first: 1) { edges { node { ...A } } } }
      fragment A on Ticket { contact { openTickets { ...B } } }
      fragment B on Ticket { contact { openTickets { contact { name } } } }"""

    assert await refusal(ben, query) == over("depth", 9, limits.DEPTH)


async def test_aliases(ben: Client) -> None:
    aliased = " ".join(f"a{number}: serverTime" for number in range(limits.ALIASES + 1))

    assert await refusal(ben, f"{{ {aliased} }}") == over("aliases", 16, limits.ALIASES)


async def test_tokens(anybody: Client) -> None:
    query = "{ " + "serverTime " * 1100 + "}"

    assert await refusal(anybody, query) == over("tokens", limits.TOKENS + 1, limits.TOKENS)


async def test_a_short_query_for_64_000_nodes_is_not_begun(ben: Client) -> None:
    query = "{ tickets(first: 100) { edges { node { contact { openTickets { contact { openTickets { id } } } } } } } }"

    found = await refusal(ben, query)

    assert found["limit"] == "nodes"
    assert found["value"] > limits.NODES


async def test_the_size_of_a_list_may_come_with_the_variables(ben: Client) -> None:
    query = "query($n: Int! = 5) { tickets(first: $n) { edges { node { threads { id } tasks { id } timeline(first: 50) { edges { node { ... on Note { id } } } } } } } }"

    assert (await refusal(ben, query, n=100))["limit"] == "nodes"
    assert await ben.ask(query, n=5)
    assert await ben.ask(query)


async def test_what_is_asked_for_from_the_other_end_counts_as_well(ben: Client) -> None:
    query = "query($n: Int) { tickets(first: 90) { edges { node { timeline(first: 1, last: $n) { edges { cursor } } } } } }"

    assert (await refusal(ben, query, n=100))["limit"] == "nodes"
    assert await ben.ask(query, n=5)


@pytest.mark.parametrize("first", ["-2000000000", "100.0"])
async def test_no_odd_size_of_a_list_makes_room_for_another(ben: Client, first: str) -> None:
    large = "edges { node { threads { id } timeline(first: 50) { edges { node { ... on Note { id } } } } } }"
    query = f"query($n: Int!) {{ x: tickets(first: $n) @skip(if: true) {{ {large} }} tickets(first: 100) {{ {large} }} }}"

    assert (await refusal(ben, query, n=float(first)))["limit"] == "nodes"


async def test_lists_that_are_given(ben: Client) -> None:
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"

    assert await refusal(ben, query, ids=["x"] * 101) == over("list", 101, limits.LIST)
    assert await ben.ask(query, ids=["x"] * 100) == {"nodes": [None] * 100}


async def test_a_fragment_bomb_is_measured_at_once(ben: Client) -> None:
    bomb = "{ tickets(first: 1) { edges { node { ...F0 } } } } " + " ".join(
        f"fragment F{number} on Ticket {{ ...F{number + 1} ...F{number + 1} id }}" for number in range(40)
    )

    async with asyncio.timeout(30):
        assert await ben.ask(bomb + " fragment F40 on Ticket { id }")


async def test_a_thousand_sign_ins_in_one_request_are_not_even_begun(ben: Client) -> None:
    sign_ins = " ".join(
        f'a{number}: signIn(input: {{email: "ben@shop.example", password: "{number}", clientMutationId: "{number}"}}) '
        "{ accessToken }"
        for number in range(20)
    )

    found = (await ben.errors(f"mutation {{ {sign_ins} }}"))[0]["extensions"]

    assert found["limit"] == "aliases"


async def test_what_takes_too_long_ends_and_changes_nothing(
    house: House, two_teams: TwoTeams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    ticket = row_id("Ticket", two_teams.ids["Ticket"])
    note = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
    asked = {"ticketId": two_teams.ids["Ticket"], "text": "Too late", "clientMutationId": "1"}

    async with house.db.transaction() as session:
        await session.execute(select(Ticket).where(Ticket.id == ticket).with_for_update())
        assert await refusal(two_teams.ben, note, input=asked) == over("seconds", 0.5, 0.5)

    assert await two_teams.ben.do(note, **asked) == {"userErrors": []}


async def test_no_statement_of_a_request_takes_longer_than_a_request_may(house: House) -> None:
    async with house.db.transaction() as session:
        await begin_request(session)
        assert await session.scalar(text("SHOW statement_timeout")) == "5s"
    async with house.db.transaction() as session:
        assert await session.scalar(text("SHOW statement_timeout")) == "0", "of others it does"


async def test_who_is_not_signed_in_learns_nothing_about_the_schema(ben: Client, anybody: Client) -> None:
    (introspected,) = await anybody.errors(INTROSPECTION)
    (mistyped,) = await anybody.errors("{ ticketz { totalCount } }")

    assert introspected["extensions"]["code"] == "UNAUTHENTICATED"
    assert "Did you mean" not in mistyped["message"]
    assert (await ben.ask(INTROSPECTION))["__schema"]
    assert "Did you mean" in (await ben.errors("{ ticketz { totalCount } }"))[0]["message"]


async def test_limits_hold_on_a_socket_too(ben: Client) -> None:
    async with asyncio.timeout(30), ben.connected() as stream:
        await stream.ask("1", nested(6))

        said = await stream.hear()

    assert said["payload"][0]["extensions"] == over("depth", 10, limits.DEPTH)


async def test_each_field_at_the_root_counts_against_the_rate(house: House, ben: Client) -> None:
    now = 0.0
    rates = Rates(per_minute=60, anonymous_per_minute=6, clock=lambda: now)

    rates.take("Ben", 60, signed_in=True)
    with pytest.raises(TooManyTries) as refused:
        rates.take("Ben", 10, signed_in=True)
    rates.take("Bo", 10, signed_in=True)
    now += 10
    rates.take("Ben", 10, signed_in=True)

    assert refused.value.values == {"seconds": 11}


async def test_a_flood_is_told_when_to_come_again(house: House, ben: Client) -> None:
    object.__setattr__(house, "rates", Rates(per_minute=10, anonymous_per_minute=10))

    answers = [await ben.post("{ a: serverTime b: serverTime c: serverTime }") for _ in range(4)]

    (error,) = answers[-1].json()["errors"]
    assert [("errors" in answer.json()) for answer in answers] == [False] * 3 + [True]
    assert error["extensions"]["code"] == "TOO_MANY_TRIES"


async def test_a_wrong_document_counts_against_the_rate(house: House, anybody: Client) -> None:
    object.__setattr__(house, "rates", Rates(per_minute=10, anonymous_per_minute=3))
    wrong = ["{ nothing }", "{ server", "query($n: Int) { serverTime }"]

    before = [(await anybody.errors(query))[0].get("extensions") for query in wrong]
    (error,) = await anybody.errors("{ nothing else }")

    assert before == [None] * 3
    assert error["extensions"]["code"] == "TOO_MANY_TRIES"


async def test_a_new_document_costs_no_more_than_one_that_is_known(house: House, ben: Client) -> None:
    object.__setattr__(house, "rates", Rates(per_minute=4, anonymous_per_minute=4))
    query = "query CostsTwo { a: serverTime b: serverTime }"

    answers = [(await ben.post(query)).json() for _ in range(3)]

    assert ["errors" in answer for answer in answers] == [False, False, True]


async def test_of_a_wrong_document_few_errors_are_told_in_few_words(anybody: Client) -> None:
    asked = " ".join(f"a{number}: serverTime @include(if: $x{number})" for number in range(90))

    answer = await anybody.post(f"query {'long' * 14_000} {{ {asked} }}")

    errors = answer.json()["errors"]
    assert len(errors) == 10
    assert all(error["message"].startswith("Variable '$x") for error in errors)
    assert len(answer.content) < 10_000


async def test_a_document_that_was_sent_may_be_named(ben: Client) -> None:
    query = "query Named { viewer { role } }"

    async def named(**body: Any) -> dict[str, Any]:
        hash = body.pop("hash", sha256(query.encode()).hexdigest())
        persisted = {"persistedQuery": {"version": 1, "sha256Hash": hash}}
        headers = {"authorization": f"Bearer {ben.token}"}
        answer = await ben.http.post("/graphql", json={**body, "extensions": persisted}, headers=headers)
        return dict(answer.json())

    (unknown,) = (await named())["errors"]
    (wrong,) = (await named(query=query, hash="0" * 64))["errors"]
    assert (unknown["message"], unknown["extensions"]["code"]) == (
        "PersistedQueryNotFound",
        "PERSISTED_QUERY_NOT_FOUND",
    )
    assert wrong["extensions"]["code"] == "HASH_MISMATCH"

    assert (await named(query=query)) == (await named()) == {"data": {"viewer": {"role": "AGENT"}}}


async def test_what_is_named_is_admitted_like_what_is_sent(ben: Client, anybody: Client) -> None:
    query = "query Named { viewer { role } }"
    await ben.ask(query)
    named = {
        "extensions": {"persistedQuery": {"version": 1, "sha256Hash": sha256(query.encode()).hexdigest()}}
    }

    (error,) = (await anybody.http.post("/graphql", json=named)).json()["errors"]

    assert error["extensions"]["code"] == "UNAUTHENTICATED"

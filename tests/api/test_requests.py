"""What the door does with odd requests: it says what is wrong with them, and breaks over none."""

import asyncio
import base64
from typing import Any

import httpx
import orjson
import pytest
from websockets.exceptions import ConnectionClosed

from api import graphql_http
from api.house import House
from domain.ways_in.channels import ChannelKind
from fuzz.asking import ask
from fuzz.bodies import bodies
from tests.client import SIGN_IN, Client
from tests.factories import a_channel, a_mail, receive

NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { note { text } userErrors { code } } }"
SAVE = "mutation($input: TaskSaveInput!) { taskSave(input: $input) { task { title dueAt } userErrors { code } } }"
JSON = {"content-type": "application/json"}


@pytest.fixture
async def ticket_id(house: House, ben: Client) -> str:
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", sender_name="Ada"))
    (edge,) = (await ben.ask("{ tickets { edges { node { id } } } }"))["tickets"]["edges"]
    id: str = edge["node"]["id"]
    return id


def deep(levels: int) -> bytes:
    return b'{"query":"{serverTime}","variables":{"a":' + b"[" * levels + b"]" * levels + b"}}"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'"x"',
        b"[]",
        b"[" * 3000,
        deep(3000),
        deep(900),
        b'{"query":"{serverTime}","variables":{"a":' + b"9" * 5000 + b"}}",
        b'{"query":5}',
        b'{"query":"{serverTime}","variables":5}',
        b"\xff\xfe",
        b"{}",
    ],
    ids=lambda body: repr(body[:20]),
)
async def test_a_body_that_is_no_request_is_refused_in_plain_words(anybody: Client, body: bytes) -> None:
    answer = await anybody.http.post("/graphql", content=body, headers=JSON)

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "query",
    [
        "{" * 60_000,
        "{ tickets(first: " + "9" * 5000 + ") { totalCount } }",
        '{ ticket(id: "\\ud800") { id } }',
    ],
    ids=["deep", "a large number", "half a letter"],
)
async def test_a_query_that_cannot_be_read_is_not_our_mistake(anybody: Client, query: str) -> None:
    (error, *_) = await anybody.errors(query)

    assert error.get("extensions", {}).get("code") != "INTERNAL"


@pytest.mark.parametrize("path", ["/graphql/", "/files/", "/m/alerts/", "/healthz/"])
async def test_who_asks_with_a_slash_too_many_is_sent_nowhere(anybody: Client, path: str) -> None:
    """What a request calls our host may be anybody's: whoever follows there takes a password or a token along."""
    for method in ("GET", "POST"):
        answer = await anybody.http.request(method, path, headers={"host": "eve.test"})

        assert (answer.status_code, answer.headers.get("location")) == (404, None)


async def test_a_body_that_is_too_large_is_refused_before_all_of_it_came(door: str) -> None:
    address = httpx.URL(door)
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(address.host, address.port)
        head = "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9999999\r\n\r\n"
        writer.write(head.encode() + b" " * (graphql_http.LARGEST_BODY + 1))

        said = await reader.readuntil(b"\r\n")

        assert said.startswith(b"HTTP/1.1 413 ")
        writer.close()


async def test_a_body_of_the_largest_size_is_read(anybody: Client) -> None:
    body = b'{"query": "{ __typename }"}'.ljust(graphql_http.LARGEST_BODY)

    answer = await anybody.http.post("/graphql", content=body, headers=JSON)

    assert answer.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("odd", ["\\u0000", "\\ud800", "\\udfff", "\\ud800\\u0000"])
async def test_what_no_database_takes_is_left_out_of_every_text(
    ben: Client, ticket_id: str, odd: str
) -> None:
    """Surrogates that belong together are a letter, and stay."""

    async def ask(query: str, **input: str) -> Any:
        body = orjson.dumps({"query": query, "variables": {"input": input}}).replace(b"ODD", odd.encode())
        headers = JSON | {"authorization": f"Bearer {ben.token}"}
        return (await ben.http.post("/graphql", content=body, headers=headers)).json()

    noted = await ask(NOTE, ticketId=ticket_id + "ODD", text="aODDb 🙂", clientMutationId="1ODD")
    stranger = await ask(SIGN_IN, email="ODD", password="ODD", clientMutationId="1")
    unknown = await ask(NOTE, **{"ODD": "x"})

    assert noted["data"]["noteAdd"]["note"] == {"text": "ab 🙂"}
    assert stranger["data"]["signIn"]["userErrors"][0]["code"] == "WRONG_CREDENTIALS"
    assert "INTERNAL" not in str(unknown["errors"])


async def test_a_nul_escaped_in_the_query_itself_is_refused(ben: Client) -> None:
    (error,) = await ben.errors(
        'mutation { taskSave(input: { title: "a\\u0000b", clientMutationId: "1" }) { task { title } } }'
    )

    assert "NUL" in error["message"]


@pytest.mark.parametrize(
    "given",
    ["2026-12-01T10:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "tomorrow", 5, {}],
)
async def test_a_moment_has_a_zone_and_lies_in_our_time(ben: Client, given: object) -> None:
    (error,) = await ben.errors(SAVE, input={"title": "x", "dueAt": given, "clientMutationId": "1"})

    assert "zone" in error["message"]


OUT_OF_RANGE = [
    "1.99999999999999999999999",
    "9" * 400 + "." + "0" * 32,
    "-" + "9" * 17 + "." + "0" * 32,
    f"1.{2**63}.1",
    f"1.1.{2**63}",
    f"1.{2**63}",
    "1.-1.1",
]


@pytest.mark.parametrize("place", OUT_OF_RANGE)
@pytest.mark.parametrize(
    "query",
    [
        "query($c: String!, $id: ID!) { tickets(after: $c) { totalCount } ticket(id: $id) { id } }",
        "query($c: Cursor!, $id: ID!) { changes(since: $c) { hasMore } ticket(id: $id) { id } }",
        "query($c: String!, $id: ID!) { ticket(id: $id) { timeline(before: $c) { pageInfo { hasNextPage } } } }",
    ],
    ids=["tickets", "changes", "timeline"],
)
async def test_a_cursor_with_numbers_out_of_range_is_not_one_of_ours(
    ben: Client, ticket_id: str, query: str, place: str
) -> None:
    cursor = base64.urlsafe_b64encode(place.encode()).decode()

    (error,) = await ben.errors(query, c=cursor, id=ticket_id)

    assert error["extensions"]["code"] == "INVALID"


@pytest.mark.parametrize(
    "asked",
    [{}, {"query": ""}, {"query": "query A { viewer { role } }", "operationName": "B"}, {"query": "fragment F on Query { serverTime }"}],
    ids=["nothing", "no text", "another operation", "no operation"],
)  # fmt: skip
async def test_what_is_no_operation_is_the_callers_mistake_on_a_stream_too(
    ben: Client, asked: dict[str, Any]
) -> None:
    headers = {"authorization": f"Bearer {ben.token}", "accept": "text/event-stream"}

    said = (await ben.http.post("/graphql/stream", json=asked, headers=headers)).text

    assert '"errors"' in said
    assert "INTERNAL" not in said
    async with asyncio.timeout(30), ben.connected() as stream:
        await stream.say(type="subscribe", id="1", payload={"query": "", **asked})
        try:
            heard = str(await stream.hear())
        except ConnectionClosed as closed:
            heard = str(closed)
    assert "INTERNAL" not in heard


async def test_a_sample_of_odd_bodies_is_answered(ben: Client) -> None:
    """`./run fuzz` sends ten thousand."""
    outcome = await ask(ben.address, bodies(seed=7, count=300), ben.token)

    assert outcome.ours == []
    assert outcome.statuses.total() == 300
    assert outcome.statuses[200] > 100

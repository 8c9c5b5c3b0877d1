"""One history reads the same whichever way it is paged."""

import random
from datetime import timedelta
from typing import Any

import pytest

from api.house import House
from domain.actors import SYSTEM
from domain.arriving.opening import open_ticket
from domain.customers.contacts import Contact
from domain.db import new_id
from domain.desk.messages import Call, Direction, Item, Message, Note
from domain.desk.tickets import Ticket
from domain.events import EventKind, record
from domain.ids import public_id
from domain.joining.merging import merge_tickets
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, receive, tickets
from tests.statements import statements

ARGUMENTS = """$first: Int! = 30, $before: String, $last: Int, $after: String, $kinds: [TimelineKind!], $channels: [ChannelKind!]"""
PAGE = """timeline(first: $first, before: $before, last: $last, after: $after, kinds: $kinds, channels: $channels) {
  edges { cursor node { __typename ... on Node { id } ... on Message { channel } } }
  pageInfo { startCursor endCursor hasPreviousPage hasNextPage } }"""
OF_TICKET = f"query($id: ID!, {ARGUMENTS}) {{ one: ticket(id: $id) {{ {PAGE} }} }}"
OF_CONTACT = f"query($id: ID!, {ARGUMENTS}) {{ one: contact(id: $id) {{ {PAGE} }} }}"

KINDS = {"MESSAGE": "Message", "CALL": "Call", "NOTE": "Note", "EVENT": "SystemEvent"}


async def a_history(house: House, chance: random.Random) -> tuple[str, str]:
    """Up to sixty things at few moments; the ids of the ticket and of its contact."""
    async with house.db.transaction() as session:
        channels = [
            await a_channel(session, house.keys, kind) for kind in (ChannelKind.EMAIL, ChannelKind.CHAT)
        ]
        await receive(session, channels[0], a_mail("ada@example.org"))
        (ticket,) = await tickets(session)
        for _ in range(chance.randrange(60)):
            at = NOON + timedelta(minutes=chance.randrange(12))
            what = chance.choice(["message", "call", "note", "told", "untold"])
            if what in ("told", "untold"):
                kind = EventKind.TICKET_REOPENED if what == "told" else EventKind.MESSAGE_SENT
                record(session, kind, by=SYSTEM, at=at, ticket_id=ticket.id, contact_id=ticket.contact_id)
            else:
                session.add(an_item(what, ticket, chance.choice(channels), at))
            await session.flush()
    return public_id("Ticket", ticket.id), public_id("Contact", ticket.contact_id)


def an_item(what: str, ticket: Ticket, channel: Channel, at: Any) -> Item:
    kind = {"message": Message, "call": Call, "note": Note}[what]
    return kind(
        id=new_id(),
        ticket_id=ticket.id,
        contact_id=ticket.contact_id,
        channel_id=None if what == "note" else channel.id,
        direction=Direction.INTERNAL if what == "note" else Direction.IN,
        at=at,
    )


async def walk(
    client: Client, query: str, id: str, chance: random.Random, *, newer: bool, **filters: Any
) -> list[Any]:
    """All edges, newest first, read in pages of any size from the newest back, or from the oldest on."""
    seen: list[Any] = []
    place: dict[str, Any] = {}
    while True:
        size = {"last" if newer else "first": chance.randrange(1, 9)}
        page = (await client.ask(query, id=id, **size, **place, **filters))["one"]["timeline"]
        edges, info = page["edges"], page["pageInfo"]
        seen = [*edges, *seen] if newer else [*seen, *edges]
        behind, ahead = ("hasNextPage", "hasPreviousPage") if newer else ("hasPreviousPage", "hasNextPage")
        assert info[behind] == bool(place)
        assert (info["startCursor"], info["endCursor"]) == (
            (edges[0]["cursor"], edges[-1]["cursor"]) if edges else (None, None)
        )
        if not info[ahead]:
            return seen
        place = {"after": info["startCursor"]} if newer else {"before": info["endCursor"]}


@pytest.mark.parametrize("seed", range(4))
async def test_paging_either_way_gives_what_one_read_gives(house: House, mia: Client, seed: int) -> None:
    chance = random.Random(seed)
    ticket_id, contact_id = await a_history(house, chance)

    for query, id in ((OF_TICKET, ticket_id), (OF_CONTACT, contact_id)):
        whole = (await mia.ask(query, id=id, first=100))["one"]["timeline"]["edges"]
        kinds = chance.sample(sorted(KINDS), 2)
        some = [edge for edge in whole if edge["node"]["__typename"] in {KINDS[kind] for kind in kinds}]
        for newer in (False, True):
            assert await walk(mia, query, id, chance, newer=newer) == whole
            assert await walk(mia, query, id, chance, newer=newer, kinds=kinds) == some


async def test_one_channel_shows_its_messages_and_nothing_else(house: House, mia: Client) -> None:
    ticket_id, contact_id = await a_history(house, random.Random(7))

    for query, id in ((OF_TICKET, ticket_id), (OF_CONTACT, contact_id)):
        whole = (await mia.ask(query, id=id, first=100))["one"]["timeline"]["edges"]
        asked = {"channels": ["CHAT"], "kinds": ["MESSAGE", "EVENT"], "first": 100}
        chat = (await mia.ask(query, id=id, **asked))["one"]["timeline"]["edges"]

        assert chat == [edge for edge in whole if edge["node"].get("channel") == "CHAT"]
        assert 0 < len(chat) < len(whole)


async def test_news_are_read_from_the_place_one_knows(house: House, mia: Client) -> None:
    _, contact_id = await a_history(house, random.Random(3))
    newest = (await mia.ask(OF_CONTACT, id=contact_id, first=1))["one"]["timeline"]["pageInfo"]

    nothing = (await mia.ask(OF_CONTACT, id=contact_id, after=newest["startCursor"]))["one"]["timeline"]
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
        ticket.note("Later.", by=SYSTEM, at=NOON + timedelta(days=1))
    news = (await mia.ask(OF_CONTACT, id=contact_id, after=newest["startCursor"]))["one"]["timeline"]

    assert nothing["edges"] == []
    assert (nothing["pageInfo"]["hasNextPage"], nothing["pageInfo"]["hasPreviousPage"]) == (True, False)
    assert [edge["node"]["__typename"] for edge in news["edges"]] == ["Note"]


@pytest.mark.parametrize(
    "asked",
    [{"last": 0}, {"last": 101}, {"first": 0}, {"last": 5, "before": "x"}, {"before": "x", "after": "x"}, {"after": "x"}],
)  # fmt: skip
async def test_what_cannot_be_paged_is_refused(house: House, mia: Client, asked: dict[str, Any]) -> None:
    _, contact_id = await a_history(house, random.Random(0))

    (error,) = await mia.errors(OF_CONTACT, id=contact_id, **asked)

    assert error["extensions"]["code"] == "INVALID"


async def test_a_ticket_and_its_history_are_read_side_by_side(house: House, mia: Client) -> None:
    ticket_id, _ = await a_history(house, random.Random(7))
    ticket = "query($id: ID!) { ticket(id: $id) { subject contact { name } %s } }"
    history = "timeline(first: 5) { edges { node { ... on Message { text } ... on SystemEvent { at } } } }"
    said = {}
    for asked in ("", history):
        await mia.ask(ticket % asked, id=ticket_id)  # that somebody opened it is written once in an hour
        with statements(house.db) as said[asked]:
            await mia.ask(ticket % asked, id=ticket_id)

    assert len(said[history]) == len(said[""])


async def test_each_of_two_histories_of_one_ticket_is_as_asked_for(house: House, mia: Client) -> None:
    ticket_id, _ = await a_history(house, random.Random(7))
    edges = "{ edges { node { __typename ... on Node { id } } } }"

    both = (
        await mia.ask(
            f"query($id: ID!) {{ ticket(id: $id) {{ some: timeline(first: 3) {edges} all: timeline(first: 90) {edges} }} }}",
            id=ticket_id,
        )
    )["ticket"]
    calls = (
        await mia.ask(
            f"query($id: ID!) {{ ticket(id: $id) {{ timeline(kinds: [CALL], first: 90) {edges} }} }}",
            id=ticket_id,
        )
    )["ticket"]["timeline"]

    assert both["all"]["edges"][:3] == both["some"]["edges"]
    assert len(both["all"]["edges"]) > 3
    assert (
        calls["edges"] == [one for one in both["all"]["edges"] if one["node"]["__typename"] == "Call"] != []
    )


async def test_a_history_that_cannot_be_asked_for_is_refused_where_it_stands(
    house: House, mia: Client
) -> None:
    ticket_id, _ = await a_history(house, random.Random(7))

    answer = (
        await mia.post(
            'query($id: ID!) { ticket(id: $id) { subject timeline(before: "nowhere") { edges { cursor } } } }',
            {"id": ticket_id},
        )
    ).json()

    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["ticket", "timeline"], "INVALID")
    ]


@pytest.mark.parametrize(
    "asked",
    [
        "timeline(first: 5) @include(if: $shown) { ...Page }",
        "... @include(if: $shown) { timeline(first: 5) { ...Page } }",
        "...Seen @skip(if: $hidden)",
    ],
)
async def test_a_history_that_is_left_out_is_not_read(house: House, mia: Client, asked: str) -> None:
    ticket_id, _ = await a_history(house, random.Random(7))
    query = f"""query($id: ID!, $shown: Boolean!, $hidden: Boolean!) {{ ticket(id: $id) {{
      subject @include(if: $shown) number @skip(if: $hidden) {asked} }} }}
      fragment Page on TimelineConnection {{ edges {{ node {{ ... on Node {{ id }} }} }} }}
      fragment Seen on Ticket {{ timeline(first: 5) {{ ...Page }} }}"""
    if "Seen" not in asked:
        query = query[: query.index("fragment Seen")]
    said: dict[bool, list[str]] = {}
    for shown in (True, False, True, False):
        with statements(house.db) as said[shown]:
            found = (await mia.ask(query, id=ticket_id, shown=shown, hidden=not shown))["ticket"]
        assert ("timeline" in found) == shown

    assert any("item.seq" in one for one in said[True])
    assert not any("item.seq" in one for one in said[False])


async def test_of_a_merged_ticket_the_history_is_that_of_the_one_it_became(house: House, mia: Client) -> None:
    other_id, _ = await a_history(house, random.Random(8))
    async with house.db.transaction() as session:
        (first,) = await tickets(session)
        at = NOON + timedelta(hours=1)
        contact = await session.get_one(Contact, first.contact_id)
        second = open_ticket(session, contact, subject="Another", by=SYSTEM, at=at)
        await session.flush()
        await merge_tickets(session, second, [first], by=SYSTEM, at=at)
    page = "ticket(id: $id) { id timeline(first: 90) { edges { node { ... on Node { id } } } } }"

    merged = (await mia.ask(f"query($id: ID!) {{ {page} }}", id=other_id))["ticket"]

    assert merged["id"] == public_id("Ticket", second.id)
    assert merged == (await mia.ask(f"query($id: ID!) {{ {page} }}", id=merged["id"]))["ticket"]
    assert len(merged["timeline"]["edges"]) > 3

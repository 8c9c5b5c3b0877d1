"""One history, whatever the channel and the ticket."""

from datetime import timedelta
from typing import Any

import pytest

from api.house import House
from domain.actors import SYSTEM
from domain.channels import ChannelKind
from domain.staff import Team
from domain.tickets import TicketStatus
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, a_messenger_message, contacts, receive, tickets

CONTACT = """query($id: ID!, $first: Int, $before: String) { contact(id: $id) {
  id name identities { id channel label verified } openTickets { number }
  timeline(first: $first, before: $before) { edges { cursor node { __typename ... on Message { text } } } pageInfo { hasNextPage endCursor } }
} }"""
LINK = """mutation($input: IdentityLinkInput!) { identityLink(input: $input) {
  contact { identities { channel label verified verifiedBy } } userErrors { code field } } }"""


def texts(contact: dict[str, Any]) -> list[str]:
    return [edge["node"]["text"] for edge in contact["timeline"]["edges"] if "text" in edge["node"]]


@pytest.fixture
async def contact_id(house: House, mia: Client) -> str:
    """Ada wrote twice; her first ticket is closed and belongs to a team."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", "First matter", sender_name="Ada"))
        (first,) = await tickets(session)
        team = Team(name="Returns")
        session.add(team)
        await session.flush()
        first.team_id = team.id
        first.change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)
        await receive(
            session, mailbox, a_mail("ada@example.org", "Second matter", at=NOON + timedelta(days=1))
        )
    (edge, *_) = (await mia.ask("{ tickets { edges { node { contact { id } } } } }"))["tickets"]["edges"]
    id: str = edge["node"]["contact"]["id"]
    return id


async def test_a_contacts_history_holds_all_tickets_newest_first(mia: Client, contact_id: str) -> None:
    contact = (await mia.ask(CONTACT, id=contact_id, first=50))["contact"]

    assert texts(contact) == ["Second matter", "First matter"]
    assert len(contact["openTickets"]) == 1


async def test_an_agent_reads_only_the_share_of_the_history_that_is_theirs(
    ben: Client, contact_id: str
) -> None:
    contact = (await ben.ask(CONTACT, id=contact_id, first=50))["contact"]

    assert texts(contact) == ["Second matter"]


async def test_a_history_pages_without_gaps(mia: Client, contact_id: str) -> None:
    whole = (await mia.ask(CONTACT, id=contact_id, first=50))["contact"]["timeline"]["edges"]
    seen: list[Any] = []
    before = None
    while True:
        page = (await mia.ask(CONTACT, id=contact_id, first=1, before=before))["contact"]["timeline"]
        seen += page["edges"]
        before = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert seen == whole


async def test_an_agents_word_links_a_number_and_brings_a_stranger_home(
    house: House, ben: Client, contact_id: str
) -> None:
    linked = await ben.do(LINK, contactId=contact_id, channel="PHONE", value="+48 600 100 200")
    assert linked["contact"]["identities"][-1] == {
        "channel": "PHONE",
        "label": "+48 600 100 200",
        "verified": True,
        "verifiedBy": "AGENT",
    }
    async with house.db.transaction() as session:
        page = await a_channel(session, house.keys, ChannelKind.MESSENGER)
        await receive(session, page, a_messenger_message("p1", "It is Ada"))
    (stranger,) = [
        edge["node"]["contact"]
        for edge in (
            await ben.ask("{ tickets { edges { node { contact { id identities { id channel } } } } } }")
        )["tickets"]["edges"]
        if edge["node"]["contact"]["id"] != contact_id
    ]

    await ben.do(LINK, contactId=contact_id, identityId=stranger["identities"][0]["id"])

    async with house.db.transaction() as session:
        assert len(await contacts(session)) == 1
    again = (await ben.ask(CONTACT, id=stranger["id"], first=10))["contact"]
    assert again["id"] == contact_id
    assert sorted(texts(again)) == ["It is Ada", "Second matter"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"channel": "PHONE", "value": "hello"}, "INVALID"),
        ({"channel": "EMAIL", "value": "no address"}, "INVALID"),
        ({"channel": "CHAT", "value": "x"}, "INVALID"),
        ({}, "INVALID"),
        ({"identityId": "bm90aGluZw"}, "NOT_FOUND"),
    ],
)
async def test_a_link_needs_something_to_link(
    ben: Client, contact_id: str, given: dict[str, str], code: str
) -> None:
    assert await ben.refused(LINK, contactId=contact_id, **given) == [code]


async def test_what_another_contact_has_proven_stays_there(
    house: House, ben: Client, contact_id: str
) -> None:
    async with house.db.transaction() as session:
        await receive(
            session,
            await a_channel(session, house.keys, ChannelKind.EMAIL, slug="two", address="two@shop.example"),
            a_mail("zofia@example.org"),
        )

    assert await ben.refused(LINK, contactId=contact_id, channel="EMAIL", value="Zofia@example.org") == [
        "IDENTITY_TAKEN"
    ]

"""One history, whatever the channel and the ticket."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Agent, Team
from domain.arriving.opening import open_ticket
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.desk.tasks import Task
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.ids import public_id
from domain.joining.moves import Move
from domain.joining.undoing import undo
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, a_messenger_message, contacts, receive, tickets
from tests.feed import cursor_of

LATER = NOON + timedelta(days=1, hours=1)
CONTACT = """query($id: ID!, $first: Int, $before: String) { contact(id: $id) {
  id name identities { id channel label verified } openTickets { number }
  timeline(first: $first, before: $before) { edges { cursor node { __typename ... on Message { text } } } pageInfo { hasNextPage endCursor } }
} }"""
NODE = "query($id: ID!) { node(id: $id) { ... on Contact { name } } }"
LINK = """mutation($input: IdentityLinkInput!) { identityLink(input: $input) {
  contact { identities { channel label verified verifiedBy } } userErrors { code field } } }"""

COMPANY = "mutation($input: CompanySaveInput!) { companySave(input: $input) { company { id } userErrors { code } } }"
COMPANIES = "{ companies { edges { node { name } } } }"
SAVE = "mutation($input: ContactSaveInput!) { contactSave(input: $input) { userErrors { code } } }"
TASK = "mutation($input: TaskSaveInput!) { taskSave(input: $input) { userErrors { code } } }"
REMOVED = """query($since: Cursor!) { changes(since: $since) { changes { __typename
  ... on Removed { typename id replacedBy } ... on ContactChanged { contact { name } } } } }"""


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


async def test_an_agents_word_brings_nothing_into_a_ticket_that_they_do_not_see(
    house: House, ben: Client, contact_id: str
) -> None:
    """Ada's order is Returns' matter; a stranger, whom Ben takes for her, names it too."""
    async with house.db.transaction() as session:
        page = await a_channel(session, house.keys, ChannelKind.MESSENGER)
        (mailbox,) = await session.scalars(select(Channel).where(Channel.kind == ChannelKind.EMAIL))
        returns = (await session.scalars(select(Team.id))).one()
        await receive(session, mailbox, a_mail("ada@example.org", "Where is order 100100?", at=LATER))
        (theirs,) = await session.scalars(select(Ticket).where(Ticket.team_id.is_(None)))
        theirs.team_id, hidden = returns, theirs.id
        ada = await session.get_one(Contact, theirs.contact_id)
        open_ticket(session, ada, subject="An invoice", by=SYSTEM, at=LATER)
        await receive(session, page, a_messenger_message("p1", "Where is order 100100?", at=LATER))
        (stranger,) = await session.scalars(select(Identity).where(Identity.kind == IdentityKind.MESSENGER))
        opened = select(Ticket).where(Ticket.contact_id == stranger.contact_id)
        (await session.scalars(opened)).one().change(by=SYSTEM, at=LATER, priority=1, add_tags=["evil"])
        named = public_id("Identity", stranger.id)

    linked = await ben.do(LINK, contactId=contact_id, identityId=named)

    assert linked["userErrors"] == []
    async with house.db.transaction() as session:
        theirs = await session.get_one(Ticket, hidden)
        assert (theirs.priority, theirs.tags) == (3, [])
        kinds = select(Channel.kind).join(Thread, Thread.channel_id == Channel.id)
        assert set(await session.scalars(kinds.where(Thread.ticket_id == hidden))) == {ChannelKind.EMAIL}


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


async def test_a_merged_contact_shows_its_survivor_only_to_who_may_see_that_one(
    house: House, mia: Client, ben: Client
) -> None:
    async with house.db.transaction() as session:
        page = await a_channel(session, house.keys, ChannelKind.MESSENGER)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, page, a_messenger_message("p1", "Who am I?"))
        await receive(session, mailbox, a_mail("vip@example.org", "Important", sender_name="Vip"))
        team = Team(name="Vip")
        session.add(team)
        await session.flush()
        for ticket in await tickets(session):
            ticket.team_id = team.id
        stranger, vip = (public_id("Contact", contact.id) for contact in await contacts(session))
    (unnamed,) = (await mia.ask(CONTACT, id=stranger))["contact"]["identities"]
    for id, name in ((stranger, "Acme"), (vip, "Bemol")):
        firm = (await mia.do(COMPANY, name=name))["company"]["id"]
        await mia.do(SAVE, id=id, companyId=firm)
    since = await cursor_of(house, mia)
    await ben.do(TASK, title="Bens own", assigneeId=ben.agent_id)
    await mia.do(TASK, title="Call her", assigneeId=ben.agent_id, contactId=vip)

    await mia.do(LINK, contactId=vip, identityId=unnamed["id"])

    for asked in (stranger, vip):
        assert (await mia.ask(CONTACT, id=asked))["contact"]["name"] == "Vip"
        assert (await ben.ask(CONTACT, id=asked))["contact"] is None
        assert (await mia.ask(NODE, id=asked))["node"] == {"name": "Vip"}
        assert (await ben.ask(NODE, id=asked))["node"] is None
    assert (await ben.ask(COMPANIES))["companies"]["edges"] == []
    assert len((await mia.ask(COMPANIES))["companies"]["edges"]) == 2
    tasks = (await ben.ask("{ tasks { title contact { name } } }"))["tasks"]
    assert {task["title"]: task["contact"] for task in tasks} == {"Bens own": None, "Call her": None}
    removed = {"__typename": "Removed", "typename": "Contact", "id": stranger, "replacedBy": vip}
    async with asyncio.timeout(30):
        while removed not in (seen := (await mia.ask(REMOVED, since=since))["changes"]["changes"]):
            await asyncio.sleep(0.02)
    assert {"__typename": "ContactChanged", "contact": {"name": "Vip"}} in seen
    kinds = {change["__typename"] for change in (await ben.ask(REMOVED, since=since))["changes"]["changes"]}
    assert not kinds & {"Removed", "ContactChanged", "TicketChanged"}


async def test_a_contact_with_many_tickets_and_tasks_takes_none_from_another_on_the_same_page(
    house: House, mia: Client
) -> None:
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for name in ("Zofia", "Ada"):
            await receive(session, mailbox, a_mail(f"{name.lower()}@example.org", sender_name=name))
        manager = (await session.scalars(select(Agent).where(Agent.name == "Mia"))).one()
        for ticket in await tickets(session):
            ticket.assignee_id = manager.id
        zofia, ada = await contacts(session)
        later = NOON + timedelta(days=1)
        for number in range(110):
            open_ticket(session, ada, subject=f"Matter {number}", by=SYSTEM, at=later)
            session.add(Task(title="Soon", contact_id=ada.id, due_at=NOON, created_at=NOON, updated_at=NOON))
        session.add(Task(title="Later", contact_id=zofia.id, due_at=later, created_at=NOON, updated_at=NOON))

    page = await mia.ask(
        """query($mia: ID!) { tickets(filter: {assigneeIds: [$mia]}) { edges { node { contact {
             name openTickets { number } tasks { title } } } } } }""",
        mia=mia.agent_id,
    )

    people = [edge["node"]["contact"] for edge in page["tickets"]["edges"]]
    assert {one["name"]: (len(one["openTickets"]), len(one["tasks"])) for one in people} == {
        "Zofia": (1, 1),
        "Ada": (100, 100),
    }


async def test_an_agents_word_is_given_once_and_goes_with_its_undo(
    house: House, ben: Client, mia: Client, contact_id: str
) -> None:
    async with house.db.transaction() as session:
        (mailbox,) = await session.scalars(select(Channel))
        for address in ("ada@example.org", "ada@work.example"):
            await receive(session, mailbox, a_mail(address, "It is me", verified=False))
        unproven = {
            identity.value: public_id("Identity", identity.id)
            for identity in await session.scalars(select(Identity).where(Identity.verified_at.is_(None)))
        }

    known = await ben.do(LINK, contactId=contact_id, identityId=unproven["ada@example.org"])
    new = await mia.do(LINK, contactId=contact_id, identityId=unproven["ada@work.example"])

    assert (known["userErrors"], new["userErrors"]) == ([], [])
    assert {"channel": "EMAIL", "label": "ada@work.example", "verified": True, "verifiedBy": "AGENT"} in new[
        "contact"
    ]["identities"]
    async with house.db.transaction() as session:
        moves = (await session.scalars(select(Move).order_by(Move.at.desc(), Move.id.desc()))).all()
        await undo(session, moves[0].id, by=SYSTEM, at=moves[0].at)
    async with house.db.transaction() as session:
        (back,) = await session.scalars(select(Identity).where(Identity.value == "ada@work.example"))
        assert (back.verified_at, back.verified_by) == (None, None)
        assert public_id("Contact", back.contact_id) != contact_id

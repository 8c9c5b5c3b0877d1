"""The inbox, one ticket, and what agents do with it."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from api.house import House
from domain.actors import Role
from domain.agents.staff import Team
from domain.arriving.inbound import InboundAttachment
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client
from tests.factories import NOON, a_channel, a_chat, a_mail, a_promise, an_agent, messages, receive, tickets
from tests.feed import all_told, cursor_of

INBOX = """query($first: Int, $after: String, $filter: TicketFilter) {
  tickets(first: $first, after: $after, filter: $filter) {
    totalCount edges { cursor node { id number subject status seq assignee { name } } } pageInfo { endCursor hasNextPage }
  }
}"""

TICKET = """query($id: ID!) { ticket(id: $id) {
  id number subject status priority preview channels lastChannel seq tags
  contact { name identities { channel label verified verifiedBy canReply } openTickets { number } tasks { title } }
  assignee { name } clock { metric state dueAt targetSeconds secondsLeft }
  threads { channel subject messageCount joinedBecause { code text automatic } identity { label } }
  replyChannels { id channel } tasks { title done dueAt assignee { name } }
  timeline(first: 20) { edges { node { __typename
    ... on Message { author text direction delivery senderVerified } ... on Note { author text } ... on SystemEvent { text }
  } } pageInfo { hasNextPage } }
} }"""

ASSIGN = """mutation($input: TicketAssignInput!) { ticketAssign(input: $input) {
  tickets { status assignee { name } } conflict { name } userErrors { code field } } }"""
UPDATE = """mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) {
  tickets { status priority tags } userErrors { code field } } }"""
RENAME = """mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) {
  tickets { subject } userErrors { code field } } }"""
NEWS = "query($since: Cursor!) { changes(since: $since) { changes { ... on TicketChanged { ticket { subject } } } } }"
NOTE = """mutation($input: NoteAddInput!) { noteAdd(input: $input) { note { id text author } userErrors { code field } } }"""
SEND = """mutation($input: MessageSendInput!) { messageSend(input: $input) {
  message { id seq delivery author } ticket { status } collision { ... on Message { text } } userErrors { code field } } }"""


@pytest.fixture
async def two_threads(house: House) -> None:
    """Ada wrote a mail and opened a chat: one ticket."""
    async with house.db.transaction() as session:
        await a_promise(session, 3600)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        chat = await a_channel(session, house.keys, ChannelKind.CHAT)
        await receive(session, mailbox, a_mail("ada@example.org", sender_name="Ada", subject="Broken mug"))
        later = NOON + timedelta(minutes=1)
        await receive(session, chat, a_chat("s1", "Is anybody there?", email="ada@example.org", at=later))


async def only_ticket(client: Client) -> dict[str, Any]:
    (edge,) = (await client.ask(INBOX))["tickets"]["edges"]
    node: dict[str, Any] = edge["node"]
    return node


@pytest.mark.usefixtures("two_threads")
async def test_a_ticket_shows_its_threads_each_with_its_reason(ben: Client) -> None:
    ticket = (await ben.ask(TICKET, id=(await only_ticket(ben))["id"]))["ticket"]

    assert (ticket["subject"], ticket["channels"], ticket["lastChannel"]) == (
        "Broken mug",
        ["CHAT", "EMAIL"],
        "CHAT",
    )
    assert [(thread["channel"], thread["joinedBecause"]["code"]) for thread in ticket["threads"]] == [
        ("EMAIL", "OPENED_TICKET"),
        ("CHAT", "SIGNED_CHAT_IDENTITY"),
    ]
    assert ticket["preview"] == "Is anybody there?"
    assert ticket["clock"]["metric"] == "FIRST_REPLY"
    assert ticket["contact"]["openTickets"] == [{"number": ticket["number"]}]
    assert [channel["channel"] for channel in ticket["replyChannels"]] == ["CHAT", "EMAIL"]
    told = [edge["node"]["text"] for edge in reversed(ticket["timeline"]["edges"])]
    assert told == [
        "The ticket was opened.",
        "This conversation opened the ticket.",
        "Where is my parcel?",
        "The shop's signature says that the chat visitor is this contact.",
        "Is anybody there?",
    ]


async def test_the_inbox_pages_without_gaps_or_repeats(house: House, ben: Client) -> None:
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for position in range(7):
            await receive(session, mailbox, a_mail(f"ada{position}@example.org", at=NOON))

    seen: list[int] = []
    after = None
    while True:
        page = (await ben.ask(INBOX, first=3, after=after))["tickets"]
        seen += [edge["node"]["number"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert page["totalCount"] == 7
    assert sorted(seen) == sorted(set(seen))
    assert len(seen) == 7


@pytest.mark.usefixtures("two_threads")
async def test_a_program_whose_first_cursor_is_an_empty_text_begins_at_the_beginning(ben: Client) -> None:
    of_all = (await ben.ask(INBOX, after=""))["tickets"]
    of_some = (await ben.ask(INBOX, after="", filter={}))["tickets"]

    assert of_all["totalCount"] == len(of_all["edges"]) == 1
    assert of_all == of_some


@pytest.mark.usefixtures("two_threads")
async def test_filters_choose(ben: Client) -> None:
    async def numbers(**filter: Any) -> int:
        count: int = (await ben.ask(INBOX, filter=filter))["tickets"]["totalCount"]
        return count

    assert await numbers(statuses=["NEW"], unassigned=True, channels=["CHAT"]) == 1
    assert await numbers(statuses=["SOLVED"]) == 0
    assert await numbers(channels=["PHONE"]) == 0
    assert await numbers(assigneeIds=[ben.agent_id]) == 0


@pytest.mark.usefixtures("two_threads")
async def test_taking_a_ticket_opens_it_and_a_stale_hand_over_is_refused(ben: Client, mia: Client) -> None:
    id = (await only_ticket(ben))["id"]

    taken = await ben.do(ASSIGN, ticketIds=[id], takeOver=True)
    late = await mia.do(ASSIGN, ticketIds=[id], takeOver=True, expectedAssigneeId=mia.agent_id)

    assert taken["tickets"] == [{"status": "OPEN", "assignee": {"name": "Ben"}}]
    assert [error["code"] for error in late["userErrors"]] == ["ASSIGNEE_CHANGED"]
    assert late["conflict"] == {"name": "Ben"}


@pytest.mark.usefixtures("two_threads")
async def test_status_priority_and_tags_change_and_the_history_tells(ben: Client) -> None:
    id = (await only_ticket(ben))["id"]

    changed = await ben.do(UPDATE, ids=[id], status="PENDING", priority=1, addTags=["mug", "mug"])
    wrong = await ben.refused(UPDATE, ids=[id], priority=9)

    assert changed["tickets"] == [{"status": "PENDING", "priority": 1, "tags": ["mug"]}]
    assert wrong == ["INVALID"]
    timeline = (await ben.ask(TICKET, id=id))["ticket"]["timeline"]["edges"]
    assert timeline[0]["node"]["text"] == "Ben changed the ticket."


@pytest.mark.usefixtures("two_threads")
async def test_a_ticket_is_called_what_an_agent_says_and_its_mails_keep_the_customers_subject(
    house: House, ben: Client
) -> None:
    id = (await only_ticket(ben))["id"]
    since = await cursor_of(house, ben)
    once = {"clientMutationId": str(uuid.uuid4()), "ids": [id], "subject": " Two mugs of three "}

    changed = await ben.do(RENAME, **once)
    again = await ben.do(RENAME, **once)
    nothing = await ben.do(RENAME, ids=[id], subject="  ")

    assert changed["tickets"] == again["tickets"] == [{"subject": "Two mugs of three"}]
    assert [(error["code"], error["field"]) for error in nothing["userErrors"]] == [("INVALID", ["subject"])]
    ticket = (await ben.ask(TICKET, id=id))["ticket"]
    assert (ticket["subject"], ticket["threads"][0]["subject"]) == ("Two mugs of three", "Broken mug")
    told = [edge["node"].get("text") for edge in ticket["timeline"]["edges"]]
    assert told.count("Ben changed the ticket.") == 1
    await all_told(house)
    news = (await ben.ask(NEWS, since=since))["changes"]["changes"]
    assert {"ticket": {"subject": "Two mugs of three"}} in news

    by_mail = next(channel["id"] for channel in ticket["replyChannels"] if channel["channel"] == "EMAIL")
    await ben.do(
        SEND, ticketId=id, identityId=by_mail, text="New ones are on their way.", lastSeenSeq=ticket["seq"]
    )

    async with house.db.transaction() as session:
        (row,) = await tickets(session)
        *_, answer = await messages(session, row)
    assert answer.mail is not None
    assert answer.mail["subject"] == f"Re: [#{ticket['number']}] Broken mug"


@pytest.mark.usefixtures("two_threads")
async def test_an_answer_is_queued_keeps_the_promise_and_takes_the_ticket_out_of_new(ben: Client) -> None:
    ticket = (await ben.ask(TICKET, id=(await only_ticket(ben))["id"]))["ticket"]
    by_mail = next(channel["id"] for channel in ticket["replyChannels"] if channel["channel"] == "EMAIL")

    sent = await ben.do(
        SEND,
        ticketId=ticket["id"],
        identityId=by_mail,
        text="A new one is on its way.",
        lastSeenSeq=ticket["seq"],
    )

    assert (sent["message"]["delivery"], sent["message"]["author"]) == ("QUEUED", "Ben")
    assert sent["ticket"]["status"] == "OPEN"
    assert (await ben.ask(TICKET, id=ticket["id"]))["ticket"]["clock"]["state"] == "MET"


@pytest.mark.usefixtures("two_threads")
async def test_an_answer_to_something_unread_is_stopped_and_shows_it(ben: Client, mia: Client) -> None:
    ticket = (await ben.ask(TICKET, id=(await only_ticket(ben))["id"]))["ticket"]
    answer = {
        "ticketId": ticket["id"],
        "identityId": ticket["replyChannels"][0]["id"],
        "lastSeenSeq": ticket["seq"],
    }
    await mia.do(SEND, **answer, text="Mia was quicker.")

    stopped = await ben.do(SEND, **answer, text="Ben answers too.")
    forced = await ben.do(SEND, **answer, text="Ben answers too.", force=True)

    assert [error["code"] for error in stopped["userErrors"]] == ["SOMEBODY_ANSWERED"]
    assert stopped["collision"] == [{"text": "Mia was quicker."}]
    assert forced["userErrors"] == []


@pytest.mark.usefixtures("two_threads")
async def test_the_same_mutation_twice_is_one_change(ben: Client) -> None:
    id = (await only_ticket(ben))["id"]
    once = {"clientMutationId": str(uuid.uuid4()), "ticketId": id, "text": "Look at the photo."}

    first = await ben.do(NOTE, **once)
    again = await ben.do(NOTE, **once)
    other = await ben.refused(NOTE, **{**once, "text": "Something else"})

    assert first["note"]["id"] == again["note"]["id"]
    assert other == ["MUTATION_ID_REUSED"]


@pytest.mark.usefixtures("two_threads")
async def test_an_agent_of_another_team_does_not_see_a_teams_ticket(
    house: House, ben: Client, mia: Client
) -> None:
    async with house.db.transaction() as session:
        team = Team(name="Returns")
        session.add(team)
        await session.flush()
        (ticket,) = await tickets(session)
        ticket.team_id = team.id
        bo = await an_agent(session, "Bo", Role.AGENT, team=team)
        assert bo
    id = (await only_ticket(mia))["id"]

    assert (await ben.ask(INBOX))["tickets"]["totalCount"] == 0
    assert (await ben.ask(TICKET, id=id))["ticket"] is None
    assert await ben.refused(NOTE, ticketId=id, text="hello") == ["NOT_FOUND"]
    assert await ben.refused(ASSIGN, ticketIds=[id], takeOver=True) == ["NOT_FOUND"]


async def test_an_id_of_another_kind_is_nothing(ben: Client) -> None:
    (error,) = await ben.errors(TICKET, id=ben.agent_id)
    assert error["extensions"]["code"] == "NOT_FOUND"


@pytest.mark.usefixtures("two_threads")
async def test_a_ticket_opened_by_an_agent_promises_nothing_until_the_customer_writes(ben: Client) -> None:
    create = """mutation($input: TicketCreateInput!) { ticketCreate(input: $input) {
      ticket { id number status clock { state } } userErrors { code } } }"""
    contact = await ben.ask(
        "query($id: ID!) { ticket(id: $id) { contact { id } } }", id=(await only_ticket(ben))["id"]
    )

    made = await ben.do(create, contactId=contact["ticket"]["contact"]["id"], subject="Call her", priority=2)

    assert made["ticket"]["status"] == "NEW"
    assert made["ticket"]["clock"] is None


@pytest.mark.usefixtures("two_threads")
async def test_a_field_written_twice_is_read_with_all_that_this_time_asks_of_it(ben: Client) -> None:
    twice = """query($id: ID!, $full: Boolean!) {
      ticket(id: $id) { number } ticket(id: $id) @include(if: $full) { contact { name } } }"""
    id = (await only_ticket(ben))["id"]

    short, full = await ben.ask(twice, id=id, full=False), await ben.ask(twice, id=id, full=True)

    assert full["ticket"] == short["ticket"] | {"contact": {"name": "Ada"}}


async def test_a_fragment_used_twice_is_read_with_what_stands_beside_it(house: House, ben: Client) -> None:
    photo = InboundAttachment("photo.jpg", "image/jpeg", b"x", "ab/photo")
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", attachments=(photo,)))

    twice = """query($id: ID!, $full: Boolean!) {
      a: ticket(id: $id) { ...F }
      b: ticket(id: $id) @include(if: $full) {
        ...F timeline { edges { node { ... on Message { attachments { name } } } } } } }
    fragment F on Ticket { timeline { edges { node { __typename } } } }"""
    id = (await only_ticket(ben))["id"]

    await ben.ask(twice, id=id, full=False)
    found = await ben.ask(twice, id=id, full=True)

    assert "photo.jpg" not in str(found["a"])
    assert "photo.jpg" in str(found["b"])


@pytest.mark.usefixtures("two_threads")
async def test_a_chat_can_be_answered_on_the_ticket_it_belongs_to_and_while_its_widget_is_on(
    house: House, ben: Client
) -> None:
    create = "mutation($input: TicketCreateInput!) { ticketCreate(input: $input) { ticket { id } userErrors { code } } }"
    query = """query($id: ID!) { ticket(id: $id) { seq
      contact { id identities { channel canReply } } replyChannels { id channel canReply } } }"""
    id = (await only_ticket(ben))["id"]
    both = {"EMAIL": True, "CHAT": True}

    def answerable(channels: list[dict[str, Any]]) -> dict[str, bool]:
        return {channel["channel"]: channel["canReply"] for channel in channels}

    ticket = (await ben.ask(query, id=id))["ticket"]
    assert answerable(ticket["replyChannels"]) == answerable(ticket["contact"]["identities"]) == both

    made = await ben.do(create, contactId=ticket["contact"]["id"], subject="Another matter")
    other = (await ben.ask(query, id=made["ticket"]["id"]))["ticket"]

    assert answerable(other["replyChannels"]) == {"EMAIL": True, "CHAT": False}
    assert answerable(other["contact"]["identities"]) == both
    chat = next(channel["id"] for channel in other["replyChannels"] if channel["channel"] == "CHAT")
    given = {"ticketId": made["ticket"]["id"], "identityId": chat, "text": "Hello?", "lastSeenSeq": 10**15}
    assert await ben.refused(SEND, **given) == ["CANNOT_REPLY"]

    async with house.db.transaction() as session:
        await session.execute(
            update(Channel).where(Channel.kind == ChannelKind.CHAT).values(disabled_at=NOON)
        )

    ticket = (await ben.ask(query, id=id))["ticket"]
    assert answerable(ticket["contact"]["identities"]) == {"EMAIL": True, "CHAT": False}

"""Spam, blocked senders and participants, as agents and managers deal with them."""

import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from api.house import House
from domain.agents.staff import Agent
from domain.arriving import intake
from domain.arriving.inbound import Arrival, CallStep, Inbound, InboundCall, InboundMessage, Waits, keep
from domain.audit import AuditEntry, AuditKind
from domain.customers.contacts import Identity
from domain.db import database_time
from domain.desk.messages import DeliveryState, Message
from domain.desk.threads import Thread
from domain.ids import public_id, row_id
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client
from tests.factories import a_call_step, a_channel, a_chat, a_messenger_message
from tests.integrations.mailing import ADA, EVE, ZOFIA, Mailing

TICKETS = "query($filter: TicketFilter) { tickets(filter: $filter, first: 5) { edges { node { id isSpam preview threads { participants { id address acceptedAt acceptedBy { name } } } } } } }"
COPIES = "query Copies($id: ID!) { node(id: $id) { ... on Message { recipients { refused } } } }"
MARK = "mutation($input: TicketMarkSpamInput!) { ticketMarkSpam(input: $input) { tickets { isSpam } userErrors { code } } }"
UNMARK = "mutation($input: TicketUnmarkSpamInput!) { ticketUnmarkSpam(input: $input) { tickets { isSpam } userErrors { code } } }"
BLOCKED = "{ blockedSenders { id kind sender label reason createdBy { name } } }"
FIND_BLOCKED = "query($search: String) { blockedSenders(search: $search) { id sender } }"
BLOCK = "mutation($input: SenderBlockInput!) { senderBlock(input: $input) { blockedSender { id kind sender label } userErrors { code field } } }"
UNBLOCK = "mutation($input: SenderUnblockInput!) { senderUnblock(input: $input) { ok userErrors { code } } }"
IGNORED = "{ arrivals(states: [IGNORED]) { id reason } }"
RETRY = "mutation($input: ArrivalRetryInput!) { arrivalRetry(input: $input) { ok userErrors { code } } }"
ACCEPT = "mutation($input: ParticipantAcceptInput!) { participantAccept(input: $input) { ticket { id } userErrors { code field } } }"
REMOVE = "mutation($input: ParticipantRemoveInput!) { participantRemove(input: $input) { ticket { id } userErrors { code } } }"


TROUBLE = """query($id: ID!) { ticket(id: $id) { timeline(kinds: [MESSAGE]) { edges { node { ... on Message {
  direction deliveryError } } } } } }"""


async def listed(client: Client, **filter: bool) -> list[dict]:  # type: ignore[type-arg]
    return [edge["node"] for edge in (await client.ask(TICKETS, filter=filter))["tickets"]["edges"]]


async def test_spam_leaves_the_lists_and_its_sender_is_blocked_until_a_manager_says_otherwise(
    mailing: Mailing, ben: Client, mia: Client
) -> None:
    await mailing.comes(EVE, "Buy my watches.")
    (ticket,) = await listed(ben)

    marked = await ben.do(MARK, ids=[ticket["id"]], blockSender=True)
    await mailing.comes(EVE, "Only today.", subject="Watches")

    assert marked["tickets"] == [{"isSpam": True}]
    assert await listed(ben) == []
    assert [one["isSpam"] for one in await listed(ben, spam=True)] == [True]
    (blocked,) = (await mia.ask(BLOCKED))["blockedSenders"]
    assert (blocked["sender"], blocked["createdBy"]) == ("eve@example.net", {"name": "Ben"})
    async with mailing.house.db.transaction() as session:
        noted = select(AuditEntry).where(AuditEntry.kind == AuditKind.SENDER_BLOCKED)
        assert [one.actor_id for one in await session.scalars(noted)] == [row_id("Agent", ben.agent_id)]
    (ignored,) = (await mia.ask(IGNORED))["arrivals"]
    assert ignored["reason"] == "blocked sender: eve@example.net"

    assert (await mia.do(UNBLOCK, id=blocked["id"]))["ok"] is True
    assert (await mia.do(RETRY, id=ignored["id"]))["ok"] is True
    await mailing.opened()
    assert [one["preview"] for one in await listed(ben)] == ["Only today."]
    assert (await ben.do(UNMARK, ids=[ticket["id"]]))["tickets"] == [{"isSpam": False}]
    assert len(await listed(ben)) == 2


async def test_who_was_blocked_by_mistake_is_found_below_a_hundred_others(house: House, mia: Client) -> None:
    for sender in ("Ada@example.org", "+48 600 100 200"):
        assert await mia.refused(BLOCK, sender=sender) == []
    async with house.db.transaction() as session:
        at = await database_time(session)
        session.add_all(
            BlockedSender(sender=f"eve{number}@example.net", created_at=at) for number in range(100)
        )
    newest = (await mia.ask("{ blockedSenders(first: 100) { label } }"))["blockedSenders"]
    assert {one["label"][:3] for one in newest} == {"eve"}

    for piece, sender in (("ada@EXAMPLE.org ", "ada@example.org"), ("600-100-200", "+48600100200")):
        (found,) = (await mia.ask(FIND_BLOCKED, search=piece))["blockedSenders"]

        assert found["sender"] == sender
        assert (await mia.do(UNBLOCK, id=found["id"]))["ok"] is True
    assert (await mia.ask(FIND_BLOCKED, search="100%"))["blockedSenders"] == []


async def trouble(client: Client, mailing: Mailing) -> str:
    """With the shop's answer, as this agent reads it."""
    (ticket,) = await mailing.tickets()
    found = await client.ask(TROUBLE, id=public_id("Ticket", ticket.id))
    (answer,) = (
        edge["node"] for edge in found["ticket"]["timeline"]["edges"] if edge["node"]["direction"] == "OUT"
    )
    return str(answer["deliveryError"])


async def test_an_answer_that_is_late_says_so_in_the_agents_language_until_it_has_failed(
    mailing: Mailing, ben: Client
) -> None:
    await mailing.comes(ADA, "Is it in stock?")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket, by="Bo")
    async with mailing.house.db.transaction() as session:
        await session.execute(update(Agent).values(locale="es"))

    await mailing.brought(report(answer, "delayed", "4.4.7", "451 4.4.7 no connection"), envelope="")
    late = await trouble(ben, mailing)
    await mailing.brought(report(answer, "failed", "5.1.1", "550 5.1.1 no such user"), envelope="")
    failed = await trouble(ben, mailing)

    assert late.splitlines()[0].startswith("Todavía no ha llegado")
    assert "451 4.4.7 no connection" in late
    assert failed == "550 5.1.1 no such user"


async def test_a_copy_that_was_taken_back_says_so_in_the_agents_language(
    mailing: Mailing, ben: Client
) -> None:
    await mailing.comes(ADA, "Is it in stock?")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket, by="Bo")
    copied = {
        "to": [["Ada", "ada@example.org"]],
        "cc": [["Zofia", "zofia@example.com"]],
        "taken": ["ada@example.org"],
    }
    async with mailing.house.db.transaction() as session:
        sent = {"mail": copied, "delivery": DeliveryState.SENT}
        await session.execute(update(Message).where(Message.id == answer.id).values(**sent))
        await session.execute(update(Agent).values(locale="es"))

    await ben.do(MARK, ids=[public_id("Ticket", ticket.id)])

    found = await ben.ask(COPIES, id=public_id("Message", answer.id))
    assert [one["refused"] for one in found["node"]["recipients"]] == [
        None, "Se retiró antes de salir: el ticket está marcado como spam.",
    ]  # fmt: skip


def report(answer: Message, action: str, status: str, said: str) -> bytes:
    """Of the customer's mail server (RFC 3464)."""
    return f"""From: Mail Delivery System <mailer-daemon@mx.example.org>
To: help@shop.example
Subject: Delivery status
Message-ID: <{action}@mx.example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

About your mail.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; ada@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--b
Content-Type: text/rfc822-headers

Message-ID: <{answer.external_id}>
To: ada@example.org

--b--
""".replace("\n", "\r\n").encode()


async def test_an_answer_that_was_taken_back_as_spam_says_so_in_the_agents_language(
    mailing: Mailing, ben: Client
) -> None:
    await mailing.comes(EVE, "Buy my watches.")
    (ticket,) = await mailing.tickets()
    await mailing.answered(ticket, by="Bo")
    async with mailing.house.db.transaction() as session:
        await session.execute(update(Agent).values(locale="ca"))

    await ben.do(MARK, ids=[public_id("Ticket", ticket.id)])

    assert "correu brossa" in await trouble(ben, mailing)


async def test_a_ticket_that_is_spam_is_no_open_one_of_its_contact(mailing: Mailing, ben: Client) -> None:
    await mailing.comes(EVE, "Buy my watches.")
    (ticket,) = await listed(ben)
    (contact,) = (await ben.ask("{ contacts { edges { node { id } } } }"))["contacts"]["edges"]

    await ben.do(MARK, ids=[ticket["id"]])

    query = "query($id: ID!) { contact(id: $id) { openTickets { id } stats { tickets openTickets } } }"
    shown = (await ben.ask(query, id=contact["node"]["id"]))["contact"]
    assert (shown["openTickets"], shown["stats"]) == ([], {"tickets": 1, "openTickets": 0})


@pytest.mark.parametrize("writes_again", [True, False])
async def test_who_was_no_spam_and_wrote_again_meanwhile_is_not_left_in_a_solved_ticket(
    mailing: Mailing, ben: Client, writes_again: bool
) -> None:
    await mailing.comes(ADA, "Is this still to be had?")
    (ticket,) = await mailing.tickets()
    await mailing.solved(ticket, ago=timedelta(minutes=1))
    id = public_id("Ticket", ticket.id)
    await ben.do(MARK, ids=[id])
    if writes_again:
        await mailing.comes(ADA, "I ordered it!", subject="Re: Broken mug", To=await mailing.signed(ticket))

    await ben.do(UNMARK, ids=[id])

    read = "query($id: ID!) { ticket(id: $id) { status unreadCount } }"
    shown = (await ben.ask(read, id=id))["ticket"]
    assert (shown["status"], shown["unreadCount"]) == (("OPEN", 2) if writes_again else ("SOLVED", 0))


@pytest.mark.parametrize(
    "sender",
    [
        "help@shop.example",
        "shop.example",
        "example",
        "not an address",
        "a@b@c",
        "",
        "+48 22 123 45 67",
        "600 10",
    ],
)
async def test_what_is_no_sender_or_the_shops_own_is_not_blocked(
    mailing: Mailing, mia: Client, sender: str
) -> None:
    async with mailing.house.db.transaction() as session:
        await a_channel(session, mailing.house.keys, ChannelKind.PHONE)

    assert await mia.refused(BLOCK, sender=sender) == ["INVALID"]


async def test_an_agent_accepts_who_was_noted_and_removes_them_again(mailing: Mailing, ben: Client) -> None:
    await mailing.comes("Ada <ada@example.org>", "It came broken.", Cc=ZOFIA)
    async with mailing.house.db.transaction() as session:
        thread = public_id("Thread", (await session.scalars(select(Thread.id))).one())

    assert (await ben.do(ACCEPT, threadId=thread, address="Zofia@Example.com"))["userErrors"] == []
    for wrong in ("help@shop.example", "not an address"):
        (error,) = (await ben.do(ACCEPT, threadId=thread, address=wrong))["userErrors"]
        assert (error["code"], error["field"]) == ("INVALID", ["address"])

    ((zofia,),) = [thread["participants"] for thread in (await listed(ben))[0]["threads"]]
    assert (zofia["address"], zofia["acceptedBy"]) == ("zofia@example.com", {"name": "Ben"})
    assert (await ben.do(REMOVE, id=zofia["id"]))["userErrors"] == []
    assert [thread["participants"] for thread in (await listed(ben))[0]["threads"]] == [[]]
    told = "{ tickets { edges { node { timeline(first: 2, kinds: [EVENT]) { edges { node { ... on SystemEvent { text } } } } } } } }"
    ((edge,),) = [(await ben.ask(told))["tickets"]["edges"]]
    assert [one["node"]["text"] for one in edge["node"]["timeline"]["edges"]] == [
        "Ben let somebody take part in the conversation no more.",
        "Ben let somebody else take part in the conversation.",
    ]


SAID: dict[ChannelKind, Inbound] = {
    ChannelKind.CHAT: a_chat("v1", "Buy my watches."),
    ChannelKind.MESSENGER: a_messenger_message("p1", "Buy my watches."),
    ChannelKind.PHONE: a_call_step("c1", CallStep.RINGING),
}


async def heard(house: House, kind: ChannelKind, said: Inbound) -> str | Waits | None:
    """Why nothing came of it."""
    async with house.db.transaction() as session:
        channel = await session.scalar(select(Channel).where(Channel.kind == kind))
        channel = channel or await a_channel(session, house.keys, kind)
        kept = await keep(session, channel, external_id=str(uuid.uuid4()), raw=b"")
        return await intake.receive(session, channel, await session.get_one(Arrival, kept), said)


@pytest.mark.parametrize("kind", SAID)
@pytest.mark.parametrize("by_ticket", [True, False], ids=["by its ticket", "by the identity"])
async def test_visitors_messenger_people_and_callers_are_blocked_like_senders(
    house: House, ben: Client, mia: Client, kind: ChannelKind, by_ticket: bool
) -> None:
    assert await heard(house, kind, SAID[kind]) is None
    (ticket,) = await listed(ben)
    async with house.db.transaction() as session:
        identity = (await session.scalars(select(Identity))).one()

    if by_ticket:
        await ben.do(MARK, ids=[ticket["id"]], blockSender=True)
    else:
        blocked = await mia.do(BLOCK, identityId=public_id("Identity", identity.id))
        assert blocked["blockedSender"]["label"] == identity.label
    (blocked,) = (await mia.ask(BLOCKED))["blockedSenders"]
    again = _another(SAID[kind])
    reason = await heard(house, kind, again)
    await mia.do(UNBLOCK, id=blocked["id"])

    assert (blocked["kind"], blocked["sender"]) == (identity.kind.name, identity.value)
    assert reason == f"blocked sender: {identity.value}"
    assert await heard(house, kind, again) is None


def _another(said: Inbound) -> Inbound:
    """Of the same person."""
    if isinstance(said, InboundCall):
        return replace(said, call_id="c2")
    assert isinstance(said, InboundMessage)
    return replace(said, external_id="another")


async def test_a_call_that_was_taken_up_ends_though_its_caller_was_blocked_meanwhile(
    house: House, mia: Client
) -> None:
    assert await heard(house, ChannelKind.PHONE, a_call_step("c1", CallStep.RINGING)) is None
    blocked = await mia.do(BLOCK, sender="600 100 200")

    ended = await heard(house, ChannelKind.PHONE, a_call_step("c1", CallStep.ENDED))
    calls_back = await heard(house, ChannelKind.PHONE, a_call_step("c2", CallStep.RINGING, outgoing=True))

    assert blocked["blockedSender"]["sender"] == "+48600100200"
    assert (ended, calls_back) == (None, None)


async def test_a_signed_visitor_whose_address_is_blocked_is_not_placed_and_an_unsigned_one_is(
    house: House, mia: Client
) -> None:
    await mia.do(BLOCK, sender="example.net")

    signed = await heard(house, ChannelKind.CHAT, a_chat("v1", email="eve@example.net"))
    typed = await heard(house, ChannelKind.CHAT, a_chat("v2", email="eve@example.net", signed=False))

    assert (signed, typed) == ("blocked sender: example.net", None)
    assert await mia.refused(BLOCK) == ["INVALID"]
    assert await mia.refused(BLOCK, sender="a.example", identityId="x") == ["INVALID"]

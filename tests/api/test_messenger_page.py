"""A page is connected, and what agents see of its messages."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from api.house import House
from demo.farends import messenger_events as meta
from demo.farends.graph import Page
from domain.agents.staff import Agent, Team
from domain.db import new_id
from domain.desk.messages import Attachment, Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.ids import public_id
from domain.keys import Keys
from domain.ways_in.channels import Channel
from integrations.messenger.page import MessengerPage
from tests.client import Client
from tests.integrations.messaging import ADA, PAGE_ID, Messaging, at_work, lately

CONNECT = """mutation Connect($input: MessengerPageConnectInput!) { messengerPageConnect(input: $input) {
  channel { id slug name isHealthy } webhookUrl verifyToken missingFields userErrors { code field message } } }"""
SEND = """mutation Send($input: MessageSendInput!) { messageSend(input: $input) {
  message { delivery } userErrors { code message } } }"""
SHOWN = """query Shown($id: ID!) { ticket(id: $id) {
  replyChannels { id canReply replyWindow { isOpen closesAt humanAgentUntil reason } }
  timeline(kinds: [MESSAGE]) { edges { node { ... on Message {
    text editedAt unsentAt deliveryError reactions { emoji fromShop } attachments { name url lost } } } } } } }"""

SPLIT = """mutation Split($input: ThreadMoveInput!) { threadMove(input: $input) {
  tickets { id } userErrors { code field message } } }"""
PRESSED = """query Pressed($id: ID!) { ticket(id: $id) { timeline(kinds: [MESSAGE]) { edges { node { ... on Message {
  text payload } } } } } }"""
REPLIES = """query Replies($id: ID!) { ticket(id: $id) { timeline(kinds: [MESSAGE]) { edges { node { ... on Message {
  id text repliesTo { id text direction } } } } } } }"""


@pytest.fixture
async def page(house: House) -> AsyncIterator[Messaging]:
    async with at_work(house) as messaging:
        yield messaging


async def test_a_page_is_connected_subscribed_and_works_beside_another(
    admin: Client, page: Messaging, anybody: Client
) -> None:
    second = Page("9002", "Sklep Ady", may_not=frozenset({"message_echoes"}))
    page.graph.pages["second-token"] = second

    done = await admin.do(CONNECT, pageToken="second-token", appSecret="app-secret")

    assert done["userErrors"] == []
    assert done["channel"]["name"] == "Sklep Ady"
    assert done["webhookUrl"] == "http://heddle.test/hooks/messenger/sklep-ady"
    assert done["missingFields"] == ["message_echoes"]
    assert "message_reactions" in second.subscribed
    asked = {"hub.mode": "subscribe", "hub.challenge": "42", "hub.verify_token": done["verifyToken"]}
    assert (await anybody.http.get("/hooks/messenger/sklep-ady", params=asked)).text == "42"
    await page.comes(meta.text_message(ADA, PAGE_ID, "To the first"))
    await page.comes(meta.text_message("888", "9002", "To the second"), slug="sklep-ady")
    await page.answers("From the first")
    await page.answers("From the second", to="888")
    await page.carried()
    await page.carried()
    assert {(sent.page_id, sent.to) for sent in page.graph.sent} == {(PAGE_ID, ADA), ("9002", "888")}


async def test_connecting_again_gives_the_page_its_new_token(admin: Client, page: Messaging) -> None:
    page.graph.pages = {"new-token": page.graph.pages["page-token"]}
    await page.comes(meta.text_message(ADA, PAGE_ID, "Hi"))
    queued = await page.answers()
    await page.carried()
    ill = await page.channel()

    done = await admin.do(CONNECT, pageToken="new-token", appSecret="app-secret")
    await page.set(Message, due_at=lately())
    await page.carried()

    assert ill.refused_at
    assert (done["channel"]["slug"], done["channel"]["isHealthy"]) == ("messenger", True)
    assert done["verifyToken"] == "verify-token"
    assert (await page.message(queued.id)).external_id


async def test_connecting_again_mends_a_page_that_was_sealed_with_another_key(
    house: House, admin: Client, page: Messaging
) -> None:
    await page.set(Channel, secrets=Keys("a key that was lost a long time ago").encrypt({"page_token": "x"}))

    done = await admin.do(CONNECT, pageToken="page-token", appSecret="app-secret")

    assert done["userErrors"] == []
    assert done["verifyToken"]
    kept = MessengerPage.of(await page.channel(), house.keys)
    assert kept.secrets() == {
        "page_token": "page-token",
        "app_secret": "app-secret",
        "verify_token": done["verifyToken"],
    }


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"pageToken": "guessed", "appSecret": "app-secret"}, "PROVIDER_REFUSED"),
        ({"pageToken": "page-token", "appSecret": "wrong"}, "PROVIDER_REFUSED"),
        ({"pageToken": " ", "appSecret": "app-secret"}, "INVALID"),
        ({"pageToken": "page-token", "appSecret": "sekręt"}, "INVALID"),
    ],
)
async def test_what_meta_refuses_is_told_and_nothing_is_kept(
    admin: Client, page: Messaging, given: dict[str, str], code: str
) -> None:
    done = await admin.do(CONNECT, **given)

    assert [error["code"] for error in done["userErrors"]] == [code]
    assert done["channel"] is None
    assert "guessed" not in str(done)


async def test_only_an_admin_connects_a_page(mia: Client, page: Messaging) -> None:
    refused = await mia.refused(CONNECT, pageToken="page-token", appSecret="app-secret")

    assert refused == ["NOT_ALLOWED"]


async def shown(ben: Client, page: Messaging) -> dict[str, Any]:
    ticket = await page.ticket()
    found = await ben.ask(SHOWN, id=public_id("Ticket", ticket.id))
    return dict(found["ticket"])


async def test_an_agent_sees_edits_hearts_what_was_taken_back_and_files_that_are_lost(
    ben: Client, page: Messaging
) -> None:
    await page.comes(
        meta.text_message(ADA, PAGE_ID, "One", mid="m1", at=lately(minutes=9)),
        meta.text_message(ADA, PAGE_ID, "Secret", mid="m2", at=lately(minutes=8)),
        meta.photo_message(ADA, PAGE_ID, f"{page.graph.url}/media/expired", at=lately(minutes=7)),
        meta.edit(ADA, PAGE_ID, "m1", "Two", at=lately(minutes=6)),
        meta.unsent(ADA, PAGE_ID, "m2", at=lately(minutes=6)),
        meta.reaction(ADA, PAGE_ID, "m1", "😢", at=lately(minutes=6)),
    )
    await page.set(Attachment, due_at=None, last_error="The provider does not give this file out.\nHTTP 403")
    await page.set(Agent, locale="es")

    seen = await shown(ben, page)

    photo, taken_back, edited = (edge["node"] for edge in seen["timeline"]["edges"])
    assert (edited["text"], edited["reactions"]) == ("Two", [{"emoji": "😢", "fromShop": False}])
    assert edited["editedAt"]
    assert (taken_back["text"], edited["unsentAt"]) == ("", None)
    assert taken_back["unsentAt"]
    assert photo["attachments"] == [
        {"name": "expired", "url": None, "lost": "El proveedor no entrega este archivo.\nHTTP 403"}
    ]


async def test_an_agent_sees_which_button_a_customer_pressed(ben: Client, page: Messaging) -> None:
    quick = meta.text_message(ADA, PAGE_ID, "Yes", at=lately(minutes=8))
    quick["message"]["quick_reply"] = {"payload": "KEEP_ORDER_1001"}
    pressed = meta.postback(ADA, PAGE_ID, "TRACK_1002", title="Track", at=lately(minutes=7))
    await page.comes(quick, pressed, meta.text_message(ADA, PAGE_ID, "Thanks", at=lately(minutes=6)))

    found = await ben.ask(PRESSED, id=public_id("Ticket", (await page.ticket()).id))

    said = [edge["node"] for edge in found["ticket"]["timeline"]["edges"]]
    assert {one["text"]: one["payload"] for one in said} == {
        "Yes": "KEEP_ORDER_1001", "Track": "TRACK_1002", "Thanks": None,
    }  # fmt: skip


async def test_an_agent_sees_which_message_a_customer_answers(ben: Client, page: Messaging) -> None:
    await page.comes(meta.text_message(ADA, PAGE_ID, "The red or the blue?", mid="m1", at=lately(minutes=9)))
    ours = await page.answers("Which size?", files=[("sizes.png", "image/png", b"\x89PNG")])
    await page.carried()
    await page.carried()
    left = (await page.message(ours.id)).particulars or {}
    of_picture = left["parts"]["1"]["id"]
    await page.comes(
        answer("This one, please", to="m1"), answer("M", to=of_picture), answer("Hm", to="m_gone")
    )

    found = await ben.ask(REPLIES, id=public_id("Ticket", (await page.ticket()).id))

    said = [edge["node"] for edge in found["ticket"]["timeline"]["edges"]]
    ids = {one["text"]: one["id"] for one in said}
    assert {one["text"]: one["repliesTo"] for one in said} == {
        "The red or the blue?": None,
        "Which size?": None,
        "This one, please": {
            "id": ids["The red or the blue?"], "text": "The red or the blue?", "direction": "IN",
        },
        "M": {"id": ids["Which size?"], "text": "Which size?", "direction": "OUT"},
        "Hm": None,
    }  # fmt: skip


async def test_what_a_message_answers_is_shown_to_those_who_see_that_ticket(
    ben: Client, mia: Client, page: Messaging
) -> None:
    await page.comes(meta.text_message(ADA, PAGE_ID, "My card: 4111", mid="m1", at=lately(minutes=9)))
    await page.comes(answer("Is it blue?", to="m1"))
    old = await page.ticket()
    _, asked = await page.messages()
    assert asked.thread_id
    item = public_id("Message", asked.id)
    moved = await ben.do(SPLIT, threadId=public_id("Thread", asked.thread_id), fromItemId=item)
    async with page.house.db.transaction() as session:
        returns = Team(id=new_id(), name="Returns")
        session.add(returns)
        await session.flush()
        await session.execute(update(Ticket).where(Ticket.id == old.id).values(team_id=returns.id))
    new = [one["id"] for one in moved["tickets"] if one["id"] != public_id("Ticket", old.id)]

    seen = [await one.ask(REPLIES, id=new[0]) for one in (ben, mia)]

    nodes = [found["ticket"]["timeline"]["edges"][0]["node"] for found in seen]
    assert [node["text"] for node in nodes] == ["Is it blue?"] * 2
    assert nodes[0]["repliesTo"] is None
    assert nodes[1]["repliesTo"]["text"] == "My card: 4111"


def answer(text: str, *, to: str) -> meta.Event:
    event = meta.text_message(ADA, PAGE_ID, text)
    event["message"]["reply_to"] = {"mid": to}
    return event


async def test_an_answer_after_a_day_needs_the_tick_and_its_failure_is_told_in_words(
    ben: Client, page: Messaging
) -> None:
    await page.comes(meta.text_message(ADA, PAGE_ID, "Hi", at=lately(hours=2)))
    await page.set(Thread, last_inbound_at=lately(hours=30))
    seen = await shown(ben, page)
    (way,) = seen["replyChannels"]
    ticket = public_id("Ticket", (await page.ticket()).id)
    answer = {"ticketId": ticket, "identityId": way["id"], "text": "Sorry!", "lastSeenSeq": 10**15}

    unticked = await ben.do(SEND, **answer)
    ticked = await ben.do(SEND, **answer, humanAgent=True)
    page.graph.misbehave("held_elsewhere")
    await page.carried()

    assert (way["canReply"], way["replyWindow"]["isOpen"]) == (False, False)
    assert "7 days" in way["replyWindow"]["reason"]
    assert way["replyWindow"]["humanAgentUntil"] > way["replyWindow"]["closesAt"]
    assert [error["code"] for error in unticked["userErrors"]] == ["WINDOW_CLOSED"]
    assert "7 days" in unticked["userErrors"][0]["message"]
    assert ticked["userErrors"] == []
    (failed, _) = (edge["node"] for edge in (await shown(ben, page))["timeline"]["edges"])
    assert failed["deliveryError"].splitlines()[0].startswith("Another program has this conversation")
    assert "10/2018300" in failed["deliveryError"]

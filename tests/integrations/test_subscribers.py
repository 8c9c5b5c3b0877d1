"""Events on their way to who subscribed: through a real client, to a receiver in all moods, checked by a verifier of others."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from api.house import House
from demo.farends import SmtpSink
from domain.actors import Role
from domain.addresses import is_public
from domain.arriving.inbound import CallStep, InboundAttachment
from domain.db import database_time, new_id
from domain.desk.messages import Attachment
from domain.following import begin
from domain.ids import row_id
from domain.ways_in.channels import ChannelKind
from domain.webhooks import KEPT_FOR, OFF_AFTER, OVERLAP, POSTS, Post, PostState, Webhook
from integrations.mail.sending.system import SystemPost
from integrations.outbound import SendRefused
from integrations.settings import IntegrationSettings
from integrations.subscribers import posting
from integrations.subscribers.addresses import target_of
from integrations.subscribers.posting import READER, WAITS, Subscribers
from tests.client import Client
from tests.doors import answering
from tests.factories import a_call_step, a_channel, a_mail, receive
from tests.integrations.receiver import Receiver, nobody_at_the_first

SAVE = """mutation($input: WebhookSaveInput!) { webhookSave(input: $input) {
  webhook { id url events enabled } secret userErrors { code field } } }"""
ROTATE = (
    "mutation($input: WebhookInput!) { webhookRotateSecret(input: $input) { secret userErrors { code } } }"
)
DELETE = "mutation($input: WebhookInput!) { webhookDelete(input: $input) { ok userErrors { code } } }"
TEST = (
    "mutation($input: WebhookInput!) { webhookTest(input: $input) { delivery { id } userErrors { code } } }"
)
REPLAY = "mutation($input: WebhookInput!) { webhookReplay(input: $input) { delivery { id state } userErrors { code } } }"
WEBHOOKS = "{ webhooks { id enabled offBecause failingSince } }"
DELIVERIES = """query($id: ID!) { webhookDeliveries(webhookId: $id) {
  id event state payload nextAttemptAt attempts { status error answer milliseconds } } }"""
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
TICKETS = "{ tickets { edges { node { id } } } }"


@pytest.fixture
async def house(house: House) -> House:
    return replace(house, integrations=IntegrationSettings(webhooks_private=True))


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture
async def subscribers(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Subscribers]:
    monkeypatch.setattr(posting, "LONGEST", 0.7)
    monkeypatch.setattr(posting, "CONNECT", 0.3)
    monkeypatch.setattr(posting, "READING", 0.2)
    made = Subscribers(house.db, house.keys, IntegrationSettings(webhooks_private=True))
    async with made._http:
        yield made


async def subscribed(admin: Client, url: str, **others: Any) -> tuple[str, str]:
    """The endpoint's id, and its secret."""
    made = await admin.do(SAVE, url=url, **others)
    assert made["userErrors"] == []
    return made["webhook"]["id"], made["secret"]


async def deliveries(admin: Client, id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await admin.ask(DELIVERIES, id=id))["webhookDeliveries"]
    return found


async def posted(house: House, subscribers: Subscribers) -> Post:
    """What is due, once, as if it were due now."""
    async with house.db.transaction() as session:
        await session.execute(
            update(Post).where(Post.due_at.is_not(None)).values(due_at=await database_time(session))
        )
    async with house.db.transaction() as session:
        ((post, lease),) = await POSTS.claim(session, 5)
    await subscribers.post(post, lease)
    async with house.db.transaction() as session:
        return await session.get_one(Post, post.id)


@pytest.mark.parametrize(
    ("mood", "status", "error", "wait"),
    [
        ("broken", 500, None, 5),
        ("unknown", 404, None, 5),
        ("busy", 429, None, 600),
        ("elsewhere", 302, None, 5),
        ("garbage", None, "RemoteProtocolError", 5),
        ("cut", None, "RemoteProtocolError", 5),
        ("silent", None, "no answer in", 5),
        ("slow", None, "no answer in", 5),
        ("refusing", None, "ConnectError", 5),
        ("no TLS", None, "ConnectTimeout", 5),
    ],
)
async def test_what_fails_is_logged_and_tried_again_under_the_same_id(
    house: House,
    admin: Client,
    receiver: Receiver,
    subscribers: Subscribers,
    mood: str,
    status: int | None,
    error: str | None,
    wait: int,
) -> None:
    url = receiver.url
    if mood == "refusing":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
    elif mood == "no TLS":
        url = url.replace("http:", "https:")
    else:
        receiver.mood = mood
    id, _ = await subscribed(admin, url)
    await admin.do(TEST, id=id)

    post = await posted(house, subscribers)

    (delivery,) = await deliveries(admin, id)
    (attempt,) = delivery["attempts"]
    assert (delivery["state"], attempt["status"]) == ("WAITING", status)
    assert (error or "") in (attempt["error"] or "")
    async with house.db.transaction() as session:
        left = (post.due_at - await database_time(session)).total_seconds()  # type: ignore[operator]
    assert wait - 5 < left <= wait * 1.1
    assert all(one.path == "/hook" for one in receiver.posted), "it follows nobody elsewhere"

    receiver.mood = "well"
    async with house.db.transaction() as session:
        await session.execute(update(Webhook).values(url=receiver.url))
    await posted(house, subscribers)
    (delivery,) = await deliveries(admin, id)
    assert delivery["state"] == "DELIVERED"
    assert len({one.headers["webhook-id"] for one in receiver.posted if "webhook-id" in one.headers}) == 1
    assert [one["status"] for one in delivery["attempts"]] == [status, 204]


async def test_an_answer_without_end_is_read_for_a_kilobyte(
    house: House, admin: Client, receiver: Receiver, subscribers: Subscribers
) -> None:
    receiver.mood = "endless"
    id, _ = await subscribed(admin, receiver.url)
    await admin.do(TEST, id=id)

    await posted(house, subscribers)

    (delivery,) = await deliveries(admin, id)
    assert delivery["state"] == "DELIVERED"
    assert delivery["attempts"][0]["answer"] == "x" * 1024


@pytest.mark.parametrize("mood", ["hanging", "short"])
async def test_what_arrived_has_arrived_whatever_becomes_of_the_answer(
    house: House, admin: Client, receiver: Receiver, subscribers: Subscribers, mood: str
) -> None:
    receiver.mood = mood
    id, _ = await subscribed(admin, receiver.url)
    await admin.do(TEST, id=id)

    assert (await posted(house, subscribers)).state == PostState.DELIVERED


async def test_one_that_hangs_keeps_no_hand_from_the_others(
    house: House, admin: Client, receiver: Receiver, subscribers: Subscribers
) -> None:
    async with Receiver("silent") as hanging:
        id, _ = await subscribed(admin, hanging.url)
        await admin.do(TEST, id=id)
        await posted(house, subscribers)
        for _ in range(5):
            await admin.do(TEST, id=id)
        other, _ = await subscribed(admin, receiver.url)
        await admin.do(TEST, id=other)

        async with house.db.transaction() as session:
            await session.execute(update(Post).where(Post.failures > 0).values(due_at=None))
        claimed = []
        for _ in range(4):
            async with house.db.transaction() as session:
                claimed += [post.webhook_id for post, _ in await POSTS.claim(session, 1)]

    assert sorted(map(str, claimed)) == sorted(str(row_id("Webhook", one)) for one in (id, other))


async def test_two_endpoints_at_one_address_share_neither_connection_nor_cookie(
    house: House, admin: Client, receiver: Receiver, subscribers: Subscribers
) -> None:
    receiver.mood = "sweet"
    for path in ("one", "other"):
        id, _ = await subscribed(admin, receiver.url.replace("hook", path))
        await admin.do(TEST, id=id)
        await posted(house, subscribers)

    assert receiver.connections == 2
    assert not any("cookie" in one.headers for one in receiver.posted)


async def test_a_new_address_is_not_blamed_for_the_old_one(
    house: House, admin: Client, receiver: Receiver, subscribers: Subscribers
) -> None:
    receiver.mood = "gone"
    id, _ = await subscribed(admin, receiver.url)
    await admin.do(TEST, id=id)
    async with house.db.transaction() as session:
        ((post, lease),) = await POSTS.claim(session, 5)
        old = await session.get_one(Webhook, post.webhook_id)
    outcome = await subscribers._send(old, post, old.created_at)
    await admin.do(SAVE, id=id, url=receiver.url.replace("hook", "new"))

    async with house.db.transaction() as session:
        await subscribers._settle(session, old.url, post, lease, outcome, await database_time(session))

    (webhook,) = (await admin.ask(WEBHOOKS))["webhooks"]
    assert (webhook["enabled"], webhook["failingSince"]) == (True, None)


async def test_it_is_tried_from_five_seconds_to_a_day_and_then_given_up(
    house: House, admin: Client, receiver: Receiver, subscribers: Subscribers
) -> None:
    receiver.mood = "broken"
    id, _ = await subscribed(admin, receiver.url)
    await admin.do(TEST, id=id)

    waits = []
    for _ in WAITS:
        post = await posted(house, subscribers)
        async with house.db.transaction() as session:
            waits.append((post.due_at - await database_time(session)).total_seconds())  # type: ignore[operator]
    last = await posted(house, subscribers)

    assert all(wait - 5 < waited <= wait * 1.1 for wait, waited in zip(WAITS, waits, strict=True))
    assert (last.state, last.due_at) == (PostState.FAILED, None)
    assert len((await deliveries(admin, id))[0]["attempts"]) == len(WAITS) + 1

    receiver.mood = "well"
    replayed = await admin.do(REPLAY, id=(await deliveries(admin, id))[0]["id"])
    assert replayed["delivery"]["state"] == "WAITING"
    assert (await posted(house, subscribers)).state == PostState.DELIVERED
    assert len({one.headers["webhook-id"] for one in receiver.posted}) == 1


async def test_signatures_are_verified_by_others_before_during_and_after_a_rotation(
    house: House, admin: Client, receiver: Receiver, subscribers: Subscribers
) -> None:
    id, old = await subscribed(admin, receiver.url)

    async def verified(*secrets: str) -> list[bool]:
        await admin.do(TEST, id=id)
        await posted(house, subscribers)
        sent = receiver.posted[-1]
        return [_verifies(secret, sent.body, sent.headers) for secret in secrets]

    assert await verified(old) == [True]
    new = (await admin.do(ROTATE, id=id))["secret"]
    assert await verified(old, new) == [True, True]
    async with house.db.transaction() as session:
        await session.execute(update(Webhook).values(rotated_at=Webhook.rotated_at - OVERLAP))
    assert await verified(old, new) == [False, True]


def _verifies(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Verifier(secret).verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


async def test_an_event_is_posted_once_to_each_who_hears_of_it_though_two_work(
    house: House, admin: Client, receiver: Receiver
) -> None:
    async with house.db.transaction() as session:
        await begin(session, READER)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
    settings = IntegrationSettings(webhooks_private=True)
    async with Receiver() as all_of_it, AsyncExitStack() as stack:
        await subscribed(admin, receiver.url, events=["NOTE_ADDED", "TICKET_OPENED"])
        await subscribed(admin, all_of_it.url)
        off, _ = await subscribed(admin, all_of_it.url.replace("hook", "off"), enabled=False)
        working = [asyncio.create_task(Subscribers(house.db, house.keys, settings).run()) for _ in "ab"]
        stack.callback(lambda: [task.cancel() for task in working])
        async with house.db.transaction() as session:
            await receive(session, mailbox, a_mail("ada@example.org", "A secret of Ada's", sender_name="Ada"))
        (edge,) = (await admin.ask(TICKETS))["tickets"]["edges"]
        for number in range(10):
            await admin.do(NOTE, ticketId=edge["node"]["id"], text=f"A secret note {number}")

        async with asyncio.timeout(20):
            while len(receiver.posted) < 11 or len(all_of_it.posted) < 15:
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)

    said = [json.loads(one.body) for one in receiver.posted]
    assert sorted(one["type"] for one in said) == ["note_added"] * 10 + ["ticket_opened"]
    assert len({one.headers["webhook-id"] for one in receiver.posted}) == 11
    assert {one["data"]["ticketId"] for one in said} == {edge["node"]["id"]}
    assert all(one["data"]["actorId"] == admin.agent_id for one in said if one["type"] == "note_added")
    seqs = [json.loads(one.body)["data"]["seq"] for one in all_of_it.posted]
    assert len(seqs) == len(set(seqs))
    assert {one.path for one in all_of_it.posted} == {"/hook"}
    assert await deliveries(admin, off) == []
    assert b"secret" not in b"".join(one.body for one in [*receiver.posted, *all_of_it.posted])


async def test_what_becomes_of_a_recording_names_the_call_by_an_id_that_finds_it(
    house: House, admin: Client, receiver: Receiver
) -> None:
    recording = InboundAttachment("RE1.mp3", "audio/mpeg", url="https://recordings.example/RE1.mp3")
    async with house.db.transaction() as session:
        await begin(session, READER)
        line = await a_channel(session, house.keys, ChannelKind.PHONE)
        await receive(session, line, a_call_step("c1", CallStep.RINGING))
        await receive(session, line, a_call_step("c1", CallStep.VOICEMAIL))
        await receive(session, line, a_call_step("c1", CallStep.RECORDED, recording=recording, consent="1"))
    await subscribed(admin, receiver.url, events=["ATTACHMENT_LOST"])
    working = Subscribers(house.db, house.keys, IntegrationSettings(webhooks_private=True)).run()
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(working)

        async with house.db.transaction() as session:
            (kept,) = await session.scalars(select(Attachment))
            await kept.give_up(session, at=await database_time(session))
        while not receiver.posted:
            await asyncio.sleep(0.05)
        task.cancel()

    told = json.loads(receiver.posted[0].body)
    assert told["type"] == "attachment_lost"
    found = await admin.ask("query($id: ID!) { node(id: $id) { __typename } }", id=told["data"]["itemId"])
    assert found == {"node": {"__typename": "Call"}}


@pytest.mark.parametrize("because", ["GONE", "FAILING"])
async def test_who_is_gone_or_fails_for_days_is_switched_off_and_the_admins_are_told(
    house: House, admin: Client, mia: Client, receiver: Receiver, subscribers: Subscribers, because: str
) -> None:
    receiver.mood = "gone" if because == "GONE" else "broken"
    id, _ = await subscribed(admin, receiver.url)
    for _ in "ab":
        await admin.do(TEST, id=id)
    async with house.db.transaction() as session:
        if because == "FAILING":
            now = await database_time(session)
            await session.execute(update(Webhook).values(failing_since=now - OFF_AFTER))
        ((post, lease), _) = await POSTS.claim(session, 5)
    await subscribers.post(post, lease)

    (webhook,) = (await admin.ask(WEBHOOKS))["webhooks"]
    assert (webhook["enabled"], webhook["offBecause"]) == (False, because)
    assert {one["state"] for one in await deliveries(admin, id)} == {"FAILED"}
    async with SmtpSink() as sink:
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        sending = asyncio.create_task(SystemPost(house.db, house.keys, settings).run())
        mail = await sink.next_mail(10)
        sending.cancel()
    assert mail.recipients == ["admin@shop.example"]
    assert receiver.url in mail.message.get_content()
    assert len(sink.mails) == 1

    receiver.mood = "well"
    assert (await admin.do(SAVE, id=id, enabled=True))["webhook"]["enabled"]
    await admin.do(REPLAY, id=(await deliveries(admin, id))[0]["id"])
    assert (await posted(house, subscribers)).state == PostState.DELIVERED


async def test_a_deleted_endpoint_gets_nothing_more(
    house: House, admin: Client, receiver: Receiver, subscribers: Subscribers
) -> None:
    id, _ = await subscribed(admin, receiver.url)
    await admin.do(TEST, id=id)

    assert (await admin.do(DELETE, id=id))["ok"]

    async with house.db.transaction() as session:
        assert await POSTS.claim(session, 5) == []
        assert (await session.scalars(select(Post))).all() == []
    assert (await admin.ask(WEBHOOKS))["webhooks"] == []
    assert timedelta(days=30) == KEPT_FOR


async def test_an_endpoint_is_a_public_https_address(house: House) -> None:
    async with (
        answering(replace(house, integrations=IntegrationSettings())) as door,
        Client(door, house.db, "Bo", Role.ADMIN) as bo,
    ):
        for url in (
            "",
            "http://example.org/",
            "ftp://example.org",
            "https://a:b@example.org/",
            "https://",
            "x",
        ):
            made = await bo.do(SAVE, url=url)
            assert [error["field"] for error in made["userErrors"]] == [["url"]], url
        assert (await bo.do(SAVE, url="https://example.org/hook"))["userErrors"] == []


SPELLINGS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "0x7f.1",
    "0x7f000001",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.000.000.001",
    "0x7f.0x0.0x0.0x1",
    "127.0.0.1.",
    "127.127.127.127",
    "127.0.0.2",
    "0.0.0.0",
    "0",
    "0x0",
    "00",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost",
    "10.0.0.1",
    "10.1",
    "012.0.0.1",
    "0x0a000001",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.1",
    "0xc0a80001",
    "3232235521",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "169.254.43518",
    "100.64.0.1",
    "100.127.255.254",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[ff02::1]",
    "[fec0::1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::10.0.0.1]",
    "[64:ff9b:1::1]",
    "[2002:7f00:1::]",
    "[2002:a00:1::1]",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]",
    "[2001:db8::1]",
    "[100::1]",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "１２７.０.０.１",
    "loc𝐚lhost",
]


async def test_no_spelling_leads_into_our_own_network(house: House) -> None:
    assert len(SPELLINGS) >= 60
    subscribers = Subscribers(house.db, house.keys, IntegrationSettings())
    async with Receiver() as inside, subscribers._http:
        for spelling in SPELLINGS:
            for scheme in ("https", "http"):
                url = f"{scheme}://{spelling}:{inside.port}/"
                with pytest.raises((SendRefused, ConnectionError)):
                    await target_of(url, private=False)
                webhook = Webhook(
                    url=url, sealed=house.keys.encrypt({"secret": "whsec_AAAA"}), rotated_at=None
                )
                made = Post(id=new_id(), payload={})
                async with house.db.transaction() as session:
                    outcome = await subscribers._send(webhook, made, await database_time(session))
                assert outcome.error, spelling
                assert outcome.status is None

    assert inside.connections == 0


async def test_the_address_that_was_checked_is_the_one_connected_to(
    house: House, admin: Client, receiver: Receiver, subscribers: Subscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, asked = asyncio.get_running_loop(), []

    async def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = "127.0.0.1" if len(asked) == 1 else "192.0.2.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    id, _ = await subscribed(admin, f"http://rebind.example:{receiver.port}/hook")
    await admin.do(TEST, id=id)
    monkeypatch.setattr(loop, "getaddrinfo", rebinding)
    with suppress(Exception):
        await posted(house, subscribers)

    assert asked[0] == "rebind.example"
    assert receiver.posted[0].headers["host"] == f"rebind.example:{receiver.port}"


async def test_an_endpoint_of_two_addresses_is_reached_by_the_second_where_nobody_is_at_the_first(
    house: House, admin: Client, receiver: Receiver, subscribers: Subscribers, monkeypatch: pytest.MonkeyPatch
) -> None:
    id, _ = await subscribed(admin, f"http://both.example:{receiver.port}/hook")
    await admin.do(TEST, id=id)
    with monkeypatch.context() as patched:
        patched.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody_at_the_first)
        post = await posted(house, subscribers)

    assert post.state == PostState.DELIVERED
    assert [one.headers["host"] for one in receiver.posted] == [f"both.example:{receiver.port}"]


@pytest.mark.parametrize("second", ["10.0.0.1", "127.0.0.1"])
async def test_a_name_with_one_private_address_among_others_is_refused(
    monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    async def both(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("1.1.1.1", second)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)

    with pytest.raises(SendRefused, match="private"):
        await target_of("https://both.example/", private=False)
    assert is_public(ip_address("1.1.1.1"))
    assert is_public(ip_address("2606:4700::1111"))

"""The website widget's socket."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import jwt
import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.house import House
from domain.actors import SYSTEM
from domain.answering.replies import queued
from domain.arriving.inbound import Arrival
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.db import ring
from domain.desk.messages import DeliveryState
from domain.desk.threads import Thread
from domain.ways_in.channels import ChannelKind
from integrations.chat import socket
from integrations.chat.telling import AT_ONCE
from tests.factories import NOON, a_channel
from tests.integrations.chatting import KEY, answer, placed, signed, visiting


@pytest.fixture(autouse=True)
async def widget(house: House) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.CHAT)
        await a_channel(
            session, house.keys, ChannelKind.CHAT, slug="strict", origins=["https://shop.example"]
        )


async def test_a_message_is_acknowledged_when_it_is_safe_and_kept_once_however_often_it_is_sent(
    door: str, house: House
) -> None:
    async with visiting(door) as visitor:
        assert (await visitor.say(type="hello"))["type"] == "hello"
        for _ in range(3):
            assert await visitor.say(type="message", id="m1", text="Hello?") == {"type": "ack", "id": "m1"}

    async with house.db.transaction() as session:
        assert len((await session.scalars(select(Arrival))).all()) == 1


async def test_who_comes_back_with_the_session_sees_what_came_meanwhile_and_nothing_twice(
    door: str, house: House
) -> None:
    async with visiting(door) as visitor:
        session = (await visitor.say(type="hello"))["session"]
        await visitor.say(type="message", id="m1", text="Anybody there?")
    await placed(house)
    await answer(house, "Yes, how can I help?")

    async with visiting(door) as visitor:
        assert (await visitor.say(type="hello", session=session))["session"] == session
        mine, theirs = await visitor.hear(), await visitor.hear()
        assert (mine["from"], mine["id"], mine["text"]) == ("visitor", "m1", "Anybody there?")
        assert (theirs["from"], theirs["text"]) == ("agent", "Yes, how can I help?")
    async with visiting(door) as visitor:
        await visitor.say(type="hello", session=session, seq=theirs["seq"])
        await answer(house, "Still there?")
        assert (await visitor.hear())["text"] == "Still there?"


async def test_a_long_conversation_is_told_to_its_end(door: str, house: House) -> None:
    """More than is read at once."""
    async with visiting(door) as visitor:
        session = (await visitor.say(type="hello"))["session"]
        await visitor.say(type="message", id="m1", text="0")
    await placed(house)
    async with house.db.transaction() as transaction:
        thread = (await transaction.scalars(select(Thread))).one()
        for number in range(1, 2 * AT_ONCE + 1):
            said = queued(thread, text=str(number), by=SYSTEM, at=NOON)
            said.delivery, said.due_at = DeliveryState.SENT, None
            transaction.add(said)
            await transaction.flush()

    async with visiting(door) as visitor:
        await visitor.say(type="hello", session=session)
        heard = [(await visitor.hear("message"))["text"] for _ in range(2 * AT_ONCE + 1)]

    assert heard == [str(number) for number in range(2 * AT_ONCE + 1)]


async def test_a_session_nobody_was_given_is_a_new_one(door: str) -> None:
    async with visiting(door) as visitor:
        session = (await visitor.say(type="hello"))["session"]
    forged = ("b" if session[0] == "a" else "a") + session[1:]
    for guess in (forged, "x", "a.b"):
        async with visiting(door) as visitor:
            assert (await visitor.say(type="hello", session=guess))["session"] != guess
    async with visiting(door, "strict") as visitor:
        assert (await visitor.say(type="hello", session=session))["session"] != session


@pytest.mark.parametrize(
    "token",
    [
        "nonsense",
        signed(key="not the shop's own key, though long enough"),
        signed(aud="strict"),
        signed(exp=datetime.now(UTC) - timedelta(minutes=5)),
        jwt.encode({"sub": "7", "aud": "chat", "exp": 9999999999}, "", algorithm="none"),
        jwt.encode({"sub": "7", "aud": "chat"}, KEY),
    ],
    ids=["nonsense", "another key", "another widget", "out of date", "unsigned", "for ever"],
)
async def test_an_identity_the_shop_did_not_sign_is_refused_and_the_visitor_stays_anonymous(
    door: str, house: House, token: str
) -> None:
    async with visiting(door) as visitor:
        assert (await visitor.say(type="hello", identity=token))["refused"]
        await visitor.say(type="message", id="m1", text="Hello?")
    await placed(house)

    async with house.db.transaction() as session:
        kinds = await session.scalars(select(Identity.kind))
        assert kinds.all() == [IdentityKind.CHAT]


async def test_who_signs_in_on_anothers_session_gets_a_fresh_one_and_sees_nothing_of_it(
    door: str, house: House
) -> None:
    async with visiting(door) as visitor:
        adas = (await visitor.say(type="hello", identity=signed()))["session"]
        await visitor.say(type="message", id="m1", text="Ada's own matter")
    await placed(house)

    async with visiting(door) as visitor:
        token = signed(sub="8", email="zofia@example.org")
        assert (await visitor.say(type="hello", session=adas, identity=token))["session"] != adas
        assert await visitor.say(type="message", id="m1", text="Zofia's") == {"type": "ack", "id": "m1"}
    async with visiting(door) as visitor:
        assert (await visitor.say(type="hello", session=adas, identity=signed()))["session"] == adas
        assert (await visitor.hear())["text"] == "Ada's own matter"


async def test_a_page_elsewhere_may_not_open_the_widget(door: str) -> None:
    with pytest.raises((InvalidStatus, ConnectionClosed)):
        async with visiting(door, "strict", Origin="https://evil.example") as visitor:
            await visitor.say(type="hello")
    async with visiting(door, "strict", Origin="https://shop.example") as visitor:
        assert (await visitor.say(type="hello"))["type"] == "hello"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "message", "text": "no id"}, "bad_id"),
        ({"type": "message", "id": "1", "text": " "}, "empty"),
        ({"type": "message", "id": "1", "text": "a" * 8001}, "too_long"),
        ({"type": "message", "id": 1, "text": "x"}, "bad_id"),
        ({"type": "ack", "seq": "x"}, "bad_number"),
        ({"type": "ack", "seq": -1}, "bad_number"),
        ({"type": "dance"}, "unknown_type"),
        ({"type": "hello"}, "hello_once"),
        ({}, "unknown_type"),
    ],
)
async def test_an_odd_frame_is_answered_with_what_is_wrong(
    door: str, frame: dict[str, Any], code: str
) -> None:
    async with visiting(door) as visitor:
        assert (await visitor.say(**{"type": "message", "id": "1", "text": "early"}))["code"] == "hello_first"
        await visitor.say(type="hello")

        assert (await visitor.say(**frame))["code"] == code

        nested = f'{{"type": "message", "id": "1", "text": "x", "more": {"[" * 300 + "]" * 300}}}'
        for text in ("not json", nested):
            await visitor.socket.send(text)
            assert (await visitor.hear())["code"] == "not_json"
        assert (await visitor.say(type="message", id="1", text="Still here"))["type"] == "ack"


async def test_another_text_under_an_id_that_was_used_is_not_acknowledged(door: str, house: House) -> None:
    async with visiting(door) as visitor:
        await visitor.say(type="hello")
        await visitor.say(type="message", id="m1", text="Hello?")

        assert (await visitor.say(type="message", id="m1", text="Something else"))["code"] == "id_reused"

        assert (await visitor.say(type="message", id="m1", text="Hello?"))["type"] == "ack"
    async with house.db.transaction() as session:
        assert len((await session.scalars(select(Arrival))).all()) == 1


async def test_a_binary_frame_is_answered_and_the_socket_stays(door: str) -> None:
    async with visiting(door) as visitor:
        for _ in range(2):
            await visitor.socket.send(b"\x00\x01")
            assert (await visitor.hear())["code"] == "not_text"
            await visitor.say(type="hello")

        assert (await visitor.say(type="message", id="1", text="Still here"))["type"] == "ack"


async def test_what_cannot_be_stored_is_left_out_of_a_visitors_name_and_language(
    door: str, house: House
) -> None:
    identity = signed(name="A\x00d\ud800a")
    async with visiting(door) as visitor:
        said = await visitor.say(type="hello", identity=identity, locale="p\x00l")
        assert "refused" not in said
        await visitor.say(type="message", id="1", text="He\x00llo?")
    await placed(house)

    async with house.db.transaction() as session:
        contact = (await session.scalars(select(Contact))).one()
        assert (contact.name, contact.locale) == ("Ada", "pl")


async def test_an_identity_that_cannot_be_stored_as_it_was_signed_is_refused(door: str) -> None:
    for claims in ({"sub": "7\x00"}, {"email": "ada\x00@example.org"}):
        async with visiting(door) as visitor:
            assert (await visitor.say(type="hello", identity=signed(**claims)))["refused"]
            assert (await visitor.say(type="message", id="1", text="Hello?"))["type"] == "ack"


async def test_an_answer_reaches_an_open_socket_after_the_database_was_away(door: str, house: House) -> None:
    async with visiting(door) as visitor:
        await visitor.say(type="hello")
        await visitor.say(type="message", id="m1", text="Anybody there?")
        await placed(house)
        async with house.db.transaction() as session:
            key = (await session.scalars(select(Thread.key))).one()
            await session.execute(text("ALTER TABLE item RENAME TO item_away"))
            ring(session, f"chat:{key}")
        await asyncio.sleep(0.3)
        async with house.db.transaction() as session:
            await session.execute(text("ALTER TABLE item_away RENAME TO item"))

        await answer(house, "Yes, here we are again.")

        assert [(await visitor.hear())["from"] for _ in range(2)] == ["visitor", "agent"]


async def test_a_socket_on_which_nobody_says_hello_is_closed(
    door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "HELLO_WITHIN", 0.2)
    async with visiting(door) as eve, visiting(door) as ada:
        await ada.say(type="hello")
        assert (await eve.say(type="typing"))["code"] == "hello_first"

        await asyncio.wait_for(eve.socket.wait_closed(), 30)

        assert eve.socket.close_code == socket.POLICY_VIOLATION
        assert (await ada.say(type="message", id="m1", text="Hello?"))["type"] == "ack"


async def test_who_signs_in_where_nothing_was_said_goes_on_where_nobody_else_has_been(
    door: str, house: House
) -> None:
    async with visiting(door) as eve:
        planted = (await eve.say(type="hello"))["session"]
    async with visiting(door) as ada:
        greeting = await ada.say(type="hello", session=planted, identity=signed())
        await ada.say(type="message", id="m1", text="My order is 10422")
    await placed(house)

    async with visiting(door) as eve:
        await eve.say(type="hello", session=planted)
        assert (await eve.say(type="message", id="e1", text="Eve's"))["type"] == "ack"
        await placed(house)
        assert (await eve.hear("message"))["text"] == "Eve's"

    assert greeting["session"] != planted
    async with visiting(door) as ada:
        again = await ada.say(type="hello", session=greeting["session"], identity=signed(name="Ada"))
        assert again["session"] == greeting["session"]
        assert (await ada.hear("message"))["text"] == "My order is 10422"


async def test_who_leaves_before_the_socket_is_open_is_no_failure_of_ours(door: str) -> None:
    address = httpx.URL(door)
    upgrade = (
        b"GET /chat/chat HTTP/1.1\r\nHost: shop.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )

    with capture_logs() as logs:
        for _ in range(10):
            _, visitor = await asyncio.open_connection(address.host, address.port)
            visitor.write(upgrade)
            await visitor.drain()
            visitor.close()
        async with visiting(door) as other:
            assert (await other.say(type="hello"))["type"] == "hello"

    assert [one for one in logs if one["event"] == "request_failed"] == []

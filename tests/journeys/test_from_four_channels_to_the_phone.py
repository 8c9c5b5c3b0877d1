"""The whole path once: raw input at four doors, one ticket, a broken promise, a phone, an answer."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import jwt
import orjson
import pytest
from websockets.asyncio.client import ClientConnection, connect

from api.house import House
from api.running import Settings
from api.settings import ApiSettings
from api.workers import working
from demo.farends import FcmStandIn, GraphStandIn, SmtpSink, messenger_events
from domain.settings import DomainSettings
from domain.ways_in.channels import ChannelKind
from integrations.mail.receiving.smtp_in import listen
from integrations.settings import IntegrationSettings
from integrations.signatures import phone_signature
from notifications.settings import NotificationSettings
from tests.client import Client
from tests.factories import SETTINGS, a_channel, a_promise

ADA = "ada@example.org"
HELP = SETTINGS[ChannelKind.EMAIL]["address"]
PAGE = SETTINGS[ChannelKind.MESSENGER]

TICKETS = """{ tickets(first: 5) { edges { node {
  id number status seq contact { id name identities { channel label verified } } assignee { name }
  clock { state } alert { id state }
  threads { channel joinedBecause { code } } replyChannels { id channel canReply }
  timeline(first: 50) { edges { node { __typename
    ... on Message { text direction delivery deliveryError attachments { name url } } ... on Call { state } } } }
} } } }"""
LINK = "mutation($input: MessengerLinkInput!) { messengerLink(input: $input) { url userErrors { code } } }"
IDENTITY = "mutation($input: IdentityLinkInput!) { identityLink(input: $input) { contact { id } userErrors { code } } }"
REGISTER = "mutation($input: DeviceRegisterInput!) { deviceRegister(input: $input) { device { id } userErrors { code } } }"
ACK = "mutation($input: AlertAckInput!) { alertAck(input: $input) { applied alert { state } userErrors { code } } }"
ASSIGN = "mutation($input: TicketAssignInput!) { ticketAssign(input: $input) { tickets { assignee { name } } userErrors { code } } }"
SEND = """mutation($input: MessageSendInput!) { messageSend(input: $input) {
  message { id } collision { __typename } userErrors { code message } } }"""
LEDGER = "query($id: ID) { pushHealth(alertId: $id) { state providerId device { label } } }"


@dataclass
class World:
    house: House
    graph: GraphStandIn
    fcm: FcmStandIn
    smtp: SmtpSink
    smtp_in: dict[str, Any]


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    """Heddle with everybody at work, and the far ends."""
    async with AsyncExitStack() as stack:
        graph = await stack.enter_async_context(
            GraphStandIn(page_token=PAGE["page_token"], app_secret=PAGE["app_secret"])
        )
        fcm = await stack.enter_async_context(FcmStandIn())
        smtp = await stack.enter_async_context(SmtpSink())
        settings = Settings(
            DomainSettings(),
            ApiSettings(),
            IntegrationSettings(
                smtp_url=f"smtp://{smtp.host}:{smtp.port}", graph_url=graph.url, media_hosts="127.0.0.1"
            ),
            NotificationSettings(fcm_url=fcm.url, fcm_credentials=orjson.dumps(fcm.credentials).decode()),
        )
        async with house.db.transaction() as session:
            for kind in (ChannelKind.EMAIL, ChannelKind.CHAT, ChannelKind.MESSENGER, ChannelKind.PHONE):
                await a_channel(session, house.keys, kind)
            await a_promise(session, 4)
        await stack.enter_async_context(working(house, settings))
        door = await listen(house.db, house.keys, host="127.0.0.1", port=0, hostname="heddle.test")
        await stack.enter_async_context(door)
        host, port = door.sockets[0].getsockname()
        yield World(house, graph, fcm, smtp, {"hostname": host, "port": port, "start_tls": False})


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """What `look` sees, once it sees something."""
    async with asyncio.timeout(seconds):
        while not (seen := await look()):
            await asyncio.sleep(0.03)
        return seen


async def writes_a_mail(
    world: World, sender: str, subject: str, text: str, *, to: str = HELP, **headers: str
) -> None:
    mail = EmailMessage()
    mail["Authentication-Results"] = f"mx.shop.example; dmarc=pass header.from={sender.partition('@')[2]}"
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    await aiosmtplib.send(mail.as_bytes(), sender=sender, recipients=[to], **world.smtp_in)


async def says(socket: ClientConnection, **frame: Any) -> dict[str, Any]:
    await socket.send(orjson.dumps(frame).decode())
    return await hears(socket)


async def hears(socket: ClientConnection, type: str = "") -> dict[str, Any]:
    while True:
        frame: dict[str, Any] = orjson.loads(await socket.recv())
        if type in ("", frame["type"]):
            return frame


async def posts(client: Client, world: World, event: dict[str, Any]) -> None:
    body, headers = world.graph.webhook([event], PAGE["page_id"])
    assert (
        await client.http.post("/hooks/messenger/messenger", content=body, headers=headers)
    ).status_code == 200


async def rings(client: Client, event: str) -> None:
    body = orjson.dumps(
        {"event": event, "direction": "in", "from": "48600100200", "to": "48221234567", "call_id": "c1"}
    )
    signature = phone_signature(SETTINGS[ChannelKind.PHONE]["key"], body, at=int(time.time()))
    answer = await client.http.post("/hooks/phone/phone", content=body, headers={"x-signature": signature})
    assert answer.json() == {}


async def test_from_four_raw_inputs_to_the_phone_and_back(
    world: World, mia: Client, ben: Client, anybody: Client, door: str
) -> None:
    async def ticket(threads: int = 0, **having: Any) -> dict[str, Any] | None:
        """The one ticket with Ada in it, once it has so many threads and these values."""
        nodes = [edge["node"] for edge in (await ben.ask(TICKETS))["tickets"]["edges"]]
        adas = [node for node in nodes if ADA in str(node["contact"])]
        if len(adas) == 1 and len(adas[0]["threads"]) >= threads and having.items() <= adas[0].items():
            return dict(adas[0])
        return None

    await mia.do(REGISTER, transport="FCM", handle="mias-phone", label="Phone", locale="pl")

    # Ada writes, chats, opens the signed link, sends a photo and rings: one ticket.
    await writes_a_mail(world, ADA, "Broken mug", "It came broken.", Message_ID="<first@example.org>")
    first = await until(lambda: ticket(1))
    identity = {"sub": "7", "email": ADA, "email_verified": True, "name": "Ada", "aud": "chat"}
    token = jwt.encode(
        {**identity, "exp": datetime.now(UTC) + timedelta(minutes=5)},
        SETTINGS[ChannelKind.CHAT]["identity_key"],
    )
    chat = await connect(door.replace("http", "ws") + "/chat/chat")
    hello = await says(chat, type="hello", identity=token)
    assert "refused" not in hello
    assert await says(chat, type="message", id="1", text="Anybody there?") == {"type": "ack", "id": "1"}
    await until(lambda: ticket(2))

    channels = (await ben.ask("{ channels { id kind } }"))["channels"]
    page = next(channel["id"] for channel in channels if channel["kind"] == "MESSENGER")
    link = (await ben.do(LINK, contactId=first["contact"]["id"], channelId=page))["url"]
    await posts(anybody, world, messenger_events.referral("p1", PAGE["page_id"], link.partition("ref=")[2]))
    photo = world.graph.media_url("mug.png")
    await posts(anybody, world, messenger_events.photo_message("p1", PAGE["page_id"], photo))
    await until(lambda: ticket(3))

    await ben.do(IDENTITY, contactId=first["contact"]["id"], channel="PHONE", value="+48 600 100 200")
    await rings(anybody, "newCall")
    await rings(anybody, "hangup")
    joined = await until(lambda: ticket(4))
    assert [(thread["channel"], thread["joinedBecause"]["code"]) for thread in joined["threads"]] == [
        ("EMAIL", "OPENED_TICKET"),
        ("CHAT", "SIGNED_CHAT_IDENTITY"),
        ("MESSENGER", "MESSENGER_LINK"),
        ("PHONE", "CALLER_NUMBER"),
    ]

    # A stranger who writes the ticket's number in a subject gets a ticket of her own.
    await writes_a_mail(world, "eve@example.net", f"Re: [#{joined['number']}] Broken mug", "Send it to me.")
    await until(lambda: _count(ben, 2))

    # Nobody answers: the alert fires, and the phone is rung without a word about Ada.
    push = await world.fcm.next_push(timeout=20)
    assert push.handle == "mias-phone"
    assert not any(word in str(push) for word in ("Ada", "ada@", "mug", "broken"))
    fired = await until(lambda: ticket(4))
    alert_id = fired["alert"]["id"]
    (row,) = await until(lambda: _accepted(mia, alert_id))
    assert row["device"] == {"label": "Phone"}
    acked = await until(lambda: _acknowledged(mia, ticket))
    assert acked["alert"]["state"] == "ACKED"
    taken = await mia.do(ASSIGN, ticketIds=[joined["id"]], takeOver=True)
    assert taken["tickets"] == [{"assignee": {"name": "Mia"}}]

    # The photo was fetched, and only who has the link gets it.
    shown = await until(lambda: _photo(ticket))
    path = shown["url"].removeprefix("http://heddle.test")
    assert (await anybody.http.get(path)).content == (await anybody.http.get(photo)).content
    assert (await anybody.http.get(path.replace("&s=", "&s=a"))).status_code == 404

    # Mia answers by the channel used last that can carry it, by mail, and into the open chat.
    now = await until(lambda: ticket(4))
    reach = {channel["channel"]: channel["id"] for channel in now["replyChannels"]}
    assert next(channel["channel"] for channel in now["replyChannels"] if channel["canReply"]) == "MESSENGER"
    for channel in ("MESSENGER", "EMAIL", "CHAT"):
        seen = await until(lambda: ticket(4))
        sent = await mia.do(
            SEND, ticketId=now["id"], identityId=reach[channel], text=f"By {channel}", lastSeenSeq=seen["seq"]
        )
        assert sent["userErrors"] == [], sent
    refused = await mia.do(SEND, ticketId=now["id"], identityId=reach["PHONE"], text="?", lastSeenSeq=10**15)
    assert [error["code"] for error in refused["userErrors"]] == ["CANNOT_REPLY"]

    message = await world.graph.next_sent(timeout=30)
    assert (message.to, message.text, message.messaging_type) == ("p1", "By MESSENGER", "RESPONSE")
    mail = await world.smtp.next_mail(timeout=30)
    assert (mail.recipients, mail.message["In-Reply-To"], mail.message["References"]) == (
        [ADA],
        "<first@example.org>",
        "<first@example.org>",
    )
    assert mail.message["Subject"] == f"Re: [#{joined['number']}] Broken mug"
    answer = await hears(chat, "message")
    while answer["from"] != "agent":
        answer = await hears(chat, "message")
    assert (answer["text"], answer["author"]) == ("By CHAT", "Mia")
    await chat.send(orjson.dumps({"type": "ack", "seq": answer["seq"]}).decode())

    # The promise is kept, late; what was sent says so; her answer finds its way back.
    states = await until(lambda: _delivered(ticket))
    assert states == {"By MESSENGER": "SENT", "By EMAIL": "SENT", "By CHAT": "DELIVERED"}
    kept = await until(lambda: ticket(4))
    assert (kept["clock"]["state"], kept["alert"]) == ("MET", None)
    await writes_a_mail(
        world,
        ADA,
        "Re: Broken mug",
        "Thank you!",
        to=mail.message["Reply-To"],
        In_Reply_To=mail.message["Message-ID"],
    )
    await until(lambda: _says(ticket, "Thank you!"))
    await until(lambda: _count(ben, 2))
    await chat.close()


Ticket = Callable[[int], Awaitable[dict[str, Any] | None]]


async def _count(client: Client, number: int) -> bool:
    return len((await client.ask(TICKETS))["tickets"]["edges"]) == number


async def _accepted(client: Client, alert_id: str) -> list[dict[str, Any]] | None:
    rows: list[dict[str, Any]] = (await client.ask(LEDGER, id=alert_id))["pushHealth"]
    return rows if rows and rows[0]["state"] == "ACCEPTED" and rows[0]["providerId"] else None


async def _acknowledged(client: Client, ticket: Ticket) -> dict[str, Any] | None:
    """Whatever is pressing: a warning may have become a breach meanwhile."""
    pressing = (await ticket(4) or {}).get("alert")
    done = pressing and await client.do(ACK, id=pressing["id"])
    return done if done and done["applied"] else None


async def _items(ticket: Ticket) -> list[dict[str, Any]]:
    seen = await ticket(4) or {"timeline": {"edges": []}}
    return [edge["node"] for edge in seen["timeline"]["edges"]]


async def _photo(ticket: Ticket) -> dict[str, Any] | None:
    for item in await _items(ticket):
        for attached in item.get("attachments", []):
            if attached["url"]:
                return dict(attached)
    return None


async def _delivered(ticket: Ticket) -> dict[str, str] | None:
    ours = {item["text"]: item["delivery"] for item in await _items(ticket) if item.get("direction") == "OUT"}
    return ours if "QUEUED" not in ours.values() and ours.get("By CHAT") == "DELIVERED" else None


async def _says(ticket: Ticket, text: str) -> bool:
    return any(item.get("text", "").strip() == text for item in await _items(ticket))

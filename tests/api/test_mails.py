"""A mail as it is shown: what it says, whom it names, its pictures, and the mail as it came."""

import time
from typing import Any

import httpx
import pytest
from selectolax.lexbor import LexborHTMLParser
from sqlalchemy import select, update

from api.desk.files import LIVES, ORIGINAL
from api.house import House
from domain.agents.staff import Team
from domain.arriving.inbound import ARRIVALS, Arrival, keep
from domain.db import database_time
from domain.desk.messages import Item
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.ways_in.channels import ChannelKind
from integrations.mailroom import Mailroom
from tests.client import Client
from tests.factories import a_channel, a_chat, receive, tickets
from tests.two_teams import TwoTeams

RAW = b"""From: Ada <ada@example.org>
To: Help <help@shop.example>, zofia@example.net
Cc: Charles <charles@example.org>
Subject: A vase / in two pieces
Message-ID: <1@example.org>
MIME-Version: 1.0
Content-Type: multipart/related; boundary=r

--r
Content-Type: text/html; charset=utf-8

<p>My money, please.</p><img src="cid:vase@example.org"><img src="https://track.test/x.png">
<div class="gmail_quote"><div class="gmail_attr">On Mon, Nov 3, 2025 at 12:00 PM Ben &lt;help@shop.example&gt; wrote:</div>
<blockquote class="gmail_quote">Another vase, or your money?</blockquote></div>
--r
Content-Type: image/png
Content-ID: <vase@example.org>
Content-Disposition: inline; filename="vase.png"
Content-Transfer-Encoding: base64

iVBORw0KGgo=
--r--
"""

MESSAGE = """... on Message {
  id text folded quotedHidden to { name address } cc { name address } original
  html asked: html(remoteImages: true) attachments { name inline } }"""
MESSAGES = f"query($id: ID!) {{ ticket(id: $id) {{ timeline(kinds: [MESSAGE]) {{ edges {{ node {{ {MESSAGE} }} }} }} }} }}"


@pytest.fixture
async def ticket_id(house: House) -> str:
    """Of Ada's mail."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await keep(session, mailbox, external_id="1", raw=RAW)
    mailroom = Mailroom(house.db, house.keys, house.files)
    async with house.db.transaction() as session:
        ((arrival, lease),) = await ARRIVALS.claim(session, 1)
    await mailroom.open(arrival, lease)
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
        return public_id("Ticket", ticket.id)


async def message(client: Client, ticket_id: str) -> dict[str, Any]:
    (edge,) = (await client.ask(MESSAGES, id=ticket_id))["ticket"]["timeline"]["edges"]
    node: dict[str, Any] = edge["node"]
    return node


async def fetch(client: Client, link: str | None) -> httpx.Response:
    """At the door where the test's Heddle listens."""
    return await client.http.get(httpx.URL(link or "").raw_path.decode())


def sources(html: str) -> list[str | None]:
    return [image.attributes.get("src") for image in LexborHTMLParser(html).css("img")]


async def test_a_mail_is_read_without_its_quote_and_the_rest_is_one_field_away(
    ben: Client, ticket_id: str
) -> None:
    read = await message(ben, ticket_id)

    assert read["folded"] == "My money, please."
    assert read["quotedHidden"]
    assert read["text"].startswith("My money, please.\n\nOn Mon")
    assert read["text"].endswith("Another vase, or your money?")
    assert read["to"] == [
        {"name": "Help", "address": "help@shop.example"},
        {"name": "", "address": "zofia@example.net"},
    ]
    assert read["cc"] == [{"name": "Charles", "address": "charles@example.org"}]


async def test_a_mails_own_pictures_are_shown_and_others_load_when_asked_for(
    ben: Client, ticket_id: str
) -> None:
    read = await message(ben, ticket_id)

    own, nothing = sources(read["html"])
    assert (nothing, read["attachments"]) == (None, [{"name": "vase.png", "inline": True}])
    assert (await fetch(ben, own)).headers["content-type"] == "image/png"
    assert sources(read["asked"])[1] == "https://track.test/x.png"


async def test_the_mail_as_it_came_is_saved_by_whoever_sees_the_message(ben: Client, ticket_id: str) -> None:
    answer = await fetch(ben, (await message(ben, ticket_id))["original"])

    assert answer.content == RAW
    assert answer.headers["content-type"] == "message/rfc822"
    assert (
        answer.headers["content-disposition"]
        == "attachment; filename*=UTF-8''A%20vase%20_%20in%20two%20pieces.eml"
    )
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_a_mail_that_was_emptied_has_no_original_and_its_link_is_dead(
    house: House, ben: Client, ticket_id: str
) -> None:
    link = (await message(ben, ticket_id))["original"]
    async with house.db.transaction() as session:
        await session.execute(update(Arrival).values(emptied_at=await database_time(session)))

    assert (await message(ben, ticket_id))["original"] is None
    assert (await fetch(ben, link)).status_code == 404


async def test_a_link_to_an_original_dies_with_the_permission(
    house: House, ben: Client, ticket_id: str
) -> None:
    link = (await message(ben, ticket_id))["original"]
    async with house.db.transaction() as session:
        team = Team(id=row_id("Ticket", ticket_id), name="Returns")
        session.add(team)
        await session.flush()
        await session.execute(update(Ticket).values(team_id=team.id))

    assert (await fetch(ben, link)).status_code == 404


async def test_a_link_to_an_original_lives_ten_minutes_and_opens_nothing_else(
    house: House, two_teams: TwoTeams, anybody: Client
) -> None:
    item = row_id("Message", two_teams.ids["Message"])

    async def status(name: str, *, until: int, purpose: str = ORIGINAL) -> int:
        agent = row_id("Agent", two_teams.ids[name])
        signature = house.keys.sign(purpose, item, agent, until)
        return (
            await anybody.http.get(f"/files/original/{item}?a={agent}&u={until}&s={signature}")
        ).status_code

    soon = int(time.time()) + LIVES
    assert [await status(name, until=soon) for name in ("Ben", "Mia", "Eve")] == [200, 200, 404]
    assert await status("Ben", until=int(time.time()) - 1) == 404
    assert await status("Ben", until=soon, purpose="file-link") == 404
    assert (await anybody.http.get(f"/files/original/{item}")).status_code == 404
    assert (await anybody.http.get("/files/original/x?a=y&u=z")).status_code == 404


async def test_what_was_said_in_a_chat_has_no_original_and_hides_nothing(house: House, ben: Client) -> None:
    async with house.db.transaction() as session:
        chat = await a_channel(session, house.keys, ChannelKind.CHAT)
        await receive(session, chat, a_chat("s1", "Hello?\n> Hello!"))
        (ticket,) = await tickets(session)
        assert (await session.scalars(select(Item.arrival_id))).one()

    read = await message(ben, public_id("Ticket", ticket.id))

    assert (read["folded"], read["quotedHidden"]) == ("Hello?\n> Hello!", False)
    assert (read["original"], read["html"], read["to"], read["cc"]) == (None, None, [], [])

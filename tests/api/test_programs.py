"""The programs that docs/api gives along: receivers of webhooks, and the wallboard."""

import asyncio
import json
import os
import re
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from api import limits
from api.house import House
from domain.desk.tickets import Ticket
from domain.ids import row_id
from domain.webhooks import POSTS
from integrations.settings import IntegrationSettings
from integrations.subscribers.posting import Subscribers
from tests.client import Client
from tests.feed import all_told
from tests.papers import DOCS, code
from tests.reading import LONGEST, NODE, Reader, a_token, with_node
from tests.two_teams import TwoTeams
from tests.wire import wire

SAVE = """mutation($input: WebhookSaveInput!) {
  webhookSave(input: $input) { webhook { id } secret userErrors { code } } }"""
TEST = (
    "mutation($input: WebhookInput!) { webhookTest(input: $input) { delivery { id } userErrors { code } } }"
)
STATES = "query($id: ID!) { webhookDeliveries(webhookId: $id) { state } }"
UPDATE = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code } } }"
TICKETS = "{ tickets(first: 100) { edges { node { id number status } } } }"
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"


@pytest.fixture
async def house(house: House) -> House:
    return replace(house, integrations=IntegrationSettings(webhooks_private=True))


@asynccontextmanager
async def running(*command: str, folder: Path, **environment: str) -> AsyncIterator[asyncio.StreamReader]:
    """What it says."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={"PATH": os.environ["PATH"], **environment}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    try:
        async with asyncio.timeout(LONGEST):
            yield process.stdout
    finally:
        process.terminate()
        await process.wait()


async def listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.02)
        else:
            writer.close()
            return


@with_node
@pytest.mark.parametrize("name", ["receive.py", "receive_with_a_library.py", "receive.mjs"])
async def test_a_receiver_takes_what_is_signed_and_nothing_else(
    house: House, admin: Client, tmp_path: Path, name: str
) -> None:
    (sample,) = [one for one in code("api/webhooks.md") if one.file == name]
    Reader(admin, admin, tmp_path, {}).saved(sample)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = await admin.do(SAVE, url=f"http://127.0.0.1:{port}/heddle")
    await admin.do(TEST, id=made["webhook"]["id"])
    interpreter = str(NODE) if name.endswith(".mjs") else sys.executable

    secret = {"WEBHOOK_SECRET": made["secret"], "PORT": str(port)}
    async with running(interpreter, name, folder=tmp_path, **secret) as said:
        await listens(port)
        await _post_all(house)
        told = (await said.readline()).decode()
        async with httpx.AsyncClient() as stranger:
            signed = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
            forged = [
                (
                    await stranger.post(
                        f"http://127.0.0.1:{port}/heddle", json={"type": "test"}, headers=headers
                    )
                )
                for headers in (signed, {})
            ]

    assert re.fullmatch(r"msg_\w+ test\n", told)
    assert [one.status_code for one in forged] == [400, 400]
    (delivery,) = (await admin.ask(STATES, id=made["webhook"]["id"]))["webhookDeliveries"]
    assert delivery["state"] == "DELIVERED"


async def _post_all(house: House) -> None:
    subscribers = Subscribers(house.db, house.keys, IntegrationSettings(webhooks_private=True))
    async with subscribers._http:
        async with house.db.transaction() as session:
            ((post, lease),) = await POSTS.claim(session, 1)
        await subscribers.post(post, lease)


async def test_the_wallboard_shows_what_waits_and_what_happens(two_teams: TwoTeams, door: str) -> None:
    token = await a_token(two_teams.admin)
    address = {"HEDDLE_URL": door, "HEDDLE_TOKEN": token}

    async with running(sys.executable, "wallboard.py", folder=DOCS / "api", **address) as said:
        first = (await said.readline()).decode()
        while "#" not in (await said.readline()).decode():
            pass
        await two_teams.ben.do(NOTE, ticketId=two_teams.ids["Ticket"], text="Look!")
        while "wait," not in (again := (await said.readline()).decode()):
            assert again, "it has ended"

    assert re.fullmatch(r"\d+ wait, [1-9]\d* ring\n", first)
    assert again == first


async def test_the_wallboard_outlives_a_heddle_that_is_away(two_teams: TwoTeams, door: str) -> None:
    token = await a_token(two_teams.admin)
    async with wire(int(door.rpartition(":")[2])) as line:
        line.is_down = True
        address = {"HEDDLE_URL": f"http://127.0.0.1:{line.port}", "HEDDLE_TOKEN": token}

        async with running(sys.executable, "wallboard.py", folder=DOCS / "api", **address) as said:
            away = (await said.readline()).decode()
            line.is_down = False
            back = (await said.readline()).decode()

    assert away.startswith("? ")
    assert "wait," in back


async def test_the_copy_of_the_change_feed_is_whole_and_stays_right_over_a_stop(
    house: House, two_teams: TwoTeams, anybody: Client, tmp_path: Path
) -> None:
    anybody.token = await a_token(two_teams.admin)
    reader = Reader(anybody, two_teams.admin, tmp_path, {})
    (client,) = [one for one in code("api/README.md") if one.file == "heddle.py"]
    (sample,) = [one for one in code("api/change-feed.md") if one.language == "python"]
    reader.saved(client)
    one_a_page = replace(sample, text=sample.text.replace("first: 100", "first: 1"))

    for status in ("PENDING", "OPEN"):
        await two_teams.ben.do(UPDATE, ids=[two_teams.ids["Ticket"]], status=status)
        await all_told(house)
        assert await reader.runs(one_a_page) == ""

        found = (await anybody.ask(TICKETS))["tickets"]["edges"]
        assert len(found) > 1
        copy = json.loads((tmp_path / "copy.json").read_text())
        assert copy["tickets"] == {edge["node"]["id"]: edge["node"] for edge in found}
        assert copy["tickets"][two_teams.ids["Ticket"]]["status"] == status


async def test_a_program_that_sends_again_gets_through_when_the_desk_is_no_longer_busy(
    house: House, two_teams: TwoTeams, anybody: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anybody.token = await a_token(two_teams.admin)
    reader = Reader(anybody, two_teams.admin, tmp_path, {})
    (client,) = [one for one in code("api/README.md") if one.file == "heddle.py"]
    (sample,) = [one for one in code("api/retries.md") if one.language == "python"]
    reader.saved(client)
    of_hers = replace(sample, text=sample.text.replace("TICKET_ID", two_teams.ids["Ticket"]))
    monkeypatch.setattr(limits, "SECONDS", 0.5)
    busy = select(Ticket).where(Ticket.id == row_id("Ticket", two_teams.ids["Ticket"])).with_for_update()

    async with house.db.transaction() as session:
        await session.execute(busy)
        sending = asyncio.create_task(reader.runs(of_hers))
        await asyncio.sleep(2)

    assert await sending == ""

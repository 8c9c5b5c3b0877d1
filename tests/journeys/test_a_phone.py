"""A phone's app that does what docs/phone-client.md says, with the documents that stand there."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from api.house import House
from api.running import Settings
from api.settings import ApiSettings
from api.workers import working
from demo.farends import FcmStandIn, SmtpSink
from demo.farends.fcm import Push
from domain.settings import DomainSettings
from domain.ways_in.channels import Channel, ChannelKind
from integrations.settings import IntegrationSettings
from notifications.settings import NotificationSettings
from tests.client import PASSWORD, Client
from tests.factories import a_channel, a_mail, a_promise, receive
from tests.papers import shown

DOCUMENTS = {one.name: one.document for one in shown("phone-client.md")}
KEYS = {"v", "k", "d", "r", "lvl", "c", "b", "a", "t", "n", "due", "title", "body", "link"}
LEDGER = "query($id: ID) { pushHealth(alertId: $id) { state transport shownAt openedAt notice { state } } }"


@dataclass
class World:
    house: House
    mailbox: Channel
    fcm: FcmStandIn
    smtp: SmtpSink


@pytest.fixture
async def world(house: House) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        fcm = await stack.enter_async_context(FcmStandIn())
        smtp = await stack.enter_async_context(SmtpSink())
        settings = Settings(
            DomainSettings(),
            ApiSettings(),
            IntegrationSettings(smtp_url=f"smtp://{smtp.host}:{smtp.port}"),
            NotificationSettings(fcm_url=fcm.url, fcm_credentials=orjson.dumps(fcm.credentials).decode()),
        )
        async with house.db.transaction() as session:
            mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
            await a_promise(session, 2)
        await stack.enter_async_context(working(house, settings))
        yield World(house, mailbox, fcm, smtp)


async def somebody_writes(world: World, address: str) -> None:
    async with world.house.db.transaction() as session:
        await receive(session, world.mailbox, a_mail(address, at=datetime.now(UTC)))


class Phone:
    """Keeps what is not answered, and the place up to which it knows."""

    def __init__(self, client: Client, handle: str) -> None:
        self._client, self._handle = client, handle
        self._refresh = ""
        self.cursor = ""
        self.alerts: dict[str, Any] = {}
        self.outbox: list[tuple[str, dict[str, Any]]] = []

    async def signs_in(self, email: str) -> None:
        given = await self._does("SignIn", email=email, password=PASSWORD, deviceLabel="Mia's phone")
        self._takes(given)

    async def refreshes(self, *, answered_the_second_time: bool = False) -> None:
        asked = {"refreshToken": self._refresh, "clientMutationId": str(uuid.uuid4())}
        self._client.token = ""
        if answered_the_second_time:
            await self._does("Refresh", **asked)
        self._takes(await self._does("Refresh", **asked))

    def _takes(self, given: dict[str, Any]) -> None:
        assert given["userErrors"] == []
        self._client.token, self._refresh = given["accessToken"], given["refreshToken"]

    async def registers(self) -> None:
        registered = await self._does(
            "Register", transport="FCM", handle=self._handle, label="Mia's phone", locale="pl"
        )
        assert registered["userErrors"] == []

    async def opens_the_screen(self) -> None:
        seen = await self._client.ask(DOCUMENTS["Screen"])
        self.cursor = seen["changeCursor"]
        self.alerts = {alert["id"]: alert for alert in seen["alerts"]}

    async def reports(self, push: Push, event: str, **others: str) -> int:
        """As the system's notification code does: without the app's session."""
        receipt = {"d": push.data["d"], "r": push.data["r"], "event": event} | others
        return (await self._client.http.post("/push/receipt", json=receipt)).status_code

    def presses(self, document: str, **input: Any) -> None:
        self.outbox.append((document, {"clientMutationId": str(uuid.uuid4()), **input}))

    async def sends(self, *, hears: bool = True) -> list[dict[str, Any]]:
        answers = [await self._does(document, **input) for document, input in self.outbox]
        if hears:
            self.outbox = []
        return answers

    async def catches_up(self) -> None:
        more = True
        while more:
            batch = (await self._client.ask(DOCUMENTS["CatchUp"], since=self.cursor))["changes"]
            assert not batch["resetRequired"]
            for change in batch["changes"]:
                if change["__typename"] == "AlertChanged":
                    self.alerts[change["alert"]["id"]] = change["alert"]
            self.cursor, more = batch["cursor"], batch["hasMore"]

    async def signs_out(self) -> None:
        assert (await self._does("SignOut"))["ok"]

    async def _does(self, document: str, **input: Any) -> dict[str, Any]:
        return await self._client.do(DOCUMENTS[document], **input)


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 30) -> Any:
    """What `look` sees, once it sees something."""
    async with asyncio.timeout(seconds):
        while not (seen := await look()):
            await asyncio.sleep(0.03)
        return seen


async def test_a_phone_rings_says_so_answers_offline_catches_up_and_is_silent_once_signed_out(
    world: World, mia: Client, anybody: Client
) -> None:
    phone = Phone(anybody, "mias-phone:1")
    await phone.signs_in("mia@shop.example")
    await phone.refreshes(answered_the_second_time=True)
    await phone.registers()

    # A promise breaks: the phone shows what comes, perhaps a warning before, and Mia opens the push.
    await somebody_writes(world, "ada@example.org")
    rung = await world.fcm.next_push(timeout=30)
    while rung.data["k"] != "sla_breached":
        assert (rung.data["k"], await phone.reports(rung, "shown")) == ("sla_at_risk", 204)
        rung = await world.fcm.next_push(timeout=30)
    assert rung.handle == "mias-phone:1"
    assert rung.data.keys() == KEYS
    assert rung.data["v"] == "1"
    assert await phone.reports(rung, "shown") == 204

    alert_id = rung.data["a"]
    (told,) = (await mia.ask(LEDGER, id=alert_id))["pushHealth"]
    assert (told["state"], told["notice"]) == ("SHOWN", {"state": "SEEN"})

    assert await phone.reports(rung, "opened", at=datetime.now(UTC).isoformat()) == 204
    assert await phone.reports(rung, "shown") == 204
    (told,) = (await mia.ask(LEDGER, id=alert_id))["pushHealth"]
    assert (told["state"], bool(told["shownAt"]), bool(told["openedAt"])) == ("OPENED", True, True)
    assert await phone.reports(rung, "shown", r=rung.data["r"][::-1]) == 404
    assert await phone.reports(rung, "shown", because="?") == 400

    # In the tunnel she acknowledges; the first answer is lost, and the second is the same.
    await phone.opens_the_screen()
    assert phone.alerts[alert_id]["state"] == "FIRING"
    phone.presses("Acknowledge", id=alert_id)
    phone.presses("TakeOver", ticketIds=[rung.data["t"]], takeOver=True, expectedAssigneeId=None)
    lost = await phone.sends(hears=False)
    heard = await phone.sends()
    assert heard == lost
    acknowledged, taken = heard
    assert (acknowledged["applied"], acknowledged["alert"]["state"]) == (True, "ACKED")
    assert [ticket["assignee"]["name"] for ticket in taken["tickets"]] == ["Mia"]
    phone.presses("Acknowledge", id=alert_id)
    (late,) = await phone.sends()
    assert (late["applied"], late["alert"]["ackedBy"]) == (False, {"name": "Mia"})

    async def knows() -> bool:
        await phone.catches_up()
        return bool(phone.alerts[alert_id]["state"] == "ACKED")

    await until(knows)
    (told,) = (await mia.ask(LEDGER, id=alert_id))["pushHealth"]
    assert told["state"] == "ACTED"

    # Signed out, the phone is silent: what breaks next reaches Mia by mail.
    rang = len(world.fcm.pushed)
    await phone.signs_out()
    await somebody_writes(world, "zofia@example.org")
    mail = await world.smtp.next_mail(timeout=30)
    while "overdue" not in mail.message["Subject"]:
        mail = await world.smtp.next_mail(timeout=30)
    assert mail.recipients == ["mia@shop.example"]
    assert len(world.fcm.pushed) == rang
    latest = (await mia.ask("{ pushHealth(first: 1) { transport device { label } } }"))["pushHealth"]
    assert latest == [{"transport": "EMAIL", "device": None}]

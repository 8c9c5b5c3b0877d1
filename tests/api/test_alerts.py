"""A broken promise, a phone, and who has seen it."""

import pytest

from api.house import House
from domain.channels import ChannelKind
from domain.deadlines import fire_due
from domain.events import any_pending
from domain.following import begin, read_on
from notifications import dispatch
from tests.client import Client
from tests.factories import a_channel, a_mail, a_promise, receive

ALERTS = "query($states: [AlertState!]) { alerts(states: $states) { id kind state level ticket { number } ackedBy { name } } }"
ACK = """mutation($input: AlertAckInput!) { alertAck(input: $input) {
  applied alert { state ackedBy { name } } userErrors { code } } }"""
REGISTER = """mutation($input: DeviceRegisterInput!) { deviceRegister(input: $input) {
  device { id label healthy } userErrors { code field } } }"""
HEALTH = "query($alertId: ID) { pushHealth(alertId: $alertId) { state device { label } alert { kind } } }"
PHONE = {
    "transport": "FCM",
    "handle": "mias-phone",
    "label": "Phone",
    "locale": "es",
    "timezone": "Europe/Madrid",
}


@pytest.fixture
async def broken(house: House) -> None:
    """Ada's mail was not answered in time."""
    async with house.db.transaction() as session:
        await begin(session, dispatch.NAME)
    async with house.db.transaction() as session:
        await a_promise(session, 60)
        await receive(
            session, await a_channel(session, house.keys, ChannelKind.EMAIL), a_mail("ada@example.org")
        )
    async with house.db.transaction() as session:
        assert await fire_due(session) == 1


async def told(house: House) -> None:
    """Everybody is told of everything; an older transaction, even another test's, may hold the feed back."""
    pending = True
    while pending:
        async with house.db.transaction() as session:
            pending = await any_pending(session)
            await read_on(session, dispatch.NAME, dispatch.dispatch)


@pytest.mark.usefixtures("broken")
async def test_one_acknowledges_and_the_second_learns_that_it_was_done(mia: Client, ben: Client) -> None:
    (alert,) = (await mia.ask(ALERTS))["alerts"]

    first = await mia.do(ACK, id=alert["id"])
    second = await ben.do(ACK, id=alert["id"])

    assert (first["applied"], second["applied"]) == (True, False)
    assert second["alert"] == {"state": "ACKED", "ackedBy": {"name": "Mia"}}
    assert (await mia.ask(ALERTS))["alerts"] == []


async def test_the_managers_phone_has_a_delivery_in_the_ledger(
    house: House, mia: Client, ben: Client, broken: None
) -> None:
    await mia.do(REGISTER, **PHONE)
    await ben.do(REGISTER, **{**PHONE, "handle": "bens-phone"})

    await told(house)

    (alert,) = (await mia.ask(ALERTS))["alerts"]
    assert (await mia.ask(HEALTH, alertId=alert["id"]))["pushHealth"] == [
        {"state": "CREATED", "device": {"label": "Phone"}, "alert": {"kind": "SLA_BREACHED"}}
    ]
    assert (await ben.ask(HEALTH))["pushHealth"] == []
    assert (await ben.ask(HEALTH, alertId=alert["id"]))["pushHealth"] == []


async def test_a_phone_registered_by_somebody_else_leaves_its_former_owner_who_gets_mail(
    mia: Client, ben: Client, house: House, broken: None
) -> None:
    await mia.do(REGISTER, **PHONE)
    await ben.do(REGISTER, **PHONE)

    await told(house)

    assert [one["device"] for one in (await mia.ask(HEALTH))["pushHealth"]] == [None]


async def test_a_device_needs_a_handle_and_a_time_zone_that_exists(mia: Client) -> None:
    assert await mia.refused(REGISTER, **{**PHONE, "handle": " "}) == ["INVALID"]
    assert await mia.refused(REGISTER, **{**PHONE, "timezone": "Europe/Shopville"}) == ["INVALID"]

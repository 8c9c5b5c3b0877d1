"""A broken promise, a phone, and who has seen it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import func, select, update

from api.house import House
from demo.farends import smtp
from domain.actors import Role
from domain.agents.staff import Agent
from domain.agents.system_mail import SYSTEM_MAIL, SystemMail
from domain.alerting.alerts import Alert, AlertKind, AlertState
from domain.alerting.devices import Transport
from domain.alerting.notices import PUSHES, Delivery, DeliveryStage, Notice
from domain.customers.contacts import Identity
from domain.db import database_time, new_id
from domain.desk.messages import Item
from domain.desk.threads import Thread
from domain.events import any_pending
from domain.following import begin, read_on
from domain.ids import public_id, row_id
from domain.sla.deadlines import fire_due
from domain.ways_in.channels import ChannelKind
from domain.work import Lease, Queue, Row, TryLater
from integrations.mail.sending.system import SystemPost
from integrations.settings import IntegrationSettings
from notifications import dispatch
from notifications.deliver import Pusher
from notifications.fcm import Fcm
from notifications.pursuit import pursue
from notifications.settings import NotificationSettings
from tests.client import PASSWORD, SIGN_IN, Client
from tests.doors import answering
from tests.factories import NOON, a_channel, a_chat, a_mail, a_promise, an_agent, receive, tickets
from tests.locks import who_waits

ALERTS = "query($states: [AlertState!]) { alerts(states: $states) { id kind state level ticket { number } ackedBy { name } } }"
FIRST = "query($states: [AlertState!], $first: Int!) { alerts(states: $states, first: $first) { state level firedAt } }"
ACK = """mutation($input: AlertAckInput!) { alertAck(input: $input) {
  applied alert { state snoozedUntil ackedBy { name } } userErrors { code field } } }"""
SNOOZE = """mutation($input: AlertSnoozeInput!) { alertSnooze(input: $input) {
  applied alert { state ackedBy { name } } userErrors { code field } } }"""
SEND = "mutation($input: MessageSendInput!) { messageSend(input: $input) { userErrors { code } } }"
HISTORY = "query($id: ID!) { alert(id: $id) { history { kind note actor { name } } } }"
REGISTER = """mutation($input: DeviceRegisterInput!) { deviceRegister(input: $input) {
  device { id label healthy } userErrors { code field message } } }"""
TEST = "mutation($input: DeviceInput!) { deviceTest(input: $input) { ok userErrors { code message } } }"
HEALTH = "query($alertId: ID) { pushHealth(alertId: $alertId) { state device { label } alert { kind } } }"
ESCALATE = (
    "mutation($input: AlertEscalateInput!) { alertEscalate(input: $input) { applied userErrors { code } } }"
)
NEXT = "query($id: ID!) { alert(id: $id) { nextEscalation { level targets } } }"
CAUSE = "{ alerts { cause nextAction } }"
OF_TICKET = "{ tickets { edges { node { alert { id } } } } }"
MAILS = "{ pushHealth { state sentAt error attempts } }"
PHONE = {"transport": "FCM", "handle": "mias-phone", "label": "Phone", "locale": "es"}


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


FIRES = [(AlertState.FIRING, 3, 60), (AlertState.FIRING, 3, 5), (AlertState.FIRING, 0, 90)]
HELD = [(AlertState.ACKED, 3, 99), (AlertState.SNOOZED, 1, 1)]
OVER = [(AlertState.RESOLVED, 1, 0)]


@pytest.mark.parametrize(
    ("states", "first", "told"),
    [
        (None, 2, FIRES[:2]),
        (["SNOOZED", "ACKED", "FIRING"], 5, [*FIRES, *HELD]),
        (["RESOLVED", "FIRING"], 3, [*OVER, FIRES[1], FIRES[0]]),
    ],
)
async def test_the_most_pressing_alerts_come_first_and_with_resolved_ones_the_newest(
    house: House, mia: Client, states: list[str] | None, first: int, told: list[tuple[AlertState, int, int]]
) -> None:
    async with house.db.transaction() as session:
        for state, level, minutes in reversed([*FIRES, *HELD, *OVER]):
            alert = Alert(
                id=new_id(), kind=AlertKind.CHANNEL_DOWN, state=state, level=level, about_id=new_id(),
                fired_at=NOON - timedelta(minutes=minutes),
            )  # fmt: skip
            session.add(alert)

    found = (await mia.ask(FIRST, states=states, first=first))["alerts"]

    assert [(one["state"], one["level"], one["firedAt"]) for one in found] == [
        (state.name, level, (NOON - timedelta(minutes=minutes)).isoformat()) for state, level, minutes in told
    ]


async def test_a_visitor_waits_in_the_chat_as_long_as_they_sit_before_it(house: House, mia: Client) -> None:
    async with house.db.transaction() as session:
        await a_promise(session, 60)
        chat = await a_channel(session, house.keys, ChannelKind.CHAT)
        asked_at = await database_time(session) - timedelta(minutes=2)
        await receive(session, chat, a_chat("ada", at=asked_at))
    async with house.db.transaction() as session:
        assert await fire_due(session) == 1
    here = (await mia.ask(CAUSE))["alerts"]

    async with house.db.transaction() as session:
        await session.execute(update(Thread).values(last_inbound_at=NOON))
    gone = (await mia.ask(CAUSE))["alerts"]

    assert here == [{"cause": "VISITOR_WAITING", "nextAction": "TAKE_OVER"}]
    assert gone == [{"cause": "UNASSIGNED", "nextAction": "CALL_IN"}]


@pytest.mark.usefixtures("broken")
async def test_one_acknowledges_and_the_second_learns_that_it_was_done(mia: Client, ben: Client) -> None:
    (alert,) = (await mia.ask(ALERTS))["alerts"]

    first = await mia.do(ACK, id=alert["id"])
    second = await ben.do(ACK, id=alert["id"])

    assert (first["applied"], second["applied"]) == (True, False)
    assert second["alert"] == {"state": "ACKED", "snoozedUntil": None, "ackedBy": {"name": "Mia"}}
    assert (await mia.ask(ALERTS))["alerts"] == []


async def test_a_promise_that_is_kept_as_it_breaks_rings_nobody_afterwards(house: House, ben: Client) -> None:
    async with house.db.transaction() as session:
        await a_promise(session, 60)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org"))
        id = public_id("Ticket", (await tickets(session))[0].id)
        ada = public_id("Identity", (await session.scalars(select(Identity.id))).one())
        seq = await session.scalar(select(func.max(Item.seq)))

    async with house.db.transaction() as wheel:
        assert await fire_due(wheel) == 1
        await wheel.flush()
        answer = {"ticketId": id, "identityId": ada, "text": "It is on its way.", "lastSeenSeq": seq}
        sending = asyncio.create_task(ben.do(SEND, **answer))
        await who_waits(house)

    assert (await sending)["userErrors"] == []
    (alert,) = (await ben.ask(ALERTS, states=[state.name for state in AlertState]))["alerts"]
    assert alert["state"] == "RESOLVED"


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(("minutes", "allowed"), [(0, False), (1, True), (480, True), (481, False)])
async def test_an_alert_is_acknowledged_for_a_minute_to_eight_hours(
    mia: Client, minutes: int, allowed: bool
) -> None:
    (alert,) = (await mia.ask(ALERTS))["alerts"]

    done = await mia.do(ACK, id=alert["id"], minutes=minutes)

    refused = [] if allowed else [{"code": "INVALID", "field": ["minutes"]}]
    assert (done["applied"], done["userErrors"]) == (allowed, refused)


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize(("late", "allowed"), [(timedelta(0), True), (timedelta(minutes=5), False)])
async def test_an_alert_sleeps_for_at_most_seven_days(mia: Client, late: timedelta, allowed: bool) -> None:
    (alert,) = (await mia.ask(ALERTS))["alerts"]

    until = (datetime.now(UTC) + timedelta(days=7) + late).isoformat()
    done = await mia.do(SNOOZE, id=alert["id"], until=until, reason="Ada is away.")

    refused = [] if allowed else [{"code": "INVALID", "field": ["until"]}]
    assert (done["applied"], done["userErrors"]) == (allowed, refused)


@pytest.mark.usefixtures("broken")
async def test_what_is_done_about_an_alert_is_told_with_who_did_it_and_why(mia: Client, ben: Client) -> None:
    (alert,) = (await mia.ask(ALERTS))["alerts"]
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()

    await ben.do(ACK, id=alert["id"], note=" I ring her. ")
    asleep = await ben.do(SNOOZE, id=alert["id"], until=tomorrow, reason="The carrier looks for it.")
    has_it = await mia.do(ACK, id=alert["id"], note=" ")

    assert asleep["alert"] == {"state": "SNOOZED", "ackedBy": None}
    assert has_it["alert"] == {"state": "ACKED", "snoozedUntil": None, "ackedBy": {"name": "Mia"}}
    history = (await mia.ask(HISTORY, id=alert["id"]))["alert"]["history"]
    assert [(one["kind"], one["note"], one["actor"] and one["actor"]["name"]) for one in history] == [
        ("alert_fired", None, None),
        ("alert_acked", "I ring her.", "Ben"),
        ("alert_snoozed", "The carrier looks for it.", "Ben"),
        ("alert_acked", None, "Mia"),
    ]


@pytest.mark.usefixtures("broken")
async def test_a_ticket_shows_the_alert_that_fires_before_a_higher_one_that_somebody_has(
    house: House, mia: Client
) -> None:
    (higher,) = (await mia.ask(ALERTS))["alerts"]
    async with house.db.transaction() as session:
        broken = await session.get_one(Alert, row_id("Alert", higher["id"]))
        lower = Alert(
            id=new_id(), kind=AlertKind.CALL_MISSED, state=AlertState.FIRING, level=0, about_id=new_id(),
            ticket_id=broken.ticket_id, fired_at=broken.fired_at,
        )  # fmt: skip
        session.add(lower)

    first = (await mia.ask(OF_TICKET))["tickets"]["edges"][0]["node"]["alert"]["id"]
    await mia.do(ACK, id=higher["id"])
    then = (await mia.ask(OF_TICKET))["tickets"]["edges"][0]["node"]["alert"]["id"]

    assert (first, then) == (higher["id"], public_id("Alert", lower.id))


@pytest.mark.usefixtures("broken")
async def test_where_no_admin_is_the_last_step_tells_who_manages(house: House, mia: Client) -> None:
    (alert,) = (await mia.ask(ALERTS))["alerts"]
    await mia.do(ESCALATE, id=alert["id"])

    before = (await mia.ask(NEXT, id=alert["id"]))["alert"]["nextEscalation"]
    async with house.db.transaction() as session:
        await an_agent(session, "Admin", Role.ADMIN)

    assert before == {"level": 3, "targets": ["MANAGERS"]}
    after = (await mia.ask(NEXT, id=alert["id"]))["alert"]["nextEscalation"]
    assert after == {"level": 3, "targets": ["ADMINS"]}


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


@pytest.mark.usefixtures("broken")
async def test_who_opens_the_app_again_has_nobody_else_rung(house: House, mia: Client) -> None:
    await mia.do(REGISTER, **PHONE)
    async with house.db.transaction() as session:
        for name in ("Olga", "Piotr"):
            await an_agent(session, name, Role.ADMIN)
    await told(house)
    async with house.db.transaction() as session:
        for minutes in (1, 2):  # the mail, then Olga
            await pursue(session, at=await database_time(session) + timedelta(minutes=minutes))
    told_before = await _told(house)

    await mia.do(REGISTER, **PHONE)
    async with house.db.transaction() as session:
        await pursue(session)

    assert told_before == ["Mia", "Olga"]
    assert await _told(house) == told_before


async def _told(house: House) -> list[str]:
    named = select(Agent.name).join(Notice, Notice.agent_id == Agent.id).order_by(Notice.id)
    async with house.db.reading() as connection:
        return list(await connection.scalars(named))


async def test_a_phone_registered_by_somebody_else_leaves_its_former_owner_who_gets_mail(
    mia: Client, ben: Client, house: House, broken: None
) -> None:
    await mia.do(REGISTER, **PHONE)
    await ben.do(REGISTER, **PHONE)

    await told(house)

    assert [one["device"] for one in (await mia.ask(HEALTH))["pushHealth"]] == [None]


@pytest.mark.parametrize(
    ("fault", "state", "error"),
    [
        (None, "ACCEPTED", None),
        ("greylist", "CREATED", "450 4.2.0 <mia@shop.example>: greylisted, come back later"),
        ("refuse", "FAILED", "MAIL_REFUSED: 550 5.1.1 <mia@shop.example>: no such person here"),
    ],
)
async def test_a_mail_is_told_as_sent_when_the_relay_has_taken_it(
    mia: Client, house: House, broken: None, fault: smtp.Fault | None, state: str, error: str | None
) -> None:
    async with smtp.SmtpSink() as relay:
        if fault:
            relay.misbehave(fault)
        await told(house)
        (before,) = (await mia.ask(MAILS))["pushHealth"]
        await _one(house, PUSHES, Pusher(house.db, house.keys, house.base_url, {}).deliver)
        (queued,) = (await mia.ask(MAILS))["pushHealth"]
        settings = IntegrationSettings(smtp_url=f"smtp://{relay.host}:{relay.port}")
        await _one(house, SYSTEM_MAIL, SystemPost(house.db, house.keys, settings).send)

    (mail,) = (await mia.ask(MAILS))["pushHealth"]
    assert before == queued | {"attempts": 0}
    assert (queued["state"], queued["sentAt"], queued["error"]) == ("CREATED", None, None)
    assert (mail["state"], mail["error"], mail["attempts"]) == (state, error, 1)
    assert (mail["sentAt"] is None) == (state == "CREATED")


@pytest.mark.parametrize("why", ["OVER", "AGENT_LEFT"])
async def test_a_mail_that_waited_for_the_relay_does_not_go_when_nobody_is_to_be_told_any_more(
    mia: Client, ben: Client, house: House, broken: None, why: str
) -> None:
    async with smtp.SmtpSink() as relay:
        relay.misbehave("greylist")
        await told(house)
        await _one(house, PUSHES, Pusher(house.db, house.keys, house.base_url, {}).deliver)
        settings = IntegrationSettings(smtp_url=f"smtp://{relay.host}:{relay.port}")
        await _one(house, SYSTEM_MAIL, SystemPost(house.db, house.keys, settings).send)
        if why == "OVER":
            (alert,) = (await ben.ask(ALERTS))["alerts"]
            await ben.do(ACK, id=alert["id"])
        async with house.db.transaction() as session:
            if why == "AGENT_LEFT":
                await session.execute(update(Agent).where(Agent.name == "Mia").values(left_at=func.now()))
            await session.execute(update(SystemMail).values(due_at=func.now()))

        await _one(house, SYSTEM_MAIL, SystemPost(house.db, house.keys, settings).send)

    assert list(relay.mails) == []
    async with house.db.transaction() as session:
        delivery = (await session.scalars(select(Delivery))).one()
        mail = (await session.scalars(select(SystemMail))).one()
    assert (delivery.stage, delivery.error) == (DeliveryStage.FAILED, why)
    assert (mail.sealed, mail.due_at, mail.sent_at) == (None, None, None)


async def _one(house: House, queue: Queue[Row], do: Callable[[Row, Lease[Row]], Awaitable[None]]) -> None:
    """As a worker does what waits, once."""
    async with house.db.transaction() as session:
        ((row, lease),) = await queue.claim(session, 5)
    try:
        await do(row, lease)
    except TryLater as failure:
        async with house.db.transaction() as session:
            await lease.retry(session, after=60, error=str(failure))


async def test_a_test_without_credentials_is_refused_by_name(house: House, mia: Client) -> None:
    device = (await mia.do(REGISTER, **PHONE))["device"]
    async with answering(replace(house, pushing=NotificationSettings.model_construct())) as address:
        mia.http.base_url = httpx.URL(address)

        (refusal,) = (await mia.do(TEST, id=device["id"]))["userErrors"]

    assert refusal["code"] == "NOT_CONFIGURED"
    assert "HEDDLE_FCM_CREDENTIALS" in refusal["message"]


async def test_a_device_says_why_the_newest_push_did_not_leave(house: House, mia: Client) -> None:
    device = (await mia.do(REGISTER, **PHONE))["device"]
    await mia.do(TEST, id=device["id"])
    carriers = {Transport.FCM: Fcm(NotificationSettings(fcm_credentials=None))}

    await _one(house, PUSHES, Pusher(house.db, house.keys, house.base_url, carriers).deliver)

    asked = "{ viewer { devices { lastError fitness } } pushHealth { device { lastError } } }"
    seen = await mia.ask(asked)
    assert seen["viewer"]["devices"] == [{"lastError": "NOT_CONFIGURED", "fitness": "UNTRIED"}]
    assert seen["pushHealth"] == [{"device": {"lastError": "NOT_CONFIGURED"}}]
    async with house.db.transaction() as session:
        taken = update(Delivery).values(stage=DeliveryStage.ACCEPTED, last_error="UNAVAILABLE")
        await session.execute(taken)
    assert (await mia.ask(asked))["viewer"]["devices"][0]["lastError"] is None


async def test_the_ledger_calls_no_device_well_that_was_signed_out(mia: Client, anybody: Client) -> None:
    phone = await anybody.do(SIGN_IN, email="mia@shop.example", password=PASSWORD)
    anybody.token = phone["accessToken"]
    device = (await anybody.do(REGISTER, **PHONE))["device"]
    await anybody.do(TEST, id=device["id"])
    asked = "{ viewer { devices { id } } pushHealth { device { healthy fitness } } }"
    assert (await mia.ask(asked))["pushHealth"] == [{"device": {"healthy": True, "fitness": "UNTRIED"}}]

    await anybody.do("mutation($input: SignOutInput!) { signOut(input: $input) { ok } }")

    seen = await mia.ask(asked)
    assert seen["viewer"]["devices"] == []
    assert seen["pushHealth"] == [{"device": {"healthy": False, "fitness": "REMOVED"}}]


async def test_a_push_service_that_is_not_trusted_is_named_without_the_secret(mia: Client) -> None:
    browser = {**PHONE, "transport": "WEB_PUSH", "handle": "https://push.example.net:8443/a-secret"}

    (refusal,) = (await mia.do(REGISTER, **browser))["userErrors"]

    assert refusal["field"] == ["handle"]
    assert refusal["message"] == (
        "Heddle sends nothing to push.example.net:8443, unless HEDDLE_WEB_PUSH_HOSTS names it."
    )


async def test_a_device_needs_a_handle(mia: Client) -> None:
    assert await mia.refused(REGISTER, **{**PHONE, "handle": " "}) == ["INVALID"]


async def test_a_phone_is_registered_whatever_it_calls_its_time_zone(mia: Client) -> None:
    for zone in ({"timezone": "Europe/Madrid"}, {"timezone": "GMT+02:00"}, {}):
        assert await mia.refused(REGISTER, **PHONE, **zone) == []

"""An agent calls a customer: their own telephone first, then the customer's, and never twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from sqlalchemy import delete, select, update

from api.house import House
from domain.agents.staff import Agent
from domain.arriving.inbound import CallStep
from domain.audit import AuditEntry, AuditKind
from domain.calling.dialling import NOT_MADE
from domain.calling.dials import OURS, PROMPT, Dial, DialState
from domain.customers.contacts import Identity, IdentityKind
from domain.db import new_id
from domain.desk.messages import Call, CallState
from domain.ids import public_id, row_id
from domain.keys import Keys
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mailroom import Mailroom
from integrations.phone.dialler import Dialler
from integrations.settings import IntegrationSettings
from integrations.signatures import phone_signed
from tests import voice
from tests.client import Client
from tests.exchange import a_line as an_asterisk_line
from tests.exchange import an_exchange
from tests.factories import NOON, SETTINGS, a_call_step, a_channel, receive
from tests.fetching import running, until
from tests.integrations.phone.test_asterisk import caught_up, listening, over
from tests.integrations.phone.test_twilio_voice import one, read, said, verbs
from tests.integrations.receiver import ANSWERS, Receiver, nobody_at_the_first
from tests.voice import TwilioFarEnd, Voice

ADAS = "+48600100200"
START = """mutation Call($input: CallStartInput!) { callStart(input: $input) {
  call { id state direction dialling trouble cause number agent { name } } ticket { id number } userErrors { code field }
} }"""


@dataclass
class Desk:
    """Where Ben sits, with Ada's ticket before him."""

    house: House
    ben: Client
    line: Channel
    ticket: str
    identity: str

    async def calls(self, **others: Any) -> dict[str, Any]:
        asked = {"ticketId": self.ticket, "identityId": self.identity} | others
        return await self.ben.do(START, **{name: value for name, value in asked.items() if value})

    async def refusal(self, **others: Any) -> str:
        (error,) = (await self.calls(**others))["userErrors"]
        return str(error["code"])


async def a_desk(house: House, ben: Client, line: Channel, telephone: str | None = "+48700800900") -> Desk:
    """Ada has called before."""
    async with house.db.transaction() as session:
        await session.execute(update(Agent).where(Agent.name == "Ben").values(line=telephone))
        kept = await session.get_one(Channel, line.id)
        await receive(session, kept, a_call_step("before", CallStep.RINGING, ADAS))
        await receive(session, kept, a_call_step("before", CallStep.ENDED, ADAS))
        identity = (await session.scalars(select(Identity).where(Identity.value == ADAS))).one()
        ticket_id = await session.scalar(select(Call.ticket_id))
    assert ticket_id
    return Desk(house, ben, line, public_id("Ticket", ticket_id), public_id("Identity", identity.id))


@asynccontextmanager
async def dialling(house: House, **settings: Any) -> AsyncIterator[None]:
    chosen = IntegrationSettings.model_construct(webhooks_private=True, **settings)
    async with running(Dialler(house.db, house.keys, chosen, house.base_url).run()):
        yield


async def settled(house: House) -> tuple[Dial, Call]:
    """What became of the one that was asked for."""

    async def done() -> tuple[Dial, Call] | None:
        async with house.db.transaction() as session:
            found = (await session.execute(select(Dial, Call).join(Call, Call.id == Dial.call_id))).one()
        return None if found.Dial.due_at else (found.Dial, found.Call)

    dial, call = await until(done, 30)
    return dial, call


async def test_at_twilio_the_agents_telephone_rings_then_the_customers_and_it_is_one_call(
    house: House, ben: Client, anybody: Client
) -> None:
    desk = await a_desk(house, ben, await voice.a_line(house))
    begun = await desk.calls()
    async with TwilioFarEnd() as twilio, dialling(house, twilio_url=twilio.url):
        asked = await twilio.calls.next(30)
        dial, _ = await settled(house)

    agent = Voice(anybody, caller=voice.OURS, dialled="+48700800900")
    agent.sid = asked["sid"]
    same = {"CallSid": asked["sid"], "Direction": "outbound-api"}
    leg = {"CallSid": voice.sid(), "ParentCallSid": asked["sid"], "From": voice.OURS, "To": ADAS}
    connected = await agent.says(asked["Url"], **same, CallStatus="in-progress")
    number = one(connected, "Number")
    told = [
        (asked["StatusCallback"], {**same, "CallStatus": "completed"}),
        (str(number.get("statusCallback")), {**leg, "CallStatus": "in-progress"}),
        (asked["StatusCallback"], {**same, "CallStatus": "in-progress"}),
        (str(number.get("statusCallback")), {**leg, "CallStatus": "ringing"}),
    ]
    for address, form in told:
        await agent.says(address, **form)
    await read(house)

    call = begun["call"]
    assert (call["state"], call["direction"], call["dialling"], call["agent"]) == (
        "RINGING", "OUT", "WAITING", {"name": "Ben"},
    )  # fmt: skip
    assert (asked["To"], asked["From"], number.text) == ("+48700800900", voice.OURS, ADAS)
    assert dial.state == DialState.MADE
    async with house.db.transaction() as session:
        (kept,) = await session.scalars(select(Call).where(Call.direction == "out"))
    assert (kept.call_state, kept.cause) == (CallState.ENDED, "completed")
    assert public_id("Call", kept.id) == call["id"]
    assert kept.agent_id == row_id("Agent", ben.agent_id)


async def test_whose_customer_is_not_reached_at_twilio_hears_it_and_the_call_is_over(
    house: House, ben: Client, anybody: Client
) -> None:
    desk = await a_desk(house, ben, await voice.a_line(house, language="pl"))
    await desk.calls()
    async with TwilioFarEnd() as twilio, dialling(house, twilio_url=twilio.url):
        asked = await twilio.calls.next(30)
        await settled(house)
    agent = Voice(anybody, caller=voice.OURS, dialled="+48700800900")
    agent.sid = asked["sid"]
    same = {"CallSid": asked["sid"], "Direction": "outbound-api"}
    leg = {"CallSid": voice.sid(), "ParentCallSid": asked["sid"], "From": voice.OURS, "To": ADAS}
    connected = await agent.says(asked["Url"], **same, CallStatus="in-progress")

    number, dial = one(connected, "Number"), one(connected, "Dial")
    await agent.says(str(number.get("statusCallback")), **{**leg, "CallStatus": "busy"})
    heard = await agent.says(str(dial.get("action")), **same, DialCallStatus="busy")
    await agent.says(asked["StatusCallback"], **same, CallStatus="completed")
    await read(house)

    assert verbs(heard) == ["Say", "Hangup"]
    assert said(heard) == ["Linia klienta jest zajęta."]
    async with house.db.transaction() as session:
        (kept,) = await session.scalars(select(Call).where(Call.direction == "out"))
    assert (kept.call_state, kept.answered_at, kept.cause) == (CallState.MISSED, None, "busy")


async def test_a_line_that_cannot_be_read_keeps_no_other_from_calling(house: House, ben: Client) -> None:
    desk = await a_desk(house, ben, await voice.a_line(house))
    async with house.db.transaction() as session:
        other: Channel = await a_channel(
            session, house.keys, ChannelKind.PHONE, slug="old", number="+48221110000"
        )
        other.secrets = Keys("a key that was lost a long time ago").encrypt({"key": "x"})

    begun = await desk.calls()

    assert (begun["userErrors"], begun["call"]["state"]) == ([], "RINGING")


@pytest.mark.parametrize(
    ("trouble", "state", "cause", "says"),
    [
        ("refused", DialState.REFUSED, NOT_MADE, ["El proveedor rechaza la llamada.", "HTTP 400: 21211"]),
        (
            "busy",
            DialState.REFUSED,
            NOT_MADE,
            ["El proveedor no hace más llamadas a la vez: inténtalo dentro de un rato."],
        ),
        ("broken", DialState.UNKNOWN, None, ["El proveedor no ha dicho si hace la llamada.", "HTTP 502"]),
        ("cut", DialState.UNKNOWN, None, ["El proveedor no ha dicho si hace la llamada."]),
    ],
)
async def test_what_was_surely_not_taken_is_over_and_what_may_have_been_is_not_tried_again(
    house: House, ben: Client, trouble: voice.Trouble, state: DialState, cause: str | None, says: list[str]
) -> None:
    desk = await a_desk(house, ben, await voice.a_line(house))
    async with house.db.transaction() as session:
        await session.execute(update(Agent).values(locale="es"))
    async with TwilioFarEnd() as twilio, dialling(house, twilio_url=twilio.url):
        twilio.mischief(trouble)
        begun = await desk.calls()
        dial, call = await settled(house)
        await asyncio.sleep(0.2)
        tries = len(twilio.calls)

    assert (dial.state, call.cause) == (state, cause)
    assert call.call_state == (CallState.MISSED if cause else CallState.RINGING)
    assert tries == (0 if cause else 1)
    shown = await ben.ask(
        "query Call($id: ID!) { node(id: $id) { ... on Call { dialling trouble } } }", id=begun["call"]["id"]
    )
    assert shown["node"]["dialling"] == state.name
    for line, told in zip(says, shown["node"]["trouble"].splitlines(), strict=False):
        assert told.startswith(line)


async def test_a_call_whose_asking_was_interrupted_is_unknown_and_one_that_waited_too_long_is_not_made(
    house: House, ben: Client
) -> None:
    desk = await a_desk(house, ben, await voice.a_line(house))
    async with TwilioFarEnd() as twilio:
        await desk.calls()
        async with house.db.transaction() as session:
            await session.execute(update(Dial).values(state=DialState.ASKED))
        async with dialling(house, twilio_url=twilio.url):
            interrupted, _ = await settled(house)
        async with house.db.transaction() as session:
            await session.execute(update(Dial).values(state=DialState.WAITING, due_at=NOON))
            await session.execute(update(Call).values(at=Call.at - 2 * PROMPT))
        async with dialling(house, twilio_url=twilio.url):
            late, call = await settled(house)

    assert (interrupted.state, late.state, call.cause) == (DialState.UNKNOWN, DialState.REFUSED, NOT_MADE)
    assert twilio.calls == []


@pytest.mark.parametrize("way", [{"context": "from-internal"}, {"trunk": "PJSIP/{digits}@trunk"}])
async def test_an_asterisk_is_asked_once_under_an_id_of_ours(
    house: House, ben: Client, way: dict[str, str]
) -> None:
    async with an_exchange() as exchange:
        desk = await a_desk(house, ben, await an_asterisk_line(house, exchange, **way), telephone="101")
        async with dialling(house):
            begun = await desk.calls()
            dial, call = await settled(house)
        (asked,) = exchange.originated()

        failed = {"Event": "OriginateResponse", "Response": "Failure", "Uniqueid": "<null>"}
        async with (
            running(listening(house).run()),
            running(Mailroom(house.db, house.keys, house.files).run()),
        ):
            await until(lambda: caught_up(exchange), 30)
            await exchange.says(
                {**failed, "ActionID": "another's", "Reason": "1"},
                {**failed, "ActionID": asked["ActionID"], "Reason": "5"},
            )
            (_, told) = await over(house, 2)

    assert (told.direction, told.call_state, told.cause) == ("out", CallState.MISSED, "busy")
    assert (dial.state, begun["userErrors"]) == (DialState.MADE, [])
    assert asked["ChannelId"] == asked["ActionID"] == call.external_id
    assert (asked["Channel"], asked["Async"]) == ("PJSIP/101", "true")
    assert asked.get("Exten") == (ADAS if "context" in way else None)
    assert asked.get("Data") == (None if "context" in way else "PJSIP/48600100200@trunk,60")


@pytest.mark.parametrize(
    ("refuses", "silent", "state"),
    [("Extension does not exist.", "", DialState.REFUSED), (None, "Originate", DialState.UNKNOWN),
     (None, "Login", DialState.REFUSED)],
)  # fmt: skip
async def test_of_an_asterisk_that_does_not_answer_nobody_knows_but_before_it_was_asked(
    house: House,
    ben: Client,
    monkeypatch: pytest.MonkeyPatch,
    refuses: str | None,
    silent: str,
    state: DialState,
) -> None:
    monkeypatch.setattr("integrations.phone.asterisk.connection.ANSWER", 0.5)
    async with an_exchange() as exchange:
        exchange.refuses, exchange.silent_on = refuses, {silent}
        desk = await a_desk(
            house, ben, await an_asterisk_line(house, exchange, context="out"), telephone="101"
        )
        async with dialling(house):
            await desk.calls()
            dial, _ = await settled(house)

    assert dial.state == state


async def test_a_pbx_is_asked_with_a_signature_and_may_have_a_name_of_its_own_for_the_call(
    house: House, ben: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = b'HTTP/1.1 200 OK\r\nContent-Length: 23\r\n\r\n{"call_id": "pbx-0042"}'
    monkeypatch.setitem(ANSWERS, "named", named)
    async with Receiver(mood="named") as pbx:
        async with house.db.transaction() as session:
            line = await a_channel(session, house.keys, ChannelKind.PHONE, dial_url=pbx.url)
        desk = await a_desk(house, ben, line, telephone="101")
        async with dialling(house):
            begun = await desk.calls()
            _, call = await settled(house)
        (posted,) = pbx.posted

    body = orjson.loads(posted.body)
    assert (body["action"], body["user"], body["number"]) == ("dial", "101", ADAS)
    assert body["call_id"].startswith(OURS)
    assert phone_signed(SETTINGS[ChannelKind.PHONE]["key"], posted.body, posted.headers["x-signature"])
    assert call.external_id == "pbx-0042"
    async with house.db.transaction() as session:
        kept = await session.get_one(Channel, line.id)
        answered = a_call_step("pbx-0042", CallStep.ANSWERED, ADAS, outgoing=True, agent="101")
        await receive(session, kept, answered)
    async with house.db.transaction() as session:
        (ours,) = await session.scalars(select(Call).where(Call.direction == "out"))
    assert (public_id("Call", ours.id), ours.call_state) == (begun["call"]["id"], CallState.ANSWERED)


async def test_a_pbx_of_two_addresses_is_asked_at_the_second_where_nobody_is_at_the_first(
    house: House, ben: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Receiver() as pbx:
        there = f"http://both.example:{pbx.port}/dial"
        async with house.db.transaction() as session:
            line = await a_channel(session, house.keys, ChannelKind.PHONE, dial_url=there)
        desk = await a_desk(house, ben, line, telephone="101")
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", nobody_at_the_first)
        async with dialling(house):
            await desk.calls()
            dial, _ = await settled(house)

    assert (dial.state, dial.last_error) == (DialState.MADE, None)
    assert [one.headers["host"] for one in pbx.posted] == [f"both.example:{pbx.port}"]


async def test_an_unknown_call_is_known_again_by_its_first_step(house: House, ben: Client) -> None:
    async with house.db.transaction() as session:
        line = await a_channel(session, house.keys, ChannelKind.PHONE, dial_url="https://pbx.example/dial")
    desk = await a_desk(house, ben, line, telephone="101")
    await desk.calls()
    async with house.db.transaction() as session:
        await session.execute(update(Dial).values(state=DialState.UNKNOWN, last_error="no answer"))

    async with house.db.transaction() as session:
        kept = await session.get_one(Channel, line.id)
        await receive(session, kept, a_call_step("pbx-1", CallStep.RINGING, ADAS, outgoing=True))

    async with house.db.transaction() as session:
        (ours,) = await session.scalars(select(Call).where(Call.direction == "out"))
        (dial,) = await session.scalars(select(Dial))
    assert (ours.external_id, dial.state, dial.last_error) == ("pbx-1", DialState.MADE, None)


async def test_what_cannot_be_called_is_refused_by_name(house: House, ben: Client, eve: Client) -> None:
    line = await voice.a_line(house)
    desk = await a_desk(house, ben, line, telephone=None)
    no_telephone = await desk.refusal()
    async with house.db.transaction() as session:
        await session.execute(update(Agent).where(Agent.name == "Ben").values(line="101"))
    extension_at_twilio = await desk.refusal()
    async with house.db.transaction() as session:
        await session.execute(update(Agent).where(Agent.name == "Ben").values(line="ben@pbx.example"))
        await session.execute(update(Identity).values(value="+48700100200"))
    premium = await desk.refusal()
    async with house.db.transaction() as session:
        await session.execute(update(Identity).values(value=ADAS))
        session.add(BlockedSender(id=new_id(), kind=IdentityKind.PHONE, sender=ADAS, created_at=NOON))
    blocked = await desk.refusal()
    async with house.db.transaction() as session:
        await session.execute(delete(BlockedSender))
    unseen = await desk.refusal(ticketId=public_id("Ticket", new_id()))
    once, again = await desk.calls(), await desk.refusal()
    async with house.db.transaction() as session:
        kept = await session.get_one(Channel, line.id)
        kept.config = {**kept.config, "provider": "generic", "dial_url": ""}
        (audited,) = await session.scalars(
            select(AuditEntry).where(AuditEntry.kind == AuditKind.CALL_STARTED)
        )
    cannot = await desk.refusal()

    assert (no_telephone, extension_at_twilio) == ("NO_TELEPHONE", "NO_TELEPHONE")
    assert (premium, blocked, unseen) == ("NOT_CALLABLE", "IS_BLOCKED", "NOT_FOUND")
    assert (once["userErrors"], again, cannot) == ([], "ALREADY_CALLING", "CANNOT_DIAL")
    assert audited.data["identity_id"] == desk.identity


async def test_a_contact_is_called_about_their_only_open_ticket(house: House, ben: Client) -> None:
    desk = await a_desk(house, ben, await voice.a_line(house))
    async with house.db.transaction() as session:
        contact_id = await session.scalar(select(Identity.contact_id))
    assert contact_id

    begun = await desk.calls(ticketId=None, contactId=public_id("Contact", contact_id))

    assert (begun["userErrors"], begun["ticket"]["id"]) == ([], desk.ticket)

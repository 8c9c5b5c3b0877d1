"""A line at Twilio: what a caller hears, whose telephones ring, and what is in the history afterwards."""

import base64
import hmac
import random
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from api.house import House
from domain.agents.staff import Agent
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState
from domain.calling.dialled_numbers import DialledNumber
from domain.customers.contacts import IdentityKind
from domain.db import new_id
from domain.desk.messages import Attachment, Call, CallState
from domain.sla.calendars import Calendar
from domain.sla.hours import Hours
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import Channel
from integrations.mailroom import Mailroom
from integrations.media import Media
from integrations.orders import ListedOrders, Orders, OrderStatus, Stage
from integrations.settings import IntegrationSettings
from tests.client import Client
from tests.doors import answering
from tests.factories import NOON
from tests.fetching import running, until
from tests.forging import forgeries
from tests.voice import (
    ADAS,
    BASE,
    HOOK,
    OURS,
    TOKEN,
    TwilioFarEnd,
    Voice,
    a_line,
    path_of,
    recording_url,
    sid,
)
from tests.working_off import worked_off

SOUND = b"ID3 the voice of Ada"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever tests on a busy machine waits for the database."""
    monkeypatch.setattr("integrations.phone.deciding.PATIENCE", 20.0)


async def read(house: House) -> list[Arrival]:
    """All that arrived, once somebody has read it."""

    async def opened() -> bool:
        return all(one.due_at is None for one in await arrivals(house))

    async with running(Mailroom(house.db, house.keys, house.files).run()):
        await until(opened, 30)
    return await arrivals(house)


async def arrivals(house: House) -> list[Arrival]:
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Arrival).order_by(Arrival.id)))


async def read_once(house: House, *, but: Arrival | None = None) -> None:
    """What is due now; `but`: which somebody else has."""
    async with house.db.transaction() as session:
        await session.execute(update(Arrival).where(Arrival.due_at.is_not(None)).values(due_at=func.now()))
        if but:
            later = update(Arrival).where(Arrival.id == but.id)
            await session.execute(later.values(due_at=func.now() + timedelta(hours=1)))
    await worked_off(house, ARRIVALS, Mailroom(house.db, house.keys, house.files).open)


async def the_call(house: House) -> Call:
    async with house.db.transaction() as session:
        return (await session.scalars(select(Call))).one()


async def bens_telephone(house: House, telephone: str = "+48700800900") -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Agent).where(Agent.name == "Ben").values(line=telephone))


async def close(house: House) -> None:
    """For ever."""
    async with house.db.transaction() as session:
        never = Calendar(id=new_id(), name="Never", hours=Hours(ZoneInfo("Europe/Warsaw"), {}).to_json())
        session.add(never)
        await session.flush()
        await session.execute(update(Channel).values(calendar_id=never.id))


def verbs(answer: Element) -> list[str]:
    return [verb.tag for verb in answer]


def said(answer: Element) -> list[str]:
    return [verb.text or "" for verb in answer.iter("Say")]


def one(answer: Element, tag: str) -> Element:
    (found,) = answer.iter(tag)
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_a_call_rings_those_who_are_there_and_what_becomes_of_it_is_told_in_any_order(
    anybody: Client, ben: Client, house: House, seed: int
) -> None:
    await a_line(house)
    await bens_telephone(house)
    call = Voice(anybody)
    answer = await call.says()
    dial = one(answer, "Dial")
    number = one(dial, "Number")
    leg, aside = sid(), {"ParentCallSid": call.sid, "To": "+48700800900", "Direction": "outbound-dial"}
    told = [
        (number.get("statusCallback"), {**aside, "CallSid": leg, "CallStatus": "ringing", "SequenceNumber": "1"}),
        (number.get("statusCallback"), {**aside, "CallSid": leg, "CallStatus": "in-progress", "SequenceNumber": "2"}),
        (number.get("statusCallback"), {**aside, "CallSid": leg, "CallStatus": "completed", "SequenceNumber": "3"}),
        (dial.get("action"), {"DialCallStatus": "completed", "DialCallSid": leg, "DialCallDuration": "0"}),
        (f"{HOOK}/status", {"CallStatus": "completed", "SequenceNumber": "4"}),
    ]  # fmt: skip
    random.Random(seed).shuffle(told)

    for address, form in [*told, *told]:
        assert verbs(await call.says(str(address), **form)) == []
    await read(house)

    kept = await the_call(house)
    assert (dial.get("answerOnBridge"), number.text, verbs(answer)) == ("true", "+48700800900", ["Dial"])
    assert (kept.call_state, kept.external_id, kept.number) == (CallState.ENDED, call.sid, ADAS)
    assert kept.dialled == OURS
    assert kept.agent_id is not None
    assert kept.answered_at is not None
    assert kept.ended_at is not None


@pytest.mark.parametrize("status", ["completed", "no-answer"])
@pytest.mark.parametrize(("caller", "number"), [(ADAS, ADAS), ("+266696687", "")])
async def test_a_call_of_which_only_the_end_comes_through_is_a_missed_one(
    anybody: Client, house: House, caller: str, number: str, status: str
) -> None:
    await a_line(house)

    await Voice(anybody, caller=caller).says(f"{HOOK}/status", CallStatus=status)
    await read(house)

    kept = await the_call(house)
    assert (kept.call_state, kept.cause, kept.number, kept.dialled) == (
        CallState.MISSED, status, number, OURS,
    )  # fmt: skip


async def test_the_telephones_of_the_settings_ring_in_the_dialled_numbers_language(
    anybody: Client, house: House
) -> None:
    line = await a_line(house, ring="sip:desk@pbx.example,client:ben", record="true", language="pl")
    async with house.db.transaction() as session:
        catalan = {"number": "+48221234568", "language": "ca", "campaign": "Diada"}
        session.add(DialledNumber(id=new_id(), channel_id=line.id, created_at=NOON, **catalan))

    polish = await Voice(anybody).says()
    catalan_one = await Voice(anybody, dialled="+48221234568").says()

    assert [verb.tag for verb in one(polish, "Dial")] == ["Sip", "Client"]
    assert [one(answer, "Say").get("language") for answer in (polish, catalan_one)] == ["pl-PL", "ca-ES"]
    assert said(polish) == [
        "Ta rozmowa jest nagrywana. Jeśli nie zgadzają się Państwo na to, proszę się rozłączyć i do nas napisać."
    ]
    await read(house)
    async with house.db.transaction() as session:
        assert await session.scalar(select(Call.campaign).where(Call.campaign.is_not(None))) == "Diada"


async def test_who_is_blocked_is_rejected(anybody: Client, house: House) -> None:
    await a_line(house, ring="+48700800900", voicemail="true")
    async with house.db.transaction() as session:
        session.add(BlockedSender(id=new_id(), kind=IdentityKind.PHONE, sender=ADAS, created_at=NOON))

    assert verbs(await Voice(anybody).says()) == ["Reject"]


async def test_without_a_database_in_time_the_settings_decide(
    anybody: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_line(house, ring="+48700800900")

    async def down(*_: Any, **__: Any) -> None:
        raise SQLAlchemyError

    monkeypatch.setattr("integrations.phone.twilio.ringing.look_up", down)

    assert verbs(await Voice(anybody).says()) == ["Dial"]


async def test_outside_the_office_hours_nobody_is_rung_and_a_machine_takes_it_only_where_it_may(
    anybody: Client, house: House
) -> None:
    line = await a_line(house, ring="+48700800900")
    await close(house)
    without = await Voice(anybody).says()
    async with house.db.transaction() as session:
        kept = await session.get_one(Channel, line.id)
        kept.config = {**kept.config, "voicemail": True}
    with_one = await Voice(anybody).says()

    assert verbs(without) == ["Say", "Hangup"]
    assert verbs(with_one) == ["Say", "Record", "Hangup"]


async def test_a_voicemail_is_fetched_with_the_accounts_credentials_and_deleted_there(
    anybody: Client, house: House
) -> None:
    await a_line(house, ring="+48700800900", voicemail="true", language="es")
    call = Voice(anybody)
    dial = one(await call.says(), "Dial")
    record = one(await call.says(str(dial.get("action")), DialCallStatus="no-answer"), "Record")
    async with TwilioFarEnd() as twilio:
        url, name = recording_url(twilio, SOUND)
        told = {"RecordingUrl": url, "RecordingSid": name, "RecordingStatus": "completed"}
        twilio.mischief("broken")
        for _ in range(2):
            await call.says(str(record.get("recordingStatusCallback")), **told)
        thanks = await call.says(str(record.get("action")), RecordingUrl=url)
        await read(house)
        await fetched(house, twilio)
        left = dict(twilio.recordings)

    kept = await the_call(house)
    (file,) = await files_of(house, kept)
    assert file.file
    assert await house.files.get(file.file) == SOUND
    assert (file.source_url, file.mime, left) == (None, "audio/mpeg", {})
    assert (kept.call_state, kept.answered_at, verbs(thanks)) == (CallState.MISSED, None, ["Say", "Hangup"])
    (_, consent) = (kept.steps or {})["consent"]
    assert consent.startswith("was told and stayed, ")
    assert "Se graba para que podamos" in consent


async def test_a_voicemail_waits_for_a_call_whose_first_word_is_read_later(
    anybody: Client, house: House
) -> None:
    await a_line(house, ring="+48700800900", voicemail="true")
    call = Voice(anybody)
    dial = one(await call.says(), "Dial")
    record = one(await call.says(str(dial.get("action")), DialCallStatus="no-answer"), "Record")
    url = "https://api.twilio.com/2010-04-01/Accounts/AC/Recordings/RE1"
    told = {"RecordingUrl": url, "RecordingSid": "RE1", "RecordingStatus": "completed"}
    await call.says(str(record.get("recordingStatusCallback")), **told)
    first, *_ = await arrivals(house)

    await read_once(house, but=first)
    *_, early = await arrivals(house)
    await read_once(house)
    await read_once(house)
    *_, late = await arrivals(house)

    assert (early.due_at is None, late.due_at, late.state) == (False, None, ArrivalState.PLACED)
    assert [file.source_url for file in await files_of(house, await the_call(house))] == [f"{url}.mp3"]


async def test_a_recording_of_a_call_that_never_comes_is_not_waited_for_for_ever(
    anybody: Client, house: House
) -> None:
    await a_line(house, ring="+48700800900", voicemail="true")
    call = Voice(anybody)
    dial = one(await call.says(), "Dial")
    record = one(await call.says(str(dial.get("action")), DialCallStatus="no-answer"), "Record")
    async with house.db.transaction() as session:
        await session.execute(delete(Arrival))
    await call.says(str(record.get("recordingStatusCallback")), RecordingUrl="https://x", RecordingSid="RE1")
    async with house.db.transaction() as session:
        await session.execute(update(Arrival).values(received_at=func.now() - timedelta(days=1)))

    (recorded,) = await read(house)

    assert recorded.state == ArrivalState.IGNORED


async def fetched(house: House, twilio: TwilioFarEnd) -> None:
    settings = IntegrationSettings.model_construct(twilio_url=twilio.url)

    async def done() -> bool:
        async with house.db.transaction() as session:
            failed = Attachment.failures > 0, Attachment.deaths == 0
            await session.execute(update(Attachment).where(*failed).values(due_at=func.now() - timedelta(1)))
            return await session.scalar(select(Attachment.id).where(Attachment.due_at.is_not(None))) is None

    async with running(Media(house.db, house.keys, house.files, settings).run()):
        await until(done, 30)


async def files_of(house: House, call: Call) -> list[Attachment]:
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Attachment).where(Attachment.item_id == call.id)))


async def test_a_recording_to_which_nobody_has_agreed_is_not_kept(anybody: Client, house: House) -> None:
    await a_line(house, ring="+48700800900")
    call = Voice(anybody)
    await call.says()
    url = "https://api.twilio.com/2010-04-01/Accounts/AC/Recordings/RE1"

    await call.says(f"{HOOK}/recording", RecordingUrl=url, RecordingSid="RE1", RecordingStatus="completed")
    arrivals = await read(house)

    assert await files_of(house, await the_call(house)) == []
    assert "nobody has agreed" in str(arrivals[-1].last_error)


@pytest.mark.parametrize(("pressed", "records"), [("1", "record-from-answer-dual"), ("2", None)])
async def test_only_who_presses_one_is_recorded_where_the_shop_asks(
    anybody: Client, house: House, pressed: str, records: str | None
) -> None:
    await a_line(house, ring="+48700800900", record="true", consent="pressed")
    call = Voice(anybody)
    asked = await call.says()
    silent = one(asked, "Dial")

    answer = await call.says(str(one(asked, "Gather").get("action")), Digits=pressed)
    await read(house)

    assert (silent.get("record"), one(answer, "Dial").get("record")) == (None, records)
    steps = (await the_call(house)).steps or {}
    assert [key for _, key in steps["pressed"]] == [pressed]
    assert bool(steps["consent"]) == (records is not None)
    if records:
        query = parse_qs(urlsplit(str(one(answer, "Dial").get("recordingStatusCallback"))).query)
        assert query["consent"] == ["pressed"]
        assert query["said"][0].startswith("May we record")


class Broken:
    async def order_status(self, number: str) -> OrderStatus | None:
        raise ConnectionError


SHOP = ListedOrders({"1042": OrderStatus(Stage.SHIPPED, date(2026, 11, 20))})


@pytest.mark.parametrize(
    ("shop", "typed", "hears"),
    [
        (SHOP, {"Digits": "1042"}, "Zamówienie wysłano 20 listopada."),
        (SHOP, {"SpeechResult": "10 42."}, "Zamówienie wysłano 20 listopada."),
        (SHOP, {"Digits": "9"}, "Nie znaleźliśmy zamówienia o tym numerze."),
        (Broken(), {"Digits": "1042"}, "Nie znaleźliśmy zamówienia o tym numerze."),
    ],
)
async def test_a_machine_says_how_far_an_order_is_and_connects(
    house: House, shop: Orders, typed: dict[str, str], hears: str
) -> None:
    await a_line(house, ring="+48700800900", menu="true", language="pl")

    async with answering(replace(house, orders=shop)) as address, Client(address) as somebody:
        call = Voice(somebody)
        begun = await call.says()
        answer = await call.says(str(one(begun, "Gather").get("action")), **typed)
    await read(house)

    assert (verbs(begun), one(begun, "Gather").get("language")) == (["Gather", "Dial"], "pl-PL")
    assert (said(answer), verbs(answer)) == ([hears], ["Say", "Dial"])
    steps = (await the_call(house)).steps or {}
    assert [key for _, key in steps["pressed"]] == [*typed.values()]


async def test_a_webhook_is_believed_behind_a_proxy_and_with_a_shared_key(
    anybody: Client, house: House
) -> None:
    await a_line(house, ring="+48700800900")
    call = Voice(anybody)
    body, headers = call.signed(f"{HOOK}?tenant=1")
    headers |= {"host": "10.0.0.7", "x-forwarded-proto": "https"}
    behind = await anybody.http.post(f"{HOOK}?tenant=1", content=body, headers=headers)

    form = dict(parse_qsl(body.decode(), keep_blank_values=True))
    said = BASE + HOOK + "".join(f"{name}{form[name]}" for name in sorted(form))
    digest = base64.b64encode(hmac.digest(TOKEN.encode(), said.encode(), "sha256")).decode()
    shared = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": digest,
        "x-twilio-webhooks-signature-settings": "key=k1,algorithm=HMAC_SHA256",
    }
    by_key = await anybody.http.post(HOOK, content=body, headers=shared)

    assert (behind.status_code, by_key.status_code) == (200, 200)


async def test_two_hundred_forged_webhooks_are_refused_and_a_replayed_one_changes_nothing(
    anybody: Client, house: House
) -> None:
    await a_line(house, ring="+48700800900")
    call = Voice(anybody)
    body, headers = call.signed()
    address = path_of(HOOK)

    statuses = []
    for forged, with_headers in forgeries(body, headers, signed_by="x-twilio-signature", count=200, seed=7):
        statuses.append((await anybody.http.post(address, content=forged, headers=with_headers)).status_code)
    none = await read(house)
    for _ in range(3):
        await anybody.http.post(address, content=body, headers=headers)
    once = await read(house)

    assert set(statuses) <= {400, 401}
    assert (len(none), len(once)) == (0, 1)


async def test_names_and_values_that_are_run_together_otherwise_are_no_other_webhook(
    anybody: Client, house: House
) -> None:
    """Twilio's signature covers them without what stands between."""
    await a_line(house, ring="+48700800900")
    call = Voice(anybody)
    body, headers = call.signed(SpeechResult="ten")
    await anybody.http.post(HOOK, content=body, headers=headers)

    moved = body.replace(b"SpeechResult=ten", b"SpeechResultte=n")
    answer = await anybody.http.post(HOOK, content=moved, headers=headers)

    assert answer.status_code == 200
    assert len(await read(house)) == 1


async def test_a_line_of_another_provider_or_account_has_no_such_door(anybody: Client, house: House) -> None:
    await a_line(house, slug="other", number="+48221234569", account_sid="AC" + "1" * 32)
    call = Voice(anybody)
    body, headers = call.signed("/hooks/twilio/other/voice")

    of_another = await anybody.http.post("/hooks/twilio/other/voice", content=body, headers=headers)
    unknown = await anybody.http.post("/hooks/twilio/other/voice/nothing", content=body, headers=headers)

    assert (of_another.status_code, unknown.status_code) == (401, 404)

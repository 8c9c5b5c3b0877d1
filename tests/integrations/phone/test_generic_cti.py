"""What a PBX tells in generic CTI, and what it is answered."""

import random
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import func, select, update

from api.house import House
from domain.actors import SYSTEM
from domain.agents import duty
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState, CallStep
from domain.calling.dialled_numbers import save_number
from domain.customers.contacts import IdentityKind
from domain.db import database_time, new_id
from domain.desk.messages import Call, CallState
from domain.sla.calendars import Calendar
from domain.sla.hours import Hours
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import Channel, ChannelKind
from integrations.channel_settings import read_settings
from integrations.mailroom import Mailroom
from integrations.phone import payloads
from integrations.phone.deciding import Decision, Dial, Known, Reject, decide
from integrations.phone.line import PhoneLine
from integrations.signatures import phone_signature
from tests.client import Client
from tests.factories import NOON, SETTINGS, a_call_step, a_channel, an_agent, receive, set_channel, tickets
from tests.fetching import opening, until
from tests.forging import forgeries

KEY = SETTINGS[ChannelKind.PHONE]["key"]
HOOK = "/hooks/phone/phone"
CALLER, OURS = "+48600100200", "+48221112233"
NEW_CALL = {
    "event": "newCall",
    "direction": "in",
    "from": "48600100200",
    "to": "48221112233",
    "call_id": "c1",
    "user": ["7", "ben@shop.example"],
}


@pytest.fixture(autouse=True)
async def line(house: House) -> Channel:
    async with house.db.transaction() as session:
        return await a_channel(session, house.keys, ChannelKind.PHONE)


async def post(
    anybody: Client, event: dict[str, Any] | bytes, *, kind: str = "application/json"
) -> dict[str, Any]:
    body = event if isinstance(event, bytes) else orjson.dumps(event)
    headers = {"x-signature": phone_signature(KEY, body, at=int(time.time())), "content-type": kind}
    answer = await anybody.http.post(HOOK, content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def open_all(house: House) -> None:
    mailroom = Mailroom(house.db, house.keys, house.files)
    async with house.db.transaction() as session:
        claimed = await ARRIVALS.claim(session, 100)
    for arrival, lease in claimed:
        await mailroom.open(arrival, lease)


async def test_json_and_a_form_say_the_same(anybody: Client, house: House) -> None:
    form = b"event=newCall&direction=in&from=48600100200&to=48221112233&call_id=c1&user%5B%5D=7&user%5B%5D=ben%40shop.example"
    assert await post(anybody, NEW_CALL) == {}
    assert await post(anybody, form, kind="application/x-www-form-urlencoded") == {}

    await open_all(house)

    async with house.db.transaction() as session:
        (call,) = await session.scalars(select(Call))
        assert (call.number, call.dialled) == (CALLER, OURS)
        states = list(await session.scalars(select(Arrival.state)))
        assert states == [ArrivalState.PLACED, ArrivalState.PLACED]


ARRIVED = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ({}, ARRIVED),
        ({"at": "2026-03-02T12:59:30+01:00"}, ARRIVED - timedelta(seconds=30)),
        ({"timestamp": ARRIVED.timestamp() - 30}, ARRIVED - timedelta(seconds=30)),
        ({"timestamp": f"{(ARRIVED.timestamp() - 30) * 1000:.0f}"}, ARRIVED - timedelta(seconds=30)),
        ({"at": "2026-03-02T12:00:09Z"}, ARRIVED),  # its clock is fast
        ({"at": "2026-03-02T11:59:30"}, ARRIVED),  # of which zone?
        ({"at": "2026-02-20T12:00:00Z"}, ARRIVED),
        ({"at": "2030-01-01T00:00:00Z"}, ARRIVED),
        ({"at": "yesterday"}, ARRIVED),
        ({"at": "9" * 180}, ARRIVED),
        ({"at": [1]}, ARRIVED),
        ({"at": True}, ARRIVED),
    ],
)
def test_the_pbx_may_say_when_if_it_makes_sense(line: Channel, said: dict[str, Any], at: datetime) -> None:
    step = payloads.step_of(line, {**NEW_CALL, **said}, at=ARRIVED)

    assert step
    assert step.at == at


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({}, (CallStep.RINGING, ("7", "ben@shop.example"), None)),
        ({"user": "7, 8,,7"}, (CallStep.RINGING, ("7", "8"), None)),
        ({"user": None}, (CallStep.RINGING, (), None)),
        ({"direction": "out", "user": "7"}, (CallStep.RINGING, (), "7")),
        ({"event": "answer", "user": "7"}, (CallStep.ANSWERED, (), "7")),
        ({"event": "answer", "user": "voicemail"}, (CallStep.VOICEMAIL, (), None)),
        ({"event": "answer", "answeringNumber": "voicemail"}, (CallStep.VOICEMAIL, (), None)),
        ({"event": "hangup", "user": None, "cause": "cancel"}, (CallStep.ENDED, (), None)),
    ],
)
def test_who_rings_and_who_took_it(line: Channel, event: dict[str, Any], expected: tuple[Any, ...]) -> None:
    step = payloads.step_of(line, {**NEW_CALL, **event}, at=ARRIVED)

    assert step
    assert (step.step, step.ringing, step.agent) == expected


@pytest.mark.parametrize("event", [{"event": "dtmf"}, {"call_id": ""}, {"event": 7}, {"event": ["newCall"]}])
def test_what_is_no_step_of_a_call_is_kept_and_ignored(line: Channel, event: dict[str, Any]) -> None:
    assert payloads.step_of(line, {**NEW_CALL, **event}, at=ARRIVED) is None


def a_line(**settings: Any) -> PhoneLine:
    read = read_settings(ChannelKind.PHONE, SETTINGS[ChannelKind.PHONE] | settings)
    assert isinstance(read, PhoneLine)
    return read


@pytest.mark.parametrize(
    ("known", "settings", "decision"),
    [
        (Known(), {}, None),
        (Known(is_blocked=True, is_open=False, assignee_line="7"), {"closed": "9"}, Reject()),
        (Known(is_open=False), {}, None),
        (Known(is_open=False, dial="50"), {}, Dial("50", CALLER)),
        (Known(is_open=False, assignee_line="7"), {"closed": "reject", "to_assignee": True}, Reject()),
        (Known(is_open=False, dial="50"), {"closed": "+48800"}, Dial("+48800", CALLER)),
        (Known(assignee_line="7", dial="50"), {"to_assignee": True}, Dial("7", CALLER)),
        (Known(assignee_line="7", dial="50"), {}, Dial("50", CALLER)),
    ],
)
def test_where_a_call_goes(known: Known, settings: dict[str, Any], decision: Decision) -> None:
    assert decide(known, a_line(**settings), caller=CALLER) == decision


async def test_a_blocked_caller_hears_that_the_line_is_busy_and_opens_nothing(
    anybody: Client, house: House
) -> None:
    async with house.db.transaction() as session:
        session.add(BlockedSender(id=new_id(), kind=IdentityKind.PHONE, sender=CALLER, created_at=NOON))

    assert await post(anybody, NEW_CALL) == {"action": "reject", "reason": "busy"}
    assert await post(anybody, {**NEW_CALL, "event": "hangup"}) == {}
    await open_all(house)

    async with house.db.transaction() as session:
        assert await tickets(session) == []
        kept = (await session.execute(select(Arrival.state, Arrival.last_error))).all()
        assert set(kept) == {(ArrivalState.IGNORED, f"blocked sender: {CALLER}")}


async def test_outside_the_office_hours_the_line_says_where_calls_go(anybody: Client, house: House) -> None:
    never = Hours.from_json({"zone": "UTC", "weekly": {}})
    async with house.db.transaction() as session:
        calendar = Calendar(id=new_id(), name="Never", hours=never.to_json())
        session.add(calendar)
        await session.flush()
        await session.execute(update(Channel).values(calendar_id=calendar.id))
        await set_channel(session, "phone", key=KEY, closed="+48800100100")

    dialled = {"action": "dial", "number": "+48800100100", "caller_id": CALLER}
    assert await post(anybody, NEW_CALL) == dialled
    assert await post(anybody, {**NEW_CALL, "from": "anonymous"}) == {
        "action": "dial",
        "number": "+48800100100",
    }


@pytest.mark.parametrize("on_shift", [True, False])
async def test_a_known_caller_reaches_who_has_their_only_open_ticket(
    anybody: Client, house: House, line: Channel, on_shift: bool
) -> None:
    async with house.db.transaction() as session:
        ben = await an_agent(session, "Ben")
        ben.line = "7"
        now = await database_time(session)
        (await duty.rota_of(session, ben.id)).declare(on_shift, until=None, by=SYSTEM, at=now)
        await save_number(session, line, OURS, dial="50", at=now)
        await receive(session, line, a_call_step("earlier", CallStep.RINGING))
        (ticket,) = await tickets(session)
        ticket.assign(to=ben, by=SYSTEM, at=now)
        await set_channel(session, "phone", key=KEY, to_assignee=True)

    assert (await post(anybody, NEW_CALL))["number"] == ("7" if on_shift else "50")
    assert await post(anybody, {**NEW_CALL, "event": "answer"}) == {}
    assert await post(anybody, {**NEW_CALL, "direction": "out"}) == {}


async def test_who_finds_nothing_out_in_time_answers_nothing_and_has_kept_the_call(
    anybody: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house.db.transaction() as session:
        session.add(BlockedSender(id=new_id(), kind=IdentityKind.PHONE, sender=CALLER, created_at=NOON))
    monkeypatch.setattr("integrations.phone.deciding.PATIENCE", 0)

    assert await post(anybody, NEW_CALL) == {}

    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Arrival)) == 1


async def test_two_hundred_forged_steps_are_refused_and_a_replay_changes_nothing(
    anybody: Client, house: House
) -> None:
    body = orjson.dumps(NEW_CALL)
    headers = {"x-signature": phone_signature(KEY, body, at=int(time.time()))}
    made = forgeries(body, headers, signed_by="x-signature", count=220, seed=7)
    # A space at the end of a header is no part of it, and cannot be sent.
    forged = [one for one in made if one[1].get("x-signature", "") == one[1].get("x-signature", "").strip()]
    assert len(forged) >= 200

    answers = [
        (await anybody.http.post(HOOK, content=forgery, headers=with_headers)).status_code
        for forgery, with_headers in forged
    ]
    guesses = [f"{KEY}x", KEY[:-1], KEY.upper(), "", " ", "%00", "..", "null"]
    tokens = [(await anybody.http.post(f"{HOOK}/{guess}", content=body)).status_code for guess in guesses]
    late = {"x-signature": phone_signature(KEY, body, at=int(time.time()) - 301)}
    assert (await anybody.http.post(HOOK, content=body, headers=late)).status_code == 401

    assert set(answers) == {401}
    assert set(tokens) <= {401, 404, 307}
    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Arrival)) == 0

    for _ in range(5):
        assert (await anybody.http.post(HOOK, content=body, headers=headers)).status_code == 200
    await open_all(house)
    async with house.db.transaction() as session:
        before = (await session.execute(select(Call.__table__))).all()
    again = {"x-signature": phone_signature(KEY, body, at=int(time.time()) - 200)}
    assert (await anybody.http.post(HOOK, content=body, headers=again)).status_code == 200
    await open_all(house)

    async with house.db.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(Arrival)) == 1
        assert (await session.execute(select(Call.__table__))).all() == before


def _events(call: int, began: float) -> list[dict[str, Any]]:
    """With the PBX's own moments; only the first says who calls."""
    told: list[dict[str, Any]] = [
        {**NEW_CALL, "from": f"4860010030{call}"},
        {"event": "answer", "direction": "in", "user": "7"},
        {"event": "answer", "direction": "in", "user": "ben@shop.example"},
        {"event": "hangup", "direction": "in", "cause": "normalClearing"},
    ]
    return [
        {**event, "call_id": f"c{call}", "at": began + 10 * place, "try": 1}
        for place, event in enumerate(told)
    ]


async def test_steps_that_are_shuffled_repeated_and_read_by_two_workers_leave_the_same_rows(
    anybody: Client, house: House
) -> None:
    async with house.db.transaction() as session:
        (await an_agent(session, "Bo")).line = "7"
        ben_id = (await an_agent(session, "Ben")).id
    dice, began = random.Random(9), float(int(time.time()) - 100)
    events = [event for call in range(6) for event in _events(call, began)]
    again = [{**event, "try": 2} for event in dice.sample(events, 10)]
    ordered, others = events[:4], [*events[4:], *again]
    dice.shuffle(others)

    async with opening(house), opening(house):
        for event in [*ordered, *others]:
            await post(anybody, event)
        await until(lambda: _all_read(house))

    alike = ("at", "answered_at", "ended_at", "cause", "call_state", "agent_id", "handled_by", "dialled", "steps", "ringing")  # fmt: skip
    async with house.db.transaction() as session:
        calls = list(await session.scalars(select(Call).order_by(Call.external_id)))
        rows = [[getattr(call, name) for name in alike] for call in calls]
        assert len(rows) == 6
        assert all(row == rows[0] for row in rows), rows
        assert (calls[0].agent_id, calls[0].call_state) == (ben_id, CallState.ENDED)


async def _all_read(house: House) -> bool:
    async with house.db.transaction() as session:
        return await session.scalar(select(Arrival.id).where(Arrival.due_at.is_not(None))) is None

"""What is promised and who is told, managed through the door."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from api.house import House
from domain.agents.staff import Agent
from domain.audit import AuditEntry, AuditKind
from domain.db import database_time
from domain.ids import public_id
from domain.sla import recounts
from domain.ways_in.channels import ChannelKind
from tests.client import Client
from tests.factories import NOON, a_channel, a_chat, a_mail, a_promise, receive

OFFICE = {
    "timezone": "Europe/Warsaw",
    "weekly": [
        {"day": "mon", "periods": [{"begin": "09:00", "end": "13:00"}, {"begin": "14:00", "end": "24:00"}]}
    ],
    "closed": ["2026-12-31"],
    "holidays": ["PL"],
}
CALENDAR = """mutation($input: CalendarSaveInput!) { calendarSave(input: $input) {
  calendar { id name timezone hours { weekly { day periods { begin end } } closed holidays } }
  userErrors { code field message } } }"""
POLICY = """mutation($input: PolicySaveInput!) { policySave(input: $input) { policy {
    id name isDefault calendar { name }
    targets { metric seconds days workingDays warnDays channel priority }
    conditions { tags channels } pauses ladder { rounds steps { level afterSeconds tells ways } } }
  userErrors { code field message } } }"""
DELETE_CALENDAR = """mutation($input: CalendarDeleteInput!) {
  calendarDelete(input: $input) { ok userErrors { code message } } }"""
SET_HOURS = "mutation($input: ChannelUpdateInput!) { channelUpdate(input: $input) { userErrors { code } } }"
LEFT = "{ tickets { edges { node { clocks { secondsLeft policy { name calendar { name } } } } } } }"
TEMPLATES = "{ policyTemplates { code conditions { tags teams { name } } } }"
DELETE = "mutation($input: PolicyDeleteInput!) { policyDelete(input: $input) { ok userErrors { code } } }"
TICKETS = (
    """{ tickets { edges { node { id clocks { metric state dueAt targetSeconds policy { name } } } } } }"""
)
UPDATE = """mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) {
  changeId userErrors { code field } } }"""
UNDO = "mutation($input: ChangeUndoInput!) { changeUndo(input: $input) { userErrors { code } } }"
ASSIGN = "mutation($input: TicketAssignInput!) { ticketAssign(input: $input) { userErrors { code } } }"
SAID = """{ tickets { edges { node { id
  timeline(first: 9, kinds: [MESSAGE]) { edges { node { ... on Message { id } } } } } } } }"""
FORWARD = """mutation($input: MessageForwardInput!) { messageForward(input: $input) {
  message { side } userErrors { code } } }"""
DEFAULT_LADDER = [
    {"level": 0, "afterSeconds": 0, "tells": ["ASSIGNEE"], "ways": ["PUSH"]},
    {"level": 1, "afterSeconds": 0, "tells": ["ASSIGNEE", "MANAGER_ON_SHIFT"], "ways": ["PUSH"]},
    {"level": 2, "afterSeconds": 300, "tells": ["MANAGERS_ON_SHIFT"], "ways": ["PUSH"]},
    {"level": 3, "afterSeconds": 600, "tells": ["ADMINS"], "ways": ["PUSH", "EMAIL"]},
]


@pytest.fixture
async def working(house: House) -> AsyncIterator[None]:
    task = asyncio.create_task(recounts.run(house.db))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def recounted(mia: Client) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while True:
            found = (await mia.ask("{ recount { finishedAt tickets moved } }"))["recount"]
            if found and found.pop("finishedAt"):
                return dict(found)
            await asyncio.sleep(0.05)


async def clocks(mia: Client) -> list[tuple[str, int, str]]:
    (edge,) = (await mia.ask(TICKETS))["tickets"]["edges"]
    return [(one["metric"], one["targetSeconds"], one["policy"]["name"]) for one in edge["node"]["clocks"]]


async def test_a_calendar_is_saved_and_comes_back_as_it_was_given(mia: Client) -> None:
    done = await mia.do(CALENDAR, name="Office", hours=OFFICE)

    assert done["userErrors"] == []
    assert done["calendar"]["timezone"] == "Europe/Warsaw"
    expected = {name: value for name, value in OFFICE.items() if name != "timezone"}
    assert done["calendar"]["hours"] == expected


@pytest.mark.parametrize(
    ("hours", "says"),
    [
        ({"timezone": "Europe/Shopville"}, "unknown time zone"),
        ({"weekly": [{"day": "someday", "periods": []}]}, "a day is one of"),
        (
            {"weekly": [{"day": "mon", "periods": [{"begin": "17:00", "end": "09:00"}]}]},
            "ends before it begins",
        ),
        ({"holidays": ["XX"]}, "no holidays are known"),
        ({"weekly": []}, "never open"),
    ],
)
async def test_hours_that_make_no_sense_are_refused_in_a_sentence(
    mia: Client, hours: dict[str, Any], says: str
) -> None:
    done = await mia.do(CALENDAR, name="Office", hours=OFFICE | hours)

    (refusal,) = done["userErrors"]
    assert refusal["code"] == "INVALID"
    assert says in refusal["message"]


async def test_what_is_wrong_with_hours_is_said_in_the_readers_language(mia: Client, house: House) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Agent).values(locale="pl"))
    monday = [{"begin": "09:00", "end": "13:00"}, {"begin": "12:00", "end": "17:00"}]
    wrong: list[dict[str, Any]] = [
        {"weekly": [{"day": "mon", "periods": monday}]},
        {"timezone": "Europe/Shopville"},
        {"holidays": ["XX"]},
    ]

    refused = [await mia.do(CALENDAR, name="Office", hours=OFFICE | hours) for hours in wrong]

    said = [error["message"] for one in refused for error in one["userErrors"]]
    assert said == [
        "mon 09:00-13:00 i 12:00-17:00 nakładają się",
        "nieznana strefa czasowa 'Europe/Shopville'",
        "nie są znane święta dla 'XX'; pisze się PL albo ES-CT dla Katalonii",
    ]


async def test_a_template_is_a_policy_to_begin_with(mia: Client) -> None:
    calendar = (await mia.do(CALENDAR, name="Office", hours=OFFICE))["calendar"]

    policy = (await mia.do(POLICY, template="COMPLAINT_PL", calendarId=calendar["id"]))["policy"]

    assert policy["name"] == "Complaints, Poland"
    assert policy["conditions"] == {"tags": ["reklamacja"], "channels": []}
    (legal,) = [target for target in policy["targets"] if target["metric"] == "RESOLUTION"]
    assert (legal["days"], legal["workingDays"], legal["warnDays"]) == (14, False, [7, 3, 1])
    assert policy["ladder"] == {"rounds": 3, "steps": DEFAULT_LADDER}


async def test_who_chooses_a_template_sees_by_which_tags_its_tickets_are_known(mia: Client) -> None:
    shown = (await mia.ask(TEMPLATES))["policyTemplates"]

    assert {one["code"]: one["conditions"] for one in shown} == {
        "SHOP": {"tags": [], "teams": []},
        "COMPLAINT_PL": {"tags": ["reklamacja"], "teams": []},
        "COMPLAINT_ES": {"tags": ["reclamación", "reclamació"], "teams": []},
    }


async def test_a_policy_with_a_ladder_of_its_own_goes_back_to_the_houses(mia: Client) -> None:
    calendar = (await mia.do(CALENDAR, name="Office", hours=OFFICE))["calendar"]
    own = {"steps": [{"level": 1, "afterSeconds": 0, "tells": ["ADMINS"]}], "rounds": 1}
    policy = (await mia.do(POLICY, name="New", calendarId=calendar["id"], ladder=own))["policy"]
    assert len(policy["ladder"]["steps"]) == 1
    renamed = (await mia.do(POLICY, id=policy["id"], name="Newer"))["policy"]
    assert renamed["ladder"] == policy["ladder"]

    again = await mia.do(POLICY, id=policy["id"], ladder=None)

    assert again["userErrors"] == []
    assert again["policy"]["ladder"] == {"rounds": 3, "steps": DEFAULT_LADDER}


async def test_a_calendar_that_nothing_goes_by_is_deleted_and_what_it_promised_is_still_told(
    admin: Client, mia: Client, house: House
) -> None:
    calendar = (await mia.do(CALENDAR, name="Office", hours=OFFICE))["calendar"]["id"]
    other = (await mia.do(CALENDAR, name="Night", hours=OFFICE))["calendar"]["id"]
    targets = [{"metric": "FIRST_REPLY", "seconds": 60}]
    policy = (await mia.do(POLICY, name="All", calendarId=calendar, targets=targets, isDefault=True))[
        "policy"
    ]
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", at=NOON))
    channel = public_id("Channel", mailbox.id)
    assert await admin.refused(SET_HOURS, id=channel, calendarId=calendar) == []

    (refusal,) = (await mia.do(DELETE_CALENDAR, id=calendar))["userErrors"]
    assert refusal["code"] == "IN_USE"
    assert f"All, {mailbox.name}" in refusal["message"]
    await mia.do(DELETE, id=policy["id"])
    assert await mia.refused(DELETE_CALENDAR, id=calendar) == ["IN_USE"]
    await admin.do(SET_HOURS, id=channel, calendarId=None)

    once = {"id": calendar, "clientMutationId": "once"}
    assert [(await mia.do(DELETE_CALENDAR, **once))["ok"] for _ in range(2)] == [True, True]

    assert [one["name"] for one in (await mia.ask("{ calendars { name } }"))["calendars"]] == ["Night"]
    assert await mia.refused(DELETE_CALENDAR, id=calendar) == ["NOT_FOUND"]
    assert await admin.refused(SET_HOURS, id=channel, calendarId=calendar) == ["NOT_FOUND"]
    assert await mia.refused(POLICY, name="New", calendarId=calendar) == ["NOT_FOUND"]
    assert await mia.refused(CALENDAR, id=calendar, name="Office", hours=OFFICE) == ["NOT_FOUND"]
    assert await mia.refused(CALENDAR, id=other, name="Office", hours=OFFICE) == []
    (ticket,) = (await mia.ask(LEFT))["tickets"]["edges"]
    (clock,) = ticket["node"]["clocks"]
    assert clock["policy"] == {"name": "All", "calendar": {"name": "Office"}}
    assert clock["secondsLeft"] < 0


async def test_editing_a_policy_moves_the_clocks_of_open_tickets_and_says_how_many(
    mia: Client, house: House, working: None
) -> None:
    async with house.db.transaction() as session:
        await a_promise(session, 3600)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", at=NOON))
    (policy,) = (await mia.ask("{ policies { id name } }"))["policies"]
    assert await clocks(mia) == [("FIRST_REPLY", 3600, "Default")]

    sooner = [{"metric": "FIRST_REPLY", "seconds": 600}, {"metric": "RESOLUTION", "days": 3}]
    done = await mia.do(POLICY, id=policy["id"], targets=sooner)
    assert done["userErrors"] == []

    assert await recounted(mia) == {"tickets": 1, "moved": 1}
    assert sorted(await clocks(mia)) == [("FIRST_REPLY", 600, "Default"), ("RESOLUTION", 259200, "Default")]

    assert (await mia.do(DELETE, id=policy["id"]))["ok"]
    assert await recounted(mia) == {"tickets": 1, "moved": 1}
    assert await clocks(mia) == []


async def test_a_policy_can_be_chosen_by_hand(mia: Client, house: House) -> None:
    async with house.db.transaction() as session:
        await a_promise(session, 3600)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", at=NOON))
    calendar = (await mia.do(CALENDAR, name="Office", hours=OFFICE))["calendar"]
    quick = [{"metric": "FIRST_REPLY", "seconds": 60}]
    chosen = (
        await mia.do(
            POLICY,
            name="VIP",
            calendarId=calendar["id"],
            targets=quick,
            conditions={"tags": ["nobody has it"]},
        )
    )["policy"]
    (edge,) = (await mia.ask(TICKETS))["tickets"]["edges"]

    await mia.do(UPDATE, ids=[edge["node"]["id"]], policyId=chosen["id"])
    assert await clocks(mia) == [("FIRST_REPLY", 60, "VIP")]

    await mia.do(UPDATE, ids=[edge["node"]["id"]], policyId=None)
    assert await clocks(mia) == [("FIRST_REPLY", 3600, "Default")]


async def test_a_choice_of_a_policy_is_taken_back_unless_somebody_has_chosen_another(
    mia: Client, house: House
) -> None:
    house.settings.undo_seconds = 10
    async with house.db.transaction() as session:
        await a_promise(session, 3600)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", at=NOON))
    calendar = (await mia.do(CALENDAR, name="Office", hours=OFFICE))["calendar"]
    quick, quicker = [
        await mia.do(
            POLICY,
            name=f"In {seconds}",
            calendarId=calendar["id"],
            targets=[{"metric": "FIRST_REPLY", "seconds": seconds}],
            conditions={"tags": ["nobody has it"]},
        )
        for seconds in (60, 30)
    ]
    (edge,) = (await mia.ask(TICKETS))["tickets"]["edges"]
    ids = [edge["node"]["id"]]

    chosen = await mia.do(UPDATE, ids=ids, policyId=quick["policy"]["id"])
    assert (await mia.do(UNDO, id=chosen["changeId"]))["userErrors"] == []
    assert await clocks(mia) == [("FIRST_REPLY", 3600, "Default")]

    chosen = await mia.do(UPDATE, ids=ids, policyId=quick["policy"]["id"])
    await mia.do(UPDATE, ids=ids, policyId=quicker["policy"]["id"])
    assert await mia.refused(UNDO, id=chosen["changeId"]) == ["CHANGED_SINCE"]
    assert await clocks(mia) == [("FIRST_REPLY", 30, "In 30")]


async def test_a_policy_saved_last_hides_no_legal_clock_and_a_legal_clock_no_other(
    mia: Client, house: House
) -> None:
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", at=NOON))
    calendar = (await mia.do(CALENDAR, name="Office", hours=OFFICE))["calendar"]
    mails = [{"metric": "RESOLUTION", "seconds": 3600}]
    await mia.do(
        POLICY, name="Mail", calendarId=calendar["id"], targets=mails, conditions={"channels": ["EMAIL"]}
    )
    await mia.do(POLICY, template="COMPLAINT_PL", name="Poland", calendarId=calendar["id"])
    (edge,) = (await mia.ask(TICKETS))["tickets"]["edges"]

    await mia.do(UPDATE, ids=[edge["node"]["id"]], addTags=["Reklamacja"])

    asked = "{ tickets { edges { node { clocks { metric isLegal policy { name } } } } } }"
    (edge,) = (await mia.ask(asked))["tickets"]["edges"]
    shown = [(clock["metric"], clock["isLegal"], clock["policy"]["name"]) for clock in edge["node"]["clocks"]]
    assert sorted(shown) == [("RESOLUTION", False, "Mail"), ("RESOLUTION", True, "Poland")]


async def test_a_chat_keeps_its_promise_when_a_carrier_is_asked_about_it_by_mail(
    mia: Client, house: House
) -> None:
    async with house.db.transaction() as session:
        await a_promise(session, 60)
        await a_channel(session, house.keys, ChannelKind.EMAIL)
        chat = await a_channel(session, house.keys, ChannelKind.CHAT)
    calendar = (await mia.do(CALENDAR, name="Office", hours=OFFICE))["calendar"]
    slow = [{"metric": "FIRST_REPLY", "seconds": 14_400}]
    await mia.do(
        POLICY, name="Mail", calendarId=calendar["id"], targets=slow, conditions={"channels": ["EMAIL"]}
    )
    async with house.db.transaction() as session:
        await receive(session, chat, a_chat("ada", "Where is my parcel?", at=NOON))
    (edge,) = (await mia.ask(SAID))["tickets"]["edges"]
    (said,) = edge["node"]["timeline"]["edges"]

    await mia.do(FORWARD, id=said["node"]["id"], to=["carrier@example.net"], text="Where is it?")
    await mia.do(UPDATE, ids=[edge["node"]["id"]], priority=2)

    assert await clocks(mia) == [("FIRST_REPLY", 60, "Default")]


async def test_an_assignment_opens_a_ticket_and_stops_the_clocks_that_pause_while_it_is_open(
    mia: Client, house: House
) -> None:
    async with house.db.transaction() as session:
        await a_promise(session, 366 * 86_400)
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", at=await database_time(session)))
    (policy,) = (await mia.ask("{ policies { id } }"))["policies"]
    await mia.do(POLICY, id=policy["id"], pauses=["OPEN"])

    async def seen() -> tuple[str, str]:
        ((edge,),) = (await mia.ask(TICKETS))["tickets"].values()
        (clock,) = edge["node"]["clocks"]
        return edge["node"]["id"], clock["state"]

    ticket, state = await seen()
    assert state == "OK"

    await mia.do(ASSIGN, ticketIds=[ticket], takeOver=True)
    assert await seen() == (ticket, "PAUSED")


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"targets": [{"metric": "FIRST_REPLY"}]}, ["targets", "0"]),
        ({"targets": [{"metric": "FIRST_REPLY", "seconds": 60, "days": 1}]}, ["targets", "0"]),
        ({"targets": [{"metric": "FIRST_REPLY", "seconds": 0}]}, ["targets", "0"]),
        (
            {"targets": [{"metric": "FIRST_REPLY", "seconds": 60, "priority": 5}]},
            ["targets", "0", "priority"],
        ),
        ({"targets": [{"metric": "RESOLUTION", "days": 3, "warnDays": [3]}]}, ["targets", "0", "warnDays"]),
        (
            {"targets": [{"metric": "RESOLUTION", "seconds": 60, "channel": "CHAT"}]},
            ["targets", "0", "channel"],
        ),
        ({"pauses": ["SOLVED"]}, ["pauses"]),
        ({"reopenSeconds": -1}, ["reopenSeconds"]),
        ({"ladder": {"steps": []}}, ["ladder"]),
        ({"ladder": {"steps": [{"level": 1, "afterSeconds": 0}]}}, ["ladder"]),
        ({"name": " "}, ["name"]),
        ({"name": "ż" * 201}, ["name"]),
        (
            {"targets": [{"metric": "RESOLUTION", "days": 2}, {"metric": "RESOLUTION", "days": 3}]},
            ["targets"],
        ),
        (
            {"targets": [{"metric": "RESOLUTION", "seconds": 60, "workingDays": True}]},
            ["targets", "0", "workingDays"],
        ),
        ({"conditions": {"priorities": [0]}}, ["conditions", "priorities"]),
        ({"conditions": {"languages": ["polski"]}}, ["conditions", "languages"]),
    ],
)
async def test_a_policy_that_makes_no_sense_is_refused_by_its_field(
    mia: Client, wrong: dict[str, Any], field: list[str]
) -> None:
    calendar = (await mia.do(CALENDAR, name="Office", hours=OFFICE))["calendar"]

    done = await mia.do(POLICY, **{"name": "New", "calendarId": calendar["id"], **wrong})

    assert [(one["code"], one["field"]) for one in done["userErrors"]] == [("INVALID", field)]


ROTA = """mutation($input: RotaSaveInput!) { rotaSave(input: $input) {
  rota { isOnShift onDuty hours { timezone } } userErrors { code } } }"""
DUTY = "mutation($input: DutySetInput!) { dutySet(input: $input) { rota { isOnShift onDuty } userErrors { code } } }"
ALWAYS = {
    "timezone": "UTC",
    "weekly": [
        {"day": day, "periods": [{"begin": "00:00", "end": "24:00"}]}
        for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    ],
}


async def test_who_is_on_shift_is_said_by_the_shifts_and_by_ones_own_word(mia: Client, ben: Client) -> None:
    on = "{ agents(onShift: true) { name } viewer { onShift } }"
    assert (await ben.ask(on))["viewer"] == {"onShift": False}

    saved = await mia.do(ROTA, agentId=ben.agent_id, hours=ALWAYS)
    assert saved["rota"] == {"isOnShift": True, "onDuty": None, "hours": {"timezone": "UTC"}}
    assert (await ben.ask(on)) == {"agents": [{"name": "Ben"}], "viewer": {"onShift": True}}

    assert (await ben.do(DUTY, onDuty=False))["rota"] == {"isOnShift": False, "onDuty": False}
    assert await ben.refused(DUTY, onDuty=True, agentId=mia.agent_id) == ["NOT_ALLOWED"]
    assert (await mia.do(DUTY, onDuty=None, agentId=ben.agent_id))["rota"]["isOnShift"]


PREFS = "mutation($input: AlertPrefsSaveInput!) { alertPrefsSave(input: $input) { ok userErrors { code field } } }"


async def test_preferences_stay_as_they_were_where_nothing_is_said(mia: Client) -> None:
    asked = "{ viewer { alertPrefs { privacy quietFrom quietTo minLevelInQuiet muted groupStorms } } }"
    await mia.do(PREFS, privacy="NONE", quietFrom="22:00", quietTo="07:00", muted=["CALL_MISSED"])
    await mia.do(PREFS, groupStorms=False)

    assert (await mia.ask(asked))["viewer"]["alertPrefs"] == {
        "privacy": "NONE", "quietFrom": "22:00", "quietTo": "07:00", "minLevelInQuiet": 3,
        "muted": ["CALL_MISSED"], "groupStorms": False,
    }  # fmt: skip
    await mia.do(PREFS, quietFrom="23:30")
    await mia.do(PREFS, quietTo="06:00", minLevelInQuiet=0)
    kept = (await mia.ask(asked))["viewer"]["alertPrefs"]
    assert (kept["quietFrom"], kept["quietTo"], kept["minLevelInQuiet"]) == ("23:30", "06:00", 0)


async def test_quiet_hours_are_two_times_or_none_and_the_last_level_is_heard_in_them(mia: Client) -> None:
    assert await mia.refused(PREFS, quietFrom="22:00") == ["INVALID"]
    await mia.do(PREFS, quietFrom="22:00", quietTo="07:00")
    assert await mia.refused(PREFS, quietTo="") == ["INVALID"]
    assert await mia.refused(PREFS, quietFrom="22", quietTo="7") == ["INVALID"]
    assert await mia.refused(PREFS, minLevelInQuiet=4) == ["INVALID"]
    assert await mia.refused(PREFS, minLevelInQuiet=-1) == ["INVALID"]

    await mia.do(PREFS, quietFrom="", quietTo="")

    kept = (await mia.ask("{ viewer { alertPrefs { quietFrom quietTo } } }"))["viewer"]["alertPrefs"]
    assert kept == {"quietFrom": None, "quietTo": None}


async def test_the_default_policy_stays_as_long_as_there_are_others(mia: Client, house: House) -> None:
    async with house.db.transaction() as session:
        await a_promise(session, 3600)
    calendar = (await mia.do(CALENDAR, name="Office", hours=OFFICE))["calendar"]
    other = (await mia.do(POLICY, template="COMPLAINT_PL", calendarId=calendar["id"]))["policy"]
    policies = (await mia.ask("{ policies { id isDefault } }"))["policies"]
    (default,) = [one["id"] for one in policies if one["isDefault"]]

    refused = await mia.do(POLICY, id=default, isDefault=False)
    kept = await mia.do(DELETE, id=default)
    await mia.do(POLICY, id=other["id"], isDefault=True)
    gone = await mia.do(DELETE, id=default)

    async with house.db.transaction() as session:
        noted = (await session.scalars(select(AuditEntry).order_by(AuditEntry.seq))).all()
    of_promises = [one for one in noted if "policy" in one.kind or "calendar" in one.kind]
    assert [one.kind for one in of_promises] == [
        AuditKind.CALENDAR_SAVED,
        AuditKind.POLICY_SAVED,
        AuditKind.POLICY_SAVED,
        AuditKind.POLICY_DELETED,
    ]
    assert of_promises[1].data == {"template": "complaint_pl", "calendar_id": calendar["id"]}
    assert orjson.loads(of_promises[0].data["hours"])["timezone"] == "Europe/Warsaw"
    assert [error["field"] for error in refused["userErrors"]] == [["isDefault"]]
    assert (kept["ok"], [error["code"] for error in kept["userErrors"]]) == (False, ["INVALID"])
    assert gone["ok"]

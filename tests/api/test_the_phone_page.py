"""What docs/phone-client.md says to send, sent; the journey of a phone is in tests/journeys/test_a_phone.py."""

import re
from typing import Any

import pytest

from domain.alerting.alerts import AlertKind
from domain.alerting.notices import NoticeKind
from tests.client import PASSWORD, Client
from tests.papers import DOCS, payloads, shown
from tests.two_teams import TwoTeams

KIND = re.compile(r"^\| `(\w+)` \|.*\| shows it|^\| `(cleared)`", re.MULTILINE)
DOCUMENTS = {one.name: one.document for one in shown("phone-client.md")}
CHANGING = [name for name, document in DOCUMENTS.items() if document.startswith("mutation")]
WITHOUT_A_SESSION = {"SignIn", "Refresh"}


def test_the_page_says_of_each_kind_of_push_what_happened() -> None:
    said = {shows or clears for shows, clears in KIND.findall((DOCS / "phone-client.md").read_text())}

    assert said == {*AlertKind, *NoticeKind} - {NoticeKind.ALERT}


async def test_one_alert_is_shown_with_all_that_its_screen_needs(two_teams: TwoTeams) -> None:
    seen = await two_teams.ben.ask(DOCUMENTS["OneAlert"], id=two_teams.ids["Alert"])

    alert = seen["alert"]
    assert [event["kind"] for event in alert["history"]] == ["alert_fired"]
    assert alert["ticket"]["timeline"]["edges"]
    assert [one["channel"] for one in alert["ticket"]["replyChannels"]] == ["EMAIL"]
    eve = await two_teams.eve.ask(DOCUMENTS["OneAlert"], id=two_teams.ids["Alert"])
    assert eve["alert"] is None


async def test_a_reply_that_somebody_was_quicker_than_is_stopped_and_sent_when_it_is_forced(
    two_teams: TwoTeams,
) -> None:
    ticket = (await two_teams.ben.ask(DOCUMENTS["OneAlert"], id=two_teams.ids["Alert"]))["alert"]["ticket"]
    reply = {
        "ticketId": ticket["id"],
        "identityId": ticket["replyChannels"][0]["id"],
        "text": "It left this morning.",
        "lastSeenSeq": ticket["seq"],
    }
    await two_teams.mia.do(DOCUMENTS["AddNote"], ticketId=ticket["id"], text="She rang.")

    stopped = await two_teams.ben.do(DOCUMENTS["Reply"], **reply)
    sent = await two_teams.ben.do(DOCUMENTS["Reply"], **reply, force=True)

    assert [error["code"] for error in stopped["userErrors"]] == ["SOMEBODY_ANSWERED"]
    assert [one["text"] for one in stopped["collision"]] == ["She rang."]
    assert (sent["message"]["delivery"], sent["userErrors"]) == ("QUEUED", [])


async def test_taking_over_acknowledges(two_teams: TwoTeams) -> None:
    await two_teams.ben.do(DOCUMENTS["TakeOver"], ticketIds=[two_teams.ids["Ticket"]], takeOver=True)

    alert = (await two_teams.ben.ask(DOCUMENTS["OneAlert"], id=two_teams.ids["Alert"]))["alert"]
    assert (alert["state"], alert["ackedBy"]["name"]) == ("ACKED", "Ben")


async def test_devices_and_sessions_are_seen_tried_and_ended(two_teams: TwoTeams, anybody: Client) -> None:
    phone: dict[str, Any] = await anybody.do(
        DOCUMENTS["SignIn"], email="ben@shop.example", password=PASSWORD, deviceLabel="Lost phone"
    )
    viewer = (await two_teams.ben.ask(DOCUMENTS["Devices"]))["viewer"]
    (lost,) = [one["id"] for one in viewer["sessions"] if one["deviceLabel"] == "Lost phone"]
    (device,) = viewer["devices"]

    assert (await two_teams.ben.do(DOCUMENTS["TestDevice"], id=device["id"]))["ok"]
    assert (await two_teams.ben.do(DOCUMENTS["RemoveDevice"], id=device["id"]))["ok"]
    assert (await two_teams.ben.do(DOCUMENTS["EndSession"], id=lost))["ok"]

    anybody.token = phone["accessToken"]
    assert [error["extensions"]["code"] for error in await anybody.errors(DOCUMENTS["Devices"])] == [
        "UNAUTHENTICATED"
    ]


@pytest.mark.parametrize("name", sorted(set(CHANGING) - WITHOUT_A_SESSION))
async def test_a_mutation_with_a_token_that_is_too_old_is_answered_in_errors(
    anybody: Client, name: str
) -> None:
    (told,) = [one for one in payloads("phone-client.md") if "errors" in one]
    (variables,) = [one.variables for one in shown("phone-client.md") if one.name == name]
    anybody.token = "too old"

    answer = (await anybody.post(DOCUMENTS[name], variables)).json()

    assert answer["data"] is told["data"]
    assert [(error["message"], error["extensions"]) for error in answer["errors"]] == [
        (error["message"], error["extensions"]) for error in told["errors"]
    ]


async def test_the_subscription_of_the_page_tells_of_an_alert_that_is_acknowledged(
    two_teams: TwoTeams,
) -> None:
    ben = two_teams.ben
    since = (await ben.ask("{ changeCursor }"))["changeCursor"]
    async with ben.listening(DOCUMENTS["Live"], since=since) as stream:
        await two_teams.mia.do(DOCUMENTS["Acknowledge"], id=two_teams.ids["Alert"])

        told: list[str] = []
        while "AlertChanged" not in told:
            batch = (await stream.next())["changes"]
            told = [change["__typename"] for change in batch["changes"]]

    assert not batch["resetRequired"]

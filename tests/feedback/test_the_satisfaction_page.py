"""What docs/satisfaction.md says to paste, pasted; and what surveys refuse."""

import json
from contextlib import AsyncExitStack
from typing import Any

import pytest

from api.house import House
from domain.desk.tickets import Ticket, TicketStatus
from domain.feedback.requests import Unasked
from domain.feedback.scales import Scale
from domain.ids import public_id
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client
from tests.factories import a_channel
from tests.feedback.afterwards import Afterwards
from tests.papers import shown

SAVE = """mutation($input: SurveySaveInput!) { surveySave(input: $input) {
  survey { id enabled scale delayMinutes againAfterDays questions { language text own } } userErrors { code field }
} }"""
PREVIEW = """query($id: ID!, $language: String!, $channel: ChannelKind!) {
  surveyPreview(id: $id, language: $language, channel: $channel) { subject text segments { segments } }
}"""
DELETE = "mutation($input: SurveyDeleteInput!) { surveyDelete(input: $input) { ok userErrors { code } } }"
SURVEYS = "{ surveys { channel { id } } }"
AUDIT = "{ audit(kinds: [SURVEY_SAVED]) { edges { node { data } } } }"


async def test_a_shop_asks_as_the_page_says(house: House, ticket: Ticket, mia: Client, admin: Client) -> None:
    async with house.db.transaction() as session:
        sms = await a_channel(session, house.keys, ChannelKind.SMS)
    ids = {"SMS_CHANNEL_ID": public_id("Channel", sms.id), "TICKET_ID": public_id("Ticket", ticket.id)}
    answers = {}

    for one in shown("satisfaction.md"):
        variables = json.dumps(one.variables)
        for word, id in ids.items():
            variables = variables.replace(f'"{word}"', f'"{id}"')
        answers[one.name] = await mia.ask(one.document, **json.loads(variables))
        if one.name == "AskEverybody":
            ids["SURVEY_ID"] = answers[one.name]["surveySave"]["survey"]["id"]
        if one.name == "AskByTextMessage":
            ids["CHANNELS_SURVEY_ID"] = answers[one.name]["surveySave"]["survey"]["id"]

    asked = answers["AskEverybody"]["surveySave"]["survey"]
    assert asked["questions"][0] == {"language": "en", "text": "Were we of help?", "own": True}
    assert answers["AskByTextMessage"]["surveySave"]["survey"]["channel"] == {"name": "Sms"}
    assert answers["AskAsEverywhere"]["surveyDelete"] == {"ok": True, "userErrors": []}
    assert len(answers["Preview"]["surveys"]) == 1
    assert answers["Preview"]["surveyPreview"]["segments"]["encoding"] == "UCS_2"
    assert answers["WasTheCustomerAsked"]["ticket"] == {"survey": None, "feedback": None}
    assert answers["BadAnswers"]["feedback"]["totalCount"] == 0
    noted = (await admin.ask(AUDIT))["audit"]["edges"]
    assert len(noted) == 2
    assert noted[1]["node"]["data"] == {"kind": "csat", "enabled": "True", "tells_of_low": "True"}


@pytest.mark.parametrize(
    ("input", "field"),
    [
        ({"kind": "CSAT", "scale": "TEN"}, "scale"),
        ({"kind": "NPS", "scale": "THUMBS"}, "scale"),
        ({"kind": "CSAT", "againAfterDays": 0}, "againAfterDays"),
        ({"kind": "CSAT", "samplePercent": 101}, "samplePercent"),
        ({"kind": "CSAT", "delayMinutes": 10_081}, "delayMinutes"),
        ({"kind": "CSAT", "questions": [{"language": "de", "text": "Wie war es?"}]}, "questions"),
        ({"kind": "CSAT", "questions": [{"language": "es", "text": "x" * 301}]}, "questions"),
    ],
)
async def test_a_survey_that_makes_no_sense_is_refused(
    mia: Client, input: dict[str, object], field: str
) -> None:
    refused = await mia.do(SAVE, **input)

    assert [error["field"] for error in refused["userErrors"]] == [[field]]


async def test_what_is_left_out_stays_and_null_is_the_usual_delay(mia: Client) -> None:
    await mia.do(SAVE, kind="CSAT", delayMinutes=5, questions=[{"language": "pl", "text": "Jak było?"}])

    kept = (await mia.do(SAVE, kind="CSAT", enabled=True))["survey"]
    usual = await mia.do(SAVE, kind="CSAT", delayMinutes=None, questions=[{"language": "pl", "text": " "}])
    preview = await mia.ask(PREVIEW, id=kept["id"], language="es", channel="EMAIL")

    assert (kept["enabled"], kept["delayMinutes"], kept["questions"][1]["text"]) == (True, 5, "Jak było?")
    assert usual["survey"]["delayMinutes"] is None
    assert usual["survey"]["questions"][1]["own"] is False
    assert preview["surveyPreview"]["subject"] == "¿Qué le ha parecido nuestra ayuda?"
    assert preview["surveyPreview"]["text"].count("http://heddle.test/feedback/") == 6


async def test_a_channel_that_gives_up_its_survey_is_asked_the_shops_again(
    house: House, after: Afterwards, mailbox: Channel, ticket: Ticket, mia: Client, eve: Client
) -> None:
    channel_id = public_id("Channel", mailbox.id)
    own = (await mia.do(SAVE, kind="CSAT", channelId=channel_id, scale="THUMBS", enabled=True))["survey"][
        "id"
    ]
    await after.answers(ticket)
    await after.solves(ticket)

    assert await eve.refused(DELETE, id=own) == ["NOT_ALLOWED"]
    once = {"id": own, "clientMutationId": "give-up"}
    assert [await mia.do(DELETE, **once) for _ in range(2)] == [{"ok": True, "userErrors": []}] * 2
    assert await mia.refused(DELETE, id=own) == ["NOT_FOUND"]

    assert [one["channel"] for one in (await mia.ask(SURVEYS))["surveys"]] == [None]
    (waited,) = await after.asks()
    assert waited.unasked == Unasked.SWITCHED_OFF
    await after.becomes(ticket, TicketStatus.OPEN)
    await after.answers(ticket, "Here is another one.")
    await after.solves(ticket)
    _, again = await after.requests()
    assert again.scale == Scale.FIVE
    saved = (await mia.do(SAVE, kind="CSAT", channelId=channel_id))["survey"]
    assert (saved["id"], saved["enabled"], saved["scale"]) == (own, False, "THUMBS")


async def test_a_preview_waits_for_nobody_who_writes(house: House, mia: Client) -> None:
    kept = (await mia.do(SAVE, kind="CSAT", enabled=True))["survey"]
    pool: Any = house.db.engine.pool

    async with AsyncExitStack() as writers:
        for _ in range(pool.size() + pool._max_overflow):
            await writers.enter_async_context(house.db.reading())
        preview = await mia.ask(PREVIEW, id=kept["id"], language="en", channel="EMAIL")

    assert preview["surveyPreview"]["text"]

"""The pages behind a push: the same for everybody, and everything that can be done about an alert in one tap."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pyotp
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select, update
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.house import House
from api.mobile import assets
from api.settings import ApiSettings
from domain.alerting import alerts
from domain.alerting.devices import Device
from domain.alerting.notices import Delivery, DeliveryStage, Notice
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.sla.clocks import Clock
from notifications.composing import receipt_token
from notifications.vapid import VapidKey
from tests.browser import LOSE_THE_NEXT_ANSWER, Page, browsing, in_a_browser
from tests.client import PASSWORD, Client
from tests.doors import Porch, answering
from tests.factories import NOON
from tests.two_teams import TwoTeams

ALERT = """query($id: ID!) { alert(id: $id) {
  state level ackedBy { name } ticket { assignee { name } }
} }"""
HEALTH = "{ pushHealth { id state shownAt openedAt } }"
ACK = "mutation($input: AlertAckInput!) { alertAck(input: $input) { applied userErrors { code } } }"
ON_DUTY = "mutation($input: DutySetInput!) { dutySet(input: $input) { userErrors { code } } }"
KNOWN_BY = "mutation($input: IdentityLinkInput!) { identityLink(input: $input) { userErrors { code } } }"
ASSIGN = "mutation($input: TicketAssignInput!) { ticketAssign(input: $input) { userErrors { code } } }"
SPEAK = "mutation($input: ViewerUpdateInput!) { viewerUpdate(input: $input) { userErrors { code } } }"
LOCALE = "{ viewer { agent { locale } } }"
DEVICES = "{ viewer { devices { transport fitness } } }"
BEGIN = "mutation($input: SecondFactorBeginInput!) { secondFactorBegin(input: $input) { secret userErrors { code } } }"
CONFIRM = """mutation($input: SecondFactorCodeInput!) {
  secondFactorConfirm(input: $input) { recoveryCodes userErrors { code } }
}"""
SOME_ID = uuid.UUID(int=7)
PAGES = [
    "/m/alerts",
    "/m/tickets",
    f"/m/a/{public_id('Alert', SOME_ID)}",
    f"/m/t/{public_id('Ticket', SOME_ID)}",
]

WITH_A_PROVIDER = ApiSettings.model_construct(
    oidc_issuer="http://localhost:1", oidc_client_id="heddle", oidc_client_secret="a secret of the client"
)

SCREENSHOTS = os.environ.get("SCREENSHOTS")


@pytest.mark.parametrize("path", [*PAGES, f"{PAGES[2]}?do=ack"])
async def test_a_page_runs_nothing_but_our_own_files(anybody: Client, path: str) -> None:
    answer = await anybody.http.get(path)

    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
    assert "unsafe" not in policy
    assert "<style" not in answer.text
    assert " style=" not in answer.text
    assert answer.text.count("<script") == 2  # the words, which are data, and a file


async def test_a_page_is_the_same_for_everybody_and_for_every_alert(
    two_teams: TwoTeams, anybody: Client
) -> None:
    ben = two_teams.ben
    mine = await ben.http.get(
        f"/m/a/{two_teams.ids['Alert']}", headers={"authorization": f"Bearer {ben.token}"}
    )

    other = await anybody.http.get(PAGES[2])

    assert mine.text == other.text


@pytest.mark.parametrize("path", ["/m/a/nonsense", f"/m/a/{public_id('Ticket', SOME_ID)}", "/m/t/nonsense", f"/m/t/{public_id('Alert', SOME_ID)}", "/m/x.js", "/m/page.html", "/m/a/x/y", "/m/words.py"])  # fmt: skip
async def test_what_is_no_page_is_not_found(anybody: Client, path: str) -> None:
    assert (await anybody.http.get(path)).status_code == 404


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/m/a/nonsense", "Esa alerta no existe"),
        (f"/m/a/{public_id('Ticket', SOME_ID)}", "Esa alerta no existe"),
        ("/m/t/nonsense", "Ese ticket no existe"),
        (f"/m/t/{public_id('Alert', SOME_ID)}", "Ese ticket no existe"),
    ],
)
async def test_an_address_of_nothing_leads_back_to_all_alerts(anybody: Client, path: str, said: str) -> None:
    answer = await anybody.http.get(path, headers={"accept-language": "es"})

    assert said in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert 'href="/m/alerts"' in answer.text
    assert '<html lang="es">' in answer.text


async def test_a_browser_that_asks_for_an_icon_gets_one(anybody: Client) -> None:
    answer = await anybody.http.get("/favicon.ico", follow_redirects=True)

    assert answer.headers["content-type"].startswith("image/svg+xml")


@pytest.mark.parametrize("path", PAGES)
async def test_reading_a_page_is_all_that_can_be_done_with_it(anybody: Client, path: str) -> None:
    assert (await anybody.http.post(path)).status_code == 405


async def test_the_worker_is_a_script_that_is_asked_for_anew(anybody: Client) -> None:
    worker = await anybody.http.get("/m/worker.js")

    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["cache-control"] == "no-cache"
    assert worker.headers["x-content-type-options"] == "nosniff"
    known = await anybody.http.get("/m/worker.js", headers={"if-none-match": worker.headers["etag"]})
    assert known.status_code == 304


@pytest.mark.parametrize(
    ("accepted", "lang", "words"), [("pl,en;q=0.8", "pl", "Zaloguj się"), ("de", "en", "Sign in")]
)
async def test_a_page_speaks_the_readers_language(
    anybody: Client, accepted: str, lang: str, words: str
) -> None:
    answer = await anybody.http.get("/m/alerts", headers={"accept-language": accepted})

    assert f'<html lang="{lang}">' in answer.text
    assert f"<button>{words}</button>" in answer.text
    assert "accept-language" in answer.headers["vary"].lower()


async def test_every_file_that_a_script_names_is_served(anybody: Client) -> None:
    named = {
        part.split('"')[0] for asset in assets.values() for part in asset.content.decode().split('from "')[1:]
    }

    assert named
    assert [name for name in named if (await anybody.http.get(name)).status_code != 200] == []


# In a browser


@pytest.fixture
async def phone(browser: str) -> AsyncIterator[Page]:
    async with browsing(browser) as page:
        yield page
        assert page.complaints() == []


async def _sign_in(phone: Page, name: str) -> None:
    await phone.write("#email", f"{name}@shop.example")
    await phone.write("#password", PASSWORD)
    await phone.tap("#sign-in button")
    await phone.until("document.querySelector('#place')?.hidden === false")


async def _look(phone: Page, name: str) -> None:
    if SCREENSHOTS:
        for scheme in ("light", "dark"):
            await phone.screenshot(Path(SCREENSHOTS) / f"{name}-{scheme}.png", scheme)


async def _alert(client: Client, id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.ask(ALERT, id=id))["alert"]
    return found


@in_a_browser
async def test_who_opens_an_alert_signs_in_and_acknowledges_and_takes_over_in_one_tap_each(
    two_teams: TwoTeams, phone: Page
) -> None:
    id = two_teams.ids["Alert"]
    await phone.go(f"{two_teams.ben.address}/m/a/{id}")
    await phone.until("document.querySelector('#email')?.checkVisibility()")
    await _look(phone, "door")
    await _sign_in(phone, "ben")
    assert "First reply overdue" in await phone.text()
    assert "It fired" in await phone.text()
    assert await phone.value("document.querySelectorAll('.best').length") == 1
    await _look(phone, "alert")

    await phone.tap("#ack")
    await phone.until("document.querySelector('#said').textContent.startsWith('Acknowledged: yours until')")

    assert (await _alert(two_teams.mia, id))["ackedBy"] == {"name": "Ben"}
    assert (await _alert(two_teams.mia, id))["state"] == "ACKED"
    await _look(phone, "acked")

    await phone.tap("#take")
    await phone.until("document.querySelector('#said').textContent.startsWith('The ticket is yours.')")

    assert (await _alert(two_teams.mia, id))["ticket"]["assignee"] == {"name": "Ben"}
    assert await phone.value("document.documentElement.scrollWidth") == 390
    assert await phone.value(SMALL) == []


@in_a_browser
async def test_an_alert_that_was_acknowledged_says_when_it_was_settled(
    two_teams: TwoTeams, house: House, phone: Page
) -> None:
    id = two_teams.ids["Alert"]
    await two_teams.mia.do(ACK, id=id)
    async with house.db.transaction() as session:
        await alerts.resolve(session, at=NOON)
    await phone.go(f"{two_teams.ben.address}/m/a/{id}")

    await _sign_in(phone, "ben")

    noon = await phone.value(f"import('/m/telling.js').then(({{ moment }}) => moment('{NOON.isoformat()}'))")
    assert f"Settled at {noon}" in await phone.text()


@in_a_browser
@pytest.mark.parametrize(("accepted", "one"), [("en-GB,en", "13:00"), ("en-US,en", "1:00 PM"), ("de", "1:00 PM"), ("de,es-MX,es-ES", "1:00 p.m.")])  # fmt: skip
async def test_times_are_written_as_the_readers_browser_writes_them(
    door: str, phone: Page, accepted: str, one: str
) -> None:
    await phone.say("Emulation.setUserAgentOverride", userAgent="", acceptLanguage=accepted)
    await phone.go(f"{door}/m/alerts")
    await phone.until("document.querySelector('#email')?.checkVisibility()")

    told = await phone.value(
        "import('/m/telling.js').then(({ moment }) => moment(new Date().setHours(13, 0, 0, 0)))"
    )

    assert " ".join(told.split()) == one


@in_a_browser
async def test_the_pages_speak_the_language_of_who_signed_in_and_it_is_chosen_there(
    two_teams: TwoTeams, phone: Page
) -> None:
    page = f"{two_teams.ben.address}/m/alerts"
    await two_teams.ben.do(SPEAK, locale="es")
    await phone.go(page)
    await _sign_in(phone, "ben")
    await phone.until(
        "document.documentElement?.lang === 'es' && document.querySelector('#place h1')?.checkVisibility()"
    )

    await phone.value(
        "void (document.querySelector('#language').value = 'ca',"
        " document.querySelector('#language').dispatchEvent(new Event('change')))"
    )

    await phone.until(
        "document.documentElement?.lang === 'ca' && document.querySelector('#place h1')?.checkVisibility()"
    )
    assert await phone.value("document.querySelector('#language').value") == "ca"
    assert (await two_teams.ben.ask(LOCALE))["viewer"] == {"agent": {"locale": "ca"}}
    await phone.go(page)
    await phone.until("document.querySelector('#place h1')?.checkVisibility()")
    assert await phone.value("document.documentElement.lang") == "ca"


@in_a_browser
async def test_what_is_due_at_the_end_of_a_day_is_promised_for_that_day_and_not_for_the_next(
    two_teams: TwoTeams, house: House, phone: Page
) -> None:
    async with house.db.transaction() as session:
        await session.execute(
            update(Clock).values(is_legal=True, due_at=datetime(2099, 12, 12, 23, tzinfo=UTC))
        )
    await phone.say("Emulation.setTimezoneOverride", timezoneId="Europe/Warsaw")
    await two_teams.ben.do(SPEAK, locale="pl")
    await phone.go(f"{two_teams.ben.address}/m/a/{two_teams.ids['Alert']}")

    await _sign_in(phone, "ben")
    await phone.until(
        "document.documentElement?.lang === 'pl' && document.querySelector('#place h1')?.checkVisibility()"
    )

    assert "Obiecano na sob., 12 gru\n" in await phone.text()


SMALL = """[...document.querySelectorAll("button, a, input")].filter((one) => one.checkVisibility()
  && one.getBoundingClientRect().height < 44).map((one) => one.outerHTML)"""


@in_a_browser
async def test_only_what_helps_best_stands_out(two_teams: TwoTeams, phone: Page) -> None:
    page = f"{two_teams.ben.address}/m/a/{two_teams.ids['Alert']}"
    await two_teams.ben.do(ON_DUTY, onDuty=False)
    await phone.go(page)
    await _sign_in(phone, "ben")
    nobody_there = await phone.value(BEST)
    advised = await phone.text()
    await two_teams.mia.do(ON_DUTY, onDuty=True)

    await phone.go(page)
    await phone.until("document.querySelector('[id^=assign-]')?.checkVisibility()")

    assert (nobody_there, await phone.value(BEST)) == (["Acknowledge"], ["Mia"])
    assert "Best now: Call somebody in." in advised
    assert "Best now: Give it to somebody who is on shift." in await phone.text()


BEST = r"[...document.querySelectorAll('.best')].map((one) => one.innerText.split(/\s/)[0])"


@in_a_browser
async def test_the_end_of_a_page_is_not_covered_by_what_was_said(two_teams: TwoTeams, phone: Page) -> None:
    await phone.go(f"{two_teams.ben.address}/m/a/{two_teams.ids['Alert']}")
    await _sign_in(phone, "ben")
    await phone.tap("#ack")
    await phone.until("document.querySelector('#said').textContent.startsWith('Acknowledged: yours until')")

    await phone.value("scrollTo(0, 99999)")

    await _look(phone, "end")
    assert await phone.value(COVERED) is False


COVERED = """document.querySelector("#place > :last-child").getBoundingClientRect().bottom
  > document.querySelector("#said").getBoundingClientRect().top"""


@in_a_browser
async def test_words_are_as_large_as_the_reader_has_set_and_nothing_is_lost(
    two_teams: TwoTeams, phone: Page
) -> None:
    await phone.go(f"{two_teams.ben.address}/m/alerts")
    await _sign_in(phone, "ben")

    await phone.value("void (document.documentElement.style.fontSize = '200%')")

    await _look(phone, "large")
    assert await phone.value("getComputedStyle(document.querySelector('.subject')).fontSize") == "32px"
    assert await phone.value("getComputedStyle(document.querySelector('#ring')).fontSize") == "32px"
    assert await phone.value("getComputedStyle(document.querySelector('#ring'), '::after').width") == "46px"
    assert await phone.value("document.documentElement.scrollWidth") == 390


@in_a_browser
async def test_a_ticket_without_a_subject_is_named_by_its_number_alone(
    two_teams: TwoTeams, house: House, phone: Page
) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Ticket).values(subject=""))
    await phone.go(f"{two_teams.ben.address}/m/alerts")
    await _sign_in(phone, "ben")
    named = "document.querySelector('.subject').textContent"
    listed = await phone.value(named)

    await phone.tap(".lines a")
    await phone.until("document.querySelector('#ack')?.checkVisibility()")

    assert listed.startswith("Ticket ")
    assert ":" not in listed + await phone.value(named)


@in_a_browser
async def test_two_devices_of_one_name_are_told_apart_and_one_that_was_not_reached_says_why(
    two_teams: TwoTeams, house: House, phone: Page
) -> None:
    async with house.db.transaction() as session:
        failed = update(Delivery).values(stage=DeliveryStage.FAILED, error="NOT_CONFIGURED")
        await session.execute(failed)
    await phone.go(f"{two_teams.ben.address}/m/alerts")

    await _sign_in(phone, "ben")

    said = await phone.value("document.querySelector('.devices').innerText")
    await phone.value("scrollTo(0, 99999)")
    await _look(phone, "devices")
    assert "App · seen " in said
    assert "The last push failed: NOT_CONFIGURED" in said
    assert "Never rung yet" not in said


@in_a_browser
async def test_who_comes_second_is_told_who_has_it(two_teams: TwoTeams, phone: Page) -> None:
    id = two_teams.ids["Alert"]
    await phone.go(f"{two_teams.ben.address}/m/a/{id}")
    await _sign_in(phone, "ben")
    await two_teams.mia.do(ACK, id=id)

    await phone.tap("#ack")

    await phone.until("document.querySelector('#said').textContent === 'Mia has it already.'")
    assert (await _alert(two_teams.ben, id))["ackedBy"] == {"name": "Mia"}


@in_a_browser
async def test_a_link_only_marks_the_button(two_teams: TwoTeams, phone: Page) -> None:
    id = two_teams.ids["Alert"]
    await phone.go(f"{two_teams.ben.address}/m/a/{id}?do=take")

    await _sign_in(phone, "ben")

    await phone.until("document.querySelector('#take').classList.contains('armed')")
    await _look(phone, "armed")
    assert await phone.value("document.querySelectorAll('.armed, .best').length") == 1
    assert (await _alert(two_teams.ben, id))["ticket"]["assignee"] is None


@in_a_browser
async def test_a_tap_whose_answer_was_lost_is_one_change_when_it_is_tapped_again(
    two_teams: TwoTeams, phone: Page
) -> None:
    id = two_teams.ids["Alert"]
    await phone.go(f"{two_teams.ben.address}/m/a/{id}")
    await _sign_in(phone, "ben")
    level = (await _alert(two_teams.mia, id))["level"]
    await phone.value(LOSE_THE_NEXT_ANSWER)

    await phone.tap("#escalate")
    await phone.until("document.querySelector('#said').textContent.startsWith('No network')")
    assert (await _alert(two_teams.mia, id))["level"] == level + 1
    await phone.value("void (window.fetch = window.whole)")
    await phone.tap("#escalate")

    await phone.until("document.querySelector('#said').textContent.startsWith('Escalated')")
    assert (await _alert(two_teams.mia, id))["level"] == level + 1


@in_a_browser
async def test_who_has_the_ticket_is_told_so_and_not_to_remind_themselves(
    two_teams: TwoTeams, phone: Page
) -> None:
    id = two_teams.ids["Alert"]
    await two_teams.ben.do(ON_DUTY, onDuty=True)
    await two_teams.mia.do(ASSIGN, ticketIds=[two_teams.ids["Ticket"]], agentId=two_teams.ben.agent_id)
    await phone.go(f"{two_teams.ben.address}/m/a/{id}")

    await _sign_in(phone, "ben")

    told = await phone.text()
    assert "You have this ticket and have not come to it yet." in told
    assert "Best now: Answer, or give it to somebody who can." in told
    assert "Remind" not in told


@in_a_browser
async def test_a_complaint_in_which_nothing_moves_is_escalated_by_one_tap(
    two_teams: TwoTeams, house: House, phone: Page
) -> None:
    id = two_teams.ids["Alert"]
    async with house.db.transaction() as session:
        alert = await session.get_one(alerts.Alert, row_id("Alert", id))
        alert.kind, alert.clock_id = alerts.AlertKind.COMPLAINT_STALLED, None
    level = (await _alert(two_teams.mia, id))["level"]
    await phone.go(f"{two_teams.ben.address}/m/a/{id}")
    await _sign_in(phone, "ben")

    await phone.tap("#escalate")

    await phone.until("document.querySelector('#said').textContent.startsWith('Escalated')")
    assert (await _alert(two_teams.mia, id))["level"] == level + 1


@in_a_browser
async def test_who_may_not_see_an_alert_learns_nothing_of_it(two_teams: TwoTeams, phone: Page) -> None:
    await phone.go(f"{two_teams.eve.address}/m/a/{two_teams.ids['Alert']}")

    await _sign_in(phone, "eve")

    assert "There is no such alert, or it is not yours to see." in await phone.text()
    assert "ada" not in (await phone.text()).lower()


@in_a_browser
async def test_all_alerts_lead_to_their_pages(two_teams: TwoTeams, phone: Page) -> None:
    await phone.go(f"{two_teams.ben.address}/m/alerts")
    await _sign_in(phone, "ben")
    await _look(phone, "alerts")
    assert await phone.value("document.documentElement.scrollWidth") == 390
    assert await phone.value(SMALL) == []

    await phone.tap(".lines a")

    await phone.until("document.querySelector('#ack')?.checkVisibility()")
    assert await phone.value("location.pathname") == f"/m/a/{two_teams.ids['Alert']}"


@in_a_browser
async def test_who_moves_by_keyboard_stays_where_they_are_while_the_list_is_read_anew(
    two_teams: TwoTeams, phone: Page
) -> None:
    await phone.go(f"{two_teams.ben.address}/m/alerts")
    await _sign_in(phone, "ben")
    await phone.value("void (window.before = document.querySelector('.lines a')).focus()")

    await phone.value("void document.dispatchEvent(new Event('visibilitychange'))")

    await phone.until("!window.before.isConnected")
    assert await phone.value("document.activeElement === document.querySelector('.lines a')")


@in_a_browser
async def test_who_moves_by_keyboard_goes_on_from_the_heading_when_what_they_pressed_is_gone(
    two_teams: TwoTeams, phone: Page
) -> None:
    await phone.go(f"{two_teams.ben.address}/m/a/{two_teams.ids['Alert']}")
    await _sign_in(phone, "ben")

    await phone.value("void document.querySelector('#ack').focus()")
    await phone.tap("#ack")
    await phone.until("document.querySelector('#said').textContent.startsWith('Acknowledged: yours until')")
    acknowledged = await phone.value("document.activeElement.tagName")
    await phone.value(
        "void (window.whole = window.fetch, window.fetch = () => Promise.reject(new TypeError()))"
    )
    await phone.value("void document.dispatchEvent(new Event('visibilitychange'))")
    await phone.until("document.querySelector('#again')?.checkVisibility()")
    await phone.value("void (window.before = document.querySelector('#again')).focus()")
    await phone.tap("#again")
    await phone.until("!window.before.isConnected")
    failed = await phone.until("document.activeElement.id")
    await phone.value("void (window.fetch = window.whole)")
    await phone.tap("#again")
    await phone.until("document.querySelector('#said').textContent === ''")

    assert (acknowledged, failed) == ("H1", "again")
    assert await phone.value("document.activeElement.tagName") == "H1"


@in_a_browser
async def test_a_ticket_is_given_to_who_is_suggested_the_alert_is_snoozed_and_the_customer_called(
    two_teams: TwoTeams, phone: Page
) -> None:
    id = two_teams.ids["Alert"]
    await two_teams.mia.do(ON_DUTY, onDuty=True)
    assert (
        await two_teams.ben.refused(
            KNOWN_BY, contactId=two_teams.ids["Contact"], channel="PHONE", value="+48600100201"
        )
        == []
    )
    await phone.go(f"{two_teams.ben.address}/m/a/{id}")
    await _sign_in(phone, "ben")
    assert await phone.value("document.querySelector('#call').getAttribute('href')") == "tel:+48600100201"
    await _look(phone, "suggested")

    await phone.tap("[id^=assign-]")
    await phone.until("document.querySelector('#said').textContent.startsWith('Mia has the ticket now.')")
    await phone.tap("#snooze-tomorrow")
    await phone.until("document.querySelector('#said').textContent.startsWith('Snoozed until')")

    found = await _alert(two_teams.mia, id)
    assert (found["state"], found["ticket"]["assignee"]) == ("SNOOZED", {"name": "Mia"})
    await phone.value("scrollTo(0, 9999)")
    await _look(phone, "snoozed")


@in_a_browser
async def test_a_device_of_ones_own_is_tried_and_removed(two_teams: TwoTeams, phone: Page) -> None:
    await phone.go(f"{two_teams.ben.address}/m/alerts")
    await _sign_in(phone, "ben")

    await phone.tap("[id^=send_test-]")
    await phone.until("document.querySelector('#said').textContent.startsWith('A test is on its way')")
    await phone.tap("#ring")
    await phone.until(
        "document.querySelector('#said').textContent === 'This Heddle is not set up to ring browsers.'"
    )
    await phone.tap("[id^=remove-]")
    await phone.until("document.querySelector('#said').textContent.endsWith('rings no more.')")

    assert (await two_teams.ben.ask("{ viewer { devices { id } } }"))["viewer"]["devices"] == []


@in_a_browser
async def test_a_browser_that_rings_is_a_device_until_it_is_switched_off(
    house: House, ben: Client, phone: Page
) -> None:
    vapid = VapidKey(ec.generate_private_key(ec.SECP256R1()))
    async with answering(replace(house, vapid=vapid)) as address:
        await phone.may_notify(address)
        await phone.go(f"{address}/m/alerts")
        await _sign_in(phone, "ben")
        await phone.value(SUBSCRIBE)

        await phone.tap("#ring")
        await phone.until("document.querySelector('#ring').ariaChecked === 'true'")

        (device,) = (await ben.ask(DEVICES))["viewer"]["devices"]
        assert (device["transport"], device["fitness"]) == ("WEB_PUSH", "UNTRIED")
        assert await phone.value("window.keyBytes") == 65
        await _look(phone, "ringing")
        await phone.tap("#ring")
        await phone.until("document.querySelector('#ring').ariaChecked === 'false'")
        assert (await ben.ask(DEVICES))["viewer"]["devices"] == []


@in_a_browser
async def test_a_browser_at_which_somebody_else_signs_in_rings_no_more_for_who_had_it_before(
    house: House, ben: Client, mia: Client, phone: Page
) -> None:
    vapid = VapidKey(ec.generate_private_key(ec.SECP256R1()))
    async with answering(replace(house, vapid=vapid)) as address:
        await phone.may_notify(address)
        await phone.go(f"{address}/m/alerts")
        await _sign_in(phone, "ben")
        await phone.value(SUBSCRIBE)
        await phone.tap("#ring")
        await phone.until("document.querySelector('#ring').ariaChecked === 'true'")
        await phone.say("Network.clearBrowserCookies")
        await phone.value("void (location.hash = 'session-ran-out')")
        await phone.until("!document.querySelector('#door').hidden")
        assert not await phone.value("window.unsubscribed")

        await _sign_in(phone, "mia")

        assert await phone.value("window.unsubscribed")
        assert await phone.value("localStorage.getItem('heddle-device')") is None
        assert (await mia.ask(DEVICES))["viewer"]["devices"] == []


@in_a_browser
async def test_a_browser_rings_again_for_who_has_signed_in_at_their_identity_provider(
    house: House, ben: Client, phone: Page
) -> None:
    vapid = VapidKey(ec.generate_private_key(ec.SECP256R1()))
    async with answering(replace(house, vapid=vapid, settings=WITH_A_PROVIDER)) as address:
        await phone.may_notify(address)
        stays = f"if (window.PushManager) {{ {SUBSCRIBE}; PushManager.prototype.subscribe({{ applicationServerKey: [] }}) }}"
        await phone.say("Page.addScriptToEvaluateOnNewDocument", source=stays)
        await phone.go(f"{address}/m/alerts")
        await _sign_in(phone, "ben")
        await phone.tap("#ring")
        await phone.until("document.querySelector('#ring').ariaChecked === 'true'")
        await phone.tap("#sign-out")
        await phone.until("!document.querySelector('#door').hidden")
        assert (await ben.ask(DEVICES))["viewer"]["devices"] == []

        await phone.tap("#provider")
        await phone.until("location.pathname === '/auth/oidc/start'")
        await phone.value(COMES_BACK_SIGNED_IN)
        await phone.go(f"{address}/m/alerts")

        await phone.until("document.querySelector('#ring')?.ariaChecked === 'true'")
        (device,) = (await ben.ask(DEVICES))["viewer"]["devices"]
        assert device["transport"] == "WEB_PUSH"
    phone.events.clear()  # nobody answers at the provider's


COMES_BACK_SIGNED_IN = f"""fetch("/graphql", {{
  method: "POST",
  headers: {{ "Content-Type": "application/json" }},
  body: JSON.stringify({{
    query: "mutation($input: SignInInput!) {{ signIn(input: $input) {{ userErrors {{ code }} }} }}",
    variables: {{ input: {{ email: "ben@shop.example", password: "{PASSWORD}", web: true, clientMutationId: "1" }} }},
  }}),
}}).then(() => true)"""


# Without a window Chromium reaches no push service: this is all that stands in for one.
SUBSCRIBE = """void (PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
  window.keyBytes = applicationServerKey.length;
  const made = { unsubscribe: async () => { window.unsubscribed = true; }, toJSON: () => ({ endpoint: "https://updates.push.services.mozilla.com/wpush/v2/x", keys: {
    p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
    auth: "BTBZMqHH6r4Tts7J_aSIgg" } }) };
  PushManager.prototype.getSubscription = async () => made;
  return made;
})"""


ELSEWHERE = SUBSCRIBE.replace("/v2/x", "/v2/y")
HAS_MOVED = f"{ELSEWHERE}; PushManager.prototype.subscribe({{ applicationServerKey: [] }})"
HAS_NONE = f"{ELSEWHERE}; PushManager.prototype.getSubscription = async () => null"


async def _handles(house: House) -> list[str]:
    """Of the browsers that ring."""
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Device.handle).where(Device.removed_at.is_(None))))


@in_a_browser
@pytest.mark.parametrize("happens", [HAS_MOVED, HAS_NONE])
async def test_a_browser_that_its_push_service_calls_otherwise_rings_on_and_its_old_name_is_forgotten(
    house: House, ben: Client, phone: Page, happens: str
) -> None:
    vapid = VapidKey(ec.generate_private_key(ec.SECP256R1()))
    async with answering(replace(house, vapid=vapid)) as address:
        await phone.may_notify(address)
        await phone.go(f"{address}/m/alerts")
        await _sign_in(phone, "ben")
        await phone.value(SUBSCRIBE)
        await phone.tap("#ring")
        await phone.until("document.querySelector('#ring').ariaChecked === 'true'")
        (before,) = await _handles(house)

        await phone.value(happens)
        await phone.value("void document.dispatchEvent(new Event('visibilitychange'))")

        async with asyncio.timeout(20):
            while len(handles := await _handles(house)) != 1 or handles == [before]:
                await asyncio.sleep(0.05)
        await phone.until("document.querySelectorAll('.devices > li').length === 1")
        assert await phone.until("document.querySelector('#ring').ariaChecked === 'true'")
        assert (before[-1], handles[0][-1]) == ("x", "y")


@in_a_browser
async def test_a_browser_with_no_page_open_rings_on_by_its_worker_unless_somebody_else_has_come(
    house: House, ben: Client, mia: Client, phone: Page
) -> None:
    vapid = VapidKey(ec.generate_private_key(ec.SECP256R1()))
    async with answering(replace(house, vapid=vapid)) as address:
        await phone.may_notify(address)
        await phone.go(f"{address}/m/alerts")
        await _sign_in(phone, "ben")
        await phone.value(SUBSCRIBE)
        await phone.tap("#ring")
        await phone.until("document.querySelector('#ring').ariaChecked === 'true'")
        (before,) = await _handles(house)
        await phone.in_worker(ELSEWHERE.replace("window.", "self."))

        await phone.in_worker(CHANGES)
        (after,) = await _handles(house)
        await phone.say("Network.clearBrowserCookies")
        await phone.value(COMES_BACK_SIGNED_IN.replace("ben@", "mia@"))
        await phone.in_worker(CHANGES)

        assert (before[-1], after[-1]) == ("x", "y")
        (device,) = (await ben.ask("{ viewer { devices { label } } }"))["viewer"]["devices"]
        assert device["label"] == "Chrome, Linux"
        assert (await mia.ask(DEVICES))["viewer"]["devices"] == []


# A worker lets only what the browser itself tells be waited for.
CHANGES = """(ExtendableEvent.prototype.waitUntil = (done) => { self.done = done; },
  dispatchEvent(new ExtendableEvent("pushsubscriptionchange")), self.done.then(() => 1))"""


@in_a_browser
async def test_who_signs_in_by_an_identity_provider_can_from_the_page_of_an_alert(
    house: House, door: str, phone: Page
) -> None:
    page, seen = f"{PAGES[2]}?do=take", "document.querySelector('#provider')?.checkVisibility()"
    await phone.go(f"{door}{page}")
    await phone.until("document.querySelector('#email')?.checkVisibility()")
    assert not await phone.value(seen)

    async with answering(replace(house, settings=WITH_A_PROVIDER)) as address:
        await phone.go(f"{address}{page}")
        await phone.until(seen)
        leads = await phone.value("document.querySelector('#provider').getAttribute('href')")

    assert leads == f"/auth/oidc/start?to={quote(page, safe='')}"
    await _look(phone, "provider")


@in_a_browser
async def test_who_has_a_second_factor_is_asked_for_its_code(ben: Client, phone: Page) -> None:
    secret = (await ben.do(BEGIN))["secret"]
    (recovery, *_) = (await ben.do(CONFIRM, code=pyotp.TOTP(secret).now()))["recoveryCodes"]
    await phone.go(f"{ben.address}/m/alerts")
    await phone.write("#email", "ben@shop.example")
    await phone.write("#password", PASSWORD)
    await phone.tap("#sign-in button")

    await phone.write("#totp", recovery)
    await phone.until("!document.querySelector('#sign-in button').disabled")
    await phone.tap("#sign-in button")

    await phone.until("document.querySelector('#place h1')?.textContent === 'Alerts'")


@in_a_browser
async def test_a_push_is_shown_and_confirmed_by_the_worker_and_by_the_page_it_opens(
    two_teams: TwoTeams, house: House, phone: Page, porch: Porch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the proxy before us is busy whenever a receipt comes for the first time."""
    async with house.db.transaction() as session:
        mine = Notice.agent_id == row_id("Agent", two_teams.ben.agent_id)
        found = await session.scalars(
            select(Delivery.id).join(Notice, Notice.id == Delivery.notice_id).where(mine)
        )
        delivery_id = found.one()
    d, r = public_id("Delivery", delivery_id), receipt_token(house.keys, delivery_id)
    link = f"http://heddle.test/m/a/{two_teams.ids['Alert']}"
    address = two_teams.ben.address
    await phone.may_notify(address)
    counting = "navigator.clearAppBadge = async () => { window.badge = 'cleared'; }"
    await phone.say("Page.addScriptToEvaluateOnNewDocument", source=counting)
    await phone.go(f"{address}/m/alerts")
    await phone.until("document.readyState === 'complete'")
    assert await phone.value("window.badge") == "cleared"
    await phone.value(
        "navigator.serviceWorker.register('/m/worker.js', { scope: '/m/' }).then(() => navigator.serviceWorker.ready).then(() => 1)"
    )
    notification = {
        "title": "Ticket 1: first reply overdue",
        "body": "Email",
        "tag": "ticket",
        "navigate": f"{link}#d={d}.{r}",
        "actions": [{"action": "ack", "title": "Acknowledge", "navigate": f"{link}?do=ack#d={d}.{r}"}],
        "data": {"v": "1", "k": "sla_breached", "d": d, "r": r},
    }

    busy = Busy(porch.app)
    monkeypatch.setattr(porch, "app", busy)
    await _push(phone, address, notification)
    assert (await _settled(two_teams.ben, "shownAt"))["openedAt"] is None
    assert await phone.value(SHOWN) == ["Ticket 1: first reply overdue", "ack"]
    await _push(
        phone, address, notification | {"title": "Ticket 1: settled", "actions": [], "data": {"k": "cleared"}}
    )
    await phone.until(f"{SHOWN}.then((shown) => shown.join() === 'Ticket 1: settled')")

    await phone.go(f"{address}/m/a/{two_teams.ids['Alert']}?do=ack#d={d}.{r}")

    assert await _settled(two_teams.ben, "openedAt")
    assert await phone.value("location.hash") == ""
    assert busy.refused == {"shown": 503, "opened": 429}
    (complaint,) = phone.complaints()
    assert "429" in complaint
    phone.events.clear()


class Busy:
    """A proxy that lets each kind of receipt through the second time it comes."""

    def __init__(self, app: ASGIApp | None) -> None:
        self._app = app
        self.refused: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self._app
        if scope["type"] == "http" and scope["path"] == "/push/receipt":
            body = await Request(scope, receive).body()
            event = orjson.loads(body)["event"]
            if event not in self.refused:
                self.refused[event] = 503 if event == "shown" else 429
                return await Response(status_code=self.refused[event])(scope, receive, send)

            async def again() -> Message:
                return {"type": "http.request", "body": body, "more_body": False}

            return await self._app(scope, again, send)
        await self._app(scope, receive, send)


SHOWN = """navigator.serviceWorker.ready.then((registration) => registration.getNotifications())
  .then((shown) => shown.flatMap(({ title, actions }) => [title, ...actions.map(({ action }) => action)]))"""


async def _push(phone: Page, origin: str, notification: dict[str, Any]) -> None:
    (registered,) = {
        one["registrationId"]
        for event in phone.events
        if event.get("method") == "ServiceWorker.workerRegistrationUpdated"
        for one in event["params"]["registrations"]
        if one["scopeURL"] == f"{origin}/m/"
    }
    data = orjson.dumps(
        {"web_push": 8030, "mutable": True, "app_badge": 1, "notification": notification}
    ).decode()
    await phone.say("ServiceWorker.deliverPushMessage", origin=origin, registrationId=registered, data=data)


async def _settled(client: Client, field: str) -> dict[str, Any]:
    """The delivery, once the ledger has that moment."""
    async with asyncio.timeout(20):
        while True:
            (found,) = (await client.ask(HEALTH))["pushHealth"]
            if found[field]:
                return dict(found)
            await asyncio.sleep(0.05)

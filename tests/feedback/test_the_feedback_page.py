"""The page behind the link: to look changes nothing, to post is one tap, and a bad link says nothing."""

import os
import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from api.feedback import pages
from api.house import House
from domain.customers.contacts import Contact
from domain.db import new_id
from domain.desk.tickets import Ticket, TicketStatus
from domain.feedback.links import token_of
from domain.feedback.requests import LONGEST_WORDS, SurveyRequest, Unasked, held_request
from domain.feedback.scales import Scale, SurveyKind
from tests.browser import FAINT, browsing, in_a_browser
from tests.client import Client
from tests.feedback.afterwards import Afterwards
from tests.privacy.erasing import erased

SCREENSHOTS = os.environ.get("SCREENSHOTS", "")


def path_of(house: House, request: SurveyRequest) -> str:
    return f"/feedback/{token_of(house.keys, request.id)}"


async def set_request(house: House, **values: Any) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(SurveyRequest).values(values))


async def test_scanners_and_previews_change_nothing(
    after: Afterwards, ticket: Ticket, anybody: Client
) -> None:
    path = path_of(after.house, await after.asked(ticket))

    for _ in range(3):
        for method in ("GET", "HEAD"):
            for address in (path, f"{path}?score=1", f"{path}/stop"):
                assert (await anybody.http.request(method, address)).status_code == 200

    (request,) = await after.requests()
    assert (request.score, request.answered_at, request.refused_at) == (None, None, None)


async def test_the_page_runs_nothing_says_nothing_of_the_ticket_and_leaves_no_trace(
    after: Afterwards, ticket: Ticket, anybody: Client
) -> None:
    path = path_of(after.house, await after.asked(ticket))

    shown = await anybody.http.get(f"{path}?score=5", headers={"accept-language": "es"})

    assert shown.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'; ")
    assert "form-action 'self'" in shown.headers["content-security-policy"]
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert shown.headers["x-robots-tag"] == "noindex, nofollow"
    assert shown.headers["cache-control"] == "no-store"
    assert "<script" not in shown.text
    assert f"Email · Państwa sprawa #{ticket.number}" in shown.text
    assert "Jak bardzo są Państwo zadowoleni" in shown.text
    assert not any(word in shown.text for word in ("parcel", "My order", "Ada", "Ben"))


async def test_a_link_opened_again_marks_what_was_answered_and_not_what_it_asks_for(
    after: Afterwards, ticket: Ticket, anybody: Client
) -> None:
    path = path_of(after.house, await after.asked(ticket))
    await anybody.http.post(path, data={"score": "2"})

    shown = await anybody.http.get(f"{path}?score=5")

    assert re.findall(r'value="(\d)"[^>]* checked', shown.text) == ["2"]


async def test_bad_links_of_all_kinds_get_one_and_the_same_page(
    after: Afterwards, ticket: Ticket, anybody: Client
) -> None:
    house = after.house
    path = path_of(house, await after.asked(ticket))
    of_nobody = f"/feedback/{token_of(house.keys, new_id())}"
    forged = path[:-1] + ("a" if path[-1] != "a" else "b")

    pages = [await anybody.http.get(bad) for bad in (of_nobody, forged, "/feedback/x", f"{forged}/stop")]
    pages += [await anybody.http.post(bad, data={"score": "1"}) for bad in (of_nobody, forged)]
    await set_request(house, asked_at=SurveyRequest.asked_at - timedelta(days=31))
    pages += [await anybody.http.get(path), await anybody.http.post(path, data={"score": "1"})]

    assert {page.status_code for page in pages} == {404}
    assert len({page.text for page in pages}) == 1
    assert (await after.requests())[0].score is None


async def test_the_link_of_who_was_erased_takes_no_words(
    after: Afterwards, ticket: Ticket, anybody: Client, admin: Client
) -> None:
    path = path_of(after.house, await after.asked(ticket))
    await erased(after.house, admin, ticket.contact_id)

    shown = await anybody.http.get(path)
    posted = await anybody.http.post(path, data={"score": "1", "words": "I am Ada"})

    assert (shown.status_code, posted.status_code) == (404, 404)
    (request,) = await after.requests()
    assert (request.score, request.words) == (None, "")


async def test_who_is_erased_while_they_answer_is_not_heard(
    after: Afterwards, ticket: Ticket, anybody: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = path_of(after.house, await after.asked(ticket))

    async def held_when_erased(session: AsyncSession, id: uuid.UUID) -> Any:
        async with after.house.db.transaction() as another:
            await another.execute(update(Contact).values(erased_at=func.now()))
        return await held_request(session, id)

    monkeypatch.setattr(pages, "held_request", held_when_erased)
    await anybody.http.post(path, data={"score": "1", "words": "I am Ada"})

    (request,) = await after.requests()
    assert (request.score, request.words) == (None, "")


async def test_an_answer_may_be_changed_for_seven_days(
    after: Afterwards, ticket: Ticket, anybody: Client
) -> None:
    house = after.house
    path = path_of(house, await after.asked(ticket))
    await anybody.http.post(path, data={"score": "2", "words": "Slow."})
    again = await anybody.http.get(path)
    await anybody.http.post(path, data={"score": "4"})
    changed = (await after.requests())[0]
    await set_request(house, answered_at=SurveyRequest.answered_at - timedelta(days=8))

    late = await anybody.http.post(path, data={"score": "1"})
    shown = await anybody.http.get(path)

    assert 'value="2"' in again.text
    assert "Slow." not in again.text
    assert (changed.score, changed.words) == (4, "Slow.")
    assert late.status_code == 303
    assert (await after.requests())[0].score == 4
    assert "<form" not in shown.text
    assert "Dziękujemy za odpowiedź." in shown.text


@pytest.mark.parametrize(
    ("language", "until"),
    [
        ("en", "until 9 March."),
        ("pl", "do 9 marca."),
        ("es", "hasta el 9 de marzo."),
        ("ca", "fins al 9 de març."),
    ],
)
async def test_the_day_until_which_an_answer_may_be_changed_is_written_as_in_the_customers_language(
    after: Afterwards, ticket: Ticket, anybody: Client, language: str, until: str
) -> None:
    path = path_of(after.house, await after.asked(ticket))
    await anybody.http.post(path, data={"score": "4"})
    answered_at = datetime(2099, 3, 2, 12, tzinfo=UTC)
    await set_request(after.house, language=language, answered_at=answered_at)

    assert until in (await anybody.http.get(path)).text


async def test_as_much_as_the_page_lets_one_write_is_taken_in_every_script(
    after: Afterwards, ticket: Ticket, anybody: Client
) -> None:
    path = path_of(after.house, await after.asked(ticket))
    words = "好" * LONGEST_WORDS

    answered = await anybody.http.post(path, data={"score": "5", "words": words})

    assert answered.status_code == 303
    assert (await after.requests())[0].words == words


@pytest.mark.parametrize("given", [{}, {"score": "6"}, {"score": "0"}, {"score": "-1"}, {"score": "4.0"}, {"score": "\N{SUPERSCRIPT TWO}"}, {"words": "x"}])  # fmt: skip
async def test_what_is_no_answer_is_asked_again(
    after: Afterwards, ticket: Ticket, anybody: Client, given: dict[str, str]
) -> None:
    path = path_of(after.house, await after.asked(ticket))

    refused = await anybody.http.post(path, data=given)

    assert refused.status_code == 400
    assert "Proszę najpierw wybrać odpowiedź." in refused.text
    assert (await after.requests())[0].score is None


async def test_who_wants_no_such_questions_is_asked_none(
    after: Afterwards, ticket: Ticket, anybody: Client
) -> None:
    house = after.house
    path = path_of(house, await after.asked(ticket))

    question = await anybody.http.get(f"{path}/stop")
    stopped = await anybody.http.post(f"{path}/stop", data={"List-Unsubscribe": "One-Click"})
    told = await anybody.http.get(f"{path}/stop")

    assert question.text.count("<button>") == 1
    assert stopped.status_code == 303
    assert "Nie będziemy już przysyłać takich pytań." in told.text
    await set_request(house, asked_at=SurveyRequest.asked_at - timedelta(days=300))
    await after.becomes(ticket, TicketStatus.OPEN)
    await after.solves(ticket)
    assert [one.unasked for one in await after.asks()] == [None, Unasked.REFUSED]


async def test_a_link_is_asked_so_often_in_a_minute(
    after: Afterwards, ticket: Ticket, anybody: Client
) -> None:
    path = path_of(after.house, await after.asked(ticket))

    codes = [(await anybody.http.post(path, data={"score": "3"})).status_code for _ in range(40)]
    others = [(await anybody.http.get("/feedback/x")).status_code for _ in range(200)]

    assert set(codes[:20]) == {303}
    assert set(codes[20:]) == {303, 429} or set(codes[20:]) == {429}
    assert 429 in others


@in_a_browser
@pytest.mark.parametrize("scale", [Scale.FIVE, Scale.THUMBS, Scale.TEN])
async def test_it_is_one_tap_on_a_phone(
    after: Afterwards, ticket: Ticket, door: str, browser: str, scale: Scale
) -> None:
    if scale == Scale.TEN:
        await after.survey(SurveyKind.NPS, sample_percent=100)
    else:
        await after.survey(SurveyKind.CSAT, scale=scale)
    path = path_of(after.house, await after.asked(ticket))
    best = 10 if scale == Scale.TEN else 5

    async with browsing(browser) as page:
        await page.go(f"{door}{path}?score={best}")
        await page.until("!!document.querySelector('button') && document.readyState === 'complete'")
        for scheme in ("light", "dark") if SCREENSHOTS else ():
            await page.screenshot(Path(SCREENSHOTS) / f"feedback-{scale}-{scheme}.png", scheme)
        narrow = await page.value("document.documentElement.scrollWidth <= 390")
        small = await page.value(
            "[...document.querySelectorAll('button, .scores label')].filter((one) => one.offsetHeight < 44).length"
        )
        await page.tap("#feedback form button")
        await page.until("!!document.querySelector('.said')")
        if SCREENSHOTS:
            await page.screenshot(Path(SCREENSHOTS) / f"feedback-{scale}-thanks.png")

    assert (narrow, small) == (True, 0)
    assert page.complaints() == []
    assert (await after.requests())[0].score == best


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_edges_of_its_fields_are_seen(
    after: Afterwards, ticket: Ticket, door: str, browser: str, scheme: str
) -> None:
    path = path_of(after.house, await after.asked(ticket))

    async with browsing(browser) as page:
        await page.look(scheme)
        await page.go(f"{door}{path}?score=5")
        await page.until("!!document.querySelector('textarea') && document.readyState === 'complete'")

        assert await page.value(FAINT) == []

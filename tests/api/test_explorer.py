"""The explorer in a browser: who signs in has what our screens ask as tabs, and runs it."""

import pytest

from tests.browser import FAINT, LOSE_THE_NEXT_ANSWER, browsing, in_a_browser
from tests.client import PASSWORD, Client
from tests.two_teams import TwoTeams

TABS = "[...document.querySelectorAll('.graphiql-tab')].map(tab => tab.innerText.trim())"
ANSWER = "document.querySelector('.result-window')?.innerText"


@in_a_browser
async def test_our_screens_operations_are_tabs_by_subject(
    two_teams: TwoTeams, door: str, browser: str
) -> None:
    async with browsing(browser) as page:
        await page.go(f"{door}/graphql")
        await page.write("#email", "mia@shop.example")
        await page.write("#password", PASSWORD)
        await page.tap("#sign-in button")
        await page.until(f"{TABS}.includes('Inbox')")

        await page.tap(".graphiql-execute-button")
        await page.until(f"{ANSWER}?.includes('changeCursor')")
        await page.value(
            "void (subject => { subject.value = 'phone'; subject.dispatchEvent(new Event('change')) })"
            "(document.querySelector('#subject'))"
        )
        tabs = await page.until(f"{TABS}.includes('MToday') && {TABS}")

        assert {"Ack", "Send", "MAlert"} < set(tabs)
        assert "Inbox" not in tabs
        assert page.complaints() == []


@in_a_browser
async def test_a_subscription_after_an_idle_while_renews_the_session_though_an_answer_was_lost(
    ben: Client, browser: str
) -> None:
    async with browsing(browser) as page:
        await page.go(f"{ben.address}/graphql")
        await page.write("#email", "ben@shop.example")
        await page.write("#password", PASSWORD)
        await page.tap("#sign-in button")
        await page.until("!document.querySelector('#bar').hidden")
        await page.until(f"{TABS}.includes('Inbox')")
        await page.value(IDLE)
        await page.value(LOSE_THE_NEXT_ANSWER)
        assert await page.value("freshToken().then(() => '', ({ message }) => message)") == "lost"
        await page.value("void (window.fetch = window.whole)")

        told = await page.value(LISTEN)

        assert told == {"data": {"callRinging": {"calls": []}}}
        assert await page.value("document.querySelector('#door').hidden")


IDLE = """void [["token", "out of date"], ["refresh", JSON.stringify({ ...JSON.parse(
  sessionStorage.getItem("heddle-explorer-refresh")), until: 0 })]].forEach(
  ([name, value]) => sessionStorage.setItem(`heddle-explorer-${name}`, value))"""
LISTEN = """(async (query) => {
  const listening = await fetcher({ query }, { documentAST: GraphiQL.GraphQL.parse(query) });
  return new Promise((done) => listening.subscribe({ next: done, complete() {} }));
})("subscription { callRinging { calls { id } } }")"""


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_edges_of_the_doors_fields_are_seen(door: str, browser: str, scheme: str) -> None:
    async with browsing(browser) as page:
        await page.look(scheme)
        await page.go(f"{door}/graphql")
        await page.until("document.querySelector('#email')?.checkVisibility()")

        assert await page.value(FAINT) == []

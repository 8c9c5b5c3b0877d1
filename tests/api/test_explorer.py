"""The explorer in a browser: who signs in has what our screens ask as tabs, and runs it."""

from tests.browser import browsing, in_a_browser
from tests.client import PASSWORD
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

"""The page of all tickets: the views with their numbers, what is looked for, and what comes while somebody looks at it."""

import pytest
from sqlalchemy import select

from api.house import House
from domain.finding.furnishing import furnish
from domain.ways_in.channels import Channel, ChannelKind
from tests.api.test_mobile import SMALL, _look, _sign_in
from tests.browser import FAINT, Page, in_a_browser
from tests.client import Client
from tests.factories import a_channel, a_mail, receive
from tests.finding.playing import indexed
from tests.two_teams import TwoTeams

ASSIGN = "mutation($input: TicketAssignInput!) { ticketAssign(input: $input) { tickets { id } userErrors { code } } }"
LINES = "[...document.querySelectorAll('.lines > li')].map((one) => one.innerText)"
CHOSEN = "document.querySelector('.views [aria-current]')?.innerText"
VIEWS = "[...document.querySelectorAll('.views a')].map((one) => one.innerText.replace(/\\s+/g, ' '))"
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"


@pytest.fixture(autouse=True)
async def views(house: House) -> None:
    """Those that every shop begins with."""
    async with house.db.transaction() as session:
        await furnish(session)


async def _writes(house: House, *senders: str) -> None:
    async with house.db.transaction() as session:
        channel = await session.scalar(select(Channel).where(Channel.kind == ChannelKind.EMAIL))
        channel = channel or await a_channel(session, house.keys, ChannelKind.EMAIL)
        for sender in senders:
            await receive(session, channel, a_mail(sender, subject=f"Of {sender}"))
        await indexed(session)


async def _opens(phone: Page, client: Client, where: str = "") -> None:
    await phone.go(f"{client.address}/m/tickets{where}")
    await _sign_in(phone, "ben")


@in_a_browser
async def test_what_is_open_stands_there_and_leads_to_the_ticket(two_teams: TwoTeams, phone: Page) -> None:
    await _opens(phone, two_teams.ben)

    line = next(line for line in await phone.value(LINES) if "My order" in line)
    assert "First reply: " in line
    assert "new · Nobody" in line
    assert await phone.value(SMALL) == []
    assert await phone.value(FAINT) == []
    assert await phone.value(TOO_WIDE) is False
    await _look(phone, "tickets")
    await phone.say(
        "Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False
    )
    assert await phone.value(TOO_WIDE) is False
    await _look(phone, "tickets-wide")
    await phone.tap(f"[id='ticket-{two_teams.ids['Ticket']}']")
    await phone.until("document.querySelector('#take')?.checkVisibility()")
    assert await phone.value("location.pathname") == f"/m/t/{two_teams.ids['Ticket']}"


@in_a_browser
async def test_a_view_is_chosen_by_its_name_and_says_how_many_are_in_it(
    house: House, ben: Client, phone: Page
) -> None:
    await _writes(house, "ada@example.org", "zofia@example.org")
    tickets = (await ben.ask("{ tickets { edges { node { id subject } } } }"))["tickets"]["edges"]
    mine = next(edge["node"]["id"] for edge in tickets if edge["node"]["subject"] == "Of ada@example.org")
    await ben.do(ASSIGN, ticketIds=[mine], takeOver=True)

    await _opens(phone, ben)

    views = await phone.value(VIEWS)
    assert {"Mine 1", "Unassigned 1", "All open 2"} <= set(views)
    assert (await phone.value(CHOSEN)).startswith("All open")
    await phone.tap(".views a")
    await phone.until(f"({CHOSEN} ?? '').startsWith('Mine')")
    (line,) = await phone.value(LINES)
    assert "Of ada@example.org" in line


@in_a_browser
async def test_what_is_looked_for_is_found_and_what_is_not_understood_is_said(
    house: House, ben: Client, phone: Page
) -> None:
    await _writes(house, "ada@example.org", "zofia@example.org")
    await _opens(phone, ben)

    await phone.write("#q", "zofia")
    await phone.value("void document.querySelector('[role=search]').requestSubmit()")
    await phone.until(f"{LINES}.length === 1")
    (line,) = await phone.value(LINES)
    assert "Of zofia@example.org" in line
    assert await phone.value("document.querySelector('#q').value") == "zofia"

    await phone.write("#q", "clock:soonish")
    await phone.value("void document.querySelector('[role=search]').requestSubmit()")
    await phone.until("!!document.querySelector('#wrong')")
    assert "soonish" in await phone.value("document.querySelector('#wrong').textContent")
    assert await phone.value("document.querySelector('#q').value") == "clock:soonish"

    await phone.write("#q", "nobody-of-that-name")
    await phone.value("void document.querySelector('[role=search]').requestSubmit()")
    await phone.until("!!document.querySelector('#none')")


@in_a_browser
async def test_tickets_go_on_page_by_page(house: House, ben: Client, phone: Page) -> None:
    await _writes(house, *(f"ada{number}@example.org" for number in range(26)))
    await _opens(phone, ben)
    first = await phone.value(LINES)
    assert len(first) == 25

    await phone.tap("#next")

    await phone.until(f"{LINES}.length === 1")
    (last,) = await phone.value(LINES)
    assert last not in first
    assert (await phone.value(CHOSEN)).startswith("All open")


@in_a_browser
async def test_what_comes_while_one_looks_is_there_at_once(house: House, ben: Client, phone: Page) -> None:
    await _writes(house, "ada@example.org")
    await _opens(phone, ben)
    await phone.until(f"{LINES}.length === 1")
    await phone.value("void (window.isThere = true, document.querySelector('.views').scrollTo(7, 0))")

    await _writes(house, "zofia@example.org")

    await phone.until(f"{LINES}.length === 2")
    assert await phone.value("window.isThere")
    assert await phone.value("document.querySelector('.views').scrollLeft") == 7

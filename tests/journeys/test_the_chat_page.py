"""The example chat page in a real browser: whatever the network does, nothing is lost and nothing comes twice."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import pytest
from playwright.async_api import Browser, FilePayload, Page, async_playwright, expect

from api.house import House
from api.running import Settings
from api.settings import ApiSettings
from api.workers import working
from demo.website import Website
from domain.feedback import surveys
from domain.feedback.scales import SurveyKind
from domain.feedback.surveys import Choice
from domain.settings import DomainSettings
from domain.ways_in.channels import ChannelKind
from integrations.settings import IntegrationSettings
from notifications.settings import NotificationSettings
from tests.browser import CHROMIUM, in_a_browser
from tests.client import Client
from tests.doors import answering
from tests.factories import NOON, SETTINGS, a_channel, set_channel
from tests.wire import Wire, wire

pytestmark = in_a_browser
expect.set_options(timeout=20_000)

TICKETS = """{ tickets(first: 5) { edges { node {
  id seq contact { identities { channel label verified } } replyChannels { id channel }
  timeline(first: 50) { edges { node { ... on Message { direction text delivery } } } }
} } } }"""
WHAT_CAME = """query($id: ID!) { ticket(id: $id) { timeline(first: 5) { edges { node { ... on Message {
  text page { url } answers { name value } attachments { name mime }
} } } } } }"""
READ = "mutation($input: ChatReadInput!) { chatRead(input: $input) { userErrors { code } } }"
TYPING = "mutation($input: ChatTypingInput!) { chatTyping(input: $input) { userErrors { code } } }"
VISITOR_TYPING = "subscription($ticket: ID!) { visitorTyping(ticketId: $ticket) { until } }"
SEND = "mutation($input: MessageSendInput!) { messageSend(input: $input) { userErrors { code message } } }"

SOLVE = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code message } } }"


@dataclass
class Shop:
    """Heddle with everybody at work, reached by a network that can fail, and the shop's page in a browser."""

    house: House
    page: Page
    network: Wire
    ben: Client

    async def open(self) -> None:
        await self.page.get_by_role("button", name="Chat with us").click()

    async def write(self, words: str) -> None:
        await self.page.get_by_label("Your message").fill(words)
        await self.page.get_by_role("button", name="Send", exact=True).click()

    async def ticket(self) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while not (found := (await self.ben.ask(TICKETS))["tickets"]["edges"]):
                await asyncio.sleep(0.05)
        (edge,) = found
        return dict(edge["node"])

    async def said(self) -> list[str]:
        """What Heddle has, oldest first."""
        edges = (await self.ticket())["timeline"]["edges"]
        return [edge["node"]["text"] for edge in reversed(edges) if "text" in edge["node"]]

    async def has(self, *said: str) -> None:
        async with asyncio.timeout(30):
            while await self.said() != list(said):
                await asyncio.sleep(0.05)

    async def delivered(self, state: str) -> None:
        async with asyncio.timeout(30):
            while [state] != [
                edge["node"]["delivery"]
                for edge in (await self.ticket())["timeline"]["edges"]
                if edge["node"].get("direction") == "OUT"
            ]:
                await asyncio.sleep(0.05)

    async def answer(self, words: str) -> None:
        ticket = await self.ticket()
        (identity,) = [one["id"] for one in ticket["replyChannels"] if one["channel"] == "CHAT"]
        sent = await self.ben.do(
            SEND, ticketId=ticket["id"], identityId=identity, text=words, lastSeenSeq=ticket["seq"]
        )
        assert sent["userErrors"] == []

    async def shows(self, *said: str) -> None:
        await expect(self.page.locator("#chat-messages > li > p")).to_have_text(said)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def shop(house: House, ben: Client, browser: Browser) -> AsyncIterator[Shop]:
    settings = Settings(DomainSettings(), ApiSettings(), IntegrationSettings(), NotificationSettings())
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.CHAT)
    key = SETTINGS[ChannelKind.CHAT]["identity_key"]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(working(house, settings))
        network = await stack.enter_async_context(wire(0))
        heddle = f"http://localhost:{network.port}"
        seen_through_it = replace(house, base_url=heddle)
        network.to = port_of(await stack.enter_async_context(answering(seen_through_it)))
        website = await stack.enter_async_context(Website(heddle, "chat", key))
        context = await browser.new_context(viewport={"width": 390, "height": 844}, locale="en-GB")
        page = await context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if "Policy" in said.text else None)
        await page.goto(website.origin)
        yield Shop(seen_through_it, page, network, ben)
        async with asyncio.timeout(30):
            await context.close()
        assert wrong == []


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


PHOTO = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
FIRST = "Is the green mug in stock?"
SECOND = "Yes, <b>three</b> of them: https://shop.example/mug?a=1&b=2."


SOCKET, EVENTS = b"Upgrade: websocket", b"GET /chat/chat/events?"


ACK = b'"type":"ack"'


@pytest.mark.parametrize(
    ("way", "refused", "lost"),
    [(SOCKET, [], []), (EVENTS, [SOCKET], [(ACK, 1)])],
    ids=["socket", "requests whose first answer is lost"],
)
async def test_what_both_sides_say_while_the_network_is_away_comes_once_when_it_is_back(
    shop: Shop, way: bytes, refused: list[bytes], lost: list[tuple[bytes, int]]
) -> None:
    shop.network.refused, shop.network.cuts = refused, lost
    await shop.open()
    await shop.write(FIRST)
    await shop.has(FIRST)
    await shop.answer(SECOND)
    await shop.shows(FIRST, SECOND)

    await shop.network.go_down()
    await expect(shop.page.get_by_text("No connection")).to_be_visible()
    await shop.write("Can I have two?")
    await shop.answer("They are on sale today.")
    await shop.answer("Shall I put one aside?")
    await shop.page.reload()
    await shop.open()
    await shop.shows("Can I have two?")
    async with answering(shop.house) as another_server:
        shop.network.to = port_of(another_server)
        shop.network.is_down = False

        whole = [FIRST, SECOND, "They are on sale today.", "Shall I put one aside?", "Can I have two?"]
        await shop.has(*whole)
        await shop.shows(*whole)
        await shop.page.reload()
        await shop.shows(*whole)
    assert await shop.said() == whole
    assert any(way in said for said in shop.network.said)
    assert [times for _, times in shop.network.cuts] == [0 for _ in lost]


async def test_who_signs_in_at_the_shop_is_known_and_who_signs_out_leaves_nothing_behind(shop: Shop) -> None:
    page = shop.page
    await page.get_by_role("button", name="Sign in as Ada").click()
    await expect(page.get_by_role("button", name="Sign out, Ada")).to_be_visible()
    await shop.open()
    await shop.write("Where is my parcel?")
    await shop.has("Where is my parcel?")
    identities = (await shop.ticket())["contact"]["identities"]
    assert {"channel": "EMAIL", "label": "ada@example.org", "verified": True} in identities

    await page.get_by_role("button", name="Close the chat").click()
    await page.get_by_role("button", name="Sign out, Ada").click()
    await expect(page.get_by_role("button", name="Sign in as Ada")).to_be_visible()
    await shop.open()
    await shop.write("Hello?")

    await expect(page.locator("small")).to_have_text(re.compile("sent$"))
    await shop.shows("Hello?")


@pytest.mark.parametrize("opens", ["before she signs in", "when she is signed in"])
async def test_who_signs_out_in_one_tab_leaves_nothing_behind_in_the_others(shop: Shop, opens: str) -> None:
    page, another = shop.page, await shop.page.context.new_page()
    heard: list[str] = []
    another.on("websocket", lambda line: line.on("framereceived", lambda said: heard.append(str(said))))
    await shop.open()
    await shop.write("Where is my parcel?")
    await shop.has("Where is my parcel?")
    if opens == "before she signs in":
        await another.goto(page.url)
        await expect(another.locator("#chat-messages > li")).to_have_count(1)
    await page.get_by_role("button", name="Close the chat").click()
    await page.get_by_role("button", name="Sign in as Ada").click()
    await expect(page.get_by_role("button", name="Sign out, Ada")).to_be_visible()
    await expect(page.locator("#chat-messages > li")).to_have_count(1)
    if opens == "when she is signed in":
        await another.goto(page.url)
        await expect(another.locator("#chat-messages > li")).to_have_count(1)

    await page.get_by_role("button", name="Sign out, Ada").click()

    await expect(page.get_by_role("button", name="Sign in as Ada")).to_be_visible()
    await expect(another.locator("#chat-messages > li")).to_have_count(0)
    await shop.answer("It is at your neighbour's.")
    await another.get_by_role("button", name="Chat with us").click()
    await another.get_by_label("Your message").fill("Hello?")
    await another.get_by_role("button", name="Send").click()
    await expect(another.locator("#chat-messages small")).to_have_text(re.compile("sent$"))
    await expect(another.locator("#chat-messages > li > p")).to_have_text(["Hello?"])
    assert not any("neighbour" in said for said in heard)
    async with asyncio.timeout(30):
        while len((await shop.ben.ask(TICKETS))["tickets"]["edges"]) < 2:
            await asyncio.sleep(0.05)


async def test_what_is_being_written_is_there_on_the_next_page_until_it_is_sent_or_its_writer_signs_out(
    shop: Shop,
) -> None:
    page, written = shop.page, shop.page.get_by_label("Your message")
    await shop.open()
    await written.fill("The handle")
    await page.goto(f"{page.url}?product=bowl")
    await shop.open()
    await expect(written).to_have_value("The handle")
    await page.get_by_role("button", name="Close the chat").click()
    await page.get_by_role("button", name="Sign in as Ada").click()
    await expect(page.get_by_role("button", name="Sign out, Ada")).to_be_visible()
    await shop.open()
    await expect(written).to_have_value("The handle")
    await shop.write("The handle is broken.")
    await shop.has("The handle is broken.")
    await page.reload()
    await shop.open()
    await expect(written).to_have_value("")

    await written.fill("And the lid")
    another = await page.context.new_page()
    await another.goto(page.url)
    await another.get_by_role("button", name="Chat with us").click()
    await expect(another.get_by_text("The handle is broken.")).to_be_visible()
    await another.get_by_label("Your message").fill("And the saucer")
    await page.get_by_role("button", name="Close the chat").click()
    await page.get_by_role("button", name="Sign out, Ada").click()
    await expect(page.get_by_role("button", name="Sign in as Ada")).to_be_visible()
    await shop.open()

    await expect(page.get_by_text("We are here")).to_be_visible()
    await expect(written).to_have_value("")
    await another.reload()
    await another.get_by_role("button", name="Chat with us").click()
    await expect(another.get_by_text("We are here")).to_be_visible()
    await expect(another.get_by_label("Your message")).to_have_value("")


async def test_a_first_message_brings_what_was_asked_the_page_and_a_photo(shop: Shop) -> None:
    page = shop.page
    email = {"name": "email", "label": {"en": "Your e-mail"}, "type": "email", "required": True}
    async with shop.house.db.transaction() as session:
        await set_channel(session, "chat", fields=[email])
    await shop.open()
    await page.get_by_label("Your e-mail").fill("ada@example.org")
    await page.get_by_label("Attach files").set_input_files(
        {"name": "handle.png", "mimeType": "image/png", "buffer": PHOTO}
    )

    await shop.write("The handle is broken.")

    ticket = await shop.ticket()
    (came,) = [
        edge["node"]
        for edge in (await shop.ben.ask(WHAT_CAME, id=ticket["id"]))["ticket"]["timeline"]["edges"]
        if "text" in edge["node"]
    ]
    assert came == {
        "text": "The handle is broken.",
        "page": {"url": page.url},
        "answers": [{"name": "email", "value": "ada@example.org"}],
        "attachments": [{"name": "handle.png", "mime": "image/png"}],
    }
    await expect(page.get_by_label("Your e-mail")).to_be_hidden()
    await page.evaluate(AS_SAFARI)
    async with page.expect_popup() as opened:
        await page.get_by_role("button", name="handle.png").click()
    shown = await opened.value
    await shown.wait_for_url("**/chat/chat/files/**")
    assert await shown.evaluate("document.images[0].naturalWidth") == 1
    assert await shown.evaluate("window.opener") is None
    await page.evaluate("void (window.open = () => null)")
    await page.get_by_role("button", name="handle.png").click()
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="handle.png").click()
    await (await opened.value).wait_for_url("**/chat/chat/files/**")
    await expect(page.get_by_role("button", name="handle.png")).to_be_enabled()


AS_SAFARI = """void (window.whole = window.open,
  window.open = (...asked) => window.event?.type === "click" ? window.whole(...asked) : null)"""
"""A tab is opened by a click, not by what comes of it."""


async def test_what_was_answered_wrongly_goes_back_to_where_it_was_written_with_its_files(shop: Shop) -> None:
    page = shop.page
    phone = {"name": "phone", "label": {"en": "Phone"}, "type": "phone", "required": True}
    async with shop.house.db.transaction() as session:
        await set_channel(session, "chat", fields=[phone])
    await shop.open()
    await page.get_by_label("Phone").fill("none")
    await shop.network.go_down()
    await expect(page.get_by_text("No connection")).to_be_visible()
    await shop.write("The handle is broken.")
    await page.get_by_label("Attach files").set_input_files(
        {"name": "handle.png", "mimeType": "image/png", "buffer": PHOTO}
    )
    await shop.write("Here it is.")
    await page.get_by_label("Your message").fill("Hello?")

    shop.network.is_down = False

    await shop.shows()
    await expect(page.locator("#chat-note")).to_have_text(re.compile("answer"))
    written = await page.get_by_label("Your message").input_value()
    assert sorted(written.splitlines()) == ["Hello?", "Here it is.", "The handle is broken."]
    await page.get_by_label("Phone").fill("+48 600 100 200")
    await page.get_by_role("button", name="Send").click()
    await shop.has(written)
    await expect(page.get_by_role("button", name="handle.png")).to_be_enabled()


async def test_files_that_cannot_be_sent_are_given_up_and_the_chat_goes_on(shop: Shop) -> None:
    page = shop.page
    sockets, failed = [], []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    shop.network.refused = [b"POST /chat/chat/files"]
    await shop.open()
    await shop.write("The handle is broken.")
    await shop.has("The handle is broken.")
    await page.get_by_label("Attach files").set_input_files(
        {"name": "handle.png", "mimeType": "image/png", "buffer": PHOTO}
    )

    await shop.write("Here it is.")

    await expect(page.locator("#chat-messages small")).to_have_text(
        [re.compile("sent$"), re.compile("not sent$")]
    )
    await expect(page.get_by_text("That could not be sent.")).to_be_visible()
    await shop.write("Do you see it?")
    await shop.has("The handle is broken.", "Do you see it?")
    assert (len(sockets), len(failed)) == (1, 3)


async def test_what_was_refused_is_there_after_a_reload_and_can_be_sent_again(shop: Shop) -> None:
    page = shop.page
    await shop.open()
    await expect(page.get_by_text("We are here")).to_be_visible()
    await shop.network.go_down()
    await expect(page.get_by_text("No connection")).to_be_visible()
    await shop.write("Where is my parcel?")
    async with shop.house.db.transaction() as session:
        await set_channel(session, "chat", anonymous=False)
    shop.network.is_down = False
    await expect(page.locator("#chat-messages small")).to_have_text(re.compile("not sent$"))
    await page.get_by_role("button", name="Close the chat").click()
    await page.get_by_role("button", name="Sign in as Ada").click()
    await expect(page.get_by_role("button", name="Sign out, Ada")).to_be_visible()
    await shop.open()

    await page.get_by_role("button", name="Change it and send it again").click()

    await expect(page.get_by_label("Your message")).to_be_focused()
    await expect(page.get_by_label("Your message")).to_have_value("Where is my parcel?")
    await page.get_by_role("button", name="Send", exact=True).click()
    await shop.has("Where is my parcel?")
    await shop.shows("Where is my parcel?")
    await page.reload()
    await shop.shows("Where is my parcel?")


async def test_a_photo_that_comes_too_soon_is_sent_when_heddle_takes_it(shop: Shop) -> None:
    page = shop.page
    too_soon = {"type": "error", "code": "too_many_files", "message": "wait a while", "retryAfter": 1}
    await page.route(
        "**/chat/chat/files",
        lambda route: route.fulfill(status=429, json=too_soon, headers={"Access-Control-Allow-Origin": "*"}),
        times=1,
    )
    await shop.open()
    await page.get_by_label("Attach files").set_input_files(
        {"name": "handle.png", "mimeType": "image/png", "buffer": PHOTO}
    )

    await shop.write("Here it is.")

    await expect(page.get_by_text("That is a lot at once.")).to_be_visible()
    await shop.has("Here it is.")
    await expect(page.get_by_role("button", name="handle.png")).to_be_enabled()
    await expect(page.get_by_role("alert")).to_be_empty()


async def test_of_a_text_that_is_too_long_nothing_is_cut_off_and_its_writer_is_told(shop: Shop) -> None:
    page, written, whole = shop.page, shop.page.get_by_label("Your message"), "Mug " * 2000 + "with a handle"
    await shop.open()
    await page.evaluate(
        "(text) => { document.getElementById('chat-text').focus(); document.execCommand('insertText', false, text); }",
        whole,
    )

    await expect(written).to_have_value(whole)
    await expect(page.get_by_role("alert")).to_contain_text("at most 8,000 characters")
    await page.get_by_role("button", name="Send").click()
    await expect(written).to_have_value(whole)
    await shop.write(whole[13:])
    await expect(page.get_by_role("alert")).to_be_empty()
    await shop.has(whole[13:])


async def test_who_removes_files_by_keyboard_keeps_their_place_and_is_not_told_any_more_of_too_many(
    shop: Shop,
) -> None:
    page = shop.page
    photos: list[FilePayload] = [
        {"name": f"{number}.png", "mimeType": "image/png", "buffer": PHOTO} for number in range(1, 7)
    ]
    await shop.open()
    await page.get_by_label("Attach files").set_input_files(photos)
    await expect(page.get_by_role("alert")).to_contain_text("At most 5 files")

    await page.get_by_role("button", name="Remove 4.png").press("Enter")
    await expect(page.get_by_role("alert")).to_be_empty()
    for name in ("5.png", "3.png", "2.png", "1.png"):
        await expect(page.get_by_role("button", name=f"Remove {name}")).to_be_focused()
        await page.keyboard.press("Enter")

    await expect(page.get_by_label("Attach files")).to_be_focused()


async def test_each_side_sees_that_the_other_is_writing_and_the_visitor_what_was_read(shop: Shop) -> None:
    page = shop.page
    await shop.open()
    await shop.write("Is it safe in the dishwasher?")
    ticket = await shop.ticket()
    await expect(page.locator("#chat-messages small")).to_have_text(re.compile("sent$"))

    await shop.ben.ask(READ, input={"ticketId": ticket["id"], "seq": ticket["seq"]})
    await shop.ben.ask(TYPING, input={"ticketId": ticket["id"]})

    await expect(page.locator("#chat-messages small")).to_have_text(re.compile("read$"))
    await expect(page.get_by_text("The shop is typing")).to_be_visible()
    async with shop.ben.listening(VISITOR_TYPING, ticket=ticket["id"]) as told:
        async with asyncio.timeout(30):
            while (await told.next())["visitorTyping"]["until"]:
                pass  # of the message that was just written
            await asyncio.sleep(3)  # the page says it once in three seconds
            await page.get_by_label("Your message").press_sequentially("And")
            assert (await told.next())["visitorTyping"]["until"]
    await shop.answer("It is.")
    await expect(page.get_by_text("The shop is typing")).to_be_hidden()
    await shop.delivered("READ")


async def test_what_was_read_is_said_again_where_it_was_lost_with_the_line(shop: Shop) -> None:
    page = shop.page
    await page.goto(f"{page.url}?transport=sse")
    await shop.open()
    await shop.write(FIRST)
    await shop.has(FIRST)
    shop.network.refused = [b"POST /chat/chat/read"]
    async with page.expect_event("requestfailed", lambda request: request.url.endswith("/read")):
        await shop.answer(SECOND)

    shop.network.refused = []

    await shop.delivered("READ")


async def test_the_newest_message_stays_in_view_when_a_keyboard_opens_or_files_are_chosen(shop: Shop) -> None:
    page = shop.page
    newest = page.locator("#chat-messages > li").last
    await shop.open()
    await shop.write(f"{FIRST}\n" * 30)
    await shop.answer(SECOND)
    await expect(newest).to_contain_text("three")
    await expect(newest).to_be_in_viewport(ratio=1)

    await page.get_by_label("Attach files").set_input_files(
        {"name": "handle.png", "mimeType": "image/png", "buffer": PHOTO}
    )
    await expect(newest).to_be_in_viewport(ratio=1)
    for height in (700, 560, 844, 480):
        await page.set_viewport_size({"width": 390, "height": height})
    await expect(newest).to_be_in_viewport(ratio=1)

    await page.locator("#chat-log").evaluate("(log) => void (log.scrollTop = 100)")
    await page.set_viewport_size({"width": 390, "height": 400})
    await expect(page.locator("#chat-log")).to_have_js_property("scrollTop", 100)
    await page.get_by_role("button", name="Remove handle.png").click()


async def test_words_run_from_right_to_left_where_they_are_written_so(shop: Shop) -> None:
    await shop.open()
    await shop.write("איפה ההזמנה שלי 1042?")
    await shop.shows("איפה ההזמנה שלי 1042?")

    mark, words = await shop.page.locator("#chat-messages p").evaluate(DRAWN)

    assert mark < words + 1, "the question mark stands at the left end"


DRAWN = """({ firstChild: words }) => [words.length - 1, 0].map((start) => {
  const range = new Range();
  range.setStart(words, start);
  range.setEnd(words, start ? words.length : words.length - 1);
  const box = range.getBoundingClientRect();
  return start ? box.right : box.left;
})"""


@pytest.mark.parametrize(("the_shops", "smallest", "written"), [("62.5%", 12, 16), ("200%", 24, 32)])
async def test_its_words_are_as_large_as_the_reader_has_set_and_not_as_small_as_a_shops_root(
    shop: Shop, the_shops: str, smallest: int, written: int
) -> None:
    await shop.page.evaluate("(size) => void (document.documentElement.style.fontSize = size)", the_shops)
    await shop.open()
    await shop.write(FIRST)
    await shop.has(FIRST)

    sizes = {
        part: await shop.page.locator(part).first.evaluate(
            "(it) => parseFloat(getComputedStyle(it).fontSize)"
        )
        for part in ("#chat-text", "#chat-messages p", "#chat-messages small", "#chat-hours", "#chat-title")
    }

    assert (sizes["#chat-text"], sizes["#chat-messages p"]) == (written, written)
    assert min(sizes.values()) > smallest


async def test_the_chat_says_in_which_language_it_speaks_on_a_page_of_another(shop: Shop) -> None:
    await shop.page.evaluate("() => void (document.documentElement.lang = 'pl')")

    spoken = await shop.page.locator("#chat-open").evaluate("(it) => it.closest('[lang]').lang")

    assert spoken == "en"


async def test_the_chat_is_used_by_keyboard_alone(shop: Shop) -> None:
    page = shop.page
    await page.get_by_role("button", name="Chat with us").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Your message")).to_be_focused()
    await page.keyboard.type("Is it safe in the dishwasher?")
    await page.keyboard.press("Enter")
    await shop.shows("Is it safe in the dishwasher?")
    await expect(page.get_by_label("Your message")).to_be_focused()

    await page.keyboard.press("Escape")

    await expect(page.get_by_role("button", name="Chat with us")).to_be_focused()


async def test_a_survey_is_answered_by_one_of_its_buttons(shop: Shop) -> None:
    async with shop.house.db.transaction() as session:
        await surveys.save(session, SurveyKind.CSAT, None, Choice(enabled=True), at=NOON)
    await shop.open()
    await shop.write("Is it in stock?")
    await shop.answer("Yes, in M.")
    await shop.ben.do(SOLVE, ids=[(await shop.ticket())["id"]], status="SOLVED")

    button = shop.page.get_by_role("button", name="very satisfied", exact=True)
    await button.click()

    await expect(button).to_have_attribute("aria-pressed", "true")
    found = await shop.ben.ask("{ feedback { edges { node { score way ticket { subject } } } } }")
    assert [(edge["node"]["score"], edge["node"]["way"]) for edge in found["feedback"]["edges"]] == [
        (5, "CHAT")
    ]

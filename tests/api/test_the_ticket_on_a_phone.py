"""The page of a ticket that a push opens: what was said, the newest in view, and to take over, answer and solve it from there."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api.house import House
from domain.actors import SYSTEM
from domain.alerting.alerts import Alert, AlertState
from domain.alerting.notices import Delivery, Notice
from domain.arriving.inbound import CallStep, InboundAttachment
from domain.arriving.opening import open_ticket
from domain.customers.contacts import Contact, Identity, IdentityKind
from domain.db import database_time, new_id
from domain.desk.messages import Attachment, Call, CallState, DeliveryState, Direction, Message, Note
from domain.desk.scans import Scan
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.joining.reasons import JoinCode
from domain.ways_in.channels import Channel, ChannelKind
from notifications.composing import receipt_token
from tests.api.test_mobile import ASSIGN, COVERED, SMALL, SPEAK, _look, _settled, _sign_in
from tests.browser import FAINT, LOSE_THE_NEXT_ANSWER, Page, in_a_browser
from tests.client import Client
from tests.factories import (
    NOON,
    a_call_step,
    a_channel,
    a_chat,
    a_mail,
    a_messenger_message,
    receive,
    tickets,
)
from tests.two_teams import TwoTeams

TICKET = """query($id: ID!) { ticket(id: $id) {
  number status seq assignee { name }
  timeline(kinds: [MESSAGE]) { edges { node { ... on Message { text direction channel } } } }
} }"""
SOLVE = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code } } }"
PRESENCE = "mutation($input: PresenceInput!) { presence(input: $input) { ok } }"
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
DRAFT = "mutation($input: DraftSaveInput!) { draftSave(input: $input) { ok } }"
PHOTO = b"\x89PNG\r\n\x1a\n" + b"0" * 100

SAID = "document.querySelector('#said').textContent"
ENTRIES = "[...document.querySelectorAll('.entries > li')].map((one) => one.innerText)"
IN_VIEW = """(() => {
  const { top, bottom } = document.querySelector(".entries > :last-child").getBoundingClientRect();
  return top >= 0 && bottom <= innerHeight;
})()"""


@pytest.fixture
async def ticket_id(house: House, ben: Client) -> str:
    """Of Ada's mail; Ben, whose it is not, can answer by mail alone."""
    return await _written(house, a_mail("ada@example.org"))


async def _written(house: House, *inbound: Any) -> str:
    async with house.db.transaction() as session:
        for kind in (ChannelKind.EMAIL, ChannelKind.CHAT, ChannelKind.MESSENGER):
            await a_channel(session, house.keys, kind)
        channels = {channel.kind: channel for channel in await session.scalars(select(Channel))}
        for one in inbound:
            await receive(session, channels[CHANNEL[one.claims[0].kind.value]], one)
        (ticket,) = await tickets(session)
        return public_id("Ticket", ticket.id)


CHANNEL = {"email": ChannelKind.EMAIL, "chat": ChannelKind.CHAT, "messenger": ChannelKind.MESSENGER}


async def _opens(phone: Page, client: Client, id: str, name: str = "ben") -> None:
    await phone.go(f"{client.address}/m/t/{id}")
    await _sign_in(phone, name)


async def _types(phone: Page, text: str) -> None:
    await phone.until("document.querySelector('#answer')?.checkVisibility()")
    await phone.value("void document.querySelector('#answer').focus()")
    await phone.say("Input.insertText", text=text)


async def _ticket(client: Client, id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.ask(TICKET, id=id))["ticket"]
    return found


async def _answers(client: Client, id: str) -> list[tuple[str, str]]:
    said = [edge["node"] for edge in (await _ticket(client, id))["timeline"]["edges"]]
    return [(one["channel"], one["text"]) for one in said if one["direction"] == "OUT"]


async def _much(house: House, id: str, count: int) -> None:
    async with house.db.transaction() as session:
        ticket = await session.get_one(Ticket, row_id("Ticket", id))
        channel = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.EMAIL))).one()
        for number in range(count):
            message = Message(
                id=new_id(),
                ticket_id=ticket.id,
                contact_id=ticket.contact_id,
                channel_id=channel.id,
                direction=Direction.IN if number % 3 else Direction.OUT,
                author="Ada" if number % 3 else "Bo",
                at=NOON + timedelta(minutes=number + 1),
                text=f"Word {number + 1}, which is a little longer than one line of a phone.",
            )
            session.add(message)
            await session.flush()


@in_a_browser
async def test_a_ticket_says_who_waits_since_when_and_for_what(two_teams: TwoTeams, phone: Page) -> None:
    await _opens(phone, two_teams.ben, two_teams.ids["Ticket"])

    told = await phone.text()
    assert "My order" in await phone.value("document.querySelector('#place h1').textContent")
    assert "Ada · Email" in told or "ada@example.org · Email" in told
    assert "First reply: " in told
    assert " late" in told
    assert "Promised for " in told
    assert "Nobody: it is taken by hand" in await phone.value("document.querySelector('dl').textContent")
    assert "Where is my parcel?" in told
    assert "She is right." in told
    assert await phone.value("document.documentElement.scrollWidth") == 360
    assert await phone.value(SMALL) == []
    await _look(phone, "ticket")


@in_a_browser
async def test_the_customers_name_leads_to_all_their_tickets(two_teams: TwoTeams, phone: Page) -> None:
    await _opens(phone, two_teams.ben, two_teams.ids["Ticket"])

    await phone.tap("#customer")

    await phone.until("location.pathname === '/m/tickets' && !!document.querySelector('.lines')")
    assert await phone.value(f"!!document.querySelector(\"[id='ticket-{two_teams.ids['Ticket']}']\")")


@in_a_browser
async def test_who_else_has_the_ticket_open_is_seen(two_teams: TwoTeams, phone: Page) -> None:
    id = two_teams.ids["Ticket"]
    await two_teams.mia.ask(PRESENCE, input={"ticketId": id, "intent": "TYPING"})

    await _opens(phone, two_teams.ben, id)

    assert "Has it open too\nMia is writing" in await phone.value("document.querySelector('dl').innerText")


@in_a_browser
async def test_the_alert_leads_to_its_ticket_and_the_ticket_to_the_alert_that_fires(
    two_teams: TwoTeams, house: House, phone: Page
) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Alert).values(state=AlertState.FIRING))
    await phone.go(f"{two_teams.ben.address}/m/a/{two_teams.ids['Alert']}")
    await _sign_in(phone, "ben")

    await phone.tap("#ticket")
    await phone.until("document.querySelector('.entries')?.checkVisibility()")
    at_the_ticket = await phone.value("location.pathname")
    await phone.tap("#alert")
    await phone.until("document.querySelector('#ack')?.checkVisibility()")

    assert at_the_ticket == f"/m/t/{two_teams.ids['Ticket']}"
    assert await phone.value("location.pathname") == f"/m/a/{two_teams.ids['Alert']}"


@in_a_browser
async def test_an_alert_that_somebody_has_is_no_more_led_to(two_teams: TwoTeams, phone: Page) -> None:
    ack = "mutation($input: AlertAckInput!) { alertAck(input: $input) { applied } }"
    await two_teams.mia.do(ack, id=two_teams.ids["Alert"])

    await _opens(phone, two_teams.ben, two_teams.ids["Ticket"])

    await phone.until("document.querySelector('.entries')?.checkVisibility()")
    assert await phone.value("document.querySelector('#alert')") is None


@in_a_browser
async def test_who_may_not_see_a_ticket_learns_nothing_of_it(two_teams: TwoTeams, phone: Page) -> None:
    await _opens(phone, two_teams.eve, two_teams.ids["Ticket"], "eve")

    assert "There is no such ticket, or it is not yours to see." in await phone.text()
    assert "ada" not in (await phone.text()).lower()


@in_a_browser
async def test_what_was_said_is_read_page_by_page_the_newest_last_and_in_view(
    house: House, ben: Client, ticket_id: str, phone: Page
) -> None:
    await _much(house, ticket_id, 60)
    await _opens(phone, ben, ticket_id)

    newest = await phone.value(ENTRIES)
    in_view = await phone.value(IN_VIEW)
    await _look(phone, "long")
    await phone.tap("#earlier")
    await phone.until(f"{ENTRIES}.at(-1)?.includes('Word 30,')")
    earlier = await phone.value(ENTRIES)
    can_answer = await phone.value("document.querySelector('#answer, #take, #solve') !== null")
    await phone.tap("#earlier")
    await phone.until(f"{ENTRIES}.some((one) => one.includes('Where is my parcel?'))")
    is_all = await phone.value("document.querySelector('#earlier') === null")
    await phone.tap("#newest")
    await phone.until(f"{ENTRIES}.at(-1)?.includes('Word 60,')")

    assert (len(newest), len(earlier), in_view, can_answer, is_all) == (30, 30, True, False, True)
    assert "Word 31," in newest[0]
    assert "Word 60," in newest[-1]


@in_a_browser
async def test_who_reads_what_was_said_before_is_left_there_when_something_comes(
    house: House, ben: Client, ticket_id: str, phone: Page
) -> None:
    await _much(house, ticket_id, 29)
    await _opens(phone, ben, ticket_id)
    await phone.until(IN_VIEW)
    await ben.do(NOTE, ticketId=ticket_id, text="She rang.")
    await phone.value("void document.dispatchEvent(new Event('visibilitychange'))")
    await phone.until(f"{ENTRIES}.at(-1).includes('She rang.')")
    followed = await phone.value(IN_VIEW)

    await phone.value("scrollTo(0, 0)")
    await ben.do(NOTE, ticketId=ticket_id, text="She rang again.")
    await phone.value("void document.dispatchEvent(new Event('visibilitychange'))")
    await phone.until(f"{ENTRIES}.at(-1).includes('She rang again.')")

    assert followed
    assert await phone.value("scrollY") == 0


@in_a_browser
async def test_a_call_a_note_a_word_aside_and_an_answer_that_did_not_arrive_are_told_apart(
    house: House, ben: Client, ticket_id: str, phone: Page
) -> None:
    async with house.db.transaction() as session:
        ticket = await session.get_one(Ticket, row_id("Ticket", ticket_id))
        its: dict[str, Any] = {"ticket_id": ticket.id, "contact_id": ticket.contact_id, "at": NOON}
        line = await a_channel(session, house.keys, ChannelKind.PHONE)
        mailbox = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.EMAIL))).one()
        aside = Thread(
            id=new_id(), ticket_id=ticket.id, contact_id=ticket.contact_id, channel_id=mailbox.id, side=True,
            joined_code=JoinCode.AGENT_OPENED, joined_at=NOON,
        )  # fmt: skip
        session.add(aside)
        await session.flush()
        call: dict[str, Any] = {"channel_id": line.id, "number": "+48600100200"}
        mail: dict[str, Any] = {"channel_id": mailbox.id, "direction": Direction.OUT}
        session.add_all(
            [
                Call(id=new_id(), **its, **call, direction=Direction.IN, call_state=CallState.MISSED),
                Call(
                    id=new_id(), **its, **call, direction=Direction.OUT, call_state=CallState.ENDED, text="A vase."
                ),
                Note(id=new_id(), **its, direction=Direction.INTERNAL, author="Bo", text="A good customer."),
                Message(id=new_id(), **its, **mail, author="Mia", text="Who sent it?", thread_id=aside.id),
                Message(
                    id=new_id(), **its, **mail, author="Bo", text="It left.", delivery=DeliveryState.FAILED,
                    last_error="no such user",
                ),
                Message(
                    id=new_id(), **its, **mail, author="Bo", text="", particulars={"unsent_at": NOON.isoformat()}
                ),
            ]
        )  # fmt: skip

    await _opens(phone, ben, ticket_id)

    told = await phone.text()
    assert "Call from +48600100200" in told
    assert "Missed" in told
    assert "Call to +48600100200" in told
    assert "Ended\nA vase." in told
    assert "Bo · Note · " in told
    assert "Mia · Email · not with the customer · " in told
    assert "Did not arrive: no such user" in told
    assert "Its writer took it back." in told
    await _look(phone, "kinds")


@in_a_browser
async def test_a_mail_is_shown_as_its_words_and_its_files_by_their_names(
    house: House, ben: Client, phone: Page
) -> None:
    photo = InboundAttachment("mug.png", "image/png", PHOTO, await house.files.put(PHOTO))
    html = "<p>Look</p><img src=x onerror='document.title = 1'><script>document.title = 2</script>"
    mail = a_mail("ada@example.org", "<b>Look</b>\nat this mug", html=html, attachments=(photo,))
    id = await _written(house, mail)

    await _opens(phone, ben, id)

    assert "<b>Look</b>\nat this mug" in await phone.text()
    assert await phone.value("document.querySelectorAll('.entries b, .entries img').length") == 0
    link = await phone.value("document.querySelector('.entries a').getAttribute('href')")
    assert await phone.value("document.querySelector('.entries a').textContent") == "mug.png"
    got = await ben.http.get(link.replace("http://heddle.test", ben.address))
    assert got.content == PHOTO
    await _look(phone, "file")


@in_a_browser
async def test_what_a_mail_quotes_is_unfolded_by_a_tap_stays_so_and_is_folded_again(
    house: House, ben: Client, phone: Page
) -> None:
    id = await _written(house, a_mail("ada@example.org", "It is broken.\n\n> It left this morning."))
    async with house.db.transaction() as session:
        await session.execute(update(Message).values(folded="It is broken."))
    await _opens(phone, ben, id)
    words = "document.querySelector('.entries .words').textContent"
    folded = await phone.value(words)
    await _look(phone, "folded")

    await phone.tap(".entries button")
    await phone.until(f"{words}.endsWith('> It left this morning.')")
    await phone.value("void (window.before = document.querySelector('.entries'))")
    await phone.value("void document.dispatchEvent(new Event('visibilitychange'))")
    await phone.until("!window.before.isConnected")
    stays = await phone.value(words)
    await _look(phone, "unfolded")
    assert await phone.value(SMALL) == []
    await phone.tap(".entries button")

    assert await phone.until(f"{words} === 'It is broken.'")
    assert (folded, stays) == ("It is broken.", "It is broken.\n\n> It left this morning.")


@in_a_browser
async def test_a_call_that_was_recorded_can_be_listened_to(
    house: House, ben: Client, ticket_id: str, phone: Page
) -> None:
    async with house.db.transaction() as session:
        ticket = await session.get_one(Ticket, row_id("Ticket", ticket_id))
        line = await a_channel(session, house.keys, ChannelKind.PHONE)
        call = Call(
            id=new_id(), ticket_id=ticket.id, contact_id=ticket.contact_id, channel_id=line.id, at=NOON,
            direction=Direction.IN, call_state=CallState.ENDED, number="+48600100200",
        )  # fmt: skip
        session.add(call)
        await session.flush()
        told = await house.files.put(PHOTO)
        session.add_all(
            [
                Attachment(id=new_id(), item_id=call.id, name="call.mp3", mime="audio/mpeg", file=told),
                Attachment(id=new_id(), item_id=call.id, name="later.mp3", mime="audio/mpeg"),
            ]
        )

    await _opens(phone, ben, ticket_id)

    link = await phone.until("document.querySelector('.entries a')?.getAttribute('href')")
    assert await phone.value("document.querySelector('.entries a').textContent") == "call.mp3"
    got = await ben.http.get(link.replace("http://heddle.test", ben.address))
    assert got.content == PHOTO
    assert "later.mp3 is still on its way" in await phone.text()


@in_a_browser
@pytest.mark.parametrize(
    ("file", "infection", "trouble", "why"),
    [
        (None, None, None, "is still on its way"),
        (None, None, "404 from the provider", "404 from the provider"),
        ("ab/mug", "Eicar", None, "is infected"),
    ],
)
async def test_a_file_that_cannot_be_had_has_no_link_and_says_why(
    house: House,
    ben: Client,
    phone: Page,
    file: str | None,
    infection: str | None,
    trouble: str | None,
    why: str,
) -> None:
    mug = InboundAttachment("mug.png", "image/png", PHOTO, file)
    id = await _written(house, a_mail("ada@example.org", attachments=(mug,)))
    async with house.db.transaction() as session:
        await session.execute(update(Attachment).values(last_error=trouble))
        if file:
            session.add(Scan(id=new_id(), file=file, scanned_at=NOON, infection=infection))

    await _opens(phone, ben, id)

    assert f"mug.png {why}" in await phone.text()
    assert await phone.value("document.querySelector('.entries a')") is None


@in_a_browser
async def test_the_page_of_a_ticket_speaks_the_readers_language(
    house: House, ben: Client, ticket_id: str, phone: Page
) -> None:
    await _much(house, ticket_id, 40)
    await ben.do(SPEAK, locale="pl")

    await _opens(phone, ben, ticket_id)
    await phone.until(
        "document.documentElement?.lang === 'pl' && document.querySelector('#answer')?.checkVisibility()"
    )

    told = await phone.text()
    assert "Zgłoszenie" in told
    assert "Odpowiedź przez: E-mail, ada@example.org" in told
    await _look(phone, "polish")
    await phone.value("scrollTo(0, 0)")
    await _look(phone, "polish-top")


@in_a_browser
async def test_a_long_subject_and_a_long_word_fit_a_small_screen(
    house: House, ben: Client, phone: Page
) -> None:
    subject = "My order of a mug, a vase and seven plates " * 4 + "x" * 80
    mail = a_mail("ada@example.org", "https://shop.example/" + "mug" * 60, subject=subject)

    await _opens(phone, ben, await _written(house, mail))

    assert await phone.value("document.documentElement.scrollWidth") == 360
    await _look(phone, "wide")


@in_a_browser
async def test_the_newest_is_read_from_its_beginning_where_it_is_longer_than_the_screen(
    house: House, ben: Client, phone: Page
) -> None:
    await _opens(phone, ben, await _written(house, a_mail("ada@example.org", "Where is my parcel?\n" * 80)))

    top = await phone.value("document.querySelector('.entries > :last-child').getBoundingClientRect().top")
    await _look(phone, "tall")
    assert 0 <= top < 200


@in_a_browser
async def test_a_ticket_in_which_nothing_was_said_yet_can_be_answered(
    house: House, ben: Client, ticket_id: str, phone: Page
) -> None:
    async with house.db.transaction() as session:
        contact = (await session.scalars(select(Contact))).one()
        empty = open_ticket(session, contact, subject="", by=SYSTEM, at=NOON)
        id = public_id("Ticket", empty.id)

    await _opens(phone, ben, id)

    assert "Answer by: Email, ada@example.org" in await phone.text()
    await _look(phone, "empty")


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_field_for_an_answer_is_seen(ben: Client, ticket_id: str, phone: Page, scheme: str) -> None:
    await phone.look(scheme)

    await _opens(phone, ben, ticket_id)

    await phone.until("document.querySelector('#answer')?.checkVisibility()")
    assert await phone.value(FAINT) == []


@in_a_browser
async def test_a_ticket_is_taken_over_answered_and_solved(ben: Client, ticket_id: str, phone: Page) -> None:
    await _opens(phone, ben, ticket_id)
    assert "Answer by: Email, ada@example.org" in await phone.text()

    await phone.tap("#take")
    await phone.until(f"{SAID}.startsWith('The ticket is yours.')")
    await _types(phone, "It left this morning.")
    await _look(phone, "typed")
    await phone.tap("#send")
    await phone.until(f"{SAID} === 'The answer is on its way.'")
    emptied = await phone.value("document.querySelector('#answer').value")
    shown = await phone.value(f"{ENTRIES}.at(-1)")
    answered = await _ticket(ben, ticket_id)
    await phone.tap("#solve")
    await phone.until(f"{SAID}.startsWith('The ticket is solved.')")

    assert (answered["assignee"], answered["status"], emptied) == ({"name": "Ben"}, "OPEN", "")
    assert "It left this morning." in shown
    assert await _answers(ben, ticket_id) == [("EMAIL", "It left this morning.")]
    assert (await _ticket(ben, ticket_id))["status"] == "SOLVED"
    assert await phone.value("document.querySelector('#solve, #take')") is None
    await phone.value("scrollTo(0, 99999)")
    assert await phone.value(COVERED) is False


@in_a_browser
async def test_what_was_taken_over_or_solved_by_mistake_is_taken_back_by_a_tap(
    house: House, ben: Client, ticket_id: str, phone: Page
) -> None:
    house.settings.undo_seconds = 60
    before = await _ticket(ben, ticket_id)
    await _opens(phone, ben, ticket_id)

    await phone.tap("#take")
    await phone.until(f"{SAID}.startsWith('The ticket is yours.')")
    await _look(phone, "undo")
    await phone.tap("#undo")
    await phone.until(f"{SAID} === 'Taken back.'")
    given_back = await _ticket(ben, ticket_id)
    await phone.tap("#solve")
    await phone.until(f"{SAID}.startsWith('The ticket is solved.')")
    assert await phone.value(SMALL) == []
    await phone.tap("#undo")
    await phone.until(f"{SAID} === 'Taken back.'")

    reopened = await _ticket(ben, ticket_id)
    assert [(one["assignee"], one["status"]) for one in (given_back, reopened)] == [
        (None, before["status"])
    ] * 2
    assert await phone.until("document.querySelector('#solve')?.checkVisibility()")


@in_a_browser
async def test_what_somebody_has_changed_since_is_not_taken_back_and_it_says_so(
    house: House, ben: Client, mia: Client, ticket_id: str, phone: Page
) -> None:
    house.settings.undo_seconds = 60
    await _opens(phone, ben, ticket_id)
    await phone.tap("#take")
    await phone.until(f"{SAID}.startsWith('The ticket is yours.')")
    await mia.do(SOLVE, ids=[ticket_id], status="SOLVED")

    await phone.tap("#undo")
    await phone.until(f"{SAID} === 'Taken back, but for what somebody has changed since.'")
    in_part = await _ticket(ben, ticket_id)
    await phone.tap("#take")
    await phone.until(f"{SAID}.startsWith('The ticket is yours.')")
    await mia.do(ASSIGN, ticketIds=[ticket_id], takeOver=True)
    await phone.tap("#undo")

    await phone.until(f"{SAID} === 'Somebody has changed this since: nothing was taken back.'")
    assert (in_part["assignee"], in_part["status"]) == (None, "SOLVED")
    assert (await _ticket(ben, ticket_id))["assignee"] == {"name": "Mia"}


@in_a_browser
async def test_what_can_be_taken_back_no_more_is_not_offered(
    house: House, ben: Client, ticket_id: str, phone: Page
) -> None:
    house.settings.undo_seconds = 5
    await _opens(phone, ben, ticket_id)

    await phone.tap("#solve")

    await phone.until("document.querySelector('#undo') !== null")
    await phone.until("document.querySelector('#undo') === null")
    assert (await phone.value(SAID)).strip() == "The ticket is solved."


@in_a_browser
async def test_colleagues_see_who_has_a_ticket_open_on_a_phone_and_who_types_there_as_long_as_it_is_on_the_screen(
    ben: Client, mia: Client, ticket_id: str, phone: Page
) -> None:
    await _opens(phone, ben, ticket_id)
    await _is_seen_there(mia, ticket_id, ("Ben", "VIEWING", "WEB"))

    await _types(phone, "It left.")
    await _is_seen_there(mia, ticket_id, ("Ben", "TYPING", "WEB"))
    await phone.value(HIDES)
    await _is_seen_there(mia, ticket_id)
    await phone.value(IS_BACK)
    await _is_seen_there(mia, ticket_id, ("Ben", "TYPING", "WEB"))
    await phone.go(f"{ben.address}/m/alerts")

    await _is_seen_there(mia, ticket_id)


VIEWERS = "query($id: ID!) { ticket(id: $id) { viewers { agent { name } intent device } } }"
TURNS = """document.dispatchEvent(new Event("visibilitychange"))"""
HIDES = (
    f"""void (Object.defineProperty(document, "hidden", {{ value: true, configurable: true }}), {TURNS})"""
)
IS_BACK = f"void (delete document.hidden, {TURNS})"


async def _is_seen_there(client: Client, id: str, *who: tuple[str, str, str]) -> None:
    async with asyncio.timeout(20):
        while True:
            viewers = (await client.ask(VIEWERS, id=id))["ticket"]["viewers"]
            if [(one["agent"]["name"], one["intent"], one["device"]) for one in viewers] == list(who):
                return
            await asyncio.sleep(0.05)


@in_a_browser
async def test_who_comes_second_is_told_who_has_the_ticket(
    ben: Client, mia: Client, ticket_id: str, phone: Page
) -> None:
    await _opens(phone, ben, ticket_id)
    await mia.do(ASSIGN, ticketIds=[ticket_id], takeOver=True)

    await phone.tap("#take")

    await phone.until(f"{SAID} === 'Mia has the ticket already. Nothing was changed.'")
    assert (await _ticket(ben, ticket_id))["assignee"] == {"name": "Mia"}


@in_a_browser
async def test_a_link_only_opens(ben: Client, ticket_id: str, phone: Page) -> None:
    before = await _ticket(ben, ticket_id)

    await phone.go(f"{ben.address}/m/t/{ticket_id}?do=take")
    await _sign_in(phone, "ben")

    await phone.until("document.querySelector('#take')?.checkVisibility()")
    assert await _ticket(ben, ticket_id) == before


@in_a_browser
async def test_a_push_that_opened_the_page_is_known_to_have_been_opened(
    two_teams: TwoTeams, house: House, phone: Page
) -> None:
    async with house.db.transaction() as session:
        mine = Notice.agent_id == row_id("Agent", two_teams.ben.agent_id)
        found = await session.scalars(
            select(Delivery.id).join(Notice, Notice.id == Delivery.notice_id).where(mine)
        )
        delivery_id = found.one()
    opened = f"#d={public_id('Delivery', delivery_id)}.{receipt_token(house.keys, delivery_id)}"

    await phone.go(f"{two_teams.ben.address}/m/t/{two_teams.ids['Ticket']}{opened}")

    assert await _settled(two_teams.ben, "openedAt")
    assert await phone.value("location.hash") == ""


@in_a_browser
async def test_the_way_of_an_answer_is_chosen_where_there_are_several(
    house: House, ben: Client, phone: Page
) -> None:
    chat = a_chat("1", "Hello?", email="ada@example.org")
    id = await _written(house, chat)
    await _opens(phone, ben, id)
    ways = await phone.until("[...document.querySelectorAll('#way option')].map((one) => one.textContent)")
    await _look(phone, "ways")

    await _types(phone, "By mail.")
    await phone.value(
        "void ((way) => (way.selectedIndex = 1, way.dispatchEvent(new Event('change'))))(document.querySelector('#way'))"
    )
    await phone.value("void (window.before = document.activeElement).blur()")
    await phone.value("void document.dispatchEvent(new Event('visibilitychange'))")
    await phone.until("!window.before.isConnected")
    await phone.tap("#send")
    await phone.until(f"{SAID} === 'The answer is on its way.'")

    assert ways[1] == "Email, ada@example.org"
    assert await _answers(ben, id) == [("EMAIL", "By mail.")]


@in_a_browser
async def test_an_answer_that_is_begun_keeps_its_way_when_the_customer_writes_by_another(
    house: House, ben: Client, phone: Page
) -> None:
    id = await _written(house, a_chat("1", "Hello?", email="ada@example.org"))
    await _opens(phone, ben, id)
    await _types(phone, "By chat.")
    async with house.db.transaction() as session:
        mailbox = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.EMAIL))).one()
        hers = (await session.scalars(select(Identity).where(Identity.kind == IdentityKind.EMAIL))).one()
        session.add(
            Thread(
                id=new_id(), ticket_id=row_id("Ticket", id), contact_id=hers.contact_id, channel_id=mailbox.id,
                identity_id=hers.id, joined_code=JoinCode.AGENT_OPENED, joined_at=NOON,
                last_inbound_at=NOON + timedelta(minutes=1),
            )
        )  # fmt: skip

    await phone.value("void (window.before = document.activeElement).blur()")
    await phone.value("void document.dispatchEvent(new Event('visibilitychange'))")
    await phone.until("!window.before.isConnected")

    ways = "[...document.querySelectorAll('#way option')].map((one) => one.textContent)"
    assert await phone.value(ways) == ["Email, ada@example.org", "Chat, Chat 1"]
    assert await phone.value("document.querySelector('#way').selectedIndex") == 1


@in_a_browser
async def test_an_answer_by_messenger_is_a_persons_when_its_day_is_over(
    house: House, ben: Client, phone: Page
) -> None:
    async with house.db.transaction() as session:
        now = await database_time(session)
    id = await _written(house, a_messenger_message("ada", at=now - timedelta(days=2)))
    await _opens(phone, ben, id)

    await _types(phone, "It left.")
    await phone.tap("#send")

    await phone.until(f"{SAID} === 'The answer is on its way.'")
    assert await _answers(ben, id) == [("MESSENGER", "It left.")]


@in_a_browser
async def test_who_cannot_be_written_to_any_more_has_no_field_and_it_says_why(
    house: House, ben: Client, phone: Page
) -> None:
    async with house.db.transaction() as session:
        now = await database_time(session)
    id = await _written(house, a_messenger_message("ada", at=now - timedelta(days=8)))

    await _opens(phone, ben, id)

    closed = await phone.until("document.querySelector('#closed')?.textContent")
    assert closed == "Messenger allows an answer within 24 hours of the customer's last message."
    assert await phone.value("document.querySelector('#answer')") is None


@in_a_browser
async def test_who_only_rang_cannot_be_written_to(house: House, ben: Client, phone: Page) -> None:
    async with house.db.transaction() as session:
        line = await a_channel(session, house.keys, ChannelKind.PHONE)
        await receive(session, line, a_call_step("1", CallStep.RINGING))
        (ticket,) = await tickets(session)
        id = public_id("Ticket", ticket.id)

    await _opens(phone, ben, id)

    closed = await phone.until("document.querySelector('#closed')?.textContent")
    assert closed == "This customer cannot be written to from here."


@in_a_browser
async def test_what_was_refused_is_said_and_what_was_typed_stays(
    ben: Client, ticket_id: str, phone: Page
) -> None:
    await _opens(phone, ben, ticket_id)

    await _types(phone, "   ")
    await phone.tap("#send")

    await phone.until(f"{SAID} === 'This may not be empty.'")
    assert await phone.value("document.querySelector('#answer').value") == "   "
    assert await _answers(ben, ticket_id) == []


@in_a_browser
async def test_an_answer_that_somebody_was_quicker_than_waits_until_that_was_read(
    ben: Client, mia: Client, ticket_id: str, phone: Page
) -> None:
    await _opens(phone, ben, ticket_id)
    await _types(phone, "It left.")
    await mia.do(NOTE, ticketId=ticket_id, text="It did not leave.")

    await phone.tap("#send")
    await phone.until(f"{SAID} === 'There is something newer on this ticket: read it, then send again.'")
    shown, stays = (
        await phone.value(f"{ENTRIES}.at(-1)"),
        await phone.value("document.querySelector('#answer').value"),
    )
    before = await _answers(ben, ticket_id)
    await phone.tap("#send")
    await phone.until(f"{SAID} === 'The answer is on its way.'")

    assert "It did not leave." in shown
    assert (stays, before) == ("It left.", [])
    assert await _answers(ben, ticket_id) == [("EMAIL", "It left.")]


@in_a_browser
async def test_what_came_after_the_first_words_were_typed_is_read_before_they_leave(
    ben: Client, mia: Client, ticket_id: str, phone: Page
) -> None:
    """Also where the page was opened anew meanwhile."""
    await _opens(phone, ben, ticket_id)
    await _types(phone, "It left.")
    await mia.do(NOTE, ticketId=ticket_id, text="It did not leave.")
    await phone.say("Page.reload")
    await phone.until(f"{ENTRIES}.at(-1)?.includes('It did not leave.')")
    kept = await phone.value("document.querySelector('#answer').value")

    await phone.tap("#send")

    await phone.until(f"{SAID} === 'There is something newer on this ticket: read it, then send again.'")
    assert kept == "It left."


@in_a_browser
async def test_an_answer_whose_answer_was_lost_leaves_once_however_late_it_is_sent_again(
    ben: Client, ticket_id: str, phone: Page
) -> None:
    await _opens(phone, ben, ticket_id)
    await _types(phone, "It left.")
    await phone.value(LOSE_THE_NEXT_ANSWER)

    await phone.tap("#send")
    await phone.until(f"{SAID}.startsWith('No network')")
    stays = await phone.value("document.querySelector('#answer').value")
    await phone.value("void (window.fetch = window.whole)")
    await phone.value("void (Date.now = ((then) => () => then() + 3_600_000)(Date.now))")
    await phone.tap("#send")
    await phone.until(f"{SAID} === 'The answer is on its way.'")

    assert stays == "It left."
    assert await _answers(ben, ticket_id) == [("EMAIL", "It left.")]


@in_a_browser
async def test_what_was_typed_is_there_again_after_the_session_has_ended_and_nobody_elses(
    ben: Client, mia: Client, ticket_id: str, phone: Page
) -> None:
    await _opens(phone, ben, ticket_id)
    await _types(phone, "It left.")
    await phone.say("Network.clearBrowserCookies")
    await phone.tap("#send")
    await phone.until("!document.querySelector('#door').hidden")
    said = await phone.value("document.querySelector('#refusal').textContent")
    on_screen = await phone.value("document.body.innerHTML.includes('It left.')")

    await _sign_in(phone, "mia")
    hers = await phone.until("document.querySelector('#answer')?.checkVisibility()") and await phone.value(
        ANSWER
    )
    await phone.say("Network.clearBrowserCookies")
    await phone.go(f"{ben.address}/m/t/{ticket_id}")
    await _sign_in(phone, "ben")
    his = await phone.value(ANSWER)
    await phone.tap("#send")
    await phone.until(f"{SAID} === 'The answer is on its way.'")

    assert said == "Your session has ended. Please sign in again."
    assert (on_screen, hers, his) == (False, "", "It left.")
    assert await _answers(ben, ticket_id) == [("EMAIL", "It left.")]


ANSWER = "document.querySelector('#answer').value"


@in_a_browser
async def test_whoever_signs_out_leaves_no_word_behind(ben: Client, ticket_id: str, phone: Page) -> None:
    await _opens(phone, ben, ticket_id)
    await _types(phone, "It left.")

    await phone.tap("#sign-out")
    await phone.until("!document.querySelector('#door').hidden")

    assert await phone.value("JSON.stringify(sessionStorage)") == "{}"


@in_a_browser
async def test_what_one_has_begun_elsewhere_stands_in_the_field_but_not_what_was_to_be_a_note(
    house: House, ben: Client, ticket_id: str, phone: Page
) -> None:
    async with house.db.transaction() as session:
        identity = (await session.scalars(select(Identity))).one()
    await ben.ask(DRAFT, input={"ticketId": ticket_id, "body": "She is wrong."})
    await _opens(phone, ben, ticket_id)
    noted = await phone.until("document.querySelector('#answer')?.checkVisibility()") and await phone.value(
        ANSWER
    )

    to = public_id("Identity", identity.id)
    await ben.ask(DRAFT, input={"ticketId": ticket_id, "identityId": to, "body": "It is on"})
    await phone.value("void document.dispatchEvent(new Event('visibilitychange'))")

    await phone.until(f"{ANSWER} === 'It is on'")
    assert noted == ""


@in_a_browser
async def test_who_is_writing_is_not_interrupted(ben: Client, ticket_id: str, phone: Page) -> None:
    await _opens(phone, ben, ticket_id)
    await _types(phone, "It le")
    await phone.value("void (window.field = document.querySelector('#answer'))")

    await phone.value("void document.dispatchEvent(new Event('visibilitychange'))")
    await asyncio.sleep(0.3)
    await phone.say("Input.insertText", text="ft.")

    assert await phone.value("window.field.isConnected && window.field.value") == "It left."


@in_a_browser
async def test_a_note_is_written_apart_from_the_answer_and_neither_is_lost(
    ben: Client, ticket_id: str, phone: Page
) -> None:
    await ben.ask(DRAFT, input={"ticketId": ticket_id, "body": "She was here befo"})
    await _opens(phone, ben, ticket_id)
    await _types(phone, "Dear Ada,")
    assert await phone.value("document.querySelector('#note').value") == "She was here befo"

    await phone.value("void document.querySelector('#note').focus()")
    await phone.value("void document.querySelector('#note').setSelectionRange(17, 17)")
    await phone.say("Input.insertText", text="re.")
    await phone.tap("#keep")

    await phone.until(f"{SAID} === 'The note is kept.'")
    assert "She was here before." in (await phone.value(ENTRIES))[-1]
    assert await _answers(ben, ticket_id) == []
    assert await phone.value("document.querySelector('#answer').value") == "Dear Ada,"
    assert await phone.value("document.querySelector('#note').value") == ""


@in_a_browser
async def test_a_ticket_is_given_to_a_colleague_and_waits_for_the_customer(
    ben: Client, mia: Client, ticket_id: str, phone: Page
) -> None:
    await _opens(phone, ben, ticket_id)
    await phone.until("!!document.querySelector('#to')")

    await phone.tap("#give")

    await phone.until(f"{SAID} === 'Mia has the ticket now.'")
    await phone.tap("#wait")
    await phone.until(f"{SAID} === 'The ticket waits for the customer.'")
    found = await _ticket(ben, ticket_id)
    assert (found["assignee"], found["status"]) == ({"name": "Mia"}, "PENDING")
    assert not await phone.value("!!document.querySelector('#wait')")


@in_a_browser
async def test_at_a_desk_what_was_said_stands_beside_what_can_be_done(
    house: House, ben: Client, ticket_id: str, phone: Page
) -> None:
    await _much(house, ticket_id, 12)
    await phone.say(
        "Emulation.setDeviceMetricsOverride", width=1280, height=800, deviceScaleFactor=1, mobile=False
    )
    await _opens(phone, ben, ticket_id)
    await phone.until("document.querySelector('#send')?.checkVisibility()")

    said, done = [
        await phone.value(
            f"(({{ left, right, top }}) => [left, right, top])(document.querySelector('{one}').getBoundingClientRect())"
        )
        for one in (".entries > :last-child", ".actions")
    ]

    assert said[1] <= done[0]
    assert 0 <= done[2] < 800
    await _look(phone, "ticket-wide")
    await phone.value("void (window.before = document.querySelector('.page')).scrollTo(0, 5)")
    await phone.value(TURNS)
    await phone.until("!window.before.isConnected")
    assert await phone.value("document.querySelector('.page').scrollTop") == 5

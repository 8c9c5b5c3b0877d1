"""What becomes of text messages: whose they are, where they go on, and the words that stop them."""

from itertools import permutations
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import select, update

from api.house import House
from domain.actors import SYSTEM
from domain.answering.replies import send
from domain.arriving import parts
from domain.arriving.inbound import Arrival, ArrivalState
from domain.customers.consents import Consent, Wish
from domain.customers.contacts import Claim, Contact, Identity, IdentityKind, add_identity
from domain.db import database_time
from domain.desk.messages import FETCHES, Attachment, Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import TicketStatus
from domain.joining.named_numbers import NamedNumber
from domain.joining.reasons import JoinCode
from domain.joining.suggestions import Suggestion
from domain.keys import Keys
from domain.sla.clocks import Clock
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import Channel, ChannelKind
from integrations.channel_settings import read_settings
from integrations.media import Media
from integrations.settings import IntegrationSettings
from integrations.sms.twilio.media import credentials_for
from integrations.sms.words import wish_of
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, a_promise, an_agent, receive, set_channel, tickets
from tests.integrations.sms.telling import ADA, OURS, Texting, bearing

PROVIDERS = ("twilio", "infobip", "vonage")


async def answer(texting: Texting, text: str = "On its way.", name: str = "Ben") -> Message:
    """Whoever has the first ticket answers it."""
    house = texting.house
    async with house.db.transaction() as session:
        ticket = await locked(session, (await tickets(session))[0].id)
        identity = (await session.scalars(select(Identity).where(Identity.value == ADA))).one()
        agent, now = await an_agent(session, name), await database_time(session)
        return await send(
            session, house.keys, ticket, to=identity, text=text, by=agent.as_actor(), at=now,
            last_seen_seq=10**15,
        )  # fmt: skip


@pytest.fixture
async def texting(house: House, anybody: Client) -> Texting:
    texting = Texting(house, "twilio", anybody)
    await texting.begin()
    return texting


async def mailed(house: House, *addresses: str, phone: str = ADA) -> None:
    """Each wrote a mail, and an agent has noted the number."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for address in addresses:
            await receive(session, mailbox, a_mail(address, f"From {address}"))
            owner = await session.scalar(select(Identity.contact_id).where(Identity.value == address))
            contact = await session.get_one(Contact, owner)
            add_identity(session, contact, Claim(IdentityKind.PHONE, phone, None), by=SYSTEM, at=NOON)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_conversation_with_a_number_goes_on_by_that_number(
    house: House, anybody: Client, provider: str
) -> None:
    texting = Texting(house, provider, anybody)
    await texting.begin()

    await texting.comes("Where is my parcel?")
    await texting.comes("It is number 1234")
    await texting.comes("¿Hola?", "+34600999999")

    assert await texting.shown() == [["Where is my parcel?", "It is number 1234"], ["¿Hola?"]]
    assert not any(message.sender_verified for message in await texting.messages())


async def test_a_text_is_placed_on_the_one_contact_with_its_number_and_proves_nothing(
    house: House, texting: Texting
) -> None:
    await mailed(house, "ada@example.org")

    await texting.comes("Any news?")

    assert await texting.shown() == [["From ada@example.org", "Any news?"]]
    async with house.db.transaction() as session:
        thread = (await session.scalars(select(Thread).where(Thread.key == ADA))).one()
        number = (await session.scalars(select(Identity).where(Identity.value == ADA))).one()
    assert (thread.joined_code, thread.joined_proof) == (JoinCode.CALLER_NUMBER, None)
    assert number.verified_at is None
    assert [message.sender_verified for message in await texting.messages()] == [True, False]


async def test_of_several_with_the_number_none_is_taken_and_all_are_suggested(
    house: House, texting: Texting
) -> None:
    await mailed(house, "ada@example.org", "zofia@example.com")

    await texting.comes("Any news?")

    assert (await texting.shown())[2] == ["Any news?"]
    async with house.db.transaction() as session:
        found = await tickets(session)
        suggested = await session.scalars(
            select(Suggestion.other_id).where(Suggestion.ticket_id == found[2].id)
        )
        assert set(suggested) == {found[0].id, found[1].id}


async def test_whoever_goes_on_is_not_parted_by_another_contact_with_the_same_number(
    house: House, texting: Texting
) -> None:
    await texting.comes("First")
    await mailed(house, "ada@example.org", "zofia@example.com")

    await texting.comes("Second")

    assert (await texting.shown())[0] == ["First", "Second"]


@pytest.mark.parametrize("sender", ["InPost", "7978"])
async def test_a_name_or_a_short_code_has_a_conversation_and_nobody_to_answer(
    house: House, texting: Texting, sender: str
) -> None:
    await texting.comes("Your parcel is here", sender)
    await texting.comes("Last day", sender)

    assert await texting.shown() == [["Your parcel is here", "Last day"]]
    async with house.db.transaction() as session:
        assert (await session.scalars(select(Identity))).all() == []
        assert [message.author for message in await texting.messages()] == [sender, sender]
        (ticket,) = await tickets(session)
        (await locked(session, ticket.id)).change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)
    await texting.comes("Another one", sender)
    async with house.db.transaction() as session:
        assert len({ticket.contact_id for ticket in await tickets(session)}) == 1


@pytest.mark.parametrize(
    "text",
    [
        "STOP", "stop!", " Stop. ", "StopAll", "unsubscribe", "QUIT", "end", "cancel",
        "Rezygnuję", "WYPISZ", "nie pisz", "Nie wysyłaj!", "BAJA", "¡Alto!", "parar", "Baixa", "atura", "PROU…",
        "Dona'm de baixa", "arrêt",
    ],
)  # fmt: skip
def test_words_that_stop(text: str) -> None:
    assert wish_of(text)[0] == Wish.STOP


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("START", Wish.START), ("wznów", Wish.START), ("Alta", Wish.START), ("unstop", Wish.START),
        ("Nie", None), ("no", None), ("Sí", None), ("Please stop the delivery", None), ("Stop? Why", None),
        ("HELP", None), ("Ayuda", None), ("", None), ("stop " * 40, None),
    ],
)  # fmt: skip
def test_words_that_do_not(text: str, wish: Wish | None) -> None:
    assert wish_of(text)[0] == wish


async def test_a_stop_is_shown_and_starts_and_reopens_nothing(house: House, texting: Texting) -> None:
    async with house.db.transaction() as session:
        await a_promise(session)
    await texting.comes("Thank you")
    await answer(texting)
    async with house.db.transaction() as session:
        ticket = await locked(session, (await tickets(session))[0].id)
        ticket.change(by=SYSTEM, at=NOON, status=TicketStatus.SOLVED)

    await texting.comes("Rezygnuję!")

    assert await texting.shown() == [["Thank you", "On its way.", "Rezygnuję!"]]
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
        running = await session.scalars(select(Clock).where(Clock.met_at.is_(None), Clock.ended_at.is_(None)))
        consent = (await session.scalars(select(Consent))).one()
        assert (ticket.status, running.all()) == (TicketStatus.SOLVED, [])
        assert (consent.number, consent.word) == (ADA, "rezygnuje")
        assert consent.stopped_at is not None
    said = (await texting.messages())[-1]
    assert (said.direction, said.automatic, said.particulars) == (Direction.IN, True, {"wish": "stop"})


async def test_a_stop_without_a_conversation_opens_none_and_holds(house: House, texting: Texting) -> None:
    await texting.comes("STOP")
    await texting.comes("stop", "+34600999999", OptOutType="STOP")
    await texting.comes("Leave me alone", "+34600999998", OptOutType="STOP")

    arrivals = await texting.arrivals()

    assert await texting.shown() == []
    assert {arrival.state for arrival in arrivals} == {ArrivalState.IGNORED}
    async with house.db.transaction() as session:
        stopped = (await session.scalars(select(Consent).order_by(Consent.number))).all()
    assert [one.number for one in stopped] == [ADA, "+34600999998", "+34600999999"]
    assert all(one.stopped_at for one in stopped)


async def test_a_start_takes_it_back_and_is_a_word_like_any_other_to_who_never_stopped(
    house: House, texting: Texting
) -> None:
    await texting.comes("Alta")
    await texting.comes("Baja")
    await texting.comes("Alta")

    assert await texting.shown() == [["Alta", "Baja", "Alta"]]
    assert [bool(message.automatic) for message in await texting.messages()] == [False, True, True]
    async with house.db.transaction() as session:
        consent = (await session.scalars(select(Consent))).one()
    assert (consent.stopped_at, len(consent.history)) == (None, 3)
    await answer(texting)


async def test_a_stop_is_heard_while_all_others_wait_and_from_who_is_blocked(
    house: House, texting: Texting
) -> None:
    async with house.db.transaction() as session:
        await set_channel(session, "sms", inbound_per_minute=1)
        session.add(BlockedSender(kind=IdentityKind.PHONE, sender=ADA, created_at=NOON))

    for text in ("One", "Two"):
        await texting.comes(text, "+34600999999")
    await texting.comes("STOP")

    assert await texting.shown() == [["One"]]
    async with house.db.transaction() as session:
        assert (await session.scalars(select(Consent.number))).all() == [ADA]


def a_part(number: int, text: str, total: int = 3, **others: Any) -> dict[str, Any]:
    return {
        "text": text, "concat": "true", "concat-ref": "54", "concat-total": str(total),
        "concat-part": str(number), **others,
    }  # fmt: skip


PARTS = {1: "Where is ", 2: "my parcel, ", 3: "please?"}


@pytest.fixture
async def vonage(house: House, anybody: Client) -> Texting:
    texting = Texting(house, "vonage", anybody)
    await texting.begin()
    return texting


async def past(house: House) -> None:
    """So long after that nobody waits for more parts."""
    async with house.db.transaction() as session:
        await session.execute(
            update(Arrival)
            .where(Arrival.due_at.is_not(None))
            .values(received_at=Arrival.received_at - 2 * parts.PATIENCE, due_at=NOON)
        )


async def test_parts_make_one_message_in_whatever_order_they_come_and_however_often(
    house: House, vonage: Texting
) -> None:
    """From six telephones, all orders at once; each part comes twice, one of them under another id."""
    senders = {f"+3460010020{place}": order for place, order in enumerate(permutations(PARTS))}
    for place in range(3):
        for sender, order in senders.items():
            number = order[place]
            part = a_part(number, PARTS[number])
            id = f"{sender[-1]}{number}"
            for again in (id, id, f"{id}X" if number == 2 else id):
                await _comes(vonage, sender, {**part, "messageId": again})

    await vonage.opened()
    await past(house)
    arrivals = await vonage.opened()

    assert await vonage.shown() == [["Where is my parcel, please?"]] * 6
    assert {arrival.state for arrival in arrivals} == {ArrivalState.PLACED}


async def test_what_is_incomplete_is_shown_after_a_while_and_completed_where_it_stands(
    house: House, vonage: Texting
) -> None:
    for number in (3, 1):
        await _comes(vonage, ADA, a_part(number, PARTS[number], messageId=f"M{number}"))
    await vonage.opened()
    waiting = await vonage.shown()
    await past(house)
    await vonage.opened()
    incomplete = await vonage.shown()
    missing = (await vonage.messages())[0].particulars
    await _comes(vonage, ADA, a_part(2, PARTS[2], messageId="M2"))
    await vonage.opened()
    await past(house)
    await vonage.opened()

    assert waiting == []
    assert incomplete == [["Where is  […] please?"]]
    assert missing == {"missing": [2]}
    assert await vonage.shown() == [["Where is my parcel, please?"]]
    assert (await vonage.messages())[0].particulars is None


async def test_what_is_completed_names_its_ticket_and_its_order_anew(house: House, vonage: Texting) -> None:
    words = {1: "Order 712", 2: "345: where is it?"}
    await _comes(vonage, ADA, a_part(1, words[1], 2, messageId="M1"))
    await past(house)
    await vonage.opened()
    await _comes(vonage, ADA, a_part(2, words[2], 2, messageId="M2"))
    await vonage.opened()

    assert await vonage.shown() == [["Order 712345: where is it?"]]
    async with house.db.transaction() as session:
        assert [ticket.subject for ticket in await tickets(session)] == ["Order 712345: where is it?"]
        assert (await session.scalars(select(NamedNumber.value))).all() == ["712345"]


async def test_a_number_of_a_message_that_is_used_again_begins_another(house: House, vonage: Texting) -> None:
    for round, words in enumerate(({1: "One ", 2: "two"}, {1: "Three ", 2: "four"})):
        for number, text in words.items():
            await _comes(vonage, ADA, a_part(number, text, 2, messageId=f"{round}{number}"))
            await vonage.opened()

    assert await vonage.shown() == [["One two", "Three four"]]


async def _comes(texting: Texting, sender: str, part: dict[str, Any]) -> None:
    part = dict(part)
    await texting.comes(part.pop("text"), sender, opens=False, **part)


async def test_pictures_come_along_to_be_fetched(house: House, texting: Texting) -> None:
    url = "https://api.twilio.com/2010-04-01/Accounts/AC/Messages/MM/Media/ME1"
    await texting.comes("STOP", NumMedia="1", MediaUrl0=url, MediaContentType0="image/jpeg")

    async with house.db.transaction() as session:
        attached = (await session.scalars(select(Attachment))).one()
    assert (attached.name, attached.mime, attached.source_url) == ("media-1.jpg", "image/jpeg", url)
    assert await texting.shown() == [["STOP"]]  # with a picture it is no word by itself


async def test_a_picture_that_vonage_keeps_is_fetched_there(house: House, vonage: Texting) -> None:
    url = "https://api-us.nexmo.com/v3/media/1b456509-974c-458b-aafa-45fc48a4d976"
    said = {
        "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "channel": "mms", "message_type": "image",
        "from": ADA.removeprefix("+"), "to": "48732100200", "timestamp": "2026-11-05T11:55:00Z", "image": {"url": url},
    }  # fmt: skip
    body = orjson.dumps(said)
    assert await vonage.post("/hooks/sms/sms", body, bearing(body)) == 200
    await vonage.opened()
    media = Media(house.db, house.keys, house.files, IntegrationSettings())
    async with house.db.transaction() as session:
        ((picture, lease),) = await FETCHES.claim(session, 1)

    far_end = httpx.MockTransport(lambda request: httpx.Response(200, content=b"a picture"))
    async with httpx.AsyncClient(transport=far_end) as media._http:
        await media.fetch(picture, lease)

    async with house.db.transaction() as session:
        kept = await session.get_one(Attachment, picture.id)
    assert picture.source_url == url
    assert await house.files.get(kept.file or "") == b"a picture"


async def test_a_file_by_text_message_wears_no_disguise(vonage: Texting, house: House) -> None:
    """A mark turns what follows it around: this program is shown as `invoice.exe.pdf`."""
    file = {"url": "https://api-us.nexmo.com/v3/media/1b456509", "name": "../in\nvoice.\u202efdp.exe"}
    said = {
        "message_uuid": "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab", "channel": "mms", "message_type": "file",
        "from": ADA.removeprefix("+"), "to": "48732100200", "timestamp": "2026-11-05T11:55:00Z", "file": file,
    }  # fmt: skip
    body = orjson.dumps(said)

    assert await vonage.post("/hooks/sms/sms", body, bearing(body)) == 200
    await vonage.opened()

    async with house.db.transaction() as session:
        assert (await session.scalars(select(Attachment.name))).all() == ["invoice.fdp.exe"]


@pytest.mark.parametrize("elsewhere", ["https://mms.twiliocdn.com/AC1/ME1", "http://169.254.169.254/latest"])
async def test_a_picture_that_lies_elsewhere_is_fetched_there_without_the_accounts_secret(
    house: House, texting: Texting, elsewhere: str
) -> None:
    url = f"https://api.twilio.com/2010-04-01/Accounts/{OURS['account_sid']}/Messages/MM1/Media/ME1"
    await texting.comes("Look", NumMedia="1", MediaUrl0=url, MediaContentType0="image/jpeg")
    asked = []

    def far_end(request: httpx.Request) -> httpx.Response:
        asked.append((str(request.url), "authorization" in request.headers))
        there = request.url == httpx.URL(elsewhere)
        return (
            httpx.Response(200, content=b"a picture")
            if there
            else httpx.Response(307, headers={"location": elsewhere})
        )

    media = Media(house.db, house.keys, house.files, IntegrationSettings())
    async with house.db.transaction() as session:
        ((picture, lease),) = await FETCHES.claim(session, 1)
    async with httpx.AsyncClient(transport=httpx.MockTransport(far_end)) as media._http:
        await media.fetch(picture, lease)

    async with house.db.transaction() as session:
        kept = await session.get_one(Attachment, picture.id)
    is_ours = elsewhere.startswith("https://mms")
    assert asked == [(url, True), *([(elsewhere, False)] if is_ours else [])]
    assert (kept.file is not None, kept.last_error) == (
        is_ours,
        None if is_ours else "Files are not fetched from this address.\n169.254.169.254",
    )


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1", True),
        ("http://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1", False),
        ("https://api.twilio.com.example/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1", False),
        ("https://api.twilio.com@example.net/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1", False),
        ("https://mms.twiliocdn.com/AC1/ME1", False),
    ],
)
def test_an_account_signs_in_only_where_its_pictures_lie(keys: Keys, url: str, shown: bool) -> None:
    settings = read_settings(ChannelKind.SMS, OURS)
    channel = Channel(
        kind=ChannelKind.SMS, config=settings.config(), secrets=keys.encrypt(settings.secrets())
    )

    assert (credentials_for(channel, keys, "https://api.twilio.com", url) is not None) == shown

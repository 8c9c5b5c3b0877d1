"""Originals of every channel, read and handed on as they would be by a worker."""

from collections.abc import AsyncIterator
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest
from sqlalchemy import select

from api.house import House
from demo.farends import GraphStandIn, messenger_events
from domain.abreast import one_at_a_time
from domain.actors import SYSTEM
from domain.arriving import copies
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState, keep
from domain.customers.contacts import Contact
from domain.desk.messages import Attachment, Message
from domain.desk.threads import Thread
from domain.joining.merging import merge_contacts
from domain.joining.reasons import JoinCode
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mail.addresses import recipient, reply_address
from integrations.mail.receiving.smtp_in import listen
from integrations.mailroom import Mailroom
from tests.doors import stored_in
from tests.factories import NOON, SETTINGS, a_channel, contacts, messages, receive, tickets
from tests.factories import a_mail as authentic_mail
from tests.fetching import opening, until
from tests.locks import who_waits

HELP = SETTINGS[ChannelKind.EMAIL]["address"]
PAGE_ID = SETTINGS[ChannelKind.MESSENGER]["page_id"]


@pytest.fixture
async def mailbox(house: House) -> Channel:
    async with house.db.transaction() as session:
        return await a_channel(session, house.keys, ChannelKind.EMAIL)


@pytest.fixture
async def page(house: House) -> Channel:
    async with house.db.transaction() as session:
        return await a_channel(session, house.keys, ChannelKind.MESSENGER)


@pytest.fixture
async def smtp(house: House) -> AsyncIterator[dict[str, Any]]:
    server = await listen(house.db, house.keys, host="127.0.0.1", port=0, hostname="heddle.test")
    async with server:
        host, port = server.sockets[0].getsockname()
        yield {"hostname": host, "port": port, "start_tls": False}


def a_mail(text: str = "Where is it?", *, sender: str = "ada@example.org", **headers: str) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = f"Ada <{sender}>", HELP, "My order"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes()


def authenticated(raw: bytes, *, by: str = "mx.shop.example", domain: str = "example.org") -> bytes:
    return f"Authentication-Results: {by}; spf=pass; dmarc=pass header.from={domain}\r\n".encode() + raw


async def deliver(
    smtp: dict[str, Any], raw: bytes, *recipients: str, sender: str = "ada@example.org"
) -> None:
    await aiosmtplib.send(raw, sender=sender, recipients=list(recipients) or [HELP], **smtp)


async def open_all(house: House) -> list[Arrival]:
    mailroom = Mailroom(house.db, house.keys, house.files)
    while True:
        async with house.db.transaction() as session:
            claimed = await ARRIVALS.claim(session, 10)
        if not claimed:
            break
        for arrival, lease in claimed:
            await mailroom.open(arrival, lease)
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Arrival).order_by(Arrival.id)))


async def test_mail_for_nobody_here_is_refused_at_the_door(
    smtp: dict[str, Any], mailbox: Channel, house: House
) -> None:
    forged = f"help+t1.{'a' * 26}@shop.example"
    for address in ("sales@shop.example", "help@elsewhere.example", forged, "help+x@shop.example"):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await deliver(smtp, a_mail(), address)
        assert refused.value.recipients[0].code == 550

    assert await open_all(house) == []


async def test_a_mail_is_kept_before_it_is_accepted_and_then_placed(
    smtp: dict[str, Any], mailbox: Channel, house: House
) -> None:
    await deliver(smtp, authenticated(a_mail("Where is my mug?")))

    (arrival,) = await open_all(house)

    assert arrival.state == ArrivalState.PLACED
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
        (message,) = await messages(session, ticket)
    assert (ticket.subject, message.text.strip(), message.sender_verified) == (
        "My order",
        "Where is my mug?",
        True,
    )


@pytest.mark.parametrize(
    "raw",
    [
        a_mail(),
        authenticated(a_mail(), by="mx.elsewhere.example"),
        authenticated(a_mail(), domain="example.net"),
        a_mail(Received="from x").replace(
            b"\n\n", b"\nAuthentication-Results: mx.shop.example; dmarc=fail\n\n"
        ),
        b"Authentication-Results: mx.shop.example; dmarc=none\r\n" + authenticated(a_mail()),
    ],
)
async def test_only_our_own_relays_first_word_proves_a_sender(
    smtp: dict[str, Any], mailbox: Channel, house: House, raw: bytes
) -> None:
    await deliver(smtp, raw)
    await open_all(house)

    async with house.db.transaction() as session:
        (message,) = await session.scalars(select(Message))
        assert message.sender_verified is False


async def test_an_answer_to_the_signed_address_reaches_its_thread(
    smtp: dict[str, Any], mailbox: Channel, house: House
) -> None:
    await deliver(smtp, a_mail("First"))
    await open_all(house)
    async with house.db.transaction() as session:
        (thread,) = await session.scalars(select(Thread))
    address = reply_address(house.keys, HELP, thread.number)

    await deliver(smtp, a_mail("Second"), address.upper())
    await open_all(house)

    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
        assert [m.text.strip() for m in await messages(session, ticket)] == ["First", "Second"]
    changed = address.replace("+t", "+t1")
    assert recipient(house.keys, changed) is None


async def test_a_mail_that_cannot_be_read_is_accepted_kept_and_shown_as_failed(
    smtp: dict[str, Any], mailbox: Channel, house: House
) -> None:
    await deliver(smtp, b"X-Filler: %s\r\n" % (b"a" * 900) * 300 + b"\r\nhello")
    await deliver(smtp, a_mail())

    failed, placed = await open_all(house)

    assert (failed.state, placed.state) == (ArrivalState.FAILED, ArrivalState.PLACED)
    assert failed.last_error
    assert failed.raw.startswith(b"X-Filler")


async def test_an_attached_photo_is_stored_with_its_message(
    smtp: dict[str, Any], mailbox: Channel, house: House
) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ada@example.org", HELP, "Photo"
    mail.set_content("See the crack.")
    mail.add_attachment(b"\x89PNG-picture", maintype="image", subtype="png", filename="mug.png")

    await deliver(smtp, mail.as_bytes())
    await open_all(house)

    async with house.db.transaction() as session:
        (attached,) = await session.scalars(select(Attachment))
    assert (attached.name, attached.bytes) == ("mug.png", 12)
    assert attached.file
    assert await house.files.get(attached.file) == b"\x89PNG-picture"


async def batch(house: House, page: Channel, events: list[dict[str, Any]]) -> Arrival:
    body, _ = GraphStandIn(page_token="", app_secret="x").webhook(events, PAGE_ID)
    async with house.db.transaction() as session:
        await keep(session, page, external_id=str(hash(body)), raw=body)
    return (await open_all(house))[-1]


async def test_every_event_of_a_batch_is_read_whatever_stands_beside_it(page: Channel, house: House) -> None:
    said = messenger_events
    arrival = await batch(
        house,
        page,
        [
            said.text_message("p1", PAGE_ID, "One"),
            {"hologram": {}, "sender": {"id": "p1"}, "recipient": {"id": PAGE_ID}},
            said.text_message("p2", PAGE_ID, "Two\x00"),
            {"message": {"mid": "m"}, "sender": "nobody"},
            said.postback("p1", PAGE_ID, "HELP", title="Three"),
        ],
    )

    async with house.db.transaction() as session:
        texts = list(await session.scalars(select(Message.text).order_by(Message.seq)))
    assert texts == ["One", "Two", "Three"]
    assert arrival.state == ArrivalState.FAILED
    assert "another shape" in (arrival.last_error or "")
    assert "hologram" in (arrival.last_error or "")


async def test_the_echo_of_our_own_message_tells_nothing_and_of_the_pages_inbox_is_an_answer(
    page: Channel, house: House
) -> None:
    await batch(house, page, [messenger_events.text_message("p1", PAGE_ID, "Hi")])
    ours = messenger_events.echo("p1", PAGE_ID, "Ours")
    ours["message"]["metadata"] = "heddle:1"

    ignored = await batch(house, page, [ours])
    await batch(house, page, [messenger_events.echo("p1", PAGE_ID, "From the page's inbox")])

    assert ignored.state == ArrivalState.IGNORED
    async with house.db.transaction() as session:
        texts = list(await session.scalars(select(Message.text).order_by(Message.seq)))
    assert texts == ["Hi", "From the page's inbox"]


async def test_a_forged_link_proves_nothing(
    page: Channel, mailbox: Channel, house: House, smtp: dict[str, Any]
) -> None:
    await deliver(smtp, authenticated(a_mail()))
    await open_all(house)
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
    ref = f"{ticket.contact_id.hex}.{'a' * 26}"

    await batch(
        house,
        page,
        [messenger_events.referral("p1", PAGE_ID, ref), messenger_events.text_message("p1", PAGE_ID, "Hi")],
    )

    async with house.db.transaction() as session:
        assert len(await tickets(session)) == 2
        assert JoinCode.MESSENGER_LINK not in list(await session.scalars(select(Thread.joined_code)))


async def test_a_photo_of_a_message_that_is_here_already_is_not_stored_a_second_time(
    house: House, page: Channel
) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Message-ID"] = "ada@example.org", HELP, "<1@example.org>"
    mail.set_content("Look")
    mail.add_attachment(b"photo", maintype="image", subtype="png", filename="photo.png")
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        for hops in (b"", b"Received: by another way\r\n"):
            await keep(session, mailbox, external_id=str(hops), raw=hops + mail.as_bytes())

    await open_all(house)

    async with house.db.transaction() as session:
        (attachment,) = await session.scalars(select(Attachment))
    folder = stored_in(house)
    assert [str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()] == [
        attachment.file
    ]


async def test_a_mail_that_takes_long_holds_up_no_chat(mailbox: Channel, house: House) -> None:
    async with house.db.transaction() as session:
        chat = await a_channel(session, house.keys, ChannelKind.CHAT)
        mail = a_mail(Message_ID="<slow@example.org>")
        await keep(session, mailbox, external_id="1", raw=mail)
        said = {"external_id": "2", "raw": b'{"text": "Hello?"}', "envelope": {"session": "s" * 22}}
        await keep(session, chat, **said)  # type: ignore[arg-type]

    async def is_placed(kind: ChannelKind) -> bool:
        async with house.db.transaction() as session:
            states = select(Arrival.state).join(Channel, Channel.id == Arrival.channel_id)
            return await session.scalar(states.where(Channel.kind == kind)) == ArrivalState.PLACED

    async with house.db.transaction() as holding:
        await one_at_a_time(holding, copies.name_of("slow@example.org"))
        async with opening(house):
            await until(lambda: is_placed(ChannelKind.CHAT))
            assert not await is_placed(ChannelKind.EMAIL)
            await holding.commit()
            await until(lambda: is_placed(ChannelKind.EMAIL))


async def test_a_mail_that_comes_while_its_contact_becomes_another_is_the_survivors(
    house: House, mailbox: Channel, smtp: dict[str, Any]
) -> None:
    async with house.db.transaction() as session:
        for address in ("ada@work.example", "ada@example.org"):
            await receive(
                session, mailbox, authentic_mail(address, subject=f"From {address}", sender_name="Ada")
            )
        work, home = await contacts(session)

    async with opening(house):
        async with house.db.transaction() as session:
            one, other = [await session.get_one(Contact, contact.id) for contact in (home, work)]
            await merge_contacts(session, one, [other], by=SYSTEM, at=NOON)
            raw = authenticated(
                a_mail("How do I return a mug?", sender="ada@work.example"), domain="work.example"
            )
            await deliver(smtp, raw)
            await who_waits(house)
        await until(lambda: all_opened(house))

    async with house.db.transaction() as session:
        assert [ticket.contact_id for ticket in await tickets(session)] == [home.id] * 3


async def test_a_name_that_an_agent_writes_down_while_a_mail_comes_stays(
    house: House, mailbox: Channel, smtp: dict[str, Any]
) -> None:
    async with house.db.transaction() as session:
        await receive(session, mailbox, authentic_mail("ada@example.org"))
        (ada,) = await contacts(session)

    async with opening(house):
        async with house.db.transaction() as session:
            held = await session.get_one(Contact, ada.id, with_for_update=True)
            held.change(by=SYSTEM, at=NOON, name="Countess of Lovelace", locale="ca")
            await session.flush()
            await deliver(smtp, authenticated(a_mail()))
            await who_waits(house)
        await until(lambda: all_opened(house))

    async with house.db.transaction() as session:
        (ada,) = await contacts(session)
        assert (ada.name, ada.locale) == ("Countess of Lovelace", "ca")


async def all_opened(house: House) -> bool:
    async with house.db.transaction() as session:
        return await session.scalar(select(Arrival.id).where(Arrival.due_at.is_not(None))) is None

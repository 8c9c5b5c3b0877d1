"""Who left the chat before the answer came gets it by mail."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from api.house import House
from demo.farends import SmtpSink
from domain.actors import SYSTEM
from domain.answering.absence import Absences, UnprovenMail
from domain.customers.contacts import Claim, Contact, Identity, IdentityKind, Proof, add_identity, normalised
from domain.customers.visitors import ABSENCES, Visitor
from domain.db import database_time, new_id
from domain.desk.messages import OUTBOX, DeliveryState, Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.joining.reasons import JoinCode
from domain.ways_in.blocking import BlockedSender
from domain.ways_in.channels import Channel, ChannelKind
from integrations.courier import Courier
from integrations.settings import IntegrationSettings
from tests.factories import a_channel, a_mail, receive, set_channel, tickets
from tests.integrations.chatting import Poster, answer, messages_of, placed, signed

EMAIL = {"name": "email", "label": {"en": "Your e-mail"}, "type": "email"}


@pytest.fixture(autouse=True)
async def shop(house: House) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.EMAIL)
        await a_channel(session, house.keys, ChannelKind.CHAT, fields=[EMAIL])


async def left(house: House) -> None:
    """The visitor is gone, and the minutes are over."""
    async with house.db.transaction() as session:
        gone = {"due_at": func.now(), "here_until": None}
        await session.execute(update(Visitor).where(Visitor.due_at.is_not(None)).values(gone))


async def told(house: House) -> list[Message]:
    """What the workers that look now have mailed, in all."""
    absences = Absences(house.db, house.keys)
    async with house.db.transaction() as session:
        claimed = await ABSENCES.claim(session, 10)
    for visitor, lease in claimed:
        await absences.tell(visitor, lease)
    async with house.db.transaction() as session:
        mails = select(Message).where(Message.automatic.is_(True)).order_by(Message.seq)
        return list((await session.scalars(mails)).all())


async def asks(door: str, house: House, **hello: Any) -> dict[str, Any]:
    """Ada's question; her session."""
    async with Poster(door) as ada:
        greeting = await ada.greets(**hello)
        await ada.says("messages", id="m1", text="Is it in stock?")
    await placed(house)
    return greeting


async def test_unread_answers_go_out_in_one_mail_once_and_the_reply_joins_the_ticket(
    door: str, house: House
) -> None:
    await asks(door, house, identity=signed(), locale="pl")
    await answer(house, "Yes, in M.")
    await answer(house, "And in L.")
    assert await told(house) == []  # not before the minutes are over
    await left(house)

    mails = [await told(house), await told(house)]

    assert len(mails[1]) == 1
    (mail,) = mails[0]
    assert mail.mail is not None
    assert mail.mail["to"] == [["", "ada@example.org"]]
    assert "Yes, in M." in mail.text
    assert "And in L." in mail.text
    assert "na czacie" in mail.text
    assert "stock" not in mail.mail["subject"]
    async with house.db.transaction() as session:
        thread = await session.get_one(Thread, mail.thread_id)
        assert thread.joined_code == JoinCode.VISITOR_LEFT
        (ticket,) = await tickets(session)
        mailbox = await a_channel(
            session, house.keys, ChannelKind.EMAIL, slug="two", address="two@shop.example"
        )
        reply = a_mail("ada@example.org", "L, please", verified=False, thread_number=thread.number)
        await receive(session, mailbox, reply)
        joined = (await session.scalars(select(Message).where(Message.text == "L, please"))).one()
        assert (joined.ticket_id, joined.thread_id) == (ticket.id, thread.id)


async def test_the_address_that_the_shop_signed_comes_first_however_its_domain_is_written(
    door: str, house: House
) -> None:
    await asks(door, house, identity=signed(email="ada@żółw.example"))
    async with house.db.transaction() as session:
        ada = (await session.scalars(select(Contact))).one()
        later = Claim(IdentityKind.EMAIL, "ada@example.com", Proof.AGENT)
        add_identity(session, ada, later, by=SYSTEM, at=await database_time(session))
    await answer(house, "Yes.")
    await left(house)

    (mail,) = await told(house)

    assert mail.mail is not None
    assert mail.mail["to"] == [["", normalised(IdentityKind.EMAIL, "ada@żółw.example")]]


async def test_answers_that_come_later_are_mailed_by_themselves(door: str, house: House) -> None:
    await asks(door, house, identity=signed())
    await answer(house, "Yes, in M.")
    await left(house)
    await told(house)
    await answer(house, "And in L.")
    await left(house)

    first, second = await told(house)

    assert "And in L." in second.text
    assert "Yes, in M." not in second.text
    assert first.thread_id == second.thread_id


async def test_many_workers_mail_it_once_and_a_dead_ones_lease_passes_on(door: str, house: House) -> None:
    await asks(door, house, identity=signed())
    await answer(house, "Yes.")
    await left(house)
    async with house.db.transaction() as session:
        await ABSENCES.claim(session, 10)  # and dies
    await left(house)

    await asyncio.gather(*(told(house) for _ in range(4)))

    assert len(await told(house)) == 1


@pytest.mark.parametrize("how", ["here", "read", "never", "blocked", "spam", "no mailbox", "bounced"])
async def test_no_mail_goes_out_to_who(door: str, house: House, how: str) -> None:
    greeting = await asks(door, house, identity=signed())
    if how == "never":
        async with house.db.transaction() as session:
            await set_channel(session, "chat", mail_after_minutes=0)
    await answer(house, "Yes.")
    await left(house)
    async with Poster(door) as ada, house.db.transaction() as session:
        ada.http.headers["authorization"] = f"Bearer {greeting['session']}"
        now = await database_time(session)
        match how:
            case "here":
                await session.execute(update(Visitor).values(here_until=now + timedelta(seconds=60)))
            case "read":
                await ada.says("read", seq=2**40)
            case "blocked":
                key = (await session.scalars(select(Visitor.key))).one()
                blocked = {"kind": IdentityKind.CHAT, "scope": "chat", "sender": key, "created_at": now}
                session.add(BlockedSender(id=new_id(), **blocked))
            case "spam":
                await session.execute(update(Ticket).values(spam_at=now))
            case "no mailbox":
                mailboxes = update(Channel).where(Channel.kind == ChannelKind.EMAIL)
                await session.execute(mailboxes.values(disabled_at=now))
            case "bounced":
                await session.execute(update(Identity).values(bounced_at=now))

    assert await told(house) == []

    async with house.db.transaction() as session:
        waits = (await session.scalars(select(Visitor.due_at))).one()
        assert (waits is not None) == (how == "here")


async def test_an_open_page_keeps_the_mail_back_until_it_is_closed(door: str, house: House) -> None:
    greeting = await asks(door, house, identity=signed())
    await answer(house, "Yes.")
    await left(house)
    async with Poster(door) as ada:
        ada.http.headers["authorization"] = f"Bearer {greeting['session']}"
        async with ada.stream() as frames:
            await messages_of(frames, 2)
            assert await told(house) == []
    await left(house)

    assert len(await told(house)) == 1


async def test_an_address_that_is_only_claimed_gets_one_mail_until_it_answers(
    door: str, house: House
) -> None:
    async with Poster(door) as ada:
        await ada.greets()
        answers = {"email": "Ada+shop@example.org"}
        await ada.says("messages", id="m1", text="Is it in stock?", answers=answers)
    await placed(house)
    counts = []
    for said in ("One", "Two"):
        await answer(house, said)
        await left(house)
        counts.append(len(await told(house)))
    async with house.db.transaction() as session:
        (first,) = (await session.scalars(select(UnprovenMail))).all()
        assert first.address == "ada@example.org"
        mail = await session.get_one(Message, first.item_id)
        thread = await session.get_one(Thread, mail.thread_id)
        mailbox = await a_channel(
            session, house.keys, ChannelKind.EMAIL, slug="two", address="two@shop.example"
        )
        reply = a_mail("ada+shop@example.org", "Thanks", verified=False, thread_number=thread.number)
        await receive(session, mailbox, reply)
        address = (await session.scalars(select(Identity).where(Identity.kind == IdentityKind.EMAIL))).one()
        assert address.verified_by == Proof.REPLY_ADDRESS
    await answer(house, "Xtra")
    await left(house)

    counts.append(len(await told(house)))

    assert counts == [1, 1, 2]


async def test_a_machine_that_answers_for_a_named_address_proves_nothing(door: str, house: House) -> None:
    async with Poster(door) as eve:
        await eve.greets()
        await eve.says("messages", id="m1", text="I am Ada", answers={"email": "ada@example.org"})
    await placed(house)
    await answer(house, "Hello, Ada")
    await left(house)
    (mail,) = await told(house)

    async with house.db.transaction() as session:
        thread = await session.get_one(Thread, mail.thread_id)
        mailbox = (await session.scalars(select(Channel).where(Channel.kind == ChannelKind.EMAIL))).one()
        away = a_mail("ada@example.org", "I am away.", thread_number=thread.number, automatic=True)
        await receive(session, mailbox, away)
        address = (await session.scalars(select(Identity).where(Identity.kind == IdentityKind.EMAIL))).one()

    assert address.verified_at is None


async def test_another_visitor_who_names_the_same_address_does_not_make_us_write_again(
    door: str, house: House
) -> None:
    for said in ("One", "Two"):
        async with Poster(door) as somebody:
            await somebody.greets()
            answers = {"email": "victim@example.org"}
            await somebody.says("messages", id="m1", text="Is it in stock?", answers=answers)
        await placed(house)
        await answer(house, said)
        await left(house)

    assert len(await told(house)) == 1


async def test_what_was_answered_before_the_chat_was_switched_off_is_mailed(door: str, house: House) -> None:
    await asks(door, house, identity=signed())
    await answer(house, "Yes.")
    async with house.db.transaction() as session:
        chats = update(Channel).where(Channel.kind == ChannelKind.CHAT)
        await session.execute(chats.values(disabled_at=await database_time(session)))
    await left(house)

    assert len(await told(house)) == 1


async def test_the_mail_leaves_from_the_mailbox_with_a_signed_reply_address(door: str, house: House) -> None:
    await asks(door, house, identity=signed())
    await answer(house, "Yes.")
    await left(house)
    (mail,) = await told(house)
    async with SmtpSink() as sink:
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        courier = Courier(house.db, house.keys, house.files, settings)
        async with house.db.transaction() as session:
            claimed = await OUTBOX.claim(session, 10)
        for message, lease in claimed:
            await courier.carry(message, lease)
        (sent,) = sink.mails
    async with house.db.transaction() as session:
        assert (await session.get_one(Message, mail.id)).delivery == DeliveryState.SENT
    assert sent.recipients == ["ada@example.org"]
    assert b"Reply-To: help+t" in sent.raw
    assert sent.envelope_from.startswith("help+t")  # so that it is known when it bounces
    assert sent.message["Auto-Submitted"] == "auto-generated"

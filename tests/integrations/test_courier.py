"""Answers on their way out, through the real libraries, to providers in all moods."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from api.house import House
from demo.farends import SmtpSink, smtp
from domain.answering.replies import send
from domain.arriving.inbound import InboundMessage
from domain.customers.contacts import Identity, IdentityKind
from domain.db import database_time
from domain.desk.messages import OUTBOX, DeliveryState, Message
from domain.events import Event, EventKind
from domain.ways_in.channels import Channel, ChannelKind
from domain.work import TryLater
from integrations.courier import Courier
from integrations.mail.addresses import recipient
from integrations.settings import IntegrationSettings
from tests.factories import a_channel, a_mail, an_agent, receive, tickets


@dataclass
class Outside:
    smtp: SmtpSink
    courier: Courier


@pytest.fixture
async def outside(house: House) -> AsyncIterator[Outside]:
    async with SmtpSink() as sink:
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        yield Outside(sink, Courier(house.db, house.keys, house.files, settings))


async def an_answer(
    house: House, kind: ChannelKind, said: InboundMessage, text: str = "On its way."
) -> Message:
    """Ben answers what was said."""
    async with house.db.transaction() as session:
        channel: Channel = await a_channel(session, house.keys, kind)
        await receive(session, channel, said)
        (ticket,) = await tickets(session)
        identity = (await session.scalars(select(Identity).where(Identity.kind == IdentityKind(kind)))).one()
        ben = await an_agent(session, "Ben")
        return await send(
            session,
            house.keys,
            ticket,
            to=identity,
            text=text,
            by=ben.as_actor(),
            at=said.at,
            last_seen_seq=10**15,
        )


async def carried(house: House, outside: Outside) -> Message:
    async with house.db.transaction() as session:
        ((message, lease),) = await OUTBOX.claim(session, 5)
    await outside.courier.carry(message, lease)
    async with house.db.transaction() as session:
        return await session.get_one(Message, message.id)


async def test_a_mail_answers_in_its_thread_and_asks_to_be_answered_at_a_signed_address(
    house: House, outside: Outside
) -> None:
    said = a_mail(
        "ada@example.org",
        external_id="two@example.org",
        references=("one@example.org",),
        subject="Mug\r\nBcc: eve@example.net",
    )
    await an_answer(house, ChannelKind.EMAIL, said)

    message = await carried(house, outside)

    mail = await outside.smtp.next_mail()
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
    assert message.delivery == DeliveryState.SENT
    assert mail.recipients == ["ada@example.org"]
    assert mail.message["Subject"] == f"Re: [#{ticket.number}] Mug Bcc: eve@example.net"
    assert mail.message["In-Reply-To"] == "<two@example.org>"
    assert mail.message["References"] == "<one@example.org> <two@example.org>"
    assert mail.message["Message-ID"] == f"<{message.external_id}>"
    back = recipient(house.keys, str(mail.message["Reply-To"]))
    assert back is not None
    assert back.thread_number


async def test_a_mail_nobody_takes_is_failed_and_the_ticket_shows_why(house: House, outside: Outside) -> None:
    await an_answer(house, ChannelKind.EMAIL, a_mail("ada@example.org"))
    outside.smtp.misbehave("refuse")

    message = await carried(house, outside)

    assert message.delivery == DeliveryState.FAILED
    assert (message.last_error or "").startswith("550")
    async with house.db.transaction() as session:
        told = await session.scalars(select(Event.item_id).where(Event.kind == EventKind.MESSAGE_FAILED))
        assert told.all() == [message.id]


async def test_of_a_mail_that_cannot_leave_the_ticket_shows_the_address_and_the_log_its_id(
    house: House, outside: Outside
) -> None:
    await an_answer(house, ChannelKind.EMAIL, a_mail('"ada smith"@example.org'))

    with capture_logs() as logs:
        message = await carried(house, outside)

    assert "ada smith" in (message.last_error or "")
    assert [(line["event"], line["id"]) for line in logs] == [("message_refused", str(message.id))]
    assert "ada smith" not in str(logs)


@pytest.mark.parametrize("mood", ["busy", "greylist", "closing", "reset_after_dot"])
async def test_what_may_pass_is_tried_again_with_the_same_message_id(
    house: House, outside: Outside, mood: smtp.Fault
) -> None:
    queued = await an_answer(house, ChannelKind.EMAIL, a_mail("ada@example.org"))
    outside.smtp.misbehave(mood)

    with pytest.raises(TryLater):
        await carried(house, outside)
    async with house.db.transaction() as session:
        again = await session.get_one(Message, queued.id)
        assert again.delivery == DeliveryState.QUEUED
        again.due_at = await database_time(session)
    await carried(house, outside)

    mails = outside.smtp.mails
    assert {mail.message["Message-ID"] for mail in mails} == {f"<{queued.external_id}>"}


@pytest.mark.parametrize(("mood", "fails"), [("busy", True), ("closing", True), ("greylist", False)])
async def test_a_channel_fails_from_its_first_failure_to_the_first_answer_that_leaves_but_not_for_one_recipient(
    house: House, outside: Outside, mood: smtp.Fault, fails: bool
) -> None:
    queued = await an_answer(house, ChannelKind.EMAIL, a_mail("ada@example.org"))

    async def failing_since() -> list[datetime | None]:
        async with house.db.transaction() as session:
            (await session.get_one(Message, queued.id)).due_at = await database_time(session)
            return list(await session.scalars(select(Channel.failing_since)))

    outside.smtp.misbehave(mood)
    with pytest.raises(TryLater):
        await carried(house, outside)
    (first,) = await failing_since()
    assert (first is not None) == fails

    outside.smtp.misbehave(mood)
    with pytest.raises(TryLater):
        await carried(house, outside)
    assert await failing_since() == [first]

    await carried(house, outside)
    assert await failing_since() == [None]


async def test_answers_in_one_conversation_leave_in_the_order_in_which_they_were_written(
    house: House, outside: Outside
) -> None:
    first = await an_answer(house, ChannelKind.EMAIL, a_mail("ada@example.org"), "First")
    async with house.db.transaction() as session:
        (ticket,) = await tickets(session)
        identity = (await session.scalars(select(Identity))).one()
        bo = await an_agent(session, "Bo")
        await send(
            session,
            house.keys,
            ticket,
            to=identity,
            text="Second",
            by=bo.as_actor(),
            at=first.at,
            last_seen_seq=10**15,
        )

    async with house.db.transaction() as session:
        claimed = await OUTBOX.claim(session, 5)

    assert [message.text for message, _ in claimed] == ["First"]

"""Machines that write, what we answer by ourselves, and what nobody wants: raw mails through the door."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiosmtplib
import pytest
from sqlalchemy import func, select, update

from demo.farends import SmtpSink
from domain.actors import SYSTEM
from domain.alerting import outages
from domain.alerting.alerts import Alert, AlertKind, AlertState
from domain.arriving import bounces
from domain.arriving.acknowledging import Acknowledgement, acknowledge
from domain.arriving.afterwards import InboundBounce
from domain.arriving.inbound import ARRIVALS, Arrival, ArrivalState
from domain.arriving.repetition import MOST
from domain.arriving.sides import pass_on
from domain.customers.contacts import Identity
from domain.db import database_time
from domain.desk import spam
from domain.desk.messages import OUTBOX, DeliveryState, Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.errors import AddressBounces, IsSpam
from domain.events import Event, EventKind
from domain.sla.clocks import Clock
from domain.sla.hours import ALWAYS
from domain.sla.policies import set_default_policy
from domain.sla.targets import Metric, Target
from domain.ways_in.blocking import BlockedSender, block
from domain.ways_in.channels import Channel
from domain.ways_in.flood import MINUTE
from integrations.courier import Courier
from integrations.mail.sending.connections import Relays
from integrations.mailroom import Mailroom
from integrations.settings import IntegrationSettings
from tests.factories import a_mail, a_promise, set_channel
from tests.integrations.mailing import ADA, EVE, HELP, Mailing, written

AWAY = "I am on holiday until Monday."


async def status_of(mailing: Mailing, ticket: Ticket) -> TicketStatus:
    async with mailing.house.db.transaction() as session:
        return (await session.get_one(Ticket, ticket.id)).status


async def sent_by_itself(mailing: Mailing) -> list[Message]:
    async with mailing.house.db.transaction() as session:
        ours = select(Message).where(Message.direction == Direction.OUT, Message.automatic.is_(True))
        return list(await session.scalars(ours.order_by(Message.seq)))


async def acknowledging(mailing: Mailing, **others: object) -> None:
    async with mailing.house.db.transaction() as session:
        await set_channel(session, "email", acknowledge=True, **others)


# Automatic mail


@pytest.mark.parametrize("after", [TicketStatus.SOLVED, TicketStatus.CLOSED, TicketStatus.PENDING])
async def test_an_out_of_office_note_stays_with_its_ticket_and_reopens_nothing(
    mailing: Mailing, after: TicketStatus
) -> None:
    await mailing.comes(ADA, "It came broken.", id="first")
    (ticket,) = await mailing.tickets()
    async with mailing.house.db.transaction() as session:
        held = await locked(session, ticket.id)
        held.change(by=SYSTEM, at=await database_time(session) - timedelta(days=60), status=after)

    await mailing.comes(
        ADA, AWAY, subject="Away", In_Reply_To="<first@mail.example>", Auto_Submitted="auto-replied"
    )

    assert [text for _, text in await mailing.said(ticket)] == ["It came broken.", AWAY]
    assert await status_of(mailing, ticket) == after


async def test_an_automatic_mail_that_names_nothing_of_ours_stays_where_we_have_just_written_to_its_sender(
    mailing: Mailing,
) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    await mailing.answered(ticket)

    await mailing.comes(ADA, AWAY, subject="Away", X_Autoreply="yes")
    await mailing.comes(ADA, "Send it to Eve.", subject="Away", X_Autoreply="yes", verified=False)

    first, forged = await mailing.tickets()
    assert [text for _, text in await mailing.said(ticket)] == ["It came broken.", AWAY]
    assert first.contact_id != forged.contact_id


async def test_a_forged_automatic_mail_lands_in_nobodys_ticket(mailing: Mailing) -> None:
    """Of an address that nobody has proven, everybody may say so."""
    await mailing.comes(ADA, "It came broken.", verified=False)
    (ticket,) = await mailing.tickets()
    await mailing.answered(ticket)

    await mailing.comes(ADA, AWAY, subject="Away", X_Autoreply="yes", verified=False)

    assert [text for _, text in await mailing.said(ticket)] == ["It came broken."]


async def test_an_automatic_mail_of_nobody_we_know_opens_a_ticket_that_is_promised_nothing(
    mailing: Mailing,
) -> None:
    async with mailing.house.db.transaction() as session:
        targets = [Target(metric, 3600) for metric in (Metric.FIRST_REPLY, Metric.RESOLUTION)]
        await set_default_policy(session, name="Default", hours=ALWAYS, targets=targets)

    await mailing.comes(
        "Parcels <info@carrier.example>", "Your parcel is late.", Auto_Submitted="auto-replied"
    )

    (ticket,) = await mailing.tickets()
    assert len(await mailing.said(ticket)) == 1
    async with mailing.house.db.transaction() as session:
        assert (await session.scalars(select(Clock))).all() == []


async def test_two_machines_that_answer_each_other_are_heard_and_reopen_nothing_after_a_while(
    mailing: Mailing,
) -> None:
    await acknowledging(mailing)
    text = "Thank you for your message. Your request {n} is with our team, who will get back to you soon."
    for n in range(MOST):
        await mailing.comes(
            f"Desk <desk{n}@desk{n}.example>", text.format(n=n * 1000), subject=f"Request {n}"
        )
    told = len(await sent_by_itself(mailing))
    (first, *_) = await mailing.tickets()
    async with mailing.house.db.transaction() as session:
        held = await locked(session, first.id)
        held.change(by=SYSTEM, at=await database_time(session), status=TicketStatus.SOLVED)

    await mailing.comes("Desk <desk99@desk99.example>", text.format(n=5), subject="Request 99")
    await mailing.comes("Desk <desk0@desk0.example>", text.format(n=6), await mailing.signed(first))

    assert told == len(await sent_by_itself(mailing)) == MOST
    assert len(await mailing.said(first)) == 2
    assert await status_of(mailing, first) == TicketStatus.SOLVED


# Bounces


async def bounced(mailing: Mailing, status: str, recipient: str, **others: object) -> str | None:
    async with mailing.house.db.transaction() as session:
        values = {"message_ids": (), "said": "550 no such user", "final": not status.startswith("4")} | others
        at = await database_time(session)
        return await bounces.receive(
            session,
            InboundBounce(recipient=recipient, status=status, at=at, **values),  # type: ignore[arg-type]
        )


async def test_a_bounce_fails_the_message_that_bounced_and_its_promise_runs_again(mailing: Mailing) -> None:
    async with mailing.house.db.transaction() as session:
        await a_promise(session)
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket)

    assert (
        await bounced(mailing, "5.1.1", "ada@example.org", message_ids=("x@y", str(answer.external_id)))
        is None
    )
    again = await bounced(mailing, "5.1.1", "ada@example.org", message_ids=(str(answer.external_id),))

    assert again == "a bounce of a mail that is known to have failed"
    assert len(await mailing.said(ticket)) == 1
    async with mailing.house.db.transaction() as session:
        failed = await session.get_one(Message, answer.id)
        assert (failed.delivery, failed.last_error) == (DeliveryState.FAILED, "5.1.1 550 no such user")
        (clock,) = await session.scalars(select(Clock))
        assert clock.runs
        told = await session.scalars(select(Event.item_id).where(Event.kind == EventKind.MESSAGE_FAILED))
        assert told.all() == [answer.id]


async def test_a_bounce_without_our_id_is_found_by_the_signed_address_and_whom_it_was_to(
    mailing: Mailing,
) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    first, last = await mailing.answered(ticket), await mailing.answered(ticket, "One thing more.")
    number = (await mailing.thread(ticket)).number

    await bounced(mailing, "5.7.1", "ada@example.org", thread_number=number)
    unknown = await bounced(mailing, "5.7.1", "zofia@example.com", thread_number=number)

    assert unknown == "a bounce of no mail of ours"
    async with mailing.house.db.transaction() as session:
        states = [(await session.get_one(Message, one.id)).delivery for one in (first, last)]
    assert states == [DeliveryState.QUEUED, DeliveryState.FAILED]


async def test_a_customer_who_answers_that_a_parcel_came_back_is_heard_and_our_mail_has_not_failed(
    mailing: Mailing,
) -> None:
    await mailing.comes(ADA, "Where is my order?")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket)

    said = "the parcel was returned to sender, for the following address is wrong. I live in Lisbon Street 5."
    ours = f"-----Original Message-----\nFrom: {HELP}\nTo: ada@example.org\nSubject: Your parcel\n\nIt left."
    await mailing.comes(
        ADA, f"{said}\n\n{ours}", subject="Return to sender", In_Reply_To=f"<{answer.external_id}>"
    )

    assert [one.folded for one in await mailing.received(ticket)] == [None, said]
    async with mailing.house.db.transaction() as session:
        assert (await session.get_one(Message, answer.id)).delivery == DeliveryState.QUEUED


async def test_a_mail_that_is_late_has_not_failed_and_one_of_several_recipients_is_named(
    mailing: Mailing,
) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket)
    async with mailing.house.db.transaction() as session:
        kept = await session.get_one(Message, answer.id)
        kept.mail = {**(kept.mail or {}), "cc": [["Zofia", "zofia@example.com"]]}
    ours = (str(answer.external_id),)

    await bounced(mailing, "4.4.7", "ada@example.org", message_ids=ours, said="still trying")
    await bounced(mailing, "5.1.1", "Zofia@Example.com", message_ids=ours)

    async with mailing.house.db.transaction() as session:
        kept = await session.get_one(Message, answer.id)
    assert kept.delivery == DeliveryState.QUEUED
    assert (kept.mail or {})["refused"] == {"zofia@example.com": "5.1.1 550 no such user"}


async def test_of_two_who_were_asked_one_that_bounces_leaves_the_other(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    (said,) = await mailing.received(ticket)
    async with mailing.house.db.transaction() as session:
        passed_on = await pass_on(
            session, mailing.house.keys, await locked(session, ticket.id), said,
            to=["one@carrier.example", "two@carrier.example"], text="Where is it?", with_files=False,
            by=(await mailing.agent("Ben")).as_actor(), at=await database_time(session),
        )  # fmt: skip
    ours = (str(passed_on.external_id),)

    async def delivery() -> DeliveryState | None:
        async with mailing.house.db.transaction() as session:
            return (await session.get_one(Message, passed_on.id)).delivery

    await bounced(mailing, "5.1.1", "one@carrier.example", message_ids=ours)
    assert await delivery() == DeliveryState.QUEUED
    await bounced(mailing, "5.1.1", "two@carrier.example", message_ids=ours)
    assert await delivery() == DeliveryState.FAILED


async def test_a_bounces_status_is_told_once(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket, "We are sorry.")

    ours = (str(answer.external_id),)
    await bounced(mailing, "5.1.1", "ada@example.org", message_ids=ours, said="550 5.1.1 no such user")

    async with mailing.house.db.transaction() as session:
        assert (await session.get_one(Message, answer.id)).last_error == "550 5.1.1 no such user"


async def test_an_address_where_nobody_is_twice_is_written_to_only_when_one_insists(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    for text in ("One.", "Two."):
        answer = await mailing.answered(ticket, text)
        await bounced(mailing, "5.1.1", "ada@example.org", message_ids=(str(answer.external_id),))

    with pytest.raises(AddressBounces):
        await mailing.answered(ticket, "Three.")

    await mailing.comes(ADA, "I am here.", await mailing.signed(ticket))
    assert (await mailing.answered(ticket, "Four.")).delivery == DeliveryState.QUEUED


async def test_one_mail_that_is_reported_twice_says_once_that_nobody_is_there(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket)
    for _ in range(2):
        await bounced(mailing, "5.1.1", "ada@example.org", message_ids=(str(answer.external_id),))

    assert (await mailing.answered(ticket, "Again.")).delivery == DeliveryState.QUEUED


# Acknowledgements


async def test_a_mail_that_opens_a_ticket_is_acknowledged_once_in_the_customers_language(
    mailing: Mailing,
) -> None:
    await acknowledging(mailing, language="es", acknowledgement={"es": "Número {number}, gracias."})
    async with mailing.house.db.transaction() as session:
        await a_promise(session)

    await mailing.comes(ADA, "It came broken.", subject="Visit evil.example", id="first")
    await mailing.comes(ADA, "Please.", In_Reply_To="<first@mail.example>")

    (ticket,) = await mailing.tickets()
    (told,) = await sent_by_itself(mailing)
    assert told.text == f"Número {ticket.number}, gracias."
    assert (told.mail or {})["subject"] == f"[#{ticket.number}] Hemos recibido su mensaje"
    async with mailing.house.db.transaction() as session:
        (clock,) = await session.scalars(select(Clock))
    assert clock.met_at is None
    async with SmtpSink() as sink:
        await carried(mailing, sink)
        mail = await sink.next_mail()
    assert (mail.envelope_from, mail.recipients) == ("<>", ["ada@example.org"])
    assert mail.message["Auto-Submitted"] == "auto-replied"
    assert "evil" not in mail.message.as_string()


async def carried(mailing: Mailing, sink: SmtpSink) -> None:
    async with mailing.house.db.transaction() as session:
        ((message, lease),) = await OUTBOX.claim(session, 1)
    settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
    house = mailing.house
    async with Relays() as relays:
        await Courier(house.db, house.keys, house.files, settings, relays).carry(message, lease)


async def test_nobody_but_a_person_is_acknowledged(mailing: Mailing) -> None:
    await acknowledging(mailing)
    await mailing.agent("Ben")
    async with mailing.house.db.transaction() as session:
        await block(session, "spam.example", by=SYSTEM, at=await database_time(session))

    await mailing.comes("A <a@a.example>", "1", Auto_Submitted="auto-generated")
    await mailing.comes("B <b@b.example>", "2", List_Id="<mugs.b.example>")
    await mailing.comes("C <c@c.example>", "3", Precedence="bulk")
    await mailing.comes("D <d@d.example>", "4", envelope="", subject="D")
    await mailing.comes("E <e@e.example>", "5", X_Auto_Response_Suppress="All")
    await mailing.comes("F <no-reply@f.example>", "6", subject="6")
    await mailing.comes("Ben <ben@shop.example>", "7", subject="7")
    await mailing.comes("Sales <sales@shop.example>", "8", subject="8")
    await mailing.comes("S <s@mail.spam.example>", "9")
    await mailing.comes("MAILER-DAEMON <mailer-daemon@g.example>", "10")

    assert await sent_by_itself(mailing) == []


async def test_what_lay_in_a_box_for_days_is_not_acknowledged(mailing: Mailing) -> None:
    await acknowledging(mailing)

    for days in (2, 0):
        at = datetime.now(UTC) - timedelta(days=days)
        await mailing.comes(
            ADA, f"{days} days ago.", subject=f"Order {71300 + days}", Date=format_datetime(at)
        )

    (told,) = await sent_by_itself(mailing)
    _, today = await mailing.tickets()
    assert told.ticket_id == today.id


async def test_a_machine_is_known_by_the_envelope_of_what_it_sends(mailing: Mailing) -> None:
    """Whoever delivers writes it down: by SMTP that is us. What the mail says of it itself is anybody's word."""
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    await mailing.answered(ticket)
    await mailing.solved(ticket, ago=timedelta(hours=1))

    await mailing.comes(ADA, "I am at sea.", await mailing.signed(ticket), envelope="", subject="Holiday")
    await mailing.comes(ADA, "It broke again.", subject="Another mug 71399", Return_Path="<>")

    same, other = await mailing.tickets()
    assert (same.id, same.status) == (ticket.id, TicketStatus.SOLVED)
    assert [one.automatic for one in await mailing.received(same)] == [False, True]
    assert [one.automatic for one in await mailing.received(other)] == [False]


async def test_an_address_is_acknowledged_three_times_a_day_and_a_domain_twenty_times_an_hour(
    mailing: Mailing,
) -> None:
    await acknowledging(mailing)
    for number in range(5):
        await mailing.comes(ADA, f"Order {71300 + number} is late.", subject=f"Order {71300 + number}")
    await mailing.comes("Ada <ada+71400@example.org>", "Order 71400 is late.", subject="Order 71400")
    assert len(await sent_by_itself(mailing)) == 3

    for number in range(20):
        await mailing.comes(f"P <p{number}@many.example>", f"I am number {number}.")
    assert len(await sent_by_itself(mailing)) == 23
    await mailing.comes("P <p21@many.example>", "And I?")
    assert len(await sent_by_itself(mailing)) == 23


async def test_two_that_find_the_last_place_at_once_do_not_both_take_it(mailing: Mailing) -> None:
    await acknowledging(mailing)
    for number in range(4):
        await mailing.comes(ADA, f"Order {71300 + number} is late.", subject=f"Order {71300 + number}")
    async with mailing.house.db.transaction() as session:
        *_, third = list(await session.scalars(select(Acknowledgement).order_by(Acknowledgement.at)))
        await session.delete(third)
        free = await session.scalars(
            select(Ticket.id)
            .where(Ticket.id.not_in(select(Acknowledgement.ticket_id)))
            .order_by(Ticket.number)
        )
        waiting = list(free)
    assert len(waiting) == 2

    async def tries(ticket_id: object) -> bool:
        async with mailing.house.db.transaction() as session:
            ticket = await session.get_one(Ticket, ticket_id)
            thread = (await session.scalars(select(Thread).where(Thread.ticket_id == ticket.id))).one()
            channel = await session.get_one(Channel, thread.channel_id)
            at = await database_time(session)
            told = await acknowledge(
                session, mailing.house.keys, channel, a_mail("ada@example.org", at=at), thread, ticket, at=at
            )
            await asyncio.sleep(0.2)
            return told is not None

    assert sorted(await asyncio.gather(*map(tries, waiting))) == [False, True]


# Spam and floods


async def test_a_blocked_senders_mail_is_kept_ignored_and_placed_once_unblocked(mailing: Mailing) -> None:
    async with mailing.house.db.transaction() as session:
        await block(session, "Example.NET", by=SYSTEM, at=await database_time(session))

    await mailing.comes("Eve <eve@mail.example.net>", "Buy my watches.")

    (arrival,) = await mailing.opened()
    assert (arrival.state, arrival.last_error) == (ArrivalState.IGNORED, "blocked sender: example.net")
    async with mailing.house.db.transaction() as session:
        await session.delete((await session.scalars(select(BlockedSender))).one())
        await session.execute(update(Arrival).values(state=ArrivalState.WAITING, due_at=func.now()))
    await mailing.opened()
    assert len(await mailing.tickets()) == 1


async def test_nothing_is_sent_to_spam_nothing_runs_and_it_is_not_reopened(mailing: Mailing) -> None:
    async with mailing.house.db.transaction() as session:
        await a_promise(session)
    await mailing.comes(EVE, "Buy my watches.", id="first")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket)
    async with mailing.house.db.transaction() as session:
        held = await locked(session, ticket.id)
        held.change(by=SYSTEM, at=await database_time(session), status=TicketStatus.SOLVED)
        await spam.mark(session, held, by=SYSTEM, at=await database_time(session))

    await mailing.comes(EVE, "Only today.", In_Reply_To="<first@mail.example>")

    assert len(await mailing.said(ticket)) == 2
    assert await status_of(mailing, ticket) == TicketStatus.SOLVED
    async with mailing.house.db.transaction() as session:
        assert [clock.runs for clock in await session.scalars(select(Clock))] == [False]
        taken_back = await session.get_one(Message, answer.id)
        assert (taken_back.delivery, taken_back.due_at) == (DeliveryState.FAILED, None)
        assert await OUTBOX.claim(session, 1) == []
    with pytest.raises(IsSpam):
        await mailing.answered(ticket)

    async with mailing.house.db.transaction() as session:
        await spam.unmark(
            session, await locked(session, ticket.id), by=SYSTEM, at=await database_time(session)
        )
    assert (await mailing.answered(ticket)).delivery == DeliveryState.QUEUED


async def test_what_comes_above_a_channels_rate_waits_in_order_and_other_channels_go_on(
    mailing: Mailing,
) -> None:
    async with mailing.house.db.transaction() as session:
        await set_channel(session, "email", inbound_per_minute=3)
    for number in range(6):
        raw = written(f"P <p{number}@many.example>", f"Number {number}.")
        await aiosmtplib.send(raw, sender="p@many.example", recipients=[HELP], **mailing.smtp)
    await mailing.opened()
    await mailing.comes(ADA, "It came broken.", "sales@shop.example")

    assert len(await mailing.tickets()) == 4
    async with mailing.house.db.transaction() as session:
        waiting = list(
            await session.scalars(select(Arrival).where(Arrival.opened_at.is_(None)).order_by(Arrival.id))
        )
        turns = [arrival.turn_at for arrival in waiting if arrival.turn_at]
        opened = await session.scalar(select(func.min(Arrival.opened_at)))
        now: datetime = await database_time(session)
        assert [arrival.due_at for arrival in waiting] == turns
        assert opened is not None
        assert turns == [opened + MINUTE, opened + MINUTE * 4 / 3, opened + MINUTE * 5 / 3]
        for minute in (0, 1):
            await outages.look(session, at=now + timedelta(seconds=minute))
        (alert,) = await session.scalars(select(Alert))
        assert (alert.kind, alert.state) == (AlertKind.CHANNEL_FLOODED, AlertState.FIRING)

    async with mailing.house.db.transaction() as session:  # their turn has come
        await session.execute(
            update(Arrival)
            .where(Arrival.turn_at.is_not(None))
            .values(turn_at=Arrival.turn_at - MINUTE * 2, due_at=func.now())
        )
    await mailing.opened()
    assert [ticket.subject for ticket in await mailing.tickets()] == ["Broken mug"] * 7
    async with mailing.house.db.transaction() as session:
        await outages.look(session, at=now + timedelta(minutes=10))
        assert (await session.get_one(Alert, alert.id)).state == AlertState.RESOLVED


async def test_two_workers_at_once_open_no_more_than_the_rate(mailing: Mailing) -> None:
    async with mailing.house.db.transaction() as session:
        await set_channel(session, "email", inbound_per_minute=2)
    for number in range(6):
        raw = written(f"P <p{number}@p{number}.example>", f"Number {number}.")
        await aiosmtplib.send(raw, sender="p@many.example", recipients=[HELP], **mailing.smtp)
    mailroom = Mailroom(mailing.house.db, mailing.house.keys, mailing.house.files)
    async with mailing.house.db.transaction() as session:
        claimed = await ARRIVALS.claim(session, 10)

    await asyncio.gather(*(mailroom.open(arrival, lease) for arrival, lease in claimed))

    assert len(await mailing.tickets()) == 2
    async with mailing.house.db.transaction() as session:
        turns = list(await session.scalars(select(Arrival.turn_at).where(Arrival.turn_at.is_not(None))))
        assert (len(turns), len(set(turns))) == (4, 4)
        assert await session.scalar(select(func.count()).select_from(Identity)) == 2


async def test_of_mails_that_are_opened_together_those_that_need_not_wait_are_opened_at_once(
    mailing: Mailing,
) -> None:
    async with mailing.house.db.transaction() as session:
        await set_channel(session, "email", inbound_per_minute=1)
    for number in range(3):
        raw = written(f"P <p{number}@p{number}.example>", f"Number {number}.")
        await aiosmtplib.send(raw, sender="p@many.example", recipients=[HELP], **mailing.smtp)
    mailroom = Mailroom(mailing.house.db, mailing.house.keys, mailing.house.files)
    async with mailing.house.db.transaction() as session:
        claimed = await ARRIVALS.claim(session, 10)

    await mailroom.open_all(claimed, mailroom.open)

    assert [text for ticket in await mailing.tickets() for _, text in await mailing.said(ticket)] == [
        "Number 0."
    ]
    async with mailing.house.db.transaction() as session:
        turns = list(await session.scalars(select(Arrival.turn_at).order_by(Arrival.id)))
    assert [bool(turn) for turn in turns] == [False, True, True]

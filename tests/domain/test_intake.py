"""Who lands where, and what that does to the ticket."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.alerting.alerts import Alert, AlertKind, AlertState
from domain.answering.replies import send
from domain.arriving.afterwards import InboundEcho, InboundReceipt
from domain.arriving.inbound import CallStep, InboundLink
from domain.customers.contacts import Claim, Identity, IdentityKind, Proof
from domain.customers.people import link
from domain.desk.messages import Call, CallState, DeliveryState, Direction, Item, Message
from domain.desk.tasks import Task
from domain.desk.tickets import REOPENS_WITHIN, Ticket, TicketStatus, takes_more
from domain.events import Event, EventKind
from domain.joining import splitting
from domain.joining.reasons import JoinCode
from domain.keys import Keys
from domain.sla import reckoning
from domain.sla.clocks import Clock
from domain.ways_in.channels import Channel
from tests.factories import (
    NOON,
    a_call_step,
    a_chat,
    a_mail,
    a_messenger_message,
    a_promise,
    an_agent,
    contacts,
    messages,
    receive,
    threads,
    tickets,
)

ADA = "ada@example.org"
EVE = "eve@example.net"
MINUTE = timedelta(minutes=1)


async def test_a_first_mail_opens_a_ticket_for_a_new_contact(session: AsyncSession, mailbox: Channel) -> None:
    await receive(session, mailbox, a_mail(ADA, sender_name="Ada", subject="Broken mug"))

    (ticket,) = await tickets(session)
    (contact,) = await contacts(session)
    (thread,) = await threads(session, ticket)
    assert (ticket.subject, ticket.status, ticket.contact_id) == ("Broken mug", TicketStatus.NEW, contact.id)
    assert (contact.name, thread.joined_code) == ("Ada", JoinCode.OPENED_TICKET)


async def test_the_same_message_twice_is_one(session: AsyncSession, mailbox: Channel) -> None:
    mail = a_mail(ADA)

    await receive(session, mailbox, mail)
    await receive(session, mailbox, mail)

    (ticket,) = await tickets(session)
    assert len(await messages(session, ticket)) == 1


async def test_a_signed_chat_visitor_joins_the_open_ticket_of_the_same_verified_address(
    session: AsyncSession, mailbox: Channel, chat: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))

    await receive(session, chat, a_chat("s1", email=ADA))

    (ticket,) = await tickets(session)
    assert [thread.joined_code for thread in await threads(session, ticket)] == [
        JoinCode.OPENED_TICKET,
        JoinCode.SIGNED_CHAT_IDENTITY,
    ]
    assert len(await contacts(session)) == 1


async def test_an_address_that_a_visitor_only_claims_opens_nobodys_case(
    session: AsyncSession, mailbox: Channel, chat: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))

    await receive(session, chat, a_chat("eves", email=ADA, signed=False))

    adas, eves = await tickets(session)
    assert adas.contact_id != eves.contact_id


async def test_proof_of_an_address_does_not_take_over_who_only_claimed_it(
    session: AsyncSession, mailbox: Channel, chat: Channel
) -> None:
    await receive(session, chat, a_chat("eves", email=ADA, signed=False))

    await receive(session, mailbox, a_mail(ADA))
    await receive(session, chat, a_chat("eves", "Tell me about Ada's order"))

    eves, adas = await tickets(session)
    assert adas.contact_id != eves.contact_id
    assert [message.text for message in await messages(session, adas)] == ["Where is my parcel?"]


async def test_an_unverified_mail_is_no_proof_and_gets_a_ticket_of_its_own(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))

    await receive(session, mailbox, a_mail(ADA, "Send it to my new address", verified=False))

    proven, claimed = await tickets(session)
    assert proven.contact_id != claimed.contact_id
    (message,) = await messages(session, claimed)
    assert message.sender_verified is False


async def test_unverified_mails_of_one_address_are_one_contact(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA, verified=False))
    await receive(session, mailbox, a_mail(ADA, verified=False))

    assert len(await contacts(session)) == 1
    assert len(await tickets(session)) == 2


async def test_a_mail_address_is_proven_in_place_when_nothing_else_hangs_on_the_claim(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA, verified=False))
    await receive(session, mailbox, a_mail(ADA))

    (contact,) = await contacts(session)
    identity = await session.scalar(select(Identity).where(Identity.contact_id == contact.id))
    assert identity is not None
    assert identity.verified_by == Proof.MAIL_AUTHENTICATED


async def test_a_known_message_id_continues_the_thread_for_who_takes_part(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA, verified=False, external_id="first@example.org"))

    await receive(session, mailbox, a_mail(ADA, verified=False, references=("first@example.org",)))

    (ticket,) = await tickets(session)
    assert len(await threads(session, ticket)) == 1


async def test_a_stranger_with_the_right_message_id_gets_a_ticket_of_their_own(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA, external_id="first@example.org"))

    await receive(session, mailbox, a_mail(EVE, references=("first@example.org",)))

    adas, eves = await tickets(session)
    assert adas.contact_id != eves.contact_id


async def test_a_stranger_with_the_right_ticket_number_gets_a_ticket_of_their_own(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (adas,) = await tickets(session)

    await receive(session, mailbox, a_mail(EVE, subject=f"Re: [#{adas.number}] My order"))

    assert len(await tickets(session)) == 2
    assert len(await messages(session, adas)) == 1


async def test_an_answer_to_our_signed_address_proves_the_address_we_wrote_to(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA, verified=False))
    (ticket,) = await tickets(session)
    (thread,) = await threads(session, ticket)

    await receive(session, mailbox, a_mail(ADA, verified=False, thread_number=thread.number))

    identity = await session.get_one(Identity, thread.identity_id)
    assert identity.verified_by == Proof.REPLY_ADDRESS
    assert [message.sender_verified for message in await messages(session, ticket)] == [False, True]


async def test_somebody_else_at_our_signed_address_takes_part_unconfirmed(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (ticket,) = await tickets(session)
    (thread,) = await threads(session, ticket)

    await receive(
        session, mailbox, a_mail("zofia@example.org", thread_number=thread.number, sender_name="Zofia")
    )

    written = await messages(session, ticket)
    assert [(message.author, message.sender_verified) for message in written] == [
        (ADA, True),
        ("Zofia", False),
    ]
    (contact,) = await contacts(session)
    kept = await session.scalars(select(Identity.value).where(Identity.contact_id == contact.id))
    assert kept.all() == [ADA]


async def test_an_anonymous_chat_follows_the_visitor_who_identifies(
    session: AsyncSession, mailbox: Channel, chat: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    await receive(session, chat, a_chat("s1", "Anybody there?"))

    await receive(session, chat, a_chat("s1", "It is me", email=ADA))

    (ticket,) = await tickets(session)
    assert [message.text for message in await messages(session, ticket)] == [
        "Where is my parcel?",
        "Anybody there?",
        "It is me",
    ]
    assert len(await contacts(session)) == 1


async def test_the_signed_link_proves_whose_messenger_conversation_it_is(
    session: AsyncSession, mailbox: Channel, page: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (ada,) = await contacts(session)
    await receive(session, page, a_messenger_message("p1", "Hi, it is about my order"))
    assert len(await tickets(session)) == 2

    said = a_messenger_message("p1")
    await receive(session, page, InboundLink(claims=said.claims, linked_contact=ada.id, at=NOON))

    (ticket,) = await tickets(session)
    assert [thread.joined_code for thread in await threads(session, ticket)] == [
        JoinCode.OPENED_TICKET,
        JoinCode.MESSENGER_LINK,
    ]
    assert [contact.id for contact in await contacts(session)] == [ada.id]


async def test_a_message_that_comes_by_the_link_joins_at_once(
    session: AsyncSession, mailbox: Channel, page: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (ada,) = await contacts(session)

    await receive(session, page, a_messenger_message("p1", linked_contact=ada.id))

    (ticket,) = await tickets(session)
    assert (await threads(session, ticket))[1].joined_code == JoinCode.MESSENGER_LINK


async def test_an_agents_word_brings_a_messenger_person_to_their_contact(
    session: AsyncSession, mailbox: Channel, page: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (ada,) = await contacts(session)
    said = a_messenger_message("p1")
    await receive(session, page, said)
    ben = (await an_agent(session, "Ben")).as_actor()

    await link(session, ada, replace(said.claims[0], proof=None), by=ben, at=NOON)

    (ticket,) = await tickets(session)
    moved = (await threads(session, ticket))[1]
    assert (moved.joined_code, moved.joined_by_id) == (JoinCode.LINKED_BY_AGENT, ben.id)


async def test_a_call_is_placed_on_the_one_contact_its_number_matches_not_verified(
    session: AsyncSession, mailbox: Channel, line: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (ada,) = await contacts(session)
    number = Claim(IdentityKind.PHONE, "+48600100200", None)
    await link(session, ada, number, by=(await an_agent(session, "Ben")).as_actor(), at=NOON)

    await receive(session, line, a_call_step("c1", CallStep.RINGING))
    await receive(session, line, a_call_step("c1", CallStep.ENDED, at=NOON + timedelta(seconds=20)))

    (ticket,) = await tickets(session)
    assert (await threads(session, ticket))[1].joined_code == JoinCode.CALLER_NUMBER
    call = await session.scalar(select(Call))
    assert call is not None
    assert (call.ticket_id, call.call_state) == (ticket.id, CallState.MISSED)


async def test_a_number_that_several_contacts_have_places_the_call_on_none_of_them(
    session: AsyncSession, mailbox: Channel, chat: Channel, line: Channel
) -> None:
    for address in (ADA, "zofia@example.org"):
        mail = a_mail(address)
        claims = (*mail.claims, Claim(IdentityKind.PHONE, "+48600100200", None))
        await receive(session, mailbox, replace(mail, claims=claims))

    await receive(session, line, a_call_step("c1", CallStep.RINGING))

    assert len(await contacts(session)) == 3
    assert len(await tickets(session)) == 3


async def test_who_withholds_the_number_is_heard_all_the_same(session: AsyncSession, line: Channel) -> None:
    for call_id in ("c1", "c2"):
        await receive(session, line, a_call_step(call_id, CallStep.RINGING, number="", withheld=True))

    assert len(await tickets(session)) == 2


@pytest.mark.parametrize(
    "order",
    [
        [CallStep.RINGING, CallStep.ANSWERED, CallStep.ENDED],
        [CallStep.ENDED, CallStep.ANSWERED, CallStep.RINGING],
        [
            CallStep.RINGING,
            CallStep.ANSWERED,
            CallStep.ANSWERED,
            CallStep.ANSWERED,
            CallStep.ENDED,
            CallStep.RINGING,
        ],
    ],
)
async def test_the_steps_of_a_call_end_the_same_in_any_order(
    session: AsyncSession, line: Channel, order: list[CallStep]
) -> None:
    moments = {CallStep.RINGING: 0, CallStep.ANSWERED: 5, CallStep.ENDED: 65}
    for step in order:
        await receive(session, line, a_call_step("c1", step, at=NOON + timedelta(seconds=moments[step])))

    call = await session.scalar(select(Call))
    assert call is not None
    assert call.call_state == CallState.ENDED
    assert call.answered_at is not None
    assert call.ended_at is not None
    assert (call.at, (call.ended_at - call.answered_at).seconds) == (NOON, 60)


async def test_a_person_reopens_a_solved_ticket_and_an_out_of_office_note_does_not(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA, external_id="first@example.org"))
    (ticket,) = await tickets(session)
    ticket.change(by=SYSTEM, at=NOON, status=TicketStatus.SOLVED)
    answer = a_mail(ADA, references=("first@example.org",), at=NOON + timedelta(days=1))

    after: list[TicketStatus] = []

    for said in (replace(answer, external_id="away@example.org", automatic=True), answer):
        await receive(session, mailbox, said)
        after.append(ticket.status)

    assert after == [TicketStatus.SOLVED, TicketStatus.OPEN]


@pytest.mark.parametrize("status", list(TicketStatus))
@pytest.mark.parametrize(
    "ago", [timedelta(0), REOPENS_WITHIN - timedelta.resolution, REOPENS_WITHIN, 2 * REOPENS_WITHIN]
)
async def test_a_ticket_takes_more_whether_it_is_asked_or_looked_for(
    session: AsyncSession, mailbox: Channel, status: TicketStatus, ago: timedelta
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (ticket,) = await tickets(session)
    ticket.change(by=SYSTEM, at=NOON, status=status)
    await session.flush()

    found = await session.scalars(select(Ticket).where(takes_more(NOON + ago)))

    assert ticket.takes_more(at=NOON + ago) == (found.all() == [ticket])
    recently = status == TicketStatus.SOLVED and ago < REOPENS_WITHIN
    assert ticket.takes_more(at=NOON + ago) == (ticket.is_live() or recently)


async def test_a_messenger_conversation_goes_on_in_a_new_ticket_when_its_old_one_is_closed(
    session: AsyncSession, page: Channel
) -> None:
    await receive(session, page, a_messenger_message("p1"))
    (first,) = await tickets(session)
    first.change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)

    await receive(session, page, a_messenger_message("p1", "Another question"))
    await receive(session, page, a_messenger_message("p1", "And one more"))

    _, second = await tickets(session)
    assert len(await messages(session, second)) == 2
    assert len(await contacts(session)) == 1


async def test_the_customers_first_word_starts_one_promise_and_an_automatic_mail_none(
    session: AsyncSession, mailbox: Channel
) -> None:
    await a_promise(session, 3600)

    await receive(session, mailbox, a_mail(ADA, external_id="first@example.org"))
    await receive(session, mailbox, a_mail(ADA, at=NOON + timedelta(minutes=5)))
    await receive(session, mailbox, a_mail(EVE, automatic=True))

    (clock,) = (await session.scalars(select(Clock))).all()
    assert clock.due_at == NOON + timedelta(hours=1)


async def test_a_missed_call_waits_for_an_answer_and_an_answered_one_is_one(
    session: AsyncSession, line: Channel
) -> None:
    await a_promise(session, 900)

    await receive(session, line, a_call_step("missed", CallStep.RINGING, "+34600100200"))
    await receive(session, line, a_call_step("missed", CallStep.ENDED, "+34600100200"))
    await receive(session, line, a_call_step("taken", CallStep.RINGING))
    await receive(session, line, a_call_step("taken", CallStep.ANSWERED))

    missed, taken = (await session.scalars(select(Clock).order_by(Clock.id))).all()
    assert (missed.met_at, taken.met_at) == (None, NOON)


async def test_a_missed_call_is_told_until_the_customer_is_called_back(
    session: AsyncSession, line: Channel
) -> None:
    await receive(session, line, a_call_step("missed", CallStep.RINGING))
    await receive(session, line, a_call_step("missed", CallStep.ENDED))
    (alert,) = (await session.scalars(select(Alert))).all()
    assert (alert.kind, alert.state, alert.level) == (AlertKind.CALL_MISSED, AlertState.FIRING, 0)

    later = NOON + timedelta(minutes=5)
    await receive(session, line, a_call_step("back", CallStep.RINGING, outgoing=True, at=later))
    assert alert.state == AlertState.FIRING
    await receive(session, line, a_call_step("back", CallStep.ANSWERED, outgoing=True, at=later))

    assert str(alert.state) == "resolved"


async def test_a_missed_call_that_is_moved_to_another_ticket_is_told_of_that_until_it_is_called_back(
    session: AsyncSession, line: Channel
) -> None:
    await receive(session, line, a_call_step("missed", CallStep.RINGING))
    rang_for = timedelta(seconds=20)
    await receive(session, line, a_call_step("missed", CallStep.ENDED, at=NOON + rang_for))
    (alert,) = (await session.scalars(select(Alert))).all()
    (task,) = (await session.scalars(select(Task))).all()
    (ticket,) = await tickets(session)
    (thread,) = await threads(session, ticket)

    await splitting.move(session, thread, None, by=SYSTEM, at=NOON)
    await session.refresh(alert)
    await session.refresh(task)
    assert alert.ticket_id == task.ticket_id == thread.ticket_id != ticket.id
    later = NOON + timedelta(minutes=5)
    await receive(session, line, a_call_step("back", CallStep.RINGING, outgoing=True, at=later))
    await receive(session, line, a_call_step("back", CallStep.ANSWERED, outgoing=True, at=later))

    assert (alert.state, task.done_at is None) == (AlertState.RESOLVED, False)


@pytest.mark.parametrize("ended", [20, 60])
async def test_an_earlier_call_that_is_hung_up_after_the_caller_was_answered_is_not_told(
    session: AsyncSession, line: Channel, ended: int
) -> None:
    """Its end is heard of last; it may have come before the answer, or after it."""
    await a_promise(session)
    await receive(session, line, a_call_step("first", CallStep.RINGING))
    await receive(session, line, a_call_step("second", CallStep.RINGING, at=NOON + timedelta(seconds=30)))
    await receive(session, line, a_call_step("second", CallStep.ANSWERED, at=NOON + timedelta(seconds=40)))

    await receive(session, line, a_call_step("first", CallStep.ENDED, at=NOON + timedelta(seconds=ended)))

    assert (await session.scalars(select(Alert))).all() == []
    assert (await session.scalars(select(Clock.id).where(Clock.met_at.is_(None)))).all() == []


async def test_an_answer_given_in_the_pages_own_inbox_is_an_answer(
    session: AsyncSession, page: Channel
) -> None:
    await a_promise(session)
    await receive(session, page, a_messenger_message("p1"))

    await receive(session, page, a_messenger_message("p1", "We are on it", from_shop=True))

    (clock,) = (await session.scalars(select(Clock))).all()
    assert clock.met_at == NOON
    (ticket,) = await tickets(session)
    assert (await messages(session, ticket))[1].direction == Direction.OUT


async def test_receipts_move_a_message_forward_only(session: AsyncSession, page: Channel, keys: Keys) -> None:
    await receive(session, page, a_messenger_message("p1"))
    (ticket,) = await tickets(session)
    identity = (await session.scalars(select(Identity))).one()
    ben = (await an_agent(session, "Ben")).as_actor()
    answer = await send(
        session, keys, ticket, to=identity, text="We look into it", by=ben, at=NOON, last_seen_seq=10**15
    )
    answer.external_id, answer.delivery = "m_1", DeliveryState.SENT
    await session.flush()
    receipt = InboundReceipt(thread_key="p1", read=True, at=NOON, until=NOON)

    await receive(session, page, receipt)
    await receive(session, page, replace(receipt, read=False, external_ids=("m_1",)))

    await session.refresh(answer)
    assert answer.delivery == DeliveryState.READ


async def _answered(session: AsyncSession, keys: Keys, page: Channel, *texts: str) -> list[Message]:
    """A minute after each other, in the conversation that she began; and they have left."""
    await receive(session, page, a_messenger_message("p1"))
    (ticket,) = await tickets(session)
    identity = (await session.scalars(select(Identity))).one()
    ben, answers = (await an_agent(session, "Ben")).as_actor(), []
    for minute, text in enumerate(texts, start=1):
        at = NOON + minute * MINUTE
        answer = await send(
            session, keys, ticket, to=identity, text=text, by=ben, at=at, last_seen_seq=0, force=True
        )
        answer.external_id, answer.delivery = f"m_{minute}", DeliveryState.SENT
        answers.append(answer)
    await session.flush()
    return answers


async def test_what_was_delivered_up_to_a_moment_is_that_and_nothing_later(
    session: AsyncSession, page: Channel, keys: Keys
) -> None:
    first, second, third = await _answered(session, keys, page, "One", "Two", "Three")

    for minutes in (2, 1):
        receipt = InboundReceipt(thread_key="p1", read=False, at=NOON, until=NOON + minutes * MINUTE)
        await receive(session, page, receipt)

    delivered, sent = DeliveryState.DELIVERED, DeliveryState.SENT
    assert [one.delivery for one in (first, second, third)] == [delivered, delivered, sent]
    (thread,) = await threads(session, (await tickets(session))[0])
    assert thread.delivered_until == NOON + 2 * MINUTE, "a word that comes late takes nothing back"


async def test_an_answer_of_which_an_echo_tells_that_it_was_sent_keeps_its_promise_after_all(
    session: AsyncSession, page: Channel, keys: Keys
) -> None:
    await a_promise(session)
    (answer,) = await _answered(session, keys, page, "One")
    await answer.give_up(session, at=NOON + MINUTE)
    await session.flush()
    for event in (await session.scalars(select(Event))).all():
        await reckoning.mend(session, event)
    kept = select(Clock.met_at)
    assert await session.scalar(kept) is None
    echo = InboundEcho(message_id=answer.id, external_id="m_1", thread_key="p1", at=NOON + MINUTE)

    await receive(session, page, echo)

    assert (answer.delivery, await session.scalar(kept)) == (DeliveryState.SENT, NOON + MINUTE)


async def test_each_message_is_one_event_of_the_history(session: AsyncSession, mailbox: Channel) -> None:
    for _ in range(3):
        await receive(session, mailbox, a_mail(ADA))

    told = await session.scalar(select(func.count()).where(Event.kind == EventKind.MESSAGE_RECEIVED))
    items = await session.scalar(select(func.count()).select_from(Item))
    assert told == items == 3

"""Who is who when somebody wants to be somebody else, or when two people share a thing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM, Role
from domain.agents.staff import Team
from domain.arriving.inbound import CallStep, InboundLink
from domain.arriving.opening import open_thread
from domain.customers.contacts import Claim, Identity, IdentityKind, Proof
from domain.customers.people import is_anothers_session, link
from domain.desk.threads import Placement
from domain.desk.tickets import TicketStatus
from domain.errors import IdentityTaken
from domain.joining.reasons import JoinCode
from domain.keys import Keys
from domain.sla.clocks import Clock
from domain.ways_in.channels import Channel, ChannelKind
from tests.factories import (
    NOON,
    a_call_step,
    a_channel,
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
ZOFIA = "zofia@example.org"
EVE = "eve@example.net"
LATER = NOON + timedelta(days=1)


async def test_an_unproven_mail_never_leads_to_a_contact_that_somebody_has_proven_to_be(
    session: AsyncSession, mailbox: Channel, chat: Channel
) -> None:
    """Eve's shop account bears Ada's address, unverified. Ada's mail is unverified too."""
    eves = a_chat("eves", email=ADA, signed=False)
    account = Claim(IdentityKind.CUSTOMER, "eve-42", Proof.CHAT_SIGNATURE, scope="chat")
    await receive(session, chat, replace(eves, claims=(*eves.claims, account)))
    (first,) = await tickets(session)
    first.change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)

    await receive(session, mailbox, a_mail(ADA, "About my invoice", verified=False))
    await receive(session, chat, replace(eves, external_id="again", text="Show me"))

    _, adas, again = await tickets(session)
    assert adas.contact_id != again.contact_id
    assert [message.text for message in await messages(session, adas)] == ["About my invoice"]


async def test_two_signed_people_on_one_browser_are_two_contacts_with_a_conversation_each(
    session: AsyncSession, chat: Channel
) -> None:
    await receive(session, chat, a_chat("shared", "I am Ada", email=ADA))

    await receive(session, chat, a_chat("shared", "I am Zofia", email=ZOFIA))
    await receive(session, chat, a_chat("shared", "Zofia again", email=ZOFIA))
    await receive(session, chat, a_chat("shared", "Ada is back", email=ADA))

    adas, zofias = await tickets(session)
    assert adas.contact_id != zofias.contact_id
    assert [message.text for message in await messages(session, adas)] == ["I am Ada", "Ada is back"]
    assert [message.text for message in await messages(session, zofias)] == ["I am Zofia", "Zofia again"]


async def test_who_types_their_address_in_the_chat_and_then_signs_in_with_it_is_one_customer(
    session: AsyncSession, chat: Channel
) -> None:
    await receive(session, chat, a_chat("s1", "Hello", email=ADA, signed=False))

    await receive(session, chat, a_chat("s1", "It is me", email=ADA))

    (ticket,) = await tickets(session)
    assert [message.text for message in await messages(session, ticket)] == ["Hello", "It is me"]
    assert len(await contacts(session)) == 1


async def test_a_session_that_another_signed_in_with_is_not_handed_on(
    session: AsyncSession, chat: Channel
) -> None:
    said = a_chat("shared", email=ADA)
    handle, ada = said.claims
    zofia = replace(ada, value=ZOFIA)

    assert not await is_anothers_session(session, handle, [zofia])
    await receive(session, chat, said)

    assert not await is_anothers_session(session, handle, [ada])
    assert await is_anothers_session(session, handle, [zofia])


async def test_an_agent_cannot_take_over_a_customer_whose_tickets_they_may_not_see(
    session: AsyncSession, mailbox: Channel
) -> None:
    team = Team(name="Confidential")
    session.add(team)
    await session.flush()
    await receive(session, mailbox, a_mail(ADA, "Confidential", verified=False))
    (secret,) = await tickets(session)
    secret.team_id = team.id
    await receive(session, mailbox, a_mail(ZOFIA))
    zofia = next(contact for contact in await contacts(session) if contact.id != secret.contact_id)
    claim = Claim(IdentityKind.EMAIL, ADA, None, label=ADA)
    ben, mia = await an_agent(session, "Ben"), await an_agent(session, "Mia", Role.MANAGER)

    with pytest.raises(IdentityTaken):
        await link(session, zofia, claim, by=ben.as_actor(), at=NOON)
    assert len(await contacts(session)) == 2

    await link(session, zofia, claim, by=mia.as_actor(), at=NOON)
    assert len(await contacts(session)) == 1


async def test_a_link_forwarded_to_somebody_who_talks_to_us_already_proves_nothing(
    session: AsyncSession, mailbox: Channel, page: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (ada,) = await contacts(session)
    said = a_messenger_message("zofia", "My own matter")
    await receive(session, page, said)

    await receive(session, page, InboundLink(claims=said.claims, linked_contact=ada.id, at=LATER))

    adas, zofias = await tickets(session)
    assert adas.contact_id != zofias.contact_id


async def test_a_link_works_for_one_person(session: AsyncSession, mailbox: Channel, page: Channel) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (ada,) = await contacts(session)

    await receive(session, page, a_messenger_message("p1", linked_contact=ada.id))
    await receive(session, page, a_messenger_message("p2", linked_contact=ada.id))

    adas, strangers = await tickets(session)
    assert [thread.joined_code for thread in await threads(session, adas)][-1] == JoinCode.MESSENGER_LINK
    assert strangers.contact_id != ada.id


async def test_a_link_works_on_each_page_of_the_shop(
    session: AsyncSession, mailbox: Channel, page: Channel, keys: Keys
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (ada,) = await contacts(session)
    other = await a_channel(session, keys, ChannelKind.MESSENGER, slug="outlet", page_id="9002")
    said = a_messenger_message("p2", linked_contact=ada.id)
    there = replace(said, claims=(replace(said.claims[0], scope="9002"),))

    await receive(session, page, a_messenger_message("p1", linked_contact=ada.id))
    await receive(session, other, there)

    assert [one.id for one in await contacts(session)] == [ada.id]


async def test_a_link_works_though_an_agent_has_said_of_another_account_that_it_is_theirs(
    session: AsyncSession, mailbox: Channel, page: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA))
    (ada,) = await contacts(session)
    ben, said = (await an_agent(session, "Ben")).as_actor(), a_messenger_message("p1")
    await receive(session, page, said)
    await link(session, ada, said.claims[0], by=ben, at=NOON)

    await receive(session, page, a_messenger_message("p2", linked_contact=ada.id))

    assert [one.id for one in await contacts(session)] == [ada.id]


@pytest.mark.parametrize("verified", [True, False])
async def test_a_number_that_comes_to_belong_to_two_keeps_being_heard_and_makes_one_contact_of_its_calls(
    session: AsyncSession, mailbox: Channel, line: Channel, verified: bool
) -> None:
    ben = (await an_agent(session, "Ben")).as_actor()
    number = Claim(IdentityKind.PHONE, "+48600100200", None)
    for address in (ADA, ZOFIA):
        await receive(session, mailbox, a_mail(address, verified=verified))
    ada, zofia = await contacts(session)
    await link(session, ada, number, by=ben, at=NOON)
    await receive(session, line, a_call_step("c1", CallStep.RINGING))
    zofias = Identity(
        contact_id=zofia.id, kind=number.kind, value=number.value, label=number.value, created_at=NOON
    )
    session.add(zofias)
    await session.flush()

    for call_id in ("c2", "c3", "c4"):
        await receive(session, line, a_call_step(call_id, CallStep.RINGING, at=LATER))

    assert len(await contacts(session)) == 3


async def test_a_forged_mail_does_not_draw_the_customers_own_words_to_its_ticket(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA, "Send it to my new address", verified=False))

    await receive(session, mailbox, a_mail(ADA, "Where is my parcel?"))

    forged, own = await tickets(session)
    assert [message.text for message in await messages(session, own)] == ["Where is my parcel?"]
    assert len(await messages(session, forged)) == 1


async def test_another_mail_under_a_message_id_that_is_known_is_another_mail(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail(ADA, "First", external_id="one@example.org"))

    for _ in range(2):
        await receive(session, mailbox, a_mail(EVE, "Not the first", external_id="one@example.org"))

    adas, eves = await tickets(session)
    assert len(await messages(session, adas)) == len(await messages(session, eves)) == 1


async def test_an_answer_from_the_address_we_wrote_to_is_its_contacts_own(
    session: AsyncSession, mailbox: Channel, chat: Channel
) -> None:
    """Ada claimed her address in the chat, and answers the mail that an agent sent to it."""
    await receive(session, chat, a_chat("s1", email=ADA, signed=False))
    (ticket,) = await tickets(session)
    address = await session.scalar(select(Identity).where(Identity.kind == IdentityKind.EMAIL))
    assert address is not None
    thread = open_thread(
        session,
        ticket,
        Placement(ticket.id, JoinCode.AGENT_OPENED),
        channel_id=mailbox.id,
        key=None,
        identity=address,
        subject="",
        by=SYSTEM,
        at=NOON,
    )
    await session.flush()
    await session.refresh(thread)

    await receive(session, mailbox, a_mail(ADA, "Thanks", verified=False, thread_number=thread.number))

    assert len(await contacts(session)) == 1
    assert address.verified_by == Proof.REPLY_ADDRESS


async def test_a_conversation_that_moves_to_a_new_ticket_takes_its_promise_along(
    session: AsyncSession, mailbox: Channel, chat: Channel, page: Channel
) -> None:
    """An anonymous chat and its visitor's mail are one ticket; the session turns out to be somebody else's."""
    await a_promise(session, 3600)
    await receive(session, page, a_messenger_message("p1", "Hello"))
    (first,) = await tickets(session)
    ben = (await an_agent(session, "Ben")).as_actor()
    (stranger,) = await contacts(session)
    await link(session, stranger, Claim(IdentityKind.EMAIL, ZOFIA, None), by=ben, at=NOON)
    await receive(session, mailbox, a_mail(ZOFIA, "Me too", at=NOON))
    await receive(session, mailbox, a_mail(ADA, at=NOON))
    await receive(session, mailbox, a_mail(ADA, subject="Other", at=NOON, external_id="other@example.org"))
    ada = next(contact for contact in await contacts(session) if contact.id != stranger.id)
    (adas,) = [ticket for ticket in await tickets(session) if ticket.contact_id == ada.id]
    adas.change(by=SYSTEM, at=NOON, status=TicketStatus.CLOSED)
    said = a_messenger_message("p1")

    await link(session, ada, replace(said.claims[0], proof=None), by=ben, at=LATER)

    moved = next(
        ticket
        for ticket in await tickets(session)
        if ticket.contact_id == ada.id and ticket.status != TicketStatus.CLOSED
    )
    assert moved.id != first.id
    clock = await session.scalar(select(Clock).where(Clock.ticket_id == moved.id))
    assert clock is not None
    assert clock.started_at == NOON

"""Which mail goes on with which: raw mails through the door, by the order of proof."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select

from domain.actors import SYSTEM
from domain.agents.staff import Agent
from domain.arriving import intake, participants
from domain.arriving.inbound import Arrival, ArrivalState
from domain.customers.contacts import Claim, Contact, Identity, IdentityKind
from domain.customers.people import link
from domain.db import database_time, new_id
from domain.desk.messages import Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.joining import splitting
from domain.joining.matters import is_called_otherwise
from domain.joining.merging import merge_tickets
from domain.joining.reasons import SuggestionCode
from domain.joining.subjects import answering, beginning, passing_on, plain, tags_in
from domain.joining.suggestions import Suggestion
from domain.ways_in.channels import Channel
from tests.factories import a_mail
from tests.integrations.mailing import ADA, EVE, HELP, SALES, ZOFIA, Mailing, written


async def suggested(mailing: Mailing, ticket: Ticket) -> list[tuple[SuggestionCode, int]]:
    """Why, and the number of which other ticket."""
    async with mailing.house.db.transaction() as session:
        found = await session.execute(
            select(Suggestion.code, Ticket.number)
            .join(Ticket, Ticket.id == Suggestion.other_id)
            .where(Suggestion.ticket_id == ticket.id)
            .order_by(Suggestion.score.desc())
        )
        return [(code, number) for code, number in found]


@pytest.mark.parametrize(
    "subject",
    [
        "Broken mug",
        "Re: Broken mug",
        "RE: AW: Broken mug",
        "Odp: VS: [#12] Broken mug",
        "SV: Re[2]: Re: [#12] Broken mug",
        "RV: Fwd: Re(3): Broken mug",
        "[#7] Re: [#12] Broken mug",
        "Antw: R: Broken  mug [#12]",
        "回复： Broken mug",
        "Rif: I: Továbbítás: Broken mug",
    ],
)
def test_an_answers_subject_has_one_re_and_one_number_however_often_it_went_to_and_fro(subject: str) -> None:
    assert answering(subject, 12) == answering(answering(subject, 12), 12) == "Re: [#12] Broken mug"
    assert beginning(subject, 12) == "[#12] Broken mug"
    assert not is_called_otherwise(subject, "Broken mug")


def test_a_subject_names_its_tickets_and_is_another_by_its_own_words_only() -> None:
    assert tags_in("Re: [#12] mug, as in [#7], [#7] and #9 [list]") == (12, 7)
    assert plain("Reklamacja: mug") == "Reklamacja: mug"
    assert is_called_otherwise("Invoice", "Broken mug", "")
    assert not is_called_otherwise("Re:", "Broken mug")
    assert not is_called_otherwise("Invoice", "", "")


def test_what_passes_on_says_so_once_by_whichever_programs_word() -> None:
    assert passing_on("Broken mug") == "Fwd: Broken mug"
    assert passing_on("Re: Broken mug") == "Fwd: Re: Broken mug"
    assert [passing_on(f"{mark}: mug") for mark in ("Fwd", "FW", "WG", "RV")] == [
        "Fwd: mug",
        "FW: mug",
        "WG: mug",
        "RV: mug",
    ]


async def test_our_answer_carries_the_tickets_number(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.", subject="Odp: Broken mug")
    (ticket,) = await mailing.tickets()

    answer = await mailing.answered(ticket)

    assert (answer.mail or {})["subject"] == f"Re: [#{ticket.number}] Broken mug"


async def test_an_answer_to_the_signed_address_joins_whatever_else_it_says(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    address = await mailing.signed(ticket)

    await mailing.comes(ADA, "And the plate?", address, subject="Something else", verified=False)

    assert await mailing.said(ticket) == [("Ada", "It came broken."), ("Ada", "And the plate?")]


async def test_a_signed_address_counts_wherever_the_mail_names_it(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()

    await mailing.comes(ADA, "By the other box.", SALES, To=await mailing.signed(ticket), verified=False)

    assert await mailing.said(ticket) == [("Ada", "It came broken."), ("Ada", "By the other box.")]


async def test_a_token_with_one_bit_changed_proves_nothing(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    address = await mailing.signed(ticket)
    place = address.index("@") - 3
    forged = address[:place] + ("a" if address[place] != "a" else "b") + address[place + 1 :]

    await mailing.comes(EVE, "Send it to me.", HELP, To=forged)

    adas, eves = await mailing.tickets()
    assert await mailing.said(adas) == [("Ada", "It came broken.")]
    assert await mailing.said(eves) == [("Eve", "Send it to me.")]


async def test_an_answer_to_our_message_id_joins_for_who_takes_part(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket)

    await mailing.comes(ADA, "Thank you.", In_Reply_To=f"<{answer.external_id}>")

    assert len(await mailing.said(ticket)) == 2


async def test_an_outlook_reply_with_a_foreign_in_reply_to_is_found_by_its_references(
    mailing: Mailing,
) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket)

    await mailing.comes(
        ADA, "As I said.", verified=False, subject="RE: x", In_Reply_To="<crm-1@outlook.example>",
        References=f"<old@elsewhere.example> <{answer.external_id}> <crm-1@outlook.example>",
    )  # fmt: skip

    assert len(await mailing.said(ticket)) == 2


async def test_of_two_conversations_in_its_references_the_nearest_counts(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.", id="one")
    await mailing.comes(ADA, "Invoice for order 71304, please.", subject="Invoice", id="two")
    mug, invoice = await mailing.tickets()

    await mailing.comes(ADA, "And?", References="<one@mail.example> <two@mail.example> <x@elsewhere.example>")

    assert [len(await mailing.said(ticket)) for ticket in (mug, invoice)] == [1, 2]


async def test_a_stranger_with_the_right_message_id_gets_a_ticket_of_their_own_linked(
    mailing: Mailing,
) -> None:
    await mailing.comes(ADA, "It came broken.")
    (adas,) = await mailing.tickets()
    answer = await mailing.answered(adas)

    await mailing.comes(EVE, "Send it to me.", In_Reply_To=f"<{answer.external_id}>")
    await mailing.comes(EVE, "Here is my proof.", In_Reply_To=f"<{answer.external_id}>")

    _, eves = await mailing.tickets()
    assert await mailing.said(adas) == [("Ada", "It came broken.")]
    assert (SuggestionCode.ANSWERS_ITS_MAIL, adas.number) in await suggested(mailing, eves)


async def test_a_stranger_with_the_right_ticket_number_gets_one_too_and_it_is_marked(
    mailing: Mailing,
) -> None:
    await mailing.comes(ADA, "It came broken.")
    (adas,) = await mailing.tickets()

    await mailing.comes(EVE, "Send it to me.", subject=f"Re: [#{adas.number}] Broken mug")
    await mailing.comes(EVE, "Here is my proof.", subject=f"Re: [#{adas.number}] Broken mug")

    _, eves = await mailing.tickets()
    assert await mailing.said(adas) == [("Ada", "It came broken.")]
    assert await suggested(mailing, eves) == [(SuggestionCode.NAMES_ITS_NUMBER, adas.number)]


async def test_the_right_number_joins_for_who_is_proven_to_take_part(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    await mailing.comes(ADA, "Another matter: the invoice of order 71304.", subject="Invoice")
    mug, invoice = await mailing.tickets()

    await mailing.comes(ADA, "Order 71304 again.", subject=f"[#{mug.number}]")

    assert [len(await mailing.said(ticket)) for ticket in (mug, invoice)] == [2, 1]


async def test_a_forged_sender_with_the_right_number_joins_nothing(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (adas,) = await mailing.tickets()

    await mailing.comes(ADA, "Send it to Eve.", subject=f"Re: [#{adas.number}] Broken mug", verified=False)

    assert await mailing.said(adas) == [("Ada", "It came broken.")]
    _, forged = await mailing.tickets()
    assert forged.contact_id != adas.contact_id


async def test_the_number_of_a_merged_ticket_and_answers_to_its_mails_reach_the_survivor(
    mailing: Mailing,
) -> None:
    await mailing.comes(ADA, "It came broken.", id="first")
    await mailing.comes(ADA, "Another matter: the invoice of order 71304.", subject="Invoice")
    mug, invoice = await mailing.tickets()
    ben = (await mailing.agent("Ben")).as_actor()
    async with mailing.house.db.transaction() as session:
        held = [await session.get_one(Ticket, ticket.id) for ticket in (invoice, mug)]
        await merge_tickets(session, held[0], held[1:], by=ben, at=await database_time(session))

    await mailing.comes(ADA, "One.", subject=f"[#{mug.number}]")
    await mailing.comes(ADA, "Two.", In_Reply_To="<first@mail.example>")

    (survivor,) = await mailing.tickets()
    assert survivor.id == invoice.id
    assert [text for _, text in await mailing.said(survivor)][2:] == ["One.", "Two."]


async def test_a_reply_from_another_proven_address_of_the_same_contact_joins(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.", id="first")
    (ticket,) = await mailing.tickets()
    await mailing.comes(ADA, "Another matter: the invoice of order 71304.", subject="Invoice")
    ben = (await mailing.agent("Ben")).as_actor()
    async with mailing.house.db.transaction() as session:
        contact = await session.get_one(Contact, ticket.contact_id)
        claim = Claim(IdentityKind.EMAIL, "ada@work.example", None)
        await link(session, contact, claim, by=ben, at=await database_time(session))

    await mailing.comes(
        "Ada <ada@work.example>", "From work.", subject="Re: Invoice", In_Reply_To="<first@mail.example>"
    )
    await mailing.comes("Ada <ada@work.example>", "By number.", subject=f"[#{ticket.number}] Broken mug")
    await mailing.comes(
        "Ada <ada@work.example>", "Forged.", In_Reply_To="<first@mail.example>", verified=False
    )

    joined, _, forged = await mailing.tickets()
    assert [text for _, text in await mailing.said(joined)] == ["It came broken.", "From work.", "By number."]
    assert [one.sender_verified for one in await mailing.received(joined)] == [True, True, True]
    assert (SuggestionCode.ANSWERS_ITS_MAIL, joined.number) in await suggested(mailing, forged)


async def test_the_ccd_person_who_answers_first_is_not_the_customer_until_an_agent_says_so(
    mailing: Mailing,
) -> None:
    await mailing.comes(ADA, "It came broken.", id="first", Cc=f"{ZOFIA}, {SALES}, agent@shop.example")
    (adas,) = await mailing.tickets()
    await mailing.comes(ZOFIA, "I saw it too.", subject="RE: Broken mug", In_Reply_To="<first@mail.example>")
    _, zofias = await mailing.tickets()
    assert (SuggestionCode.ANSWERS_ITS_MAIL, adas.number) in await suggested(mailing, zofias)
    await mailing.solved(adas, ago=timedelta(hours=1))

    thread = await mailing.thread(adas)
    async with mailing.house.db.transaction() as session:
        noted = (await session.scalars(select(participants.Participant.address))).all()
        assert sorted(noted) == ["agent@shop.example", "zofia@example.com"]
        ben = (await mailing.agent("Ben")).as_actor()
        thread = await session.get_one(Thread, thread.id)
        await participants.accept(
            session, thread, "Zofia@example.com", by=ben, at=await database_time(session)
        )
    await mailing.comes(
        ZOFIA, "Here is a photo.", subject="RE: Broken mug", In_Reply_To="<first@mail.example>"
    )

    said = await mailing.received(adas)
    assert [(one.author, one.sender_verified) for one in said] == [("Ada", True), ("Zofia", False)]
    async with mailing.house.db.transaction() as session:
        assert (await session.get_one(Ticket, adas.id)).status == TicketStatus.OPEN
        kept = await session.scalars(select(Identity.value).where(Identity.contact_id == adas.contact_id))
        assert kept.all() == ["ada@example.org"]


@pytest.mark.parametrize("field", ["cc", "bcc"])
async def test_who_got_a_copy_of_our_answer_does_not_prove_to_be_the_customer(
    mailing: Mailing, field: str
) -> None:
    """They have the signed address too, and may write anything into From."""
    await mailing.comes(ADA, "It came broken.", verified=False)
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket)
    async with mailing.house.db.transaction() as session:
        sent = await session.get_one(Message, answer.id)
        sent.mail = {**(sent.mail or {}), field: [["", "eve@example.net"]]}

    await mailing.comes(ADA, "Send it to my new address.", await mailing.signed(ticket), verified=False)

    assert [one.sender_verified for one in await mailing.received(ticket)] == [False, False]
    async with mailing.house.db.transaction() as session:
        (ada,) = await session.scalars(select(Identity))
    assert ada.verified_at is None


async def test_a_copy_is_remembered_though_the_conversation_was_split_since(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.", verified=False)
    (ticket,) = await mailing.tickets()
    signed = await mailing.signed(ticket)
    answer = await mailing.answered(ticket)
    async with mailing.house.db.transaction() as session:
        sent = await session.get_one(Message, answer.id)
        sent.mail = {**(sent.mail or {}), "cc": [["", "eve@example.net"]]}
        thread = await session.get_one(Thread, sent.thread_id)
        await splitting.move(session, thread, None, by=SYSTEM, at=await database_time(session), after=sent)

    await mailing.comes(ADA, "Send it to my new address.", signed, verified=False)

    async with mailing.house.db.transaction() as session:
        (ada,) = await session.scalars(select(Identity))
    assert ada.verified_at is None


async def test_forms_that_a_service_sends_are_a_ticket_each(mailing: Mailing) -> None:
    """Always from one address, which is proven, and under one subject."""
    for name in ("Ada", "Jordi"):
        await mailing.comes(
            "Forms <noreply@forms.example>", f"Name: {name}\nMy mug broke.", subject="New submission"
        )

    assert len(await mailing.tickets()) == 2


async def test_somebody_else_at_the_signed_address_is_shown_and_noted_not_accepted(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()

    await mailing.comes(ZOFIA, "I answer for her.", await mailing.signed(ticket))

    assert [(one.author, one.sender_verified) for one in await mailing.received(ticket)] == [
        ("Ada", True),
        ("Zofia", False),
    ]
    async with mailing.house.db.transaction() as session:
        (zofia,) = await session.scalars(select(participants.Participant))
    assert (zofia.address, zofia.name, zofia.accepted_at) == ("zofia@example.com", "Zofia", None)


async def test_what_somebody_else_wrote_is_quoted_to_the_customer_only_once_they_are_accepted(
    mailing: Mailing,
) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    await mailing.comes(EVE, "Between us: she broke it herself.", await mailing.signed(ticket))
    adas, eves = await mailing.received(ticket)

    before = await mailing.answered(ticket)
    thread = await mailing.thread(ticket)
    async with mailing.house.db.transaction() as session:
        ben, now = (await mailing.agent("Ben")).as_actor(), await database_time(session)
        thread = await session.get_one(Thread, thread.id)
        await participants.accept(session, thread, "eve@example.net", by=ben, at=now)
    after = await mailing.answered(ticket)

    assert [(one.mail or {})["quotes"] for one in (before, after)] == [str(adas.id), str(eves.id)]
    assert (before.mail or {})["references"] == [adas.external_id]


async def test_of_a_mail_to_thousands_twenty_are_noted(mailing: Mailing) -> None:
    many = ", ".join(f"p{number}@example.com" for number in range(500))

    await mailing.comes(ADA, "Join us.", Cc=many)
    await mailing.comes(ADA, "Join us again.", subject="Broken mug", Cc=many.replace("p", "q"))

    async with mailing.house.db.transaction() as session:
        counts = [
            len((await session.scalars(select(participants.Participant.id).where(
                participants.Participant.thread_id == thread
            ))).all())
            for thread in await session.scalars(select(Thread.id))
        ]  # fmt: skip
    assert counts == [20, 20]


async def test_an_agents_address_or_a_mailboxs_in_from_is_neither_the_agent_nor_proof(
    mailing: Mailing,
) -> None:
    await mailing.agent("Ben")
    await mailing.comes(ADA, "It came broken.", id="first")
    (adas,) = await mailing.tickets()
    answer = await mailing.answered(adas)

    for sender in ("Ben <ben@shop.example>", f"Help <{SALES}>"):
        await mailing.comes(sender, "We pay it all back.", In_Reply_To=f"<{answer.external_id}>")

    assert len(await mailing.said(adas)) == 1
    for forged in (await mailing.tickets())[1:]:
        (message,) = await mailing.received(forged)
        assert (message.agent_id, message.sender_verified) == (None, False)
        assert (message.mail or {})["from_ourselves"] is True


@pytest.mark.parametrize("name", ["zofia@example.com", "Zofia (zofia@example.com)", "zofia＠example.com"])
async def test_who_is_called_by_somebody_elses_address_is_shown_by_their_own(
    mailing: Mailing, name: str
) -> None:
    """The mail proves whose it is; the name beside the mark would say that it was Zofia's."""
    await mailing.comes(f'"{name}" <eve@example.net>', "Send my parcel elsewhere.")
    await mailing.comes('"Mugs @ Home" <ada@example.org>', "Hello?")

    eves, adas = await mailing.tickets()
    assert await mailing.said(eves) == [("eve@example.net", "Send my parcel elsewhere.")]
    assert await mailing.said(adas) == [("Mugs @ Home", "Hello?")]
    async with mailing.house.db.transaction() as session:
        assert (await session.get_one(Contact, eves.contact_id)).name == ""


@pytest.mark.parametrize("domain", ["bücher.example", "BÜCHER.example", "XN--BCHER-KVA.example"])
async def test_an_agents_address_is_known_as_ours_however_its_domain_name_is_written(
    mailing: Mailing, domain: str
) -> None:
    ben = await mailing.agent("Ben")
    async with mailing.house.db.transaction() as session:
        (await session.get_one(Agent, ben.id)).email = "Ben@Bücher.example"

    raw = written("Ben <ben@books.example>", "We pay it all back.")
    await mailing.brought(raw.replace(b"books.example", domain.encode()))

    (forged,) = await mailing.tickets()
    (message,) = await mailing.received(forged)
    assert (message.agent_id, message.sender_verified) == (None, False)
    assert (message.mail or {})["from_ourselves"] is True


async def test_newsletter_replies_of_many_people_are_a_ticket_each(mailing: Mailing) -> None:
    for name in ("ada", "zofia", "eve"):
        await mailing.comes(
            f"{name.title()} <{name}@example.org>", f"{name} wants the mug.", subject="Re: Our spring sale",
            In_Reply_To="<campaign@newsletter.example>", References="<campaign@newsletter.example>",
        )  # fmt: skip

    assert [len(await mailing.said(ticket)) for ticket in await mailing.tickets()] == [1, 1, 1]


async def test_one_mail_to_two_of_our_boxes_is_one_message_that_names_the_other(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.", HELP, SALES, id="first", To=f"{HELP}, {SALES}")

    placed, settled = await mailing.opened()
    assert (placed.state, settled.state) == (ArrivalState.PLACED, ArrivalState.IGNORED)
    assert settled.last_error == f"the same mail came to {HELP}"
    (ticket,) = await mailing.tickets()
    (message,) = await mailing.received(ticket)
    assert (message.mail or {})["also"] == [SALES]

    await mailing.comes(ADA, "Answering the first box.", HELP, In_Reply_To="<first@mail.example>")
    await mailing.comes(ADA, "Answering the second.", SALES, In_Reply_To="<first@mail.example>")
    assert len(await mailing.said(ticket)) == 3


async def test_two_workers_with_one_mail_of_two_boxes_write_it_once(mailing: Mailing) -> None:
    said = a_mail("ada@example.org", external_id="first@mail.example")

    async def receives(slug: str, holding: asyncio.Event, go_on: asyncio.Event) -> object:
        async with mailing.house.db.transaction() as session:
            channel = (await session.scalars(select(Channel).where(Channel.slug == slug))).one()
            arrival = Arrival(
                id=new_id(), channel_id=channel.id, external_id="1", raw=b"", envelope={}, received_at=said.at,
                state=ArrivalState.WAITING,
            )  # fmt: skip
            session.add(arrival)
            await session.flush()
            reason = await intake.receive(session, channel, arrival, said)
            holding.set()
            await go_on.wait()
            return reason

    first_holds, go_on, never = asyncio.Event(), asyncio.Event(), asyncio.Event()
    never.set()
    first = asyncio.create_task(receives("email", first_holds, go_on))
    await first_holds.wait()
    second = asyncio.create_task(receives("sales", asyncio.Event(), never))
    await asyncio.sleep(0.3)
    assert not second.done()
    go_on.set()

    assert await first is None
    assert await second == f"the same mail came to {HELP}"
    (ticket,) = await mailing.tickets()
    assert len(await mailing.said(ticket)) == 1


async def test_another_mail_under_a_known_message_id_is_another_mail_in_either_box(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.", HELP, id="first")
    await mailing.comes(EVE, "Buy my watches.", SALES, id="first", subject="Watches")

    assert len(await mailing.tickets()) == 2


async def test_our_own_mail_that_comes_back_by_another_box_is_not_a_customers(mailing: Mailing) -> None:
    await mailing.comes(ADA, "It came broken.")
    (ticket,) = await mailing.tickets()
    answer = await mailing.answered(ticket)
    ours = written_by_us(str(answer.external_id))

    await mailing.brought(ours, SALES)

    assert (await mailing.opened())[-1].last_error == "a mail of our own"
    assert len(await mailing.tickets()) == 1


def written_by_us(message_id: str) -> bytes:
    return f"From: {HELP}\r\nTo: {SALES}\r\nMessage-ID: <{message_id}>\r\nSubject: x\r\n\r\nWe look into it.\r\n".encode()


@pytest.mark.parametrize(
    ("days", "subject", "same"),
    [
        (1, "Invoice for last year", True),
        (5, "Re: Broken mug", True),
        (5, "AW: RE: [#1] broken  MUG", True),
        (5, "", True),
        (5, "Invoice for last year", False),
        (40, "Re: Broken mug", False),
    ],
)
async def test_a_changed_subject_on_a_ticket_solved_days_ago_is_a_new_matter_linked(
    mailing: Mailing, days: int, subject: str, same: bool
) -> None:
    await mailing.comes(ADA, "It came broken, order 71304.", id="first")
    (old,) = await mailing.tickets()
    await mailing.solved(old, ago=timedelta(days=days))

    await mailing.comes(
        ADA, "Order 71304, by the way.", await mailing.signed(old), subject=subject,
        In_Reply_To="<first@mail.example>",
    )  # fmt: skip

    found = await mailing.tickets()
    assert (len(found) == 1) is same
    async with mailing.house.db.transaction() as session:
        status = (await session.get_one(Ticket, old.id)).status
    assert status == (TicketStatus.OPEN if same else TicketStatus.SOLVED)
    if not same:
        assert (await suggested(mailing, found[1]))[0] == (SuggestionCode.FOLLOWS_UP, old.number)
        assert found[1].contact_id == old.contact_id


@pytest.mark.parametrize("box", [HELP, SALES])
async def test_who_sends_somebodys_words_first_keeps_them_from_nobody(mailing: Mailing, box: str) -> None:
    """Eve, to whom Ada sent a copy, is quicker than Ada's own mail."""
    await mailing.comes("Ada <eve@example.net>", "It came broken.", box, id="first")
    await mailing.comes(ADA, "It came broken.", HELP, id="first")

    _, hers = await mailing.tickets()
    (message,) = await mailing.received(hers)
    assert message.sender_verified
    await mailing.comes(ADA, "It came broken.", HELP, id="first", X_Way="another")
    assert len(await mailing.tickets()) == 2

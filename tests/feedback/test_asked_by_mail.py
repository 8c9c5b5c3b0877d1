"""From Ada's mail to her answer, by the real ways: SMTP in, SMTP out, the link by HTTP."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from demo.farends import SmtpSink
from domain.actors import SYSTEM
from domain.customers.contacts import Identity
from domain.desk.messages import Direction, Message
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.feedback.requests import AnsweredBy, SurveyRequest, Unasked
from domain.sla.clocks import Clock
from integrations.courier import Courier
from integrations.settings import IntegrationSettings
from tests.client import Client
from tests.factories import a_promise
from tests.feedback.afterwards import Afterwards, link_in
from tests.integrations.mailing import ADA, ZOFIA, Mailing


async def test_ada_answers_by_the_link_in_the_mail_and_her_reply_joins_the_ticket(
    mailing: Mailing, anybody: Client
) -> None:
    house = mailing.house
    async with house.db.transaction() as session:
        await a_promise(session)
    after = await Afterwards.at(house)
    await mailing.comes(ADA, "It arrived broken.")
    (ticket,) = await mailing.tickets()
    await after.answers(ticket)

    await after.solves(ticket)
    assert await after.asks() != []
    async with SmtpSink() as sink:
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        await after.carried(Courier(house.db, house.keys, house.files, settings, base_url=house.base_url))
        _, survey = await sink.next_mail(), await sink.next_mail()
    plain = survey.message.get_body(("plain",))
    assert plain
    said = plain.get_content()
    path = link_in(said)
    shown = await anybody.http.get(f"{path}?score=4")
    taken = await anybody.http.post(path, data={"score": "4", "words": "Quick & kind <3"})

    assert survey.recipients == ["ada@example.org"]
    assert survey.envelope_from == "<>"
    assert survey.message["Auto-Submitted"] == "auto-replied"
    assert said.count(path) == 6  # five answers, and to be asked no more
    assert 'value="4" aria-label="4 – satisfied" required checked' in shown.text
    assert (taken.status_code, taken.headers["location"]) == (303, path)
    (request,) = await after.requests()
    assert (request.score, request.words, request.answered_by) == (4, "Quick & kind <3", AnsweredBy.LINK)
    async with house.db.transaction() as session:
        given = (await session.scalars(select(Event).where(Event.kind == EventKind.FEEDBACK_GIVEN))).one()
        message = await session.get_one(Message, request.item_id)
        clocks = [clock.met_at for clock in await session.scalars(select(Clock))]
    assert given.data["score"] == 4
    assert "Quick" not in str(given.data)
    assert path not in message.text
    assert message.automatic
    assert len(clocks) == 1  # the answer kept it; what asks began none

    await mailing.comes(
        ADA, "Thank you again!", survey.message["Reply-To"].addresses[0].addr_spec, subject="Re: how"
    )
    (joined,) = await mailing.tickets()
    assert (joined.id, joined.status) == (ticket.id, TicketStatus.OPEN)


async def test_only_a_proven_address_or_one_that_has_answered_us_is_asked(mailing: Mailing) -> None:
    after = await Afterwards.at(mailing.house)
    await mailing.comes(ADA, "From a forger?", verified=False)
    await mailing.comes(ZOFIA, "From Zofia, who wrote twice", verified=False)
    adas, zofias = await mailing.tickets()
    for ticket in (adas, zofias):
        await after.answers(ticket)
    await mailing.comes(ZOFIA, "Thanks", await mailing.signed(zofias), verified=False)

    for ticket in (adas, zofias):
        await after.solves(ticket)

    first, second = await after.asks()
    assert (first.unasked, first.item_id) == (Unasked.NO_WAY, None)
    assert second.asked_at


@pytest.mark.parametrize("spoils", ["reopened", "bounced", "spam", "a machine solved it", "nobody answered"])
async def test_nobody_is_asked_where_it_would_be_out_of_place(mailing: Mailing, spoils: str) -> None:
    after = await Afterwards.at(mailing.house)
    await mailing.comes(ADA, "It arrived broken.")
    (ticket,) = await mailing.tickets()
    if spoils != "nobody answered":
        await after.answers(ticket)
    await after.solves(ticket, by=SYSTEM if spoils == "a machine solved it" else None)
    async with mailing.house.db.transaction() as session:
        if spoils == "bounced":
            await session.execute(update(Identity).values(bounced_at=ticket.created_at))
        if spoils == "spam":
            (await session.get_one(Ticket, ticket.id)).set_spam(True, by=after.ben, at=ticket.created_at)
    if spoils == "reopened":
        await mailing.comes(ADA, "It is still broken.", await mailing.signed(ticket))
        await after.hears()

    requests = await after.asks()

    async with mailing.house.db.transaction() as session:
        ours = select(Message).where(Message.direction == Direction.OUT, Message.automatic.is_(True))
        assert list(await session.scalars(ours)) == []
    assert [one.unasked for one in requests] == {
        "reopened": [Unasked.REOPENED],
        "bounced": [Unasked.NO_WAY],
        "spam": [Unasked.SPAM],
        "a machine solved it": [],
        "nobody answered": [Unasked.NOBODY_TALKED],
    }[spoils]


async def test_ada_is_asked_once_in_thirty_days_whatever_was_solved(mailing: Mailing) -> None:
    after = await Afterwards.at(mailing.house)
    await mailing.comes(ADA, "It arrived broken.", subject="Mug 111-222")
    await mailing.comes(ADA, "Quite another matter: my invoice.", subject="Invoice of order 333-444")
    for ticket in await mailing.tickets():
        await after.answers(ticket)
        await after.solves(ticket)

    found = await after.asks()
    async with mailing.house.db.transaction() as session:
        await session.execute(
            update(SurveyRequest)
            .where(SurveyRequest.asked_at.is_not(None))
            .values(asked_at=SurveyRequest.asked_at - timedelta(days=31))
        )
    for ticket in await mailing.tickets():
        await after.becomes(ticket, TicketStatus.OPEN)
        await after.solves(ticket)
    again = (await after.asks())[len(found) :]

    assert [one.unasked for one in found] == [None, Unasked.ASKED_LATELY]
    assert sorted(str(one.unasked) for one in again) == sorted(["None", Unasked.ASKED_LATELY])

"""Where an answer is seen, who is told, which tickets it finds, and what the figures say."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from api.house import House
from domain.actors import SYSTEM
from domain.agents.sign_in import actor_by_id
from domain.agents.staff import Team
from domain.alerting.devices import Transport
from domain.alerting.notices import Delivery, Notice, NoticeKind
from domain.customers.contacts import Contact
from domain.db import database_time, new_id
from domain.desk.survivors import locked
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind
from domain.feedback.conditions import rated
from domain.feedback.requests import Unasked
from domain.feedback.scales import SurveyKind
from domain.feedback.wording import UNASKED
from domain.ids import public_id, row_id
from domain.joining import merging
from domain.ways_in.channels import Channel
from domain.webhook_payloads import payload_of
from notifications.dispatch import dispatch
from tests.client import Client
from tests.factories import NOON, a_mail, receive
from tests.feedback.afterwards import Afterwards
from tests.two_teams import TwoTeams

OTHER = "Quite another matter: my invoice."
ON_DUTY = "mutation($input: DutySetInput!) { dutySet(input: $input) { userErrors { code } } }"
SURVEY = "query($id: ID!) { ticket(id: $id) { survey { kind solvedAt askedAt unasked why } } }"
TICKET = """query($id: ID!) { ticket(id: $id) {
  feedback { id kind score most words way channel at changedAt agent { name } team { name } ticket { number } }
  timeline(kinds: [EVENT]) { edges { node { ... on SystemEvent { text } } } }
} }"""
CONTACT = "query($id: ID!) { contact(id: $id) { stats { csatAvg } } }"
FEEDBACK = """query($filter: FeedbackFilter, $first: Int = 25, $after: String) {
  feedback(filter: $filter, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { score words ticket { number } } }
  }
}"""


async def told(client: Client, ticket: Ticket) -> list[str]:
    shown = await client.ask(TICKET, id=public_id("Ticket", ticket.id))
    texts = [edge["node"]["text"] for edge in shown["ticket"]["timeline"]["edges"]]
    return [text for text in texts if " of 5." in text]


async def as_client(after: Afterwards, client: Client) -> Afterwards:
    async with after.house.db.transaction() as session:
        actor = await actor_by_id(session, row_id("Agent", client.agent_id))
    assert actor
    return replace(after, ben=actor)


@pytest.fixture
async def after(house: House) -> Afterwards:
    return await Afterwards.at(house, name="Bo", tells_of_low=True)


async def test_an_answer_stands_in_the_timeline_at_the_ticket_and_in_the_contacts_average(
    after: Afterwards, ticket: Ticket, mia: Client, ben: Client
) -> None:
    request = await after.asked(ticket)
    await after.is_answered(request, 2, "He was slow.")
    await after.is_answered(request, 2, "He was slow.")  # a second tap
    await after.is_answered(request, 4, "He was slow, but right.")

    lines = await told(mia, ticket)
    shown = (await mia.ask(TICKET, id=public_id("Ticket", ticket.id)))["ticket"]["feedback"]
    to_an_agent = (await ben.ask(TICKET, id=public_id("Ticket", ticket.id)))["ticket"]["feedback"]
    stats = await mia.ask(CONTACT, id=public_id("Contact", ticket.contact_id))

    assert lines == [
        "The customer changed the answer: 4 of 5.\nHe was slow, but right.",
        "The customer rated our help: 2 of 5.",
    ]
    assert (shown["score"], shown["most"], shown["words"]) == (4, 5, "He was slow, but right.")
    assert (shown["way"], shown["channel"], shown["agent"]["name"]) == ("LINK", "EMAIL", "Bo")
    assert shown["changedAt"]
    assert to_an_agent == shown
    assert stats["contact"]["stats"]["csatAvg"] == 4.0


async def test_agents_read_what_was_said_of_their_own_tickets_and_managers_all(
    after: Afterwards, ticket: Ticket, mailbox: Channel, ben: Client, mia: Client
) -> None:
    async with after.house.db.transaction() as session:
        await receive(session, mailbox, a_mail("zofia@example.com"))
    zofias = (await after.tickets())[1]
    await after.is_answered(await after.asked(ticket), 1, "Bad.")
    await after.is_answered(await (await as_client(after, ben)).asked(zofias), 5)

    mine = (await ben.ask(FEEDBACK))["feedback"]
    page = (await mia.ask(FEEDBACK, first=1))["feedback"]
    rest = (await mia.ask(FEEDBACK, first=1, after=page["pageInfo"]["endCursor"]))["feedback"]
    bad = (await mia.ask(FEEDBACK, filter={"maxScore": 2, "withWords": True}))["feedback"]

    assert [edge["node"]["ticket"]["number"] for edge in mine["edges"]] == [zofias.number]
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (2, True)
    assert [one["edges"][0]["node"]["score"] for one in (page, rest)] == [5, 1]
    assert [edge["node"]["words"] for edge in bad["edges"]] == ["Bad."]


async def test_what_was_said_of_a_ticket_is_shown_with_what_that_became_or_not_at_all(
    after: Afterwards, ticket: Ticket, mailbox: Channel, ben: Client, mia: Client
) -> None:
    async with after.house.db.transaction() as session:
        await receive(session, mailbox, a_mail("ada@example.org", OTHER, subject="Invoice 333-444"))
    _, second = await after.tickets()
    await after.is_answered(await (await as_client(after, ben)).asked(ticket), 2, "Bad.")
    assert len((await ben.ask(FEEDBACK))["feedback"]["edges"]) == 1

    async with after.house.db.transaction() as session:
        into, part = await locked(session, second.id), await locked(session, ticket.id)
        team = Team(id=new_id(), name="Invoices")
        session.add(team)
        await session.flush()
        into.team_id = team.id
        await merging.merge_tickets(session, into, [part], by=SYSTEM, at=await database_time(session))
        into.assignee_id = None

    assert (await ben.ask(FEEDBACK))["feedback"]["edges"] == []
    assert len((await mia.ask(FEEDBACK))["feedback"]["edges"]) == 1


async def test_a_bad_answer_is_told_once_to_who_has_the_ticket_and_a_manager(
    after: Afterwards, ticket: Ticket, mia: Client, ben: Client
) -> None:
    request = await after.asked(ticket)
    async with after.house.db.transaction() as session:
        await session.execute(update(Ticket).values(assignee_id=row_id("Agent", ben.agent_id)))
    for client in (mia, ben):
        await client.do(ON_DUTY, onDuty=True)
    await after.is_answered(request, 5)
    await after.is_answered(request, 1)
    await after.is_answered(request, 2, "Really.")
    await after.is_answered(request, 5)
    await after.is_answered(request, 1)

    async with after.house.db.transaction() as session:
        given = select(Event).where(Event.kind == EventKind.FEEDBACK_GIVEN).order_by(Event.seq)
        events = (await session.scalars(given)).all()
        for event in events:
            await dispatch(session, event)
        notices = list(await session.scalars(select(Notice)))

    people = {row_id("Agent", client.agent_id) for client in (mia, ben)}
    assert {(one.agent_id, one.kind) for one in notices} == {(id, NoticeKind.LOW_RATING) for id in people}
    assert len(notices) == 2
    posted = payload_of(events[2], None)["data"]
    assert (posted["survey"], posted["score"], posted["most"]) == ("csat", 2, 5)
    assert posted["feedbackId"] == public_id("Feedback", request.id)
    assert "Really." not in str(posted)


async def test_a_bad_answer_is_mailed_to_who_has_no_device(
    after: Afterwards, ticket: Ticket, mia: Client
) -> None:
    request = await after.asked(ticket)
    await mia.do(ON_DUTY, onDuty=True)
    await after.is_answered(request, 1)

    async with after.house.db.transaction() as session:
        for event in await session.scalars(select(Event).where(Event.kind == EventKind.FEEDBACK_GIVEN)):
            await dispatch(session, event)

        assert list(await session.scalars(select(Delivery.transport))) == [Transport.EMAIL]


async def test_tickets_are_found_by_what_was_answered_also_about_what_became_part_of_them(
    after: Afterwards, ticket: Ticket, mailbox: Channel, mia: Client
) -> None:
    async with after.house.db.transaction() as session:
        await receive(session, mailbox, a_mail("ada@example.org", OTHER, subject="Invoice 333-444"))
    _, second = await after.tickets()
    await after.is_answered(await after.asked(ticket), 2, "Bad.")

    async with after.house.db.transaction() as session:
        at = await database_time(session)
        into, part = await locked(session, second.id), await locked(session, ticket.id)
        await merging.merge_tickets(session, into, [part], by=SYSTEM, at=at)
    async with after.house.db.transaction() as session:
        found = await session.scalars(
            select(Ticket.id).where(rated(SurveyKind.CSAT, lambda score: score < 3))
        )
        none = await session.scalars(select(Ticket.id).where(rated(SurveyKind.CSAT, lambda score: score > 2)))
        ids = set(found)
        assert list(none) == []

    assert ids == {ticket.id, second.id}
    assert await told(mia, second) == ["The customer rated our help: 2 of 5.\nBad."]
    shown = await mia.ask(TICKET, id=public_id("Ticket", ticket.id))
    assert shown["ticket"]["feedback"]["ticket"]["number"] == second.number


async def test_what_is_merged_before_it_is_asked_is_not_asked_and_who_manages_reads_why(
    after: Afterwards, ticket: Ticket, mailbox: Channel, mia: Client
) -> None:
    async with after.house.db.transaction() as session:
        await receive(session, mailbox, a_mail("ada@example.org", OTHER, subject="Invoice 333-444"))
    _, second = await after.tickets()
    await after.answers(ticket)
    await after.solves(ticket)
    async with after.house.db.transaction() as session:
        at = await database_time(session)
        into, part = await locked(session, second.id), await locked(session, ticket.id)
        await merging.merge_tickets(session, into, [part], by=SYSTEM, at=at)

    requests = await after.asks()

    assert [one.unasked for one in requests] == [Unasked.MERGED]
    shown = (await mia.ask(SURVEY, id=public_id("Ticket", second.id)))["ticket"]["survey"]
    assert (shown["kind"], shown["askedAt"], shown["unasked"]) == ("CSAT", None, "MERGED")
    assert shown["why"] == "The ticket became part of another before the question left."


def test_every_reason_not_to_ask_has_a_sentence() -> None:
    assert set(UNASKED) == set(Unasked)


async def test_contacts_that_became_one_are_asked_as_one_and_averaged_as_one(
    after: Afterwards, ticket: Ticket, mailbox: Channel, mia: Client
) -> None:
    async with after.house.db.transaction() as session:
        await receive(session, mailbox, a_mail("ada@home.example"))
    _, at_home = await after.tickets()
    await after.is_answered(await after.asked(ticket), 5)
    async with after.house.db.transaction() as session:
        at = await database_time(session)
        into, other = [await session.get_one(Contact, one.contact_id) for one in (at_home, ticket)]
        await merging.merge_contacts(session, into, [other], by=SYSTEM, at=at)
    await after.answers(at_home)
    await after.solves(at_home)

    requests = await after.asks()
    stats = await mia.ask(CONTACT, id=public_id("Contact", at_home.contact_id))

    assert [one.unasked for one in requests] == [None, Unasked.ASKED_LATELY]
    assert stats["contact"]["stats"]["csatAvg"] == 5.0


async def test_feedback_is_narrowed_to_scores_words_people_channels_and_days(two_teams: TwoTeams) -> None:
    ids, at = two_teams.ids, NOON.isoformat()
    fits: list[dict[str, Any]] = [
        {"kind": "CSAT"},
        {"minScore": 2, "maxScore": 2},
        {"withWords": True},
        {"agentId": ids["Ben"]},
        {"channelId": ids["email channel"]},
        {"since": at},
    ]
    fits_not: list[dict[str, Any]] = [
        {"kind": "NPS"},
        {"minScore": 3},
        {"maxScore": 1},
        {"withWords": False},
        {"agentId": ids["Eve"]},
        {"teamId": ids["Team"]},
        {"channelId": ids["chat channel"]},
        {"until": at},
    ]

    async def found(who: Client, asked: dict[str, Any]) -> int:
        return int((await who.ask(FEEDBACK, filter=asked))["feedback"]["totalCount"])

    assert [await found(two_teams.mia, asked) for asked in fits] == [1] * len(fits)
    assert [await found(two_teams.mia, asked) for asked in fits_not] == [0] * len(fits_not)
    assert [await found(two_teams.eve, asked) for asked in fits] == [0] * len(fits)

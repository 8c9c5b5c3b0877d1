"""Notes that call somebody."""

from sqlalchemy import select

from api.house import House
from domain.alerting.notices import Delivery, Notice, NoticeKind
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind
from domain.ids import row_id
from domain.working.mentions import mentions
from notifications.dispatch import dispatch
from tests.two_teams import TwoTeams

NOTE = """mutation($input: NoteAddInput!) { noteAdd(input: $input) {
  note { id seq text mentions { name } } userErrors { code field message } } }"""
MENTIONS = "{ mentions(first: 1) { edges { node { note { text } ticket { id } } } pageInfo { hasNextPage endCursor } } }"


async def test_who_is_called_by_name_or_by_id_is_told_and_finds_the_note(
    house: House, two_teams: TwoTeams
) -> None:
    ben, mia, ticket = two_teams.ben, two_teams.mia, two_teams.ids["Ticket"]

    noted = await ben.do(NOTE, ticketId=ticket, text="@Mia, may we?", mentionIds=[two_teams.ids["Ben"]])

    assert {one["name"] for one in noted["note"]["mentions"]} == {"Mia", "Ben"}
    found = (await mia.ask(MENTIONS))["mentions"]
    assert found["edges"][0]["node"] == {"note": {"text": "@Mia, may we?"}, "ticket": {"id": ticket}}
    assert found["pageInfo"]["hasNextPage"], "one of before"
    async with house.db.transaction() as session:
        told = select(Event).where(Event.kind == EventKind.NOTE_ADDED).order_by(Event.seq.desc()).limit(1)
        await dispatch(session, (await session.scalars(told)).one())
        notices = select(Notice).where(Notice.kind == NoticeKind.MENTION)
        (notice,) = (await session.scalars(notices)).all()
        assert notice.agent_id == row_id("Agent", mia.agent_id), "Ben knows what he wrote"
        assert await session.scalar(select(Delivery.id).where(Delivery.notice_id == notice.id)), "by mail"
        calls_mia = select(Ticket.id).where(mentions([notice.agent_id]))
        assert (await session.scalars(calls_mia)).all() == [row_id("Ticket", ticket)]


async def test_who_may_not_see_the_ticket_is_named_and_nothing_is_noted(
    house: House, two_teams: TwoTeams
) -> None:
    ben, ids = two_teams.ben, two_teams.ids

    by_id = await ben.do(NOTE, ticketId=ids["Ticket"], text="Look", mentionIds=[ids["Eve"], ids["Mia"]])
    by_name = await ben.do(NOTE, ticketId=ids["Ticket"], text="@Eve look")
    text = await ben.do(NOTE, ticketId=ids["Ticket"], text="eve@example.org asked")

    for refused in (by_id, by_name):
        assert [(error["code"], error["field"]) for error in refused["userErrors"]] == [
            ("CANNOT_SEE", ["mentionIds"])
        ]
        assert "Eve" in refused["userErrors"][0]["message"]
    assert text["note"]["mentions"] == []
    assert (await two_teams.eve.ask(MENTIONS))["mentions"]["edges"] == []


async def test_who_loses_the_ticket_finds_no_note_of_it(two_teams: TwoTeams) -> None:
    change = "mutation($input: AgentUpdateInput!) { agentUpdate(input: $input) { userErrors { code } } }"
    ben = two_teams.ben
    assert (await ben.ask(MENTIONS))["mentions"]["edges"]

    await two_teams.admin.do(change, id=two_teams.ids["Ben"], teamIds=[])

    assert (await ben.ask(MENTIONS))["mentions"]["edges"] == []

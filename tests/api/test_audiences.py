"""Who listens together is told by one reading, and each what they would have read alone."""

import asyncio
from contextlib import AsyncExitStack

import orjson

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Agent
from domain.desk.tickets import Ticket
from domain.events import EventKind, record
from domain.ids import row_id
from tests.client import Client
from tests.factories import NOON
from tests.feed import cursor_of
from tests.statements import statements
from tests.two_teams import TwoTeams

SUBSCRIPTION = "subscription($since: Cursor!) {{ changes(since: $since, topics: [TICKETS]) {{ changes {{ ... on TicketChanged {{ ticket {{ {} }} }} }} }} }}"
DRAFT = "mutation($input: DraftSaveInput!) { draftSave(input: $input) { ok userErrors { code } } }"


async def told(house: House, ticket_id: str, asked: str, listening: list[Client]) -> list[str]:
    """What each hears when something happens on the ticket."""
    subscription, since = SUBSCRIPTION.format(asked), await cursor_of(house, listening[0])
    async with asyncio.timeout(20), AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(one.listening(subscription, since=since)) for one in listening
        ]
        await all_wait(house, len(streams))
        async with house.db.transaction() as session:
            ticket = await session.get_one(Ticket, row_id("Ticket", ticket_id))
            record(session, EventKind.TICKET_REOPENED, by=SYSTEM, at=NOON, ticket_id=ticket.id)
        return [str(await stream._socket.recv()) for stream in streams]


async def all_wait(house: House, many: int) -> None:
    while sum(one.waits for audience in house.audiences.values() for one in audience.listeners) < many:
        await asyncio.sleep(0.01)
    while min(audience.place for audience in house.audiences.values()) < (0, 0):
        await asyncio.sleep(0.01)  # nobody reads yet


async def test_what_a_field_waits_for_is_read_once_for_all(house: House, two_teams: TwoTeams) -> None:
    asked = "number assignee { presence load { open } }"
    async with house.db.transaction() as session:
        ticket = await session.get_one(Ticket, row_id("Ticket", two_teams.ids["Ticket"]))
        ben = await session.get_one(Agent, row_id("Agent", two_teams.ben.agent_id))
        ticket.assign(to=ben, by=SYSTEM, at=NOON)

    with statements(house.db) as sent:
        said = await told(house, two_teams.ids["Ticket"], asked, [two_teams.mia, two_teams.admin] * 10)

    assert len(set(said)) == 1
    assert '"presence":"ONLINE"' in said[0]
    assert len([one for one in sent if "rota" in one]) == 1


async def test_each_who_manages_hears_of_their_own_draft(house: House, two_teams: TwoTeams) -> None:
    ticket = two_teams.ids["Ticket"]
    assert (await two_teams.mia.ask(DRAFT, input={"ticketId": ticket, "body": "Mia's own"}))["draftSave"][
        "ok"
    ]

    mias, admins = await told(house, ticket, "number draft { body }", [two_teams.mia, two_teams.admin])

    assert '"draft":{"body":"Mia\'s own"}' in mias
    assert '"draft":null' in admins


async def test_a_link_to_a_case_is_made_for_whom_it_is_told(house: House, two_teams: TwoTeams) -> None:
    people = [two_teams.mia, two_teams.admin]

    said = await told(house, two_teams.ids["Ticket"], "complaint { file }", people)

    for one, frame in zip(people, said, strict=True):
        assert f"a={row_id('Agent', one.agent_id)}" in frame


async def test_each_stream_of_a_socket_is_told_by_its_own_id_until_it_is_completed(
    house: House, two_teams: TwoTeams
) -> None:
    since = await cursor_of(house, two_teams.mia)
    subscription, ids = SUBSCRIPTION.format("number seq"), ["1", 'ż"']

    async def happens() -> None:
        async with house.db.transaction() as session:
            ticket_id = row_id("Ticket", two_teams.ids["Ticket"])
            record(session, EventKind.TICKET_REOPENED, by=SYSTEM, at=NOON, ticket_id=ticket_id)

    async with asyncio.timeout(20), two_teams.mia.connected() as stream:
        for id in ids:
            await stream.ask(id, subscription, since=since)
        await all_wait(house, 2)
        await happens()
        first, second = sorted(
            [await stream.hear(), await stream.hear()], key=lambda frame: ids.index(frame["id"])
        )
        await stream.say(type="complete", id="1")
        await happens()
        third = await stream.hear()
        await stream.ask("1", "{ serverTime }")
        fourth = await stream.hear()

    assert [first["id"], second["id"], third["id"]] == [*ids, 'ż"']
    assert orjson.dumps(first["payload"]) == orjson.dumps(second["payload"])
    assert "serverTime" in str(fourth)

"""Agents of one team listen together: what each is told is what each would have read alone, their own included."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from sqlalchemy import select

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Agent, Team, TeamMember
from domain.arriving.opening import open_ticket
from domain.customers.contacts import Contact
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind, record
from domain.ids import public_id, row_id
from tests.api.test_audiences import all_wait
from tests.api.test_live import BATCH, Phone
from tests.client import Client
from tests.factories import NOON
from tests.feed import all_told, cursor_of
from tests.statements import statements
from tests.two_teams import TwoTeams

TOPICS = "topics: [CONTACTS, TICKETS, TIMELINE, TASKS]"
ASKED = f"($since: Cursor!) {{ changes(since: $since, {TOPICS}) {{ {BATCH} }} }}"
ALONE = ASKED.replace("subject }", "subject draft @include(if: false) { body } }")
NESTED = f"""($since: Cursor!) {{ changes(since: $since, {TOPICS}) {{ cursor hasMore changes {{
  ... on TicketChanged {{ ticket {{ number contact {{ openTickets {{ number }} tasks {{ title }} }} }} }}
  ... on Removed {{ typename id }} }} }} }}"""
ASSIGN = "mutation($input: TicketAssignInput!) { ticketAssign(input: $input) { userErrors { code } } }"
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
TASK = "mutation($input: TaskSaveInput!) { taskSave(input: $input) { task { id } userErrors { code } } }"


@pytest.fixture
async def peers(house: House, door: str, two_teams: TwoTeams) -> AsyncIterator[list[Client]]:
    """Ben, and two more of Support."""
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(Client(door, house.db, name)) for name in ("Nia", "Kay")]
        async with house.db.transaction() as session:
            support = (await session.scalars(select(Team).where(Team.name == "Support"))).one()
            for one in others:
                session.add(TeamMember(team_id=support.id, agent_id=row_id("Agent", one.agent_id)))
        yield [two_teams.ben, *others]


async def told(
    house: House, asked: str, listening: list[Client], happens: Any
) -> tuple[list[str | None], list[str]]:
    """What each hears of what happens, who reads nothing alone within a second; and what each reads alone."""
    since = await cursor_of(house, listening[0])
    async with asyncio.timeout(30), AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(one.listening(f"subscription{asked}", since=since))
            for one in listening
        ]
        await all_wait(house, len(streams))
        await happens()
        await all_told(house)
        alone = [(await one.post(f"query{asked}", {"since": since})).text for one in listening]

        async def heard(stream: Any, read: str) -> str | None:
            try:
                async with asyncio.timeout(1 if '"changes":[]' in read else None):
                    return str(await stream._socket.recv())
            except TimeoutError:
                return None

        said = await asyncio.gather(*map(heard, streams, alone))
        assert len(house.audiences) < len(listening)
    return said, alone


async def test_what_is_of_their_team_is_read_as_who_sees_least_and_most_and_told_all(
    house: House, two_teams: TwoTeams, peers: list[Client]
) -> None:
    async def happens() -> None:
        async with house.db.transaction() as session:
            ticket_id = row_id("Ticket", two_teams.ids["Ticket"])
            record(session, EventKind.TICKET_REOPENED, by=SYSTEM, at=NOON, ticket_id=ticket_id)

    with statements(house.db) as sent:
        said, alone = await told(house, NESTED, peers, happens)

    assert said == [f'{{"id":"1","type":"next","payload":{one}}}' for one in alone]
    reading = [one for one in sent if "FROM ticket" in one and "ORDER BY ticket.updated_at DESC" in one]
    assert len(reading) == 2 * 2 + 2 * len(peers), "the ticket and the contact's; and each alone, afterwards"


async def test_what_is_ones_own_is_told_to_whom_it_belongs(
    house: House, two_teams: TwoTeams, peers: list[Client]
) -> None:
    """A ticket of a team where they are not, of a contact whom all of them see."""
    _, nia, _ = peers
    async with house.db.transaction() as session:
        returns = (await session.scalars(select(Team).where(Team.name == "Returns"))).one()
        ada = await session.get_one(Contact, row_id("Contact", two_teams.ids["Contact"]))
        hers = open_ticket(session, ada, subject="Nia's", by=SYSTEM, at=NOON, team_id=returns.id)
        hers.assign(to=await session.get_one(Agent, row_id("Agent", nia.agent_id)), by=SYSTEM, at=NOON)
        await session.flush()
        own, number = hers.id, hers.number

    async def to_hers() -> None:
        async with house.db.transaction() as session:
            record(session, EventKind.TICKET_REOPENED, by=SYSTEM, at=NOON, ticket_id=own)

    async def to_theirs() -> None:
        async with house.db.transaction() as session:
            ticket_id = row_id("Ticket", two_teams.ids["Ticket"])
            record(session, EventKind.TICKET_REOPENED, by=SYSTEM, at=NOON, ticket_id=ticket_id)

    async def taken_away() -> None:
        await two_teams.mia.do(ASSIGN, ticketIds=[public_id("Ticket", own)], agentId=two_teams.eve.agent_id)

    for happens in (to_hers, to_theirs, taken_away):
        said, alone = await told(house, NESTED, peers, happens)
        for frame, text in zip(said, alone, strict=True):
            assert frame == (
                None if '"changes":[]' in text else f'{{"id":"1","type":"next","payload":{text}}}'
            )
        if happens is to_theirs:
            assert [f'{{"number":{number}}}' in str(frame) for frame in said] == [False, True, False]
        else:
            assert [frame is not None for frame in said] == [False, True, False]


@pytest.mark.parametrize("steps", [25, pytest.param(400, marks=pytest.mark.slow)])
async def test_whatever_happens_each_ends_with_what_they_would_have_read_alone(
    house: House, two_teams: TwoTeams, peers: list[Client], steps: int
) -> None:
    chance, mia = random.Random(steps), two_teams.mia
    people = [*peers, two_teams.eve]
    async with house.db.transaction() as session:
        teams = [public_id("Team", one) for one in await session.scalars(select(Team.id))]
        ids = [public_id("Ticket", one) for one in await session.scalars(select(Ticket.id))]
    since = await cursor_of(house, mia)
    together, alone = [Phone(one, since) for one in people], [Phone(one, since) for one in people]
    listening = [asyncio.create_task(phone.listen(f"subscription{ASKED}")) for phone in together]
    listening += [asyncio.create_task(phone.listen(f"subscription{ALONE}")) for phone in alone]
    await all_wait(house, len(listening))
    assert len(house.audiences) == 2 + len(people)

    tasks: list[str] = []
    for number in range(steps):
        whom, id = chance.choice([None, *people]), chance.choice(ids)
        match chance.randrange(5):
            case 0:
                await mia.do(ASSIGN, ticketIds=[id], teamId=chance.choice([None, *teams]))
            case 1:
                await mia.do(ASSIGN, ticketIds=[id], agentId=whom and whom.agent_id)
            case 2:
                await mia.do(NOTE, ticketId=id, text=f"Note {number}")
            case 3:
                made = await mia.do(TASK, title=f"Task {number}", assigneeId=whom and whom.agent_id)
                tasks.append(made["task"]["id"])
            case 4 if tasks:
                await mia.do(TASK, id=chance.choice(tasks), assigneeId=whom and whom.agent_id)
        await all_have_heard(house)
    async with asyncio.timeout(30):
        while [phone.kept for phone in together] != [phone.kept for phone in alone]:
            await asyncio.sleep(0.01)  # it is still on its way
    for one in listening:
        one.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    assert len({str(phone.kept) for phone in together}) == len(people), "each has something of their own"


async def all_have_heard(house: House) -> None:
    """Else a batch of one tells of two steps what two of another tell."""
    async with house.db.reading() as connection:
        last = select(Event.xid, Event.seq).order_by(Event.xid.desc(), Event.seq.desc()).limit(1)
        newest = tuple((await connection.execute(last)).one())
    async with asyncio.timeout(20):
        while (
            min(one.reached for audience in house.audiences.values() for one in audience.listeners) < newest
        ):
            await asyncio.sleep(0.01)

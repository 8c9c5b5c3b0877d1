"""Who has a ticket open."""

import asyncio
from datetime import timedelta

from sqlalchemy import delete, func, select, update

from api.house import House
from domain.actors import Role
from domain.db import ring
from domain.ids import row_id
from domain.working.viewing import Viewing, news_of_viewers
from tests.client import Client, Stream
from tests.two_teams import TwoTeams

PRESENCE = "mutation($input: PresenceInput!) { presence(input: $input) { ok userErrors { code } } }"
WATCH = (
    "subscription($ticket: ID!) { ticketPresence(ticketId: $ticket) { agent { name } intent device since } }"
)
VIEWERS = "query($id: ID!) { ticket(id: $id) { viewers { agent { name } intent device } } }"


async def says(client: Client, ticket: str, intent: str) -> list[str]:
    payload = (await client.ask(PRESENCE, input={"ticketId": ticket, "intent": intent}))["presence"]
    return [error["code"] for error in payload["userErrors"]]


async def shown(stream: Stream) -> list[tuple[str, str]]:
    return [(one["agent"]["name"], one["intent"]) for one in (await stream.next())["ticketPresence"]]


async def nobody_is_there(house: House) -> None:
    async with house.db.transaction() as session:
        await session.execute(delete(Viewing))


async def test_who_comes_types_and_leaves_is_seen_by_those_who_watch(
    house: House, two_teams: TwoTeams
) -> None:
    ben, mia, ticket = two_teams.ben, two_teams.mia, two_teams.ids["Ticket"]
    await nobody_is_there(house)

    async with asyncio.timeout(20), mia.listening(WATCH, ticket=ticket) as watching:
        assert await shown(watching) == []
        for intent, seen in (
            ("VIEWING", [("Ben", "VIEWING")]),
            ("TYPING", [("Ben", "TYPING")]),
            ("LEFT", []),
        ):
            assert await says(ben, ticket, intent) == []
            assert await shown(watching) == seen
        await says(ben, ticket, "VIEWING")
        assert await shown(watching) == [("Ben", "VIEWING")]
        await says(mia, ticket, "VIEWING")
        assert sorted(await shown(watching)) == [("Ben", "VIEWING"), ("Mia", "VIEWING")]

    found = (await ben.ask(VIEWERS, id=ticket))["ticket"]["viewers"]
    assert {"agent": {"name": "Ben"}, "intent": "VIEWING", "device": "APP"} in found


async def test_who_says_nothing_more_lapses_before_the_eyes_of_who_watches(
    house: House, two_teams: TwoTeams
) -> None:
    ben, mia, ticket = two_teams.ben, two_teams.mia, two_teams.ids["Ticket"]
    await nobody_is_there(house)
    await says(ben, ticket, "VIEWING")

    async with asyncio.timeout(20), mia.listening(WATCH, ticket=ticket) as watching:
        assert await shown(watching) == [("Ben", "VIEWING")]
        await _lapses_in(house, ticket, 0.3)
        assert await shown(watching) == []

    assert (await ben.ask(VIEWERS, id=ticket))["ticket"]["viewers"] == []


async def _lapses_in(house: House, ticket: str, seconds: float) -> None:
    async with house.db.transaction() as session:
        soon = func.now() + timedelta(seconds=seconds)
        await session.execute(update(Viewing).values(expires_at=soon))
        ring(session, news_of_viewers(row_id("Ticket", ticket)))


async def test_with_the_sockets_end_one_is_gone_in_five_seconds_unless_one_says_otherwise(
    house: House, two_teams: TwoTeams
) -> None:
    ben, ticket = two_teams.ben, two_teams.ids["Ticket"]
    await nobody_is_there(house)

    async with ben.listening(WATCH, ticket=ticket) as watching:
        await shown(watching)
        await says(ben, ticket, "VIEWING")
        await shown(watching)
    async with asyncio.timeout(30):
        while (left := await _seconds_left(house)) > 5:
            await asyncio.sleep(0.05)
    assert left > 0
    await says(ben, ticket, "VIEWING")
    assert await _seconds_left(house) > 40


async def _seconds_left(house: House) -> float:
    async with house.db.reading() as connection:
        left = select(func.extract("epoch", Viewing.expires_at - func.now()))
        return float(await connection.scalar(left) or 0)


async def test_nobody_of_another_team_watches_or_is_watched(two_teams: TwoTeams) -> None:
    eve, ticket = two_teams.eve, two_teams.ids["Ticket"]

    assert await says(eve, ticket, "VIEWING") == ["NOT_FOUND"]
    async with asyncio.timeout(30), eve.listening(WATCH, ticket=ticket) as watching:
        assert "NOT_FOUND" in str(await watching.hear())


async def test_who_loses_the_ticket_is_told_no_more(house: House, two_teams: TwoTeams) -> None:
    ben, ticket = two_teams.ben, two_teams.ids["Ticket"]
    change = "mutation($input: AgentUpdateInput!) { agentUpdate(input: $input) { userErrors { code } } }"

    async with asyncio.timeout(20), ben.listening(WATCH, ticket=ticket) as watching:
        await shown(watching)
        await two_teams.admin.do(change, id=ben.agent_id, teamIds=[], role=Role.AGENT.name)
        await says(two_teams.mia, ticket, "VIEWING")
        frame = await watching.hear()
        while frame["type"] == "next" and "errors" not in frame["payload"]:
            frame = await watching.hear()

    assert "NOT_FOUND" in str(frame)

"""A team that nobody needs any more goes; what it did stays readable."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Team, TeamMember, save_team
from domain.assigning.dissolving import archive_team
from domain.audit import AuditEntry, AuditKind
from domain.calling.dialled_numbers import save_number
from domain.db import database_time
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.shop import AgentsSee, set_agents_see
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client
from tests.factories import a_channel, a_mail, a_promise, receive
from tests.locks import who_waits

DELETE = "mutation($input: TeamDeleteInput!) { teamDelete(input: $input) { ok userErrors { code message } } }"
SAVE = "mutation($input: TeamSaveInput!) { teamSave(input: $input) { team { id } userErrors { code } } }"
HAND_OUT = "mutation($input: AssignmentSaveInput!) { assignmentSave(input: $input) { userErrors { code } } }"
CHANNEL = "mutation($input: ChannelUpdateInput!) { channelUpdate(input: $input) { userErrors { code } } }"
TASK = "mutation($input: TaskSaveInput!) { taskSave(input: $input) { task { id } userErrors { code } } }"
MACRO = "mutation($input: MacroSaveInput!) { macroSave(input: $input) { macro { id } userErrors { code } } }"
RUN = "mutation($input: MacroRunInput!) { macroRun(input: $input) { userErrors { code message } } }"
POLICY = (
    "mutation($input: PolicySaveInput!) { policySave(input: $input) { policy { id } userErrors { code } } }"
)
TICKET = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code } } }"
HAND_OVER = "mutation($input: TicketAssignInput!) { ticketAssign(input: $input) { userErrors { code } } }"
SEEN = 'query($id: ID!) { ticket(id: $id) { status team { name } } search: tickets(filter: {query: "team:Returns"}) { totalCount } }'
CREATE = "mutation($input: TicketCreateInput!) { ticketCreate(input: $input) { userErrors { code } } }"
CONTACT = "query($id: ID!) { ticket(id: $id) { contact { id } } }"
REMOVE_TAG = "mutation($input: TagRemoveInput!) { tagRemove(input: $input) { userErrors { code } } }"
TEAMS = "{ teams { name } }"
NODE = "query($id: ID!) { node(id: $id) { ... on Team { name members { name } } } }"
CALENDARS = "{ calendars { id } }"


@pytest.fixture
async def returns(house: House, ben: Client) -> str:
    """Ben's team."""
    async with house.db.transaction() as session:
        await set_agents_see(session, AgentsSee.TEAMS)
        team = await save_team(session, None, "Returns")
        session.add(TeamMember(team_id=team.id, agent_id=row_id("Agent", ben.agent_id)))
        return public_id("Team", team.id)


@pytest.fixture
async def ticket(house: House, returns: str) -> str:
    """Ada's, of that team."""
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        mailbox.team_id = row_id("Team", returns)
        await a_promise(session, 3600)
        await receive(session, mailbox, a_mail("ada@example.org", at=await database_time(session)))
        mailbox.team_id = None
        return public_id("Ticket", (await session.scalars(select(Ticket.id))).one())


async def test_a_team_is_deleted_and_its_old_tickets_stay_readable_to_who_was_in_it(
    house: House, admin: Client, ben: Client, eve: Client, returns: str, ticket: str
) -> None:
    skills = [{"skill": "boots", "tags": ["boots"]}]
    assert await admin.refused(HAND_OUT, teamId=returns, skills=skills) == []
    assert await ben.refused(TICKET, ids=[ticket], status="SOLVED", addTags=["boots"]) == []
    once = {"id": returns, "clientMutationId": "once"}

    assert [(await admin.do(DELETE, **once))["ok"] for _ in range(2)] == [True, True]

    assert (await admin.ask(TEAMS))["teams"] == []
    for reader in (admin, ben):
        seen = await reader.ask(SEEN, id=ticket)
        assert seen["ticket"] == {"status": "SOLVED", "team": {"name": "Returns"}}
        assert seen["search"]["totalCount"] == 1
    assert (await ben.ask(NODE, id=returns))["node"] == {"name": "Returns", "members": [{"name": "Ben"}]}
    assert (await eve.ask(SEEN, id=ticket))["ticket"] is None
    for refused in (
        await admin.refused(DELETE, id=returns),
        await admin.refused(SAVE, id=returns, name="Returns"),
        await admin.refused(HAND_OUT, teamId=returns, capacity=1),
        await admin.refused(HAND_OVER, ticketIds=[ticket], teamId=returns),
        await admin.refused(TASK, title="Look", teamId=returns),
        await admin.refused(MACRO, name="Over", actions=[{"teamId": returns}]),
    ):
        assert refused == ["NOT_FOUND"]
    assert await admin.refused(REMOVE_TAG, tag="boots") == [], "no rule of the team is left"
    again = (await admin.do(SAVE, name="Returns"))["team"]["id"]
    assert again != returns
    async with house.db.transaction() as session:
        kinds = (await session.scalars(select(AuditEntry.kind).order_by(AuditEntry.seq))).all()
    assert [kind for kind in kinds if kind == AuditKind.TEAM_DELETED] == [AuditKind.TEAM_DELETED]


async def test_a_team_that_something_still_goes_to_stays_and_the_refusal_names_all_of_it(
    house: House, admin: Client, mia: Client, returns: str, ticket: str
) -> None:
    (calendar,) = (await mia.ask(CALENDARS))["calendars"]
    assert await mia.refused(TASK, title="Look", teamId=returns) == []
    assert await mia.refused(MACRO, name="Over", visibility="EVERYONE", actions=[{"teamId": returns}]) == []
    of_the_team = {"conditions": {"teamIds": [returns]}}
    assert await mia.refused(POLICY, name="Ours", calendarId=calendar["id"], **of_the_team) == []
    async with house.db.transaction() as session:
        line = await a_channel(session, house.keys, ChannelKind.PHONE)
        await save_number(
            session, line, "+48221112233", team_id=row_id("Team", returns), at=await database_time(session)
        )
    assert await admin.refused(CHANNEL, id=public_id("Channel", line.id), teamId=returns) == []

    (refusal,) = (await admin.do(DELETE, id=returns))["userErrors"]

    assert refusal == {
        "code": "IN_USE",
        "message": f"Still in use: open tickets, open tasks, {line.name}, +48221112233, Ours, Over. Change that first.",
    }


async def test_only_who_administers_deletes_a_team(mia: Client, returns: str) -> None:
    assert await mia.refused(DELETE, id=returns) == ["NOT_ALLOWED"]

    assert (await mia.ask(TEAMS))["teams"] == [{"name": "Returns"}]


async def test_a_macro_of_ones_own_that_hands_over_to_a_deleted_team_says_so(
    admin: Client, ben: Client, returns: str, ticket: str
) -> None:
    macro = (await ben.do(MACRO, name="Mine", actions=[{"teamId": returns}]))["macro"]["id"]
    await ben.do(TICKET, ids=[ticket], status="SOLVED")
    assert await admin.refused(DELETE, id=returns) == []

    (refusal,) = (await ben.do(RUN, macroId=macro, ticketIds=[ticket]))["userErrors"]

    assert refusal["message"] == "This macro hands over to Returns, which is deleted: change the macro."


@pytest.mark.parametrize("what", ["hand over", "open", "task", "channel", "policy", "macro", "share", "run"])
async def test_nothing_comes_to_a_team_in_the_moment_in_which_it_is_deleted(
    house: House, admin: Client, returns: str, ticket: str, what: str
) -> None:
    ada = (await admin.ask(CONTACT, id=ticket))["ticket"]["contact"]["id"]
    (calendar,) = (await admin.ask(CALENDARS))["calendars"]
    over: dict[str, Any] = {"name": "Over", "actions": [{"teamId": returns}]}
    macro = (await admin.do(MACRO, **over))["macro"]["id"]
    assert await admin.refused(HAND_OVER, ticketIds=[ticket], teamId=None) == []
    async with house.db.transaction() as session:
        mailbox = (await session.scalars(select(Channel))).one()
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "hand over": (HAND_OVER, {"ticketIds": [ticket], "teamId": returns}),
        "open": (CREATE, {"contactId": ada, "subject": "Boots", "teamId": returns}),
        "task": (TASK, {"title": "Look", "teamId": returns}),
        "channel": (CHANNEL, {"id": public_id("Channel", mailbox.id), "teamId": returns}),
        "policy": (
            POLICY,
            {"name": "Ours", "calendarId": calendar["id"], "conditions": {"teamIds": [returns]}},
        ),
        "macro": (MACRO, over | {"visibility": "EVERYONE"}),
        "share": (MACRO, {"id": macro, "visibility": "TEAM", "teamId": returns}),
        "run": (RUN, {"macroId": macro, "ticketIds": [ticket]}),
    }
    mutation, input = ways[what]
    async with house.db.transaction() as session:
        team = await session.get_one(Team, row_id("Team", returns))
        await archive_team(session, team, by=SYSTEM, at=await database_time(session))
        asked = asyncio.create_task(admin.refused(mutation, **input))
        await who_waits(house)

    assert await asked == (["INVALID"] if what == "run" else ["NOT_FOUND"])

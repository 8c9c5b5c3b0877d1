"""Who is there, who has what, and who takes it: as agents and managers ask."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api.house import House
from domain import following
from domain.agents import presence
from domain.agents.staff import Team, TeamMember
from domain.arriving.inbound import CallStep
from domain.assigning import handing_out, listening, policies
from domain.assigning.choosing import AssignmentMode
from domain.assigning.policies import Terms
from domain.db import database_time, new_id
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.shop import AgentsSee, set_agents_see
from domain.sla import deadlines
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client
from tests.factories import NOON, a_call_step, a_channel, a_mail, a_promise, receive
from tests.feed import all_told, cursor_of
from tests.statements import statements
from tests.two_teams import TwoTeams

CARD = "name presence activity onShift load { open used capacity oldestWaitSeconds breached liveChats }"
AGENTS = (
    f"query($teamId: ID, $onShift: Boolean) {{ agents(teamId: $teamId, onShift: $onShift) {{ {CARD} }} }}"
)
COUNTS = """breached atRisk unassigned open complaintsOpen complaintsStalled tasksDueToday callsWaiting slaTodayPercent"""
TODAY = f"""{{ serverTime changeCursor counters {{ {COUNTS} }} agents {{ {CARD} }}
  liveCalls {{ id state number at agent {{ id name }} contact {{ id name }} }} }}"""
TEAMS = """{ teams { name members { name } assignment { mode byLanguage languageWaitSeconds capacity offShiftAfterSeconds
  weights { channel weight } skills { skill tags } } } }"""
FIND = "query($search: String) { teams(search: $search) { name } }"
ASSIGN = """mutation($input: TicketAssignInput!) { ticketAssign(input: $input) {
  tickets { status team { name } assignee { name presence } clock { policy { name } } } conflict { name } userErrors { code field } } }"""
SAVE = """mutation($input: AssignmentSaveInput!) { assignmentSave(input: $input) {
  team { assignment { mode capacity languageWaitSeconds offShiftAfterSeconds } } userErrors { code field } } }"""
CREATE = """mutation($input: TicketCreateInput!) { ticketCreate(input: $input) {
  ticket { id team { name } } userErrors { code field } } }"""
AWAY = "mutation($input: AwaySetInput!) { awaySet(input: $input) { agent { presence } userErrors { code field } } }"
DUTY = "mutation($input: DutySetInput!) { dutySet(input: $input) { rota { isOnShift } userErrors { code } } }"
AGENT = """mutation($input: AgentUpdateInput!) { agentUpdate(input: $input) {
  agent { skills load { capacity } } userErrors { code field } } }"""
WHY = "query($id: ID!) { ticket(id: $id) { waitsBecause contact { id } } }"
UPDATE = "mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) { userErrors { code } } }"
CONTACT = "mutation($input: ContactSaveInput!) { contactSave(input: $input) { userErrors { code } } }"
TIMELINE = "query($id: ID!) { ticket(id: $id) { timeline(kinds: [EVENT]) { edges { node { ... on SystemEvent { text } } } } } }"
CHANGES = f"""query($since: Cursor!, $topics: [ChangeTopic!]) {{ changes(since: $since, topics: $topics) {{ cursor changes {{
  __typename ... on AgentChanged {{ agent {{ {CARD} }} }} ... on CallChanged {{ call {{ state number }} }}
  ... on CountersChanged {{ counters {{ {COUNTS} }} }} ... on Removed {{ typename id }} ... on TicketChanged {{ ticket {{ id }} }}
}} }} }}"""


@pytest.fixture
async def support(house: House, ben: Client) -> str:
    """Ben's team, to which the mailbox belongs, and in which Ada's mail waits."""
    async with house.db.transaction() as session:
        team = Team(id=new_id(), name="Support")
        session.add(team)
        await session.flush()
        session.add(TeamMember(team_id=team.id, agent_id=row_id("Agent", ben.agent_id)))
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        mailbox.team_id = team.id
        await a_promise(session, 3600)
        await receive(session, mailbox, a_mail("ada@example.org", at=await database_time(session)))
        return public_id("Team", team.id)


async def only_ticket(house: House) -> str:
    async with house.db.transaction() as session:
        return public_id("Ticket", (await session.scalars(select(Ticket.id))).one())


async def changes(client: Client, since: str, *topics: str, until: str) -> list[dict[str, Any]]:
    """All that is told, as soon as something of that type is among it."""
    told: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while not any(change["__typename"] == until for change in told):
            batch = (await client.ask(CHANGES, since=since, topics=list(topics)))["changes"]
            told, since = told + batch["changes"], batch["cursor"]
            await asyncio.sleep(0.02)
    return told


async def calls_the_roll(house: House) -> None:
    async with house.db.transaction() as session:
        await presence.call_the_roll(session)


async def test_of_two_who_claim_at_once_one_has_it_and_the_other_is_told_who(
    house: House, support: str, ben: Client, mia: Client
) -> None:
    id = await only_ticket(house)
    claim = {"ticketIds": [id], "takeOver": True, "expectedAssigneeId": None}

    payloads = await asyncio.gather(*(client.do(ASSIGN, **claim) for client in (ben, mia, ben, mia)))

    won = [payload["tickets"][0]["assignee"]["name"] for payload in payloads if payload["tickets"]]
    lost = [payload for payload in payloads if payload["userErrors"]]
    assert len(won) == 1
    assert [one["userErrors"][0]["code"] for one in lost] == ["ASSIGNEE_CHANGED"] * 3
    assert {one["conflict"]["name"] for one in lost} == set(won)


async def test_who_takes_it_over_names_nobody_else(
    house: House, support: str, ben: Client, mia: Client
) -> None:
    id = await only_ticket(house)

    taken = await ben.do(ASSIGN, ticketIds=[id], takeOver=True, agentId=mia.agent_id)

    assert [(error["code"], error["field"]) for error in taken["userErrors"]] == [("INVALID", ["agentId"])]
    assert taken["tickets"] == []


async def test_in_another_team_a_ticket_is_kept_by_its_members_alone_and_lost_from_sight_by_others(
    house: House, two_teams: TwoTeams
) -> None:
    teams = await _ids_of_teams(house)
    ben, eve, mia, id = two_teams.ben, two_teams.eve, two_teams.mia, two_teams.ids["Ticket"]
    await ben.do(ASSIGN, ticketIds=[id], takeOver=True)
    since = await cursor_of(house, ben)

    kept = await mia.do(ASSIGN, ticketIds=[id], teamId=teams["Support"])
    moved = await mia.do(ASSIGN, ticketIds=[id], teamId=teams["Returns"])

    assert kept["tickets"][0]["assignee"]["name"] == "Ben"
    assert (moved["tickets"][0]["team"], moved["tickets"][0]["assignee"]) == ({"name": "Returns"}, None)
    told = await changes(ben, since, "TICKETS", until="Removed")
    assert {"__typename": "Removed", "typename": "Ticket", "id": id} in told
    assert (await eve.ask("query($id: ID!) { ticket(id: $id) { id } }", id=id))["ticket"] == {"id": id}
    lines = [edge["node"]["text"] for edge in (await eve.ask(TIMELINE, id=id))["ticket"]["timeline"]["edges"]]
    assert lines[:2] == [
        "Mia put the ticket back into the queue (not in the new team).",
        "Mia moved the ticket to another team.",
    ]
    given = await mia.do(ASSIGN, ticketIds=[id], teamId=teams["Support"], agentId=ben.agent_id)
    assert given["tickets"][0]["assignee"]["name"] == "Ben"


async def _ids_of_teams(house: House) -> dict[str, str]:
    async with house.db.transaction() as session:
        return {team.name: public_id("Team", team.id) for team in await session.scalars(select(Team))}


async def test_a_policy_is_saved_piece_by_piece(support: str, mia: Client, ben: Client) -> None:
    begun = await mia.do(SAVE, teamId=support, mode="BY_LOAD", capacity=8, offShiftAfterSeconds=3600)
    changed = await mia.do(SAVE, teamId=support, languageWaitSeconds=60, offShiftAfterSeconds=None)
    skills = [{"skill": "Returns", "tags": ["Return"]}]
    await mia.do(
        SAVE, teamId=support, skills=skills, weights=[{"channel": "CHAT", "weight": 3}], byLanguage=True
    )

    assert begun["team"]["assignment"]["offShiftAfterSeconds"] == 3600
    assert changed["team"]["assignment"] == {
        "mode": "BY_LOAD", "capacity": 8, "languageWaitSeconds": 60, "offShiftAfterSeconds": None,
    }  # fmt: skip
    (team,) = (await ben.ask(TEAMS))["teams"]
    assert team["members"] == [{"name": "Ben"}]
    assert team["assignment"]["skills"] == [{"skill": "returns", "tags": ["return"]}]
    weights = {one["channel"]: one["weight"] for one in team["assignment"]["weights"]}
    assert weights == {"EMAIL": 1, "CHAT": 3, "MESSENGER": 1, "PHONE": 1, "SMS": 1}
    assert await mia.refused(SAVE, teamId=support, capacity=1001) == ["INVALID"]
    assert await mia.refused(SAVE, teamId=support, weights=[{"channel": "CHAT", "weight": 0}]) == ["INVALID"]
    assert await ben.refused(SAVE, teamId=support, capacity=1) == ["NOT_ALLOWED"]


async def test_a_team_behind_the_first_hundred_is_found_by_a_piece_of_its_name(
    house: House, ben: Client
) -> None:
    async with house.db.transaction() as session:
        session.add_all(Team(id=new_id(), name=f"A {number}") for number in range(100))
        session.add(Team(id=new_id(), name="Returns of boots"))
        session.add(Team(id=new_id(), name="Returns", archived_at=NOON))

    listed = (await ben.ask("{ teams { name } }"))["teams"]
    found = [(await ben.ask(FIND, search=piece))["teams"] for piece in (" boot return", "A 99", "%")]

    assert len(listed) == 100
    assert {"name": "Returns of boots"} not in listed
    assert found == [[{"name": "Returns of boots"}], [{"name": "A 99"}], []]


async def test_agents_show_who_is_there_and_what_they_have_to_do(
    house: House, support: str, ben: Client, mia: Client, admin: Client
) -> None:
    await admin.do(AGENT, id=ben.agent_id, skills=["Returns", " "], capacity=7)
    await ben.do(DUTY, onDuty=True)
    await ben.do(ASSIGN, ticketIds=[await only_ticket(house)], takeOver=True)
    async with house.db.transaction() as session:
        later = await database_time(session) + timedelta(hours=2)
        await deadlines.fire_due(session, at=later)

    (found,) = (await mia.ask(AGENTS, teamId=support, onShift=True))["agents"]

    wait = found["load"].pop("oldestWaitSeconds")
    assert 0 <= wait < 60
    assert found == {
        "name": "Ben", "presence": "ONLINE", "activity": "IDLE", "onShift": True,
        "load": {"open": 1, "used": 1, "capacity": 7, "breached": 0, "liveChats": 0},
    }  # fmt: skip
    assert (await ben.do(AWAY, away=True))["agent"] == {"presence": "AWAY"}
    assert (await mia.ask(AGENTS, teamId=support))["agents"][0]["presence"] == "AWAY"
    assert await ben.refused(AWAY, away=True, agentId=mia.agent_id) == ["NOT_ALLOWED"]
    assert (await mia.do(AWAY, away=False, agentId=ben.agent_id))["agent"] == {"presence": "ONLINE"}


async def test_colleagues_see_until_when_somebody_is_away(
    house: House, support: str, ben: Client, mia: Client
) -> None:
    asked = "query($teamId: ID) { agents(teamId: $teamId) { presence awayUntil } }"
    lunch = "mutation($input: AwaySetInput!) { awaySet(input: $input) { agent { presence awayUntil } userErrors { code field } } }"
    told = """query($since: Cursor!) { changes(since: $since, topics: [AGENTS]) {
      changes { ... on AgentChanged { agent { name awayUntil } } } } }"""
    since = await cursor_of(house, mia)
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()

    gone = await ben.do(lunch, away=True, until=until)
    passed = await ben.do(lunch, away=True, until=NOON.isoformat())

    assert gone["agent"] == {"presence": "AWAY", "awayUntil": until}
    assert passed["userErrors"] == [{"code": "INVALID", "field": ["until"]}]
    assert (await mia.ask(asked, teamId=support))["agents"] == [gone["agent"]]
    await all_told(house)
    news = (await mia.ask(told, since=since))["changes"]["changes"]
    assert {"agent": {"name": "Ben", "awayUntil": until}} in news

    async with house.db.transaction() as session:
        await session.execute(update(presence.Attendance).values(away_until=NOON))
    assert (await mia.ask(asked, teamId=support))["agents"] == [{"presence": "ONLINE", "awayUntil": None}]
    await ben.do(lunch, away=True)
    assert (await mia.ask(asked, teamId=support))["agents"] == [{"presence": "AWAY", "awayUntil": None}]


async def test_who_signs_out_is_gone_at_once(ben: Client, mia: Client) -> None:
    await ben.do("mutation($input: SignOutInput!) { signOut(input: $input) { ok } }")

    found = {one["name"]: one["presence"] for one in (await mia.ask(AGENTS))["agents"]}
    assert found == {"Ben": "OFFLINE", "Mia": "ONLINE"}


async def test_who_leaves_the_shop_goes_from_the_boards_of_those_who_watch(
    house: House, ben: Client, mia: Client, admin: Client
) -> None:
    since = await cursor_of(house, mia)
    await admin.do(AGENT, id=ben.agent_id, left=True)

    told = await changes(mia, since, "AGENTS", until="Removed")

    assert told[-1] == {"__typename": "Removed", "typename": "Agent", "id": ben.agent_id}
    assert not [one for one in told if one["__typename"] == "AgentChanged" and one["agent"]["name"] == "Ben"]


async def test_the_board_counts_what_one_sees_in_few_statements(house: House, two_teams: TwoTeams) -> None:
    with statements(house.db) as sent:
        seen_by_mia = await two_teams.mia.ask(TODAY)
    read = [one for one in sent if one.startswith(("SELECT", "WITH")) and "set_config" not in one]
    seen_by_eve = await two_teams.eve.ask(TODAY)

    assert seen_by_mia["counters"] == {
        "breached": 1, "atRisk": 0, "unassigned": 2, "open": 2, "complaintsOpen": 1, "complaintsStalled": 0,
        "tasksDueToday": 3, "callsWaiting": 1, "slaTodayPercent": None,
    }  # fmt: skip
    assert [call["state"] for call in seen_by_mia["liveCalls"]] == ["RINGING"]
    assert seen_by_eve["counters"]["open"] == seen_by_eve["counters"]["callsWaiting"] == 0
    assert seen_by_eve["liveCalls"] == []
    assert len(read) <= 10, read  # one of them asks who it is, and one where the feed is


async def test_the_feed_tells_of_people_calls_and_counts(
    house: House, support: str, ben: Client, mia: Client
) -> None:
    await calls_the_roll(house)
    since = await cursor_of(house, mia)
    await ben.do(ASSIGN, ticketIds=[await only_ticket(house)], takeOver=True)

    told = await changes(mia, since, "AGENTS", "COUNTERS", until="CountersChanged")

    loads = {one["agent"]["name"]: one["agent"]["load"]["open"] for one in told if "agent" in one}
    assert loads == {"Ben": 1}
    assert [one["counters"]["unassigned"] for one in told if "counters" in one][-1] == 0
    async with house.db.transaction() as session:
        line = await a_channel(session, house.keys, ChannelKind.PHONE)
        await receive(session, line, a_call_step("1", CallStep.RINGING))
    (rings,) = await changes(mia, since, "CALLS", until="CallChanged")
    assert rings["call"] == {"state": "RINGING", "number": "+48600100200"}


async def test_a_ticket_says_why_nobody_is_given_it(
    house: House, support: str, ben: Client, mia: Client, eve: Client
) -> None:
    async with house.db.transaction() as session:
        await set_agents_see(session, AgentsSee.TEAMS)
    id = await only_ticket(house)
    assert (await eve.ask(WHY, id=id))["ticket"] is None
    ticket = (await ben.ask(WHY, id=id))["ticket"]
    assert ticket["waitsBecause"] == "BY_HAND"

    async def after(client: Client, mutation: str, **input: Any) -> Any:
        assert await client.refused(mutation, **input) == []
        return (await mia.ask(WHY, id=id))["ticket"]["waitsBecause"]

    assert await after(mia, SAVE, teamId=support, mode="ROUND_ROBIN", capacity=0) == "NOT_THERE"
    assert await after(ben, DUTY, onDuty=True) == "FULL"
    assert await after(mia, SAVE, teamId=support, capacity=1) is None, "it is about to be given"
    assert await after(ben, ASSIGN, ticketIds=[id], takeOver=True) is None
    assert await after(ben, ASSIGN, ticketIds=[id]) == "LET_GO"
    spoken = {"id": ticket["contact"]["id"], "locale": "ca"}
    assert await after(mia, CONTACT, **spoken) == "LET_GO", "the language is not asked for"
    assert await after(mia, SAVE, teamId=support, byLanguage=True) == "OTHER_LANGUAGE"
    skills = [{"skill": "returns", "tags": ["return"]}]
    assert await after(mia, SAVE, teamId=support, skills=skills) == "OTHER_LANGUAGE"
    assert await after(mia, UPDATE, ids=[id], addTags=["return"]) == "UNSKILLED"
    assert await after(mia, ASSIGN, ticketIds=[id], teamId=None) == "BY_HAND"
    assert await after(mia, UPDATE, ids=[id], status="PENDING") is None


async def test_a_list_says_why_its_tickets_wait_in_as_many_statements_as_one_of_them(
    house: House, support: str, mia: Client
) -> None:
    asked = "query($first: Int!) { tickets(first: $first) { edges { node { waitsBecause } } } }"
    await mia.do(SAVE, teamId=support, mode="ROUND_ROBIN")
    async with house.db.transaction() as session:
        returns = Team(id=new_id(), name="Returns")
        session.add(returns)
        await session.flush()
        await policies.save(session, returns, Terms(mode=AssignmentMode.BY_LOAD))
        mailbox = (await session.scalars(select(Channel))).one()
        for team_id in (None, returns.id, mailbox.team_id):
            mailbox.team_id = team_id
            await receive(session, mailbox, a_mail(f"{new_id()}@example.org"))

    with statements(house.db) as of_one:
        await mia.ask(asked, first=1)
    with statements(house.db) as of_all:
        edges = (await mia.ask(asked, first=4))["tickets"]["edges"]

    why = sorted(edge["node"]["waitsBecause"] for edge in edges)
    assert why == ["BY_HAND", "NOT_THERE", "NOT_THERE", "NOT_THERE"]
    assert len(of_all) == len(of_one), of_all


@contextlib.asynccontextmanager
async def at_work(house: House) -> AsyncIterator[None]:
    async with house.db.transaction() as session:
        await following.begin(session, listening.READER)
    workers = (
        presence.run(house.db),
        following.follow(house.db, listening.READER, listening.listen),
        handing_out.WHEEL.turn(house.db),
        handing_out.WHEEL.turn(house.db),
    )
    tasks = [asyncio.create_task(worker) for worker in workers]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_mail_finds_whoever_comes_on_shift_and_the_timeline_says_why(
    house: House, support: str, ben: Client, mia: Client, admin: Client
) -> None:
    id = await only_ticket(house)
    await mia.do(SAVE, teamId=support, mode="ROUND_ROBIN")
    async with at_work(house), asyncio.timeout(20):
        await ben.do(DUTY, onDuty=True)

        while (line := await newest(mia, id)) != "Heddle gave the ticket to Ben (their turn).":
            await asyncio.sleep(0.05)
        await admin.do(AGENT, id=ben.agent_id, left=True)
        gone = "Heddle put the ticket back into the queue (does not work here any more)."
        while (line := await newest(mia, id)) != gone:
            await asyncio.sleep(0.05)

    assert line == gone


async def test_a_ticket_that_is_written_down_for_a_team_is_handed_out_as_its_others(
    house: House, support: str, ben: Client, mia: Client
) -> None:
    contact = "query($id: ID!) { ticket(id: $id) { contact { id } } }"
    ada = (await mia.ask(contact, id=await only_ticket(house)))["ticket"]["contact"]["id"]
    await mia.do(SAVE, teamId=support, mode="ROUND_ROBIN")

    made = await mia.do(CREATE, contactId=ada, subject="She called", teamId=support)
    nowhere = await mia.do(CREATE, contactId=ada, subject="She called", teamId=ada)

    assert made["ticket"]["team"] == {"name": "Support"}
    assert nowhere["userErrors"] == [{"code": "NOT_FOUND", "field": ["teamId"]}]
    async with at_work(house), asyncio.timeout(20):
        await ben.do(DUTY, onDuty=True)
        while (
            line := await newest(mia, made["ticket"]["id"])
        ) != "Heddle gave the ticket to Ben (their turn).":
            await asyncio.sleep(0.05)

    assert line


async def newest(client: Client, id: str) -> str:
    edges = (await client.ask(TIMELINE, id=id))["ticket"]["timeline"]["edges"]
    return str(edges[0]["node"]["text"])

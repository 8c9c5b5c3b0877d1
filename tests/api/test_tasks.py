import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Team, TeamMember
from domain.arriving.opening import open_ticket
from domain.audit import AuditEntry, AuditKind
from domain.customers.contacts import Contact, add_contact
from domain.db import database_time, new_id
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.joining.merging import merge_contacts, merge_tickets
from domain.planning.series import go_on
from domain.ways_in.channels import ChannelKind
from tests.api.test_sessions import somebody_waits
from tests.client import Client
from tests.factories import NOON, a_channel, a_mail, an_agent, receive
from tests.reading import a_token
from tests.two_teams import TwoTeams

SAVE = """mutation($input: TaskSaveInput!) { taskSave(input: $input) {
  task { id title done dueAt assignee { name } ticket { number } contact { name } } userErrors { code field } } }"""
TASKS = "query($filter: TaskFilter) { tasks(filter: $filter) { title done } }"
OF_TICKET = "query($id: ID!) { ticket(id: $id) { tasks { title } contact { tasks { title } } } }"


def titles(answer: dict[str, Any]) -> list[str]:
    return [task["title"] for task in answer["tasks"]]


@pytest.fixture
async def ticket_id(house: House, ben: Client) -> str:
    async with house.db.transaction() as session:
        mailbox = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, mailbox, a_mail("ada@example.org", sender_name="Ada"))
    (edge,) = (await ben.ask("{ tickets { edges { node { id } } } }"))["tickets"]["edges"]
    id: str = edge["node"]["id"]
    return id


async def test_a_task_on_a_ticket_is_also_its_contacts(ben: Client, ticket_id: str) -> None:
    due = "2026-12-24T12:00:00+00:00"

    saved = await ben.do(SAVE, ticketId=ticket_id, title="Call her", dueAt=due, assigneeId=ben.agent_id)

    task = saved["task"]
    assert (task["assignee"], task["ticket"], task["contact"]) == (
        {"name": "Ben"},
        {"number": 1} | task["ticket"],
        {"name": "Ada"},
    )
    assert task["dueAt"] == due


async def test_what_was_done_last_is_not_behind_a_hundred_that_were_done_long_ago(
    house: House, ben: Client, ticket_id: str
) -> None:
    async with house.db.transaction() as session:
        ticket = await session.get_one(Ticket, row_id("Ticket", ticket_id))
        long_ago = {"due_at": NOON, "done_at": NOON, "created_at": NOON, "updated_at": NOON}
        about = {"ticket_id": ticket.id, "contact_id": ticket.contact_id}
        session.add_all(Task(id=new_id(), title="Water", **about, **long_ago) for _ in range(100))
    await ben.do(SAVE, ticketId=ticket_id, title="Call her", done=True)
    await ben.do(SAVE, ticketId=ticket_id, title="Open")

    listed = (await ben.ask("query($filter: TaskFilter) { tasks(filter: $filter, first: 2) { title } }"))[
        "tasks"
    ]
    done = titles(await ben.ask(TASKS, filter={"done": True, "ticketId": ticket_id}))
    of_ticket = (await ben.ask(OF_TICKET, id=ticket_id))["ticket"]

    assert [task["title"] for task in listed] == ["Open", "Call her"]
    assert done[0] == "Call her"
    assert titles(of_ticket)[:2] == titles(of_ticket["contact"])[:2] == ["Open", "Call her"]


async def test_what_is_left_out_stays_and_null_takes_away(ben: Client, ticket_id: str) -> None:
    first = await ben.do(
        SAVE, ticketId=ticket_id, title="Call her", dueAt="2026-12-24T12:00:00Z", assigneeId=ben.agent_id
    )

    changed = await ben.do(SAVE, id=first["task"]["id"], dueAt=None, done=True)

    assert changed["task"]["dueAt"] is None
    assert changed["task"]["done"] is True
    assert changed["task"]["assignee"] == {"name": "Ben"}
    assert (await ben.ask(TASKS, filter={"done": False}))["tasks"] == []


async def test_a_task_needs_a_title_and_a_ticket_that_is_there(ben: Client, ticket_id: str) -> None:
    assert await ben.refused(SAVE, ticketId=ticket_id, title=" ") == ["INVALID"]
    assert await ben.refused(SAVE, title="Alone", ticketId="VGlja2V0OjE") == ["NOT_FOUND"]
    assert await ben.refused(SAVE, title="Alone") == []


SPAM = "mutation($input: TicketMarkSpamInput!) { ticketMarkSpam(input: $input) { userErrors { code } } }"
DAY = """{ tasks(filter: {mine: true, today: true}) { title } taskCounts { today overdue open givenAway }
  counters { tasksDueToday } }"""


async def test_a_task_on_spam_belongs_to_nobodys_day(ben: Client, ticket_id: str) -> None:
    due = {"dueAt": NOON.isoformat(), "assigneeId": ben.agent_id}
    await ben.do(SAVE, ticketId=ticket_id, title="Call her", **due)
    await ben.do(SAVE, title="Count the till", **due)

    assert await ben.refused(SPAM, ids=[ticket_id]) == []

    day = await ben.ask(DAY)
    assert titles(day) == ["Count the till"]
    assert day["taskCounts"] == {"today": 1, "overdue": 1, "open": 1, "givenAway": 0}
    assert day["counters"] == {"tasksDueToday": 1}
    assert titles(await ben.ask(TASKS, filter={"ticketId": ticket_id})) == ["Call her"]


REMIND = """mutation($input: TaskSaveInput!) { taskSave(input: $input) {
  task { id remindAt remindMinutesBefore } userErrors { code field } } }"""


async def test_a_reminder_stays_where_it_was_when_a_form_sends_back_what_it_was_shown(ben: Client) -> None:
    due, own = "2099-03-05T09:00:00+00:00", "2099-03-01T09:00:00+00:00"
    counted = {"remindAt": "2099-03-05T08:30:00+00:00", "remindMinutesBefore": 30}
    chosen = {"remindAt": own, "remindMinutesBefore": None}
    task = (await ben.do(REMIND, title="Call Ada", dueAt=due, remindMinutesBefore=30))["task"]

    async def saved(**asked: Any) -> dict[str, Any]:
        shown: dict[str, Any] = (await ben.do(REMIND, id=task["id"], **asked))["task"]
        del shown["id"]
        return shown

    assert await saved(title="Call her") == await saved(**counted) == counted
    assert await saved(**counted, dueAt="2099-03-06T09:00:00Z") == counted | {
        "remindAt": "2099-03-06T08:30:00+00:00"
    }
    assert await saved(remindAt=own) == await saved(**chosen) == chosen
    assert (await saved(remindAt=None))["remindMinutesBefore"] == 30, "it counts again"
    assert await saved(remindMinutesBefore=None) == {"remindAt": None, "remindMinutesBefore": None}


REPEAT = """mutation($input: TaskSaveInput!) { taskSave(input: $input) {
  task { id repeat { every } } userErrors { code field } } }"""
DAILY = {"every": "DAY", "timezone": "Europe/Warsaw"}


async def test_a_task_whose_repeating_was_ended_can_come_again(ben: Client) -> None:
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    task = (await ben.do(REPEAT, title="Count the till", dueAt=due, repeat=DAILY))["task"]

    ended = await ben.do(REPEAT, id=task["id"], repeat=None)
    again = await ben.do(REPEAT, id=task["id"], repeat=DAILY)

    assert ended["task"]["repeat"] is None
    assert again["task"]["repeat"] == {"every": "DAY"}


@pytest.mark.parametrize(
    "at_the_end",
    [
        {"dueAt": "9998-12-31T23:30:00-11:00", "repeat": {"every": "YEAR", "timezone": "Pacific/Niue"}},
        {
            "dueAt": "2026-12-24T12:00:00Z",
            "remindAt": "9998-12-31T12:00:00Z",
            "repeat": {"every": "YEAR", "interval": 99, "timezone": "UTC"},
        },
    ],
)
async def test_a_series_at_the_end_of_all_calendars_keeps_no_other_from_going_on(
    house: House, ben: Client, at_the_end: dict[str, Any]
) -> None:
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert await ben.refused(REPEAT, title="The last", done=True, **at_the_end) == []
    await ben.do(REPEAT, title="Count the till", dueAt=due, repeat=DAILY, done=True)

    async with house.db.transaction() as session:
        assert await go_on(session) == 2

    assert "Count the till" in titles(await ben.ask(TASKS, filter={"done": False}))


async def test_only_the_newest_of_a_series_says_how_it_comes_again_and_of_others_nothing_is_ended(
    house: House, ben: Client
) -> None:
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    first = (await ben.do(REPEAT, title="Count the till", dueAt=due, repeat=DAILY))["task"]
    await ben.do(REPEAT, id=first["id"], done=True)
    async with house.db.transaction() as session:
        assert await go_on(session) == 1

    assert await ben.refused(REPEAT, id=first["id"], repeat=DAILY) == ["INVALID"]
    assert await ben.refused(REPEAT, id=first["id"], title="Count it", repeat=None) == []

    listed = (await ben.ask("{ tasks { id title repeat { every } } }"))["tasks"]
    assert {(one["title"], one["repeat"] is None) for one in listed} == {
        ("Count it", True),
        ("Count the till", False),
    }


async def test_what_is_mine_and_what_i_have_given_away_is_a_persons_and_a_program_has_neither(
    admin: Client, ben: Client, mia: Client, anybody: Client
) -> None:
    anybody.token = await a_token(admin)
    await mia.do(SAVE, title="Call Ada", assigneeId=ben.agent_id)
    await mia.do(SAVE, title="Count the till")
    await anybody.do(SAVE, title="Order paper", assigneeId=ben.agent_id)

    async def listed(who: Client, **asked: bool) -> set[str]:
        return set(titles(await who.ask(TASKS, filter=asked)))

    assert await listed(ben, mine=True) == {"Call Ada", "Order paper"}
    assert await listed(ben, mine=False) == {"Count the till"}
    assert await listed(mia, createdByMe=True) == {"Call Ada", "Count the till"}
    assert await listed(mia, createdByMe=True, mine=True) == set()
    assert await listed(anybody, mine=True) == await listed(anybody, createdByMe=True) == set()
    assert await listed(anybody, mine=False) == {"Call Ada", "Count the till", "Order paper"}


@pytest.mark.parametrize("field", ["assigneeId", "ticketId", "contactId", "teamId"])
async def test_an_id_that_says_nothing_is_refused_and_does_not_show_everybodys_tasks(
    ben: Client, field: str
) -> None:
    await ben.do(SAVE, title="Count the till")

    refused = await ben.errors(TASKS, filter={field: ""})

    assert [error["extensions"]["code"] for error in refused] == ["NOT_FOUND"]


async def test_what_is_due_at_a_moment_is_not_due_before_it(ben: Client) -> None:
    due = "2026-12-24T12:00:00+01:00"
    await ben.do(SAVE, title="Call Ada", dueAt=due)
    await ben.do(SAVE, title="Some day")

    async def before(moment: str) -> list[str]:
        return titles(await ben.ask(TASKS, filter={"dueBefore": moment}))

    assert await before("2026-12-24T11:00:00Z") == []
    assert await before("2026-12-24T11:00:01Z") == ["Call Ada"]


TEMPLATE = """mutation($input: TaskTemplateSaveInput!) { taskTemplateSave(input: $input) {
  template { id } userErrors { code field } } }"""
ARCHIVE = "mutation($input: TaskTemplateArchiveInput!) { taskTemplateArchive(input: $input) { ok userErrors { code } } }"


async def test_who_says_what_a_complaint_makes_is_in_the_audit(house: House, mia: Client) -> None:
    planned = [{"title": "Write to Ada", "amount": 1}]
    saved = await mia.do(TEMPLATE, name="Ours", tasks=planned, onComplaint=True, law="COMPLAINT_PL")
    id = saved["template"]["id"]
    await mia.do(ARCHIVE, id=id)

    async with house.db.transaction() as session:
        noted = (await session.scalars(select(AuditEntry).order_by(AuditEntry.seq))).all()
    first, last = [one for one in noted if "template" in one.kind]
    assert (first.kind, last.kind) == (AuditKind.TASK_TEMPLATE_SAVED, AuditKind.TASK_TEMPLATE_ARCHIVED)
    assert (first.data["name"], first.data["on_complaint"], first.data["law"]) == (
        "Ours",
        "True",
        "complaint_pl",
    )
    assert orjson.loads(first.data["tasks"])[0]["title"] == "Write to Ada"
    assert last.data == {"id": id}


async def test_a_template_gives_no_task_to_who_has_left_or_is_no_agent_and_names_the_place(
    house: House, mia: Client, ben: Client
) -> None:
    async with house.db.transaction() as session:
        team = Team(name="Support")
        session.add(team)
        gone = await an_agent(session, "Bo")
        gone.left_at = NOON
        await session.flush()
        ids = [public_id("Team", team.id), public_id("Agent", team.id), public_id("Agent", gone.id), "Bo"]

    async def refused(agent_id: str) -> list[dict[str, Any]]:
        tasks = [{"title": "Write to Ada", "amount": 1, "whose": "AGENT", "agentId": agent_id}]
        errors: list[dict[str, Any]] = (await mia.do(TEMPLATE, name="Ours", tasks=tasks))["userErrors"]
        return errors

    for id in ids:
        assert await refused(id) == [{"code": "NOT_FOUND", "field": ["tasks", "agentId"]}], id
    assert await refused(ben.agent_id) == []


@pytest.mark.parametrize("about", ["ticketId", "contactId"])
async def test_a_task_that_is_made_while_its_ticket_or_contact_becomes_another_goes_along(
    house: House, ben: Client, ticket_id: str, about: str
) -> None:
    async with house.db.transaction() as session:
        ticket = (await session.scalars(select(Ticket))).one()
        ada = await session.get_one(Contact, ticket.contact_id)
        zofia = add_contact(session, name="Zofia", locale=None, by=SYSTEM, at=NOON)
        await session.flush()
        hers = open_ticket(session, zofia, subject="The same", by=SYSTEM, at=NOON)
    ids = {"ticketId": ticket_id, "contactId": public_id("Contact", ada.id)}

    async with house.db.transaction() as session:
        at = await database_time(session)
        ticket, hers = await session.get_one(Ticket, ticket.id), await session.get_one(Ticket, hers.id)
        ada, zofia = await session.get_one(Contact, ada.id), await session.get_one(Contact, zofia.id)
        if about == "ticketId":
            await merge_tickets(session, hers, [ticket], by=SYSTEM, at=at)
        else:
            await merge_contacts(session, zofia, [ada], by=SYSTEM, at=at)
        await session.flush()
        saved = asyncio.create_task(ben.do(SAVE, title="Call her", **{about: ids[about]}))
        while not (saved.done() or await somebody_waits(house)):
            await asyncio.sleep(0.02)

    assert (await saved)["userErrors"] == []
    async with house.db.transaction() as session:
        task = (await session.scalars(select(Task))).one()
    found = {"ticketId": task.ticket_id, "contactId": task.contact_id}
    assert found[about] == {"ticketId": hers.id, "contactId": zofia.id}[about]


async def test_a_task_shows_who_sees_it_nothing_of_a_contact_of_another_team(
    house: House, two_teams: TwoTeams
) -> None:
    async with house.db.transaction() as session:
        await session.execute(update(Task).values(assignee_id=row_id("Agent", two_teams.ids["Eve"])))

    shown = (await two_teams.eve.ask("{ tasks { title contact { company { name } } } }"))["tasks"]

    assert {"title": "Call Ada", "contact": None} in shown


async def test_who_is_reminded_of_a_task_whose_owner_has_left_finds_it(
    house: House, two_teams: TwoTeams
) -> None:
    change = "mutation($input: AgentUpdateInput!) { agentUpdate(input: $input) { userErrors { code } } }"
    mia, ben, eve, ids = two_teams.mia, two_teams.ben, two_teams.eve, two_teams.ids
    async with house.db.transaction() as session:
        its = select(TeamMember.team_id).where(TeamMember.agent_id == row_id("Agent", ids["Ben"]))
        team_id = (await session.scalars(its)).one()
        gone = public_id("Agent", (await an_agent(session, "Gone")).id)
    call = {"title": "Ring the baker", "assigneeId": gone, "teamId": public_id("Team", team_id)}
    saved = await mia.do(SAVE, **call)
    await mia.do(SAVE, title="Ask for a rise", assigneeId=gone)
    assert "Ring the baker" not in titles(await ben.ask(TASKS))

    await two_teams.admin.do(change, id=gone, left=True)

    assert "Ring the baker" in titles(await ben.ask(TASKS))
    assert "Ring the baker" not in titles(await eve.ask(TASKS))
    assert "Ask for a rise" not in titles(await ben.ask(TASKS)), "it was theirs alone"
    assert (await ben.do(SAVE, id=saved["task"]["id"], done=True))["task"]["done"]

"""Changes of many tickets, sleep, fields, and taking changes back."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from api.house import House
from domain.actors import SYSTEM
from domain.arriving.opening import open_ticket
from domain.customers.contacts import add_contact
from domain.desk.tickets import Ticket
from domain.fields import CustomField, says
from domain.ids import public_id, row_id
from domain.working import bulk
from domain.working.edits import Edit
from tests.client import Client
from tests.factories import NOON
from tests.two_teams import TwoTeams

BULK_FIELDS = """id state total done undoUntil failed { ticketId error ticket { number } }
  kept { ticketId what }"""
BULK = f"mutation($input: BulkChangeInput!) {{ bulkChange(input: $input) {{ bulkChange {{ {BULK_FIELDS} }} userErrors {{ code field }} }} }}"
BULK_UNDO = f"mutation($input: BulkUndoInput!) {{ bulkUndo(input: $input) {{ bulkChange {{ {BULK_FIELDS} }} userErrors {{ code }} }} }}"
PROGRESS = f"query($id: ID!) {{ bulkChange(id: $id) {{ {BULK_FIELDS} }} }}"
UPDATE = """mutation($input: TicketUpdateInput!) { ticketUpdate(input: $input) {
  tickets { status snoozedUntil fields { field { label } value } } changeId undoUntil userErrors { code field } } }"""
ASSIGN = """mutation($input: TicketAssignInput!) { ticketAssign(input: $input) { changeId userErrors { code } } }"""
UNDO = """mutation($input: ChangeUndoInput!) { changeUndo(input: $input) {
  tickets { status priority tags } kept { what } userErrors { code } } }"""
TICKET = "query($id: ID!) { ticket(id: $id) { status priority tags snoozedUntil assignee { name } fields { value } } }"
FIELD = """mutation($input: TicketFieldSaveInput!) { ticketFieldSave(input: $input) {
  ticketField { id label kind } userErrors { code field } } }"""


@pytest.fixture
async def many(house: House) -> list[str]:
    house.settings.undo_seconds = 10
    async with house.db.transaction() as session:
        ada = add_contact(session, name="Ada", locale=None, by=SYSTEM, at=NOON)
        await session.flush()
        made = [open_ticket(session, ada, subject=f"Mug {n}", by=SYSTEM, at=NOON) for n in range(45)]
        await session.flush()
        return [public_id("Ticket", one.id) for one in made]


async def works(house: House, id: str) -> None:
    """As the worker does."""
    more = True
    while more:
        async with house.db.transaction() as session:
            more = await bulk.step(session, row_id("BulkChange", id))


async def ticket(client: Client, id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.ask(TICKET, id=id))["ticket"]
    return found


async def test_many_are_changed_as_if_by_hand_and_taken_back_but_for_what_was_changed_since(
    house: House, ben: Client, mia: Client, many: list[str]
) -> None:
    asked = await ben.do(
        BULK, ids=many, status="SOLVED", priority=1, addTags=["Recall"], assigneeId=ben.agent_id
    )
    id = asked["bulkChange"]["id"]
    assert (asked["bulkChange"]["state"], asked["bulkChange"]["done"]) == ("RUNNING", 0)

    async with house.db.transaction() as session:
        await bulk.step(session, row_id("BulkChange", id))
    assert (await ben.ask(PROGRESS, id=id))["bulkChange"]["done"] == 20
    await works(house, id)
    done = (await ben.ask(PROGRESS, id=id))["bulkChange"]
    assert (done["state"], done["done"], done["failed"]) == ("DONE", 45, [])
    assert done["undoUntil"]
    solved = await ticket(ben, many[0])
    assert (solved["status"], solved["priority"], solved["tags"]) == ("SOLVED", 1, ["recall"])
    assert solved["assignee"] == {"name": "Ben"}

    for status in ("OPEN", "SOLVED"):
        await mia.do(UPDATE, ids=[many[7]], status=status, addTags=["mias"])
    undoing = await ben.do(BULK_UNDO, id=id)
    await works(house, id)

    assert undoing["bulkChange"]["state"] == "UNDOING"
    undone = (await ben.ask(PROGRESS, id=id))["bulkChange"]
    assert (undone["state"], undone["done"], undone["undoUntil"]) == ("UNDONE", 45, None)
    assert undone["kept"] == [{"ticketId": many[7], "what": ["status"]}]
    back = await ticket(ben, many[0])
    assert (back["status"], back["priority"], back["tags"], back["assignee"]) == ("NEW", 3, [], None)
    mias = await ticket(ben, many[7])
    assert (mias["status"], mias["priority"], mias["tags"]) == ("SOLVED", 3, ["mias"])
    assert await ben.refused(BULK_UNDO, id=id) == ["ALREADY_UNDONE"]


async def test_what_cannot_be_changed_is_listed_and_what_makes_no_sense_is_refused_at_once(
    house: House, two_teams: TwoTeams
) -> None:
    eve, ids = two_teams.eve, two_teams.ids
    async with house.db.transaction() as session:
        await session.execute(
            update(Ticket).where(Ticket.id == row_id("Ticket", ids["CallTicket"])).values(team_id=None)
        )

    asked = await eve.do(BULK, ids=[ids["Ticket"], ids["CallTicket"]], priority=1)
    id = asked["bulkChange"]["id"]
    await works(house, id)

    done = (await eve.ask(PROGRESS, id=id))["bulkChange"]
    assert done["failed"] == [{"ticketId": ids["Ticket"], "error": "NOT_FOUND", "ticket": None}]
    assert (await ticket(eve, ids["CallTicket"]))["priority"] == 1
    assert (await two_teams.mia.ask(PROGRESS, id=id))["bulkChange"]["total"] == 2
    assert (await two_teams.ben.ask(PROGRESS, id=id))["bulkChange"] is None
    assert await two_teams.ben.refused(BULK_UNDO, id=id) == ["NOT_FOUND"]
    for nonsense in ({"priority": 9}, {"addTags": [" "]}, {"status": "SOLVED", "pendingUntil": _tomorrow()}):
        assert await eve.refused(BULK, ids=[ids["CallTicket"]], **nonsense) == ["INVALID"]
    assert await eve.refused(BULK, ids=[], priority=1) == ["INVALID"]
    never_there = public_id("Ticket", uuid.UUID(int=1))
    assert await eve.refused(BULK, ids=[ids["CallTicket"], never_there], priority=1) == ["NOT_FOUND"]


async def test_five_hundred_are_taken_and_one_more_is_too_many(ben: Client) -> None:
    ids = [public_id("Ticket", uuid.uuid4()) for _ in range(501)]

    assert await ben.refused(BULK, ids=ids[:500], status="SOLVED") == ["NOT_FOUND"]
    with pytest.raises(AssertionError, match="OVER_LIMIT"):
        await ben.refused(BULK, ids=ids, status="SOLVED")


def _tomorrow() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


async def test_a_change_is_taken_back_for_ten_seconds_by_who_made_it(
    house: House, ben: Client, mia: Client, eve: Client, many: list[str]
) -> None:
    one, two, *_ = many
    changed = await ben.do(UPDATE, ids=[one, two], status="SOLVED", priority=2, addTags=["mug"])
    assert await eve.refused(UNDO, id=changed["changeId"]) == ["NOT_FOUND"]
    await mia.do(UPDATE, ids=[two], priority=4)

    undone = await ben.do(UNDO, id=changed["changeId"])

    assert undone["userErrors"] == []
    assert undone["kept"] == [{"what": ["priority"]}]
    found = {one["priority"]: (one["status"], one["tags"]) for one in undone["tickets"]}
    assert found == {3: ("NEW", []), 4: ("NEW", [])}
    assert await ben.refused(UNDO, id=changed["changeId"]) == ["ALREADY_UNDONE"]

    taken = await ben.do(ASSIGN, ticketIds=[one], takeOver=True)
    await mia.do(ASSIGN, ticketIds=[one], agentId=mia.agent_id)
    assert await ben.refused(UPDATE, ids=[one]) == []
    assert (await ben.do(UNDO, id=taken["changeId"]))["kept"] == [{"what": ["assignee"]}], (
        "the status went back"
    )
    assert (await ticket(ben, one))["assignee"] == {"name": "Mia"}

    late = await ben.do(UPDATE, ids=[one], priority=1)
    async with house.db.transaction() as session:
        await session.execute(update(Edit).values(undo_until=Edit.at))
    assert await ben.refused(UNDO, id=late["changeId"]) == ["TOO_LATE"]
    assert (await ben.do(UPDATE, ids=[one], priority=1))["changeId"] is None, "nothing was changed"


async def test_what_a_ticket_was_called_comes_back_unless_somebody_else_has_changed_it_since(
    ben: Client, mia: Client, many: list[str]
) -> None:
    one, two, *_ = many
    changed = await ben.do(UPDATE, ids=[one, two], subject="Two mugs of three")
    await mia.do(UPDATE, ids=[two], subject="All the mugs")

    undone = await ben.do(UNDO, id=changed["changeId"])

    assert undone["kept"] == [{"what": ["subject"]}]
    called = [
        (await ben.ask("query($id: ID!) { ticket(id: $id) { subject } }", id=id))["ticket"]
        for id in (one, two)
    ]
    assert called == [{"subject": "Mug 0"}, {"subject": "All the mugs"}]


async def test_what_a_complaint_keeps_open_is_not_solved_by_taking_a_change_back(
    house: House, ben: Client, many: list[str]
) -> None:
    id, *_ = many
    await ben.do(UPDATE, ids=[id], status="SOLVED")
    change = (await ben.do(UPDATE, ids=[id], status="OPEN", priority=1))["changeId"]
    async with house.db.transaction() as session:
        (await session.get_one(Ticket, row_id("Ticket", id))).undecided = True

    undone = await ben.do(UNDO, id=change)

    assert undone["kept"] == [{"what": ["status"]}]
    assert ((await ticket(ben, id))["status"], (await ticket(ben, id))["priority"]) == ("OPEN", 3)


async def test_of_two_who_take_the_same_back_one_does(ben: Client, mia: Client, many: list[str]) -> None:
    changed = await ben.do(UPDATE, ids=many[:1], priority=1)

    both = await asyncio.gather(*(who.refused(UNDO, id=changed["changeId"]) for who in (ben, mia)))

    assert sorted(both) == [[], ["ALREADY_UNDONE"]]
    assert (await ticket(ben, many[0]))["priority"] == 3


async def test_a_ticket_sleeps_wakes_and_its_sleep_is_taken_back(ben: Client, many: list[str]) -> None:
    one = many[0]

    asleep = await ben.do(UPDATE, ids=[one], pendingUntil=_tomorrow())
    assert asleep["tickets"][0]["status"] == "PENDING"
    assert asleep["tickets"][0]["snoozedUntil"]
    longer = await ben.do(UPDATE, ids=[one], pendingUntil=(datetime.now(UTC) + timedelta(days=9)).isoformat())
    await ben.do(UNDO, id=longer["changeId"])
    assert (await ticket(ben, one))["snoozedUntil"] == asleep["tickets"][0]["snoozedUntil"]
    assert await ben.refused(UPDATE, ids=[one], pendingUntil=NOON.isoformat()) == ["INVALID"]

    woken = await ben.do(UPDATE, ids=[one], pendingUntil=None)
    assert (woken["tickets"][0]["status"], woken["tickets"][0]["snoozedUntil"]) == ("OPEN", None)
    await ben.do(UNDO, id=woken["changeId"])
    again = await ticket(ben, one)
    assert (again["status"], again["snoozedUntil"]) == ("PENDING", asleep["tickets"][0]["snoozedUntil"])


async def test_a_tickets_fields_keep_the_rules_of_contacts_fields_and_are_none_of_theirs(
    house: House, ben: Client, admin: Client, many: list[str]
) -> None:
    made = await admin.do(FIELD, label="Order", kind="NUMBER")
    field = made["ticketField"]["id"]
    assert made["ticketField"] == {"id": field, "label": "Order", "kind": "NUMBER"}

    set_ = await ben.do(UPDATE, ids=many[:1], fields=[{"fieldId": field, "value": " 12.50 "}])
    wrong = await ben.do(UPDATE, ids=many[:1], fields=[{"fieldId": field, "value": "twelve"}])
    listed = await ben.ask("{ contactFields { id } ticketFields { label } }")

    assert set_["tickets"][0]["fields"] == [{"field": {"label": "Order"}, "value": "12.50"}]
    assert wrong["userErrors"] == [{"code": "INVALID", "field": ["fields", "0", "value"]}]
    assert listed == {"contactFields": [], "ticketFields": [{"label": "Order"}]}
    async with house.db.transaction() as session:
        (order,) = await session.scalars(select(CustomField))
        for sign, value, is_so in (("=", "12.5", True), (">", "9", True), ("<", "12.5", False)):
            found = await session.scalars(select(Ticket.id).where(says(Ticket.fields, order, sign, value)))
            assert bool(found.all()) == is_so, (sign, value)
    assert (await ben.do(UNDO, id=set_["changeId"]))["userErrors"] == []
    assert (await ticket(ben, many[0]))["fields"] == []

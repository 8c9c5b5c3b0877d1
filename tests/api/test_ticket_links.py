"""Tickets that have to do with each other."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from api.house import House
from domain.actors import SYSTEM
from domain.agents.staff import Team
from domain.arriving.opening import open_ticket
from domain.customers.contacts import add_contact
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.working import links as working_links
from tests.client import Client
from tests.factories import NOON
from tests.two_teams import TwoTeams

LINK = """mutation($input: TicketLinkInput!) { ticketLink(input: $input) {
  tickets { id links { kind ticket { id } } } userErrors { code field } } }"""
UNLINK = "mutation($input: TicketUnlinkInput!) { ticketUnlink(input: $input) { tickets { id } userErrors { code } } }"
LINKS = """query($id: ID!) { ticket(id: $id) { links { id kind ticket { number } by { name } }
  timeline(first: 1) { edges { node { ... on SystemEvent { text } } } } } }"""
MERGE = "mutation($input: TicketMergeInput!) { ticketMerge(input: $input) { mergeId userErrors { code } } }"
UNDO = "mutation($input: JoinUndoInput!) { joinUndo(input: $input) { userErrors { code } } }"


@pytest.fixture
async def four(house: House) -> list[str]:
    async with house.db.transaction() as session:
        ada = add_contact(session, name="Ada", locale=None, by=SYSTEM, at=NOON)
        await session.flush()
        made = [open_ticket(session, ada, subject=f"Mug {n}", by=SYSTEM, at=NOON) for n in range(4)]
        await session.flush()
        return [public_id("Ticket", one.id) for one in made]


async def links(client: Client, id: str) -> list[tuple[str, int]]:
    found = (await client.ask(LINKS, id=id))["ticket"]["links"]
    return sorted((one["kind"], one["ticket"]["number"]) for one in found)


async def test_a_link_is_seen_from_both_ends_once_and_goes(ben: Client, four: list[str]) -> None:
    one, two, *_ = four
    number = {
        id: (await ben.ask("query($i: ID!) { ticket(id: $i) { number } }", i=id))["ticket"]["number"]
        for id in four
    }

    for kind in ("BLOCKED_BY", "BLOCKED_BY", "RELATED"):
        assert (await ben.do(LINK, ticketId=one, otherId=two, kind=kind))["userErrors"] == []
    await ben.do(LINK, ticketId=two, otherId=one, kind="RELATED")

    assert await links(ben, one) == [("BLOCKED_BY", number[two]), ("RELATED", number[two])]
    assert await links(ben, two) == [("BLOCKS", number[one]), ("RELATED", number[one])]
    shown = (await ben.ask(LINKS, id=one))["ticket"]
    assert shown["timeline"]["edges"][0]["node"]["text"] == "Ben linked the ticket to another."
    for link in shown["links"]:
        await ben.do(UNLINK, id=link["id"])
    assert await links(ben, two) == []


async def test_no_circle_and_one_parent_whoever_is_quicker(ben: Client, mia: Client, four: list[str]) -> None:
    one, two, three, four_ = four

    async def refused(client: Client, ticket: str, other: str, kind: str) -> list[str]:
        return await client.refused(LINK, ticketId=ticket, otherId=other, kind=kind)

    assert await refused(ben, one, one, "RELATED") == ["INVALID"]
    assert await refused(ben, one, two, "PARENT") == []
    assert await refused(ben, two, three, "PARENT") == []
    assert await refused(ben, three, one, "PARENT") == ["INVALID"]
    assert await refused(ben, one, four_, "PARENT") == ["INVALID"]
    both = await asyncio.gather(refused(ben, three, four_, "BLOCKS"), refused(mia, four_, three, "BLOCKS"))
    assert sorted(both) == [[], ["INVALID"]]


async def test_after_a_merge_links_are_the_survivors_and_undoing_it_gives_them_back(
    ben: Client, four: list[str]
) -> None:
    one, two, three, _ = four
    for ticket, other in ((one, three), (two, three), (one, two)):
        await ben.do(LINK, ticketId=ticket, otherId=other, kind="RELATED")
    before: dict[str, Any] = {id: await links(ben, id) for id in four}

    merged = await ben.do(MERGE, primaryId=two, otherIds=[one])

    assert [kind for kind, _ in await links(ben, two)] == ["RELATED"], "none to itself, the same twice once"
    assert await links(ben, three) == await links(ben, three)
    assert len(await links(ben, three)) == 1
    assert await ben.refused(UNDO, eventId=merged["mergeId"]) == []
    assert {id: await links(ben, id) for id in four} == before


async def test_what_a_merge_brought_twice_or_from_another_team_is_unlinked_at_once(
    house: House, ben: Client, mia: Client, four: list[str]
) -> None:
    one, two, three, _ = four
    for ticket, other in ((one, three), (three, two)):
        await ben.do(LINK, ticketId=ticket, otherId=other, kind="RELATED")
    async with house.db.transaction() as session:
        returns = Team(name="Returns")
        session.add(returns)
        await session.flush()
        await session.execute(
            update(Ticket).where(Ticket.id == row_id("Ticket", one)).values(team_id=returns.id)
        )
    await mia.do(MERGE, primaryId=two, otherIds=[one])
    (shown,) = (await ben.ask(LINKS, id=two))["ticket"]["links"]

    assert await ben.refused(UNLINK, id=shown["id"]) == []
    assert await links(ben, two) == await links(ben, three) == []


async def test_a_parent_that_became_part_of_its_child_leaves_room_for_another(
    ben: Client, four: list[str]
) -> None:
    child, parent, other, third = four
    await ben.do(LINK, ticketId=child, otherId=parent, kind="PARENT")
    merged = await ben.do(MERGE, primaryId=child, otherIds=[parent])

    assert await ben.refused(LINK, ticketId=child, otherId=other, kind="PARENT") == []
    assert await ben.refused(LINK, ticketId=child, otherId=third, kind="PARENT") == ["INVALID"]
    assert [kind for kind, _ in await links(ben, child)] == ["PARENT"]
    await ben.do(UNDO, eventId=merged["mergeId"])

    assert [kind for kind, _ in await links(ben, child)] == ["PARENT", "PARENT"]
    assert [kind for kind, _ in await links(ben, parent)] == ["CHILD"]
    assert await ben.refused(LINK, ticketId=parent, otherId=child, kind="PARENT") == ["INVALID"]


async def test_a_link_to_what_one_may_not_see_is_not_shown_and_cannot_be_made_or_taken_away(
    house: House, two_teams: TwoTeams
) -> None:
    ben, eve, ids = two_teams.ben, two_teams.eve, two_teams.ids
    async with house.db.transaction() as session:
        call = await session.get_one(Ticket, row_id("Ticket", ids["CallTicket"]))
        call.team_id = None
        assert len((await session.scalars(select(Ticket))).all()) == 2

    assert await links(eve, ids["CallTicket"]) == []
    assert len(await links(ben, ids["CallTicket"])) == 1
    assert await eve.refused(LINK, ticketId=ids["CallTicket"], otherId=ids["Ticket"], kind="BLOCKS") == [
        "NOT_FOUND"
    ]
    assert await eve.refused(UNLINK, id=ids["TicketLink"]) == ["NOT_FOUND"]


ASSIGN = """mutation($input: TicketAssignInput!) { ticketAssign(input: $input) {
  tickets { id } changeId conflict { name } userErrors { code field } } }"""
NOTES = (
    "query($id: ID!) { ticket(id: $id) { timeline(first: 50) { edges { node { ... on Note { text } } } } } }"
)


async def test_of_tickets_that_became_one_each_is_handled_once(ben: Client, four: list[str]) -> None:
    one, two, *_ = four
    assert (await ben.do(MERGE, primaryId=one, otherIds=[two]))["userErrors"] == []

    asked = {"ticketIds": [one, two], "agentId": ben.agent_id, "expectedAssigneeId": None, "note": "Mine now"}
    done = await ben.do(ASSIGN, **asked)

    assert (done["tickets"], done["userErrors"]) == ([{"id": one}], [])
    edges = (await ben.ask(NOTES, id=one))["ticket"]["timeline"]["edges"]
    assert [edge["node"]["text"] for edge in edges if edge["node"].get("text") == "Mine now"] == ["Mine now"]


async def test_a_conflict_names_who_has_one_of_them_unexpectedly(
    ben: Client, mia: Client, four: list[str]
) -> None:
    one, two, *_ = four
    await ben.do(ASSIGN, ticketIds=[one], agentId=ben.agent_id)
    await ben.do(ASSIGN, ticketIds=[two], agentId=mia.agent_id)

    late = await mia.do(ASSIGN, ticketIds=[one, two], takeOver=True, expectedAssigneeId=ben.agent_id)

    assert [error["code"] for error in late["userErrors"]] == ["ASSIGNEE_CHANGED"]
    assert late["conflict"] == {"name": "Mia"}


async def test_a_hand_over_to_another_team_is_not_taken_back_by_half(
    house: House, two_teams: TwoTeams
) -> None:
    house.settings.undo_seconds = 10
    mia, id = two_teams.mia, two_teams.ids["Ticket"]
    teams = (await mia.ask("{ teams { id name } }"))["teams"]
    (returns,) = [one["id"] for one in teams if one["name"] == "Returns"]

    taken = await mia.do(ASSIGN, ticketIds=[id], agentId=mia.agent_id)
    handed = await mia.do(ASSIGN, ticketIds=[id], teamId=returns)

    assert taken["tickets"] == handed["tickets"] == [{"id": id}]
    assert taken["changeId"]
    assert handed["changeId"] is None


async def test_neither_end_has_more_links_than_a_page_shows(
    ben: Client, four: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working_links, "MOST", 1)
    one, two, three, _ = four
    assert (await ben.do(LINK, ticketId=one, otherId=two, kind="RELATED"))["userErrors"] == []

    assert (await ben.do(LINK, ticketId=two, otherId=three, kind="RELATED"))["userErrors"][0]["field"] == [
        "ticketId"
    ]
    assert (await ben.do(LINK, ticketId=three, otherId=two, kind="RELATED"))["userErrors"][0]["field"] == [
        "otherId"
    ]

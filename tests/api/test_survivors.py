"""After a merge every view shows the survivor: whatever the schema lets one ask, no merged contact and no merged ticket is shown."""

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from api.house import House
from domain.actors import SYSTEM, Role
from domain.customers.contacts import Contact
from domain.db import database_time
from domain.desk.messages import Item
from domain.desk.tickets import Ticket
from domain.ids import public_id, row_id
from domain.joining.merging import merge_contacts, merge_tickets
from domain.joining.moves import Move
from domain.joining.undoing import undo
from tests.api.test_canary import LEVELS, everything
from tests.two_teams import TwoTeams

LIST = "{ tickets { edges { node { __typename id contact { __typename id } } } } }"


async def _merged(house: House, two_teams: TwoTeams) -> tuple[dict[str, str], list[Move]]:
    """Ada's contact becomes another and her ticket the caller's: what the shop knew them by, leads to the survivors."""
    async with house.db.transaction() as session:
        at = await database_time(session)
        ada = await session.get_one(Contact, row_id("Contact", two_teams.ids["Contact"]))
        mine = await session.get_one(Ticket, row_id("Ticket", two_teams.ids["Ticket"]))
        caller = await session.get_one(Contact, row_id("Contact", two_teams.ids["Caller"]))
        other = (await session.scalars(select(Ticket).where(Ticket.contact_id == caller.id))).one()
        moves = [await merge_contacts(session, caller, [ada], by=SYSTEM, at=at)]
        moves.append(await merge_tickets(session, other, [mine], by=SYSTEM, at=at))
        return {"Contact": public_id("Contact", caller.id), "Ticket": public_id("Ticket", other.id)}, moves


@LEVELS
async def test_every_view_shows_the_survivors_and_an_undo_the_former_ones_again(
    house: House, two_teams: TwoTeams, levels: int
) -> None:
    former = {two_teams.ids["Contact"], two_teams.ids["Ticket"]}
    assert _shown((await two_teams.mia.post(LIST)).text) >= former
    survivors, moves = await _merged(house, two_teams)

    told, asked = await everything(two_teams.mia, two_teams.ids, Role.MANAGER, levels)
    shown = _shown(told)
    assert asked > 200
    assert set(survivors.values()) <= shown
    assert not former & shown

    async with house.db.transaction() as session:
        for move in reversed(moves):
            await undo(session, move.id, by=SYSTEM, at=await database_time(session))
        assert await _lost(session) == 0
    assert _shown((await two_teams.mia.post(LIST)).text) >= former


async def test_counts_follow_a_merge(house: House, two_teams: TwoTeams) -> None:
    query = "query($c: ID!) { contact(id: $c) { stats { tickets messages calls } openTickets { id } } tickets { totalCount } }"
    former = await two_teams.mia.ask(query, c=two_teams.ids["Contact"])
    caller = await two_teams.mia.ask(query, c=two_teams.ids["Caller"])

    await _merged(house, two_teams)

    now = await two_teams.mia.ask(query, c=two_teams.ids["Contact"])
    stats = [answer["contact"]["stats"] for answer in (former, caller, now)]
    assert stats[2]["messages"] == stats[0]["messages"] + stats[1]["messages"]
    assert stats[2]["calls"] == stats[0]["calls"] + stats[1]["calls"]
    assert stats[2]["tickets"] == stats[0]["tickets"] + stats[1]["tickets"] - 1
    assert now["tickets"]["totalCount"] == former["tickets"]["totalCount"] - 1


async def test_lists_by_the_id_of_a_former_contact_are_the_survivors(
    house: House, two_teams: TwoTeams
) -> None:
    query = """query($c: ID!, $q: String!) {
      tickets(filter: {contactId: $c}) { edges { node { id } } } asked: tickets(filter: {query: $q}) { edges { node { id } } }
      tasks(filter: {contactId: $c}) { id } contactExports(contactId: $c) { id } erasures(contactId: $c) { id }
      audit(contactId: $c) { edges { node { seq } } } }"""
    opened = "query($c: ID!) { contact(id: $c) { name } }"
    former = two_teams.ids["Contact"]
    survivors, _ = await _merged(house, two_teams)
    await two_teams.ben.ask(opened, c=former)

    by_former, by_survivor = [
        await two_teams.admin.ask(query, c=id, q=f"contact:{id}") for id in (former, survivors["Contact"])
    ]

    assert by_former == by_survivor
    assert all(len(found if isinstance(found, list) else found["edges"]) for found in by_former.values())


def _shown(told: str) -> set[str]:
    """Ids of contacts and tickets that answers show as such; `Removed` names what is gone, `BulkFailure` what was named then."""
    found: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("__typename") in ("Contact", "Ticket"):
                found.add(value["id"])
            if value.get("ticketId") and value.get("__typename") != "BulkFailure":
                found.add(value["ticketId"])
            for below in value.values():
                look(below)
        elif isinstance(value, list):
            for below in value:
                look(below)

    for line in told.splitlines():
        look(json.loads(line))
    return found


async def _lost(session: AsyncSession) -> int:
    """Items in a ticket that has become part of another."""
    stray = (
        select(Item.id).join(Ticket, Ticket.id == Item.ticket_id).where(Ticket.merged_into_id.is_not(None))
    )
    return len((await session.scalars(stray)).all())

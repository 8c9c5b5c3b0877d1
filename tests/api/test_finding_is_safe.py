"""What finding does not give away, and what nobody can do to others by it."""

import asyncio

from api.house import House
from domain.actors import SYSTEM
from domain.agents.sign_in import actor_by_id
from domain.agents.staff import Agent
from domain.db import database_time
from domain.desk.tickets import Ticket
from domain.finding.views import MOST, save_view
from domain.ids import row_id
from domain.joining.merging import merge_tickets
from tests.client import Client
from tests.factories import NOON
from tests.two_teams import TwoTeams

SEARCH = "query($text: String!) { search(text: $text) { kind id title } }"
NUMBERS = "query($asked: String!) { tickets(filter: {query: $asked}) { edges { node { number } } } }"
SAVE = "mutation($input: ViewSaveInput!) { viewSave(input: $input) { view { id position } userErrors { code } } }"
TOKEN = "mutation($input: TokenCreateInput!) { tokenCreate(input: $input) { secret userErrors { code } } }"


async def test_who_saw_a_ticket_finds_nothing_of_what_it_became_in_another_team(
    house: House, two_teams: TwoTeams
) -> None:
    async with house.db.transaction() as session:
        mine = await session.get_one(Ticket, row_id("Ticket", two_teams.ids["CallTicket"]))
        theirs = await session.get_one(Ticket, row_id("Ticket", two_teams.ids["Ticket"]))
        mine.team_id, number = None, mine.number
        await session.flush()
        await merge_tickets(session, theirs, [mine], by=SYSTEM, at=await database_time(session))

    found = await two_teams.ben.ask(SEARCH, text=f"#{number}")
    hidden = await two_teams.eve.ask(SEARCH, text=f"#{number}")

    assert [hit["id"] for hit in found["search"]] == [two_teams.ids["Ticket"]]
    assert hidden["search"] == []


async def test_a_token_that_reads_no_customers_cannot_guess_them_by_asking_for_tickets(
    two_teams: TwoTeams,
) -> None:
    made = await two_teams.admin.do(TOKEN, name="Till", scopes=["TICKETS_READ"])
    both = await two_teams.admin.do(TOKEN, name="Shop", scopes=["TICKETS_READ", "CONTACTS_READ"])
    guesses = ("contact:london", "contact:ada", "london", "lang:none")

    async with Client(two_teams.admin.address) as till, Client(two_teams.admin.address) as shop:
        till.token, shop.token = made["secret"], both["secret"]
        guessed = [(await till.ask(NUMBERS, asked=guess))["tickets"]["edges"] for guess in guesses]
        known = [(await shop.ask(NUMBERS, asked=guess))["tickets"]["edges"] for guess in guesses]
        said = (await till.ask(NUMBERS, asked="parcel"))["tickets"]["edges"]

    assert guessed == [[], [], [], []]
    assert all(known)
    assert said


async def test_a_token_that_reads_no_staff_is_told_no_names_or_addresses_of_theirs(
    two_teams: TwoTeams,
) -> None:
    made = await two_teams.admin.do(TOKEN, name="Till", scopes=["TICKETS_READ"])

    async with Client(two_teams.admin.address) as till:
        till.token = made["secret"]
        told = [
            (await till.errors(NUMBERS, asked=guess))[0]["message"]
            for guess in ("assignee:ben@shop", "mentions:bem", "team:suport")
        ]

    assert not [name for name in ("ben@shop.example", "Ben", "Support") if name in str(told)]


async def test_an_agent_who_reads_no_addresses_of_colleagues_cannot_guess_them_by_asking_for_tickets(
    two_teams: TwoTeams,
) -> None:
    made = await two_teams.admin.do(TOKEN, name="Rota", scopes=["TICKETS_READ", "STAFF_READ"])
    guesses = ("assignee:mia@shop.example", "assignee:mia@shop.exampl", "mentions:ben@shop")

    async with Client(two_teams.admin.address) as rota:
        rota.token = made["secret"]
        told = [await who.errors(NUMBERS, asked=guess) for who in (two_teams.eve, rota) for guess in guesses]
    saved = [await two_teams.eve.refused(SAVE, name="guess", query=guess) for guess in guesses]
    managed = await two_teams.mia.ask(NUMBERS, asked=guesses[0])

    assert {(error["extensions"]["code"], error["extensions"]["nearest"]) for (error,) in told} == {
        ("QUERY_UNKNOWN_VALUE", None)
    }
    assert saved == [["QUERY_UNKNOWN_VALUE"]] * 3
    assert managed == {"tickets": {"edges": []}}


async def test_a_view_of_the_shop_that_names_somebody_by_address_is_everybodys(two_teams: TwoTeams) -> None:
    shared = await two_teams.mia.do(SAVE, name="Ben's", query="assignee:ben@shop.example", shared=True)
    query = "query($id: ID!) { tickets(filter: {viewId: $id}) { totalCount } }"

    for who in (two_teams.eve, two_teams.mia):
        assert (await who.ask(query, id=shared["view"]["id"]))["tickets"]["totalCount"] == 0


async def test_a_view_that_names_somebody_by_what_is_theirs_no_more_says_so_and_tells_no_address(
    house: House, two_teams: TwoTeams
) -> None:
    shared = await two_teams.mia.do(SAVE, name="Ben's", query="assignee:ben@shop.example", shared=True)
    async with house.db.transaction() as session:
        ben = await session.get_one(Agent, row_id("Agent", two_teams.ben.agent_id))
        ben.email = "benn@shop.example"
    query = "query($id: ID!) { tickets(filter: {viewId: $id}) { totalCount } }"

    told = [await who.errors(query, id=shared["view"]["id"]) for who in (two_teams.eve, two_teams.mia)]

    assert [error["extensions"]["nearest"] for (error,) in told] == [None, "benn@shop.example"]


async def test_a_word_of_any_letters_and_any_length_is_looked_for(two_teams: TwoTeams) -> None:
    for word in ("漢" * 990, "order:" + "漢" * 900, "contact:" + "漢" * 900, "😀a" * 490, "ﷺ" * 50):
        assert (await two_teams.ben.ask(SEARCH, text=word))["search"] == []
        assert (await two_teams.ben.ask(NUMBERS, asked=word))["tickets"]["edges"] == []


async def test_views_that_ask_for_very_much_are_not_counted_and_hold_up_no_others(
    house: House, two_teams: TwoTeams
) -> None:
    long = "is:open " + " ".join(f"word{number}" for number in range(50))
    for name in ("a", "b", "c", "d", "e"):
        await two_teams.ben.do(SAVE, name=name, query=long)
    await two_teams.ben.do(SAVE, name="short", query="is:open")

    counts = {
        view["name"]: view["count"] for view in (await two_teams.ben.ask("{ views { name count } }"))["views"]
    }

    assert counts["Unassigned"] == counts["short"] == 2
    assert (counts["a"], counts["e"]) == (0, None)


async def test_after_the_last_place_comes_no_other(two_teams: TwoTeams) -> None:
    last = await two_teams.ben.do(SAVE, name="last", query="is:open", position=2**31 - 1)
    another = await two_teams.ben.do(SAVE, name="another", query="is:open")

    assert last["view"]["position"] == another["view"]["position"]


async def test_nobody_has_more_views_than_the_most_by_saving_them_at_once(
    house: House, two_teams: TwoTeams
) -> None:
    ben = row_id("Agent", two_teams.ben.agent_id)
    async with house.db.transaction() as session:
        actor = await actor_by_id(session, ben)
        assert actor
        for number in range(MOST - 1):
            await save_view(session, None, by=actor, at=NOON, shared=False, name=f"{number}", query="is:open")
            await session.flush()

    saved = await asyncio.gather(
        *(two_teams.ben.refused(SAVE, name=name, query="is:open") for name in "abcd")
    )

    assert sorted(saved) == [[], ["INVALID"], ["INVALID"], ["INVALID"]]

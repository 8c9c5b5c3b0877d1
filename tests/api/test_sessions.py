import asyncio

import pytest
from sqlalchemy import update

from api.house import House
from domain import passwords
from domain.staff import Agent
from tests.client import PASSWORD, SIGN_IN, Client
from tests.factories import NOON

VIEWER = "{ viewer { role agent { name initials } } }"
NOTE = "mutation($input: NoteAddInput!) { noteAdd(input: $input) { userErrors { code } } }"
SIGN_OUT = "mutation($input: SignOutInput!) { signOut(input: $input) { ok userErrors { code } } }"


async def test_a_token_opens_the_door_until_its_holder_signs_out(ben: Client) -> None:
    assert (await ben.ask(VIEWER))["viewer"] == {"role": "AGENT", "agent": {"name": "Ben", "initials": "B"}}

    await ben.do(SIGN_OUT)

    assert [error["extensions"]["code"] for error in await ben.errors(VIEWER)] == ["UNAUTHENTICATED"]


async def test_without_a_token_nothing_is_told(anybody: Client) -> None:
    for query in (VIEWER, "{ tickets { totalCount } }", "{ changeCursor }", "{ alerts { id } }"):
        (error,) = await anybody.errors(query)
        assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_wrong_password_and_an_unknown_address_are_the_same_answer(
    ben: Client, anybody: Client
) -> None:
    wrong = await anybody.do(SIGN_IN, email="ben@shop.example", password="not his")
    unknown = await anybody.do(SIGN_IN, email="eve@shop.example", password=PASSWORD)

    assert wrong["userErrors"] == unknown["userErrors"]
    assert wrong["accessToken"] is None


async def test_signing_out_everywhere_ends_every_session(ben: Client) -> None:
    second = await ben.do(SIGN_IN, email="BEN@shop.example", password=PASSWORD)

    await ben.do(SIGN_OUT, everywhere=True)

    ben.token = second["accessToken"]
    assert await ben.errors(VIEWER)


async def test_refusals_speak_the_callers_language(anybody: Client) -> None:
    variables = {"input": {"email": "x", "password": "y", "clientMutationId": "1"}}
    answer = await anybody.post(SIGN_IN, variables, **{"accept-language": "pl-PL,pl;q=0.9"})

    (error,) = answer.json()["data"]["signIn"]["userErrors"]
    assert error["code"] == "WRONG_CREDENTIALS"
    assert "hasło" in error["message"]


@pytest.mark.parametrize("how", ["signed out", "left"])
async def test_an_open_socket_tells_and_does_nothing_for_a_session_that_has_ended(
    house: House, ben: Client, how: str
) -> None:
    note = {"ticketId": "VGlja2V0OjE", "text": "Still here", "clientMutationId": "1"}
    async with asyncio.timeout(10), ben.connected() as stream:
        await stream.ask("1", VIEWER)
        assert (await stream.next())["viewer"]["agent"]["name"] == "Ben"
        assert (await stream.hear())["type"] == "complete"
        if how == "left":
            async with house.db.transaction() as session:
                await session.execute(update(Agent).values(left_at=NOON))
        else:
            await ben.do(SIGN_OUT, everywhere=True)

        for id, query in (("2", VIEWER), ("3", NOTE)):
            await stream.ask(id, query, input=note)

            said = await stream.hear()

            refused_before_it_ran = said["type"] == "error"
            errors = said["payload"] if refused_before_it_ran else said["payload"]["errors"]
            assert [error["extensions"]["code"] for error in errors] == ["UNAUTHENTICATED"]
            assert refused_before_it_ran or (await stream.hear())["type"] == "complete"


async def test_what_goes_wrong_on_a_socket_is_masked_there_too(
    ben: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of ours")

    monkeypatch.setattr("api.staff._agent", broken)
    async with asyncio.timeout(10), ben.connected() as stream:
        await stream.ask("1", VIEWER)

        said = await stream.hear()

    assert "secret" not in str(said)
    assert said["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"


async def test_who_waits_for_a_password_to_be_checked_holds_no_connection(house: House, ben: Client) -> None:
    async def one(number: int) -> list[str]:
        return await ben.refused(SIGN_IN, email=f"ben{number}@shop.example", password="not his")

    async with passwords._HASHING, passwords._HASHING:
        waiting = [asyncio.create_task(one(number)) for number in range(40)]
        async with asyncio.timeout(10):
            while len(passwords._HASHING._waiters or ()) < len(waiting):
                await asyncio.sleep(0.01)
            async with house.db.reading():
                pass

    async with asyncio.timeout(60):
        assert await asyncio.gather(*waiting) == [["WRONG_CREDENTIALS"]] * len(waiting)


async def test_a_password_changed_while_it_was_checked_opens_nothing(house: House, ben: Client) -> None:
    async with passwords._HASHING, passwords._HASHING:
        waiting = asyncio.create_task(ben.refused(SIGN_IN, email="ben@shop.example", password=PASSWORD))
        async with asyncio.timeout(10):
            while not passwords._HASHING._waiters:
                await asyncio.sleep(0.01)
        async with house.db.transaction() as session:
            await session.execute(update(Agent).values(password_hash="another"))

    assert await waiting == ["WRONG_CREDENTIALS"]

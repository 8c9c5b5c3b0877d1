import asyncio
import json
import uuid
from typing import Any

import pytest
from sqlalchemy import text, update
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from api import limits
from api.house import House
from domain.agents import passwords
from domain.agents.sign_in import SignIn, refresh_owner, refreshed
from domain.agents.staff import Agent
from domain.agents.tries import FREE, Guessed
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


async def test_a_screen_is_told_what_it_may_offer(ben: Client, admin: Client) -> None:
    asked = "{ viewer { permissions } }"

    agents = (await ben.ask(asked))["viewer"]["permissions"]
    admins = (await admin.ask(asked))["viewer"]["permissions"]

    assert {"messageSend", "tickets", "changes"} < set(agents) < set(admins)
    assert set(admins) - set(agents) > {"webhookSave", "audit", "policySave"}


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
    async with asyncio.timeout(30), ben.connected() as stream:
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
    house: House, ben: Client, mia: Client
) -> None:
    async with house.db.transaction() as session:
        await session.execute(text("UPDATE agent SET role = 'a secret of ours' WHERE name = 'Mia'"))
    async with asyncio.timeout(30), ben.connected() as stream:
        await stream.ask("1", "{ agents { name role } }")

        said = await stream.hear()

    assert "secret" not in str(said)
    assert said["payload"]["errors"][0]["extensions"]["code"] == "INTERNAL"


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many passwords are checked at once, two at a time: on a busy machine the last waits for long."""
    monkeypatch.setattr(limits, "SECONDS", 60.0)


@pytest.mark.usefixtures("unhurried")
async def test_who_waits_for_a_password_to_be_checked_holds_no_connection(house: House, ben: Client) -> None:
    async def one(number: int) -> list[str]:
        return await ben.refused(SIGN_IN, email=f"ben{number}@shop.example", password="not his")

    async with passwords._HASHING, passwords._HASHING:
        waiting = [asyncio.create_task(one(number)) for number in range(40)]
        async with asyncio.timeout(30):
            while len(passwords._HASHING._waiters or ()) < len(waiting):
                await asyncio.sleep(0.01)
            async with house.db.reading():
                pass

    async with asyncio.timeout(60):
        assert await asyncio.gather(*waiting) == [["WRONG_CREDENTIALS"]] * len(waiting)


async def test_a_password_changed_while_it_was_checked_opens_nothing(house: House, ben: Client) -> None:
    async with passwords._HASHING, passwords._HASHING:
        waiting = asyncio.create_task(ben.refused(SIGN_IN, email="ben@shop.example", password=PASSWORD))
        async with asyncio.timeout(30):
            while not passwords._HASHING._waiters:
                await asyncio.sleep(0.01)
        async with house.db.transaction() as session:
            await session.execute(update(Agent).values(password_hash="another"))

    assert await waiting == ["WRONG_CREDENTIALS"]


REFRESH = """mutation($input: SessionRefreshInput!) {
  sessionRefresh(input: $input) { accessToken refreshToken expiresAt userErrors { code } }
}"""
TOKENS = """mutation($input: SignInInput!) {
  signIn(input: $input) { accessToken refreshToken csrfToken expiresAt userErrors { code field } }
}"""
SESSIONS = "{ viewer { sessions { id kind deviceLabel isCurrent } } }"
SESSION_END = "mutation($input: SessionEndInput!) { sessionEnd(input: $input) { ok userErrors { code } } }"


async def _signed_in(client: Client, **others: Any) -> dict[str, Any]:
    return await client.do(TOKENS, email="ben@shop.example", password=PASSWORD, **others)


async def test_a_refresh_token_gives_the_next_pair_and_the_old_access_token_ends(
    ben: Client, anybody: Client
) -> None:
    first = await _signed_in(anybody)

    second = await anybody.do(REFRESH, refreshToken=first["refreshToken"])

    assert second["refreshToken"] != first["refreshToken"]
    anybody.token = second["accessToken"]
    assert await anybody.ask(VIEWER)
    anybody.token = first["accessToken"]
    assert await anybody.errors(VIEWER)


async def test_a_refresh_token_that_comes_again_ends_the_session_for_both_who_have_it(
    ben: Client, anybody: Client
) -> None:
    first = await _signed_in(anybody)
    second = await anybody.do(REFRESH, refreshToken=first["refreshToken"])

    (refused,) = await anybody.errors(
        REFRESH, input={"refreshToken": first["refreshToken"], "clientMutationId": "a thief's"}
    )

    assert refused["extensions"]["code"] == "UNAUTHENTICATED"
    anybody.token = second["accessToken"]
    assert await anybody.errors(VIEWER)
    assert await anybody.errors(
        REFRESH, input={"refreshToken": second["refreshToken"], "clientMutationId": "the owner's"}
    )
    assert await ben.ask(VIEWER)  # another session of the same person


async def test_a_refresh_whose_answer_was_lost_may_be_sent_again(ben: Client, anybody: Client) -> None:
    first = await _signed_in(anybody)
    asked = {"refreshToken": first["refreshToken"], "clientMutationId": "lost on the way"}

    answers = await asyncio.gather(*[anybody.do(REFRESH, **asked) for _ in range(2)])

    assert answers[0] == answers[1]
    anybody.token = answers[0]["accessToken"]
    assert await anybody.ask(VIEWER)


async def test_a_refresh_token_that_is_used_at_this_moment_has_an_owner(
    house: House, ben: Client, anybody: Client
) -> None:
    token = (await _signed_in(anybody))["refreshToken"]
    async with house.db.transaction() as first:
        row = await refresh_owner(first, token)
        second = asyncio.create_task(_owner(house, token))
        while not await somebody_waits(house):
            await asyncio.sleep(0.01)
        await refreshed(first, row, token, at=row.seen_at)

    assert await second == row.id


async def _owner(house: House, token: str) -> uuid.UUID:
    async with house.db.transaction() as session:
        return (await refresh_owner(session, token)).id


async def somebody_waits(house: House) -> bool:
    async with house.db.transaction() as session:
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return (await session.execute(text(waiting))).first() is not None


async def test_a_sign_in_sent_twice_is_one_session(ben: Client, anybody: Client) -> None:
    twice = await asyncio.gather(*[_signed_in(anybody, clientMutationId="once") for _ in range(2)])

    assert twice[0] == twice[1]
    assert len((await ben.ask(SESSIONS))["viewer"]["sessions"]) == 2
    other = await anybody.do(
        TOKENS, email="ben@shop.example", password=PASSWORD, web=True, clientMutationId="once"
    )
    assert other["userErrors"] == [{"code": "MUTATION_ID_REUSED", "field": ["clientMutationId"]}]


async def test_access_tokens_end_by_themselves_and_an_open_stream_does_not(house: House, ben: Client) -> None:
    async with asyncio.timeout(20), ben.connected() as stream:
        async with house.db.transaction() as session:
            await session.execute(update(SignIn).values(expires_at=NOON))

        assert await ben.errors(VIEWER)
        await stream.ask("1", VIEWER)

        assert (await stream.next())["viewer"]["agent"]["name"] == "Ben"


async def test_people_see_their_sessions_and_end_one_by_one(
    ben: Client, mia: Client, anybody: Client
) -> None:
    phone = await _signed_in(anybody, deviceLabel="Ben's phone")
    found = {one["deviceLabel"]: one for one in (await ben.ask(SESSIONS))["viewer"]["sessions"]}
    assert [found[label]["isCurrent"] for label in (None, "Ben's phone")] == [True, False]

    assert await mia.refused(SESSION_END, id=found["Ben's phone"]["id"]) == ["NOT_FOUND"]
    assert await ben.refused(SESSION_END, id=found["Ben's phone"]["id"]) == []

    anybody.token = phone["accessToken"]
    assert await anybody.errors(VIEWER)
    assert len((await ben.ask(SESSIONS))["viewer"]["sessions"]) == 1


async def test_a_browsers_session_is_a_cookie_that_no_script_reads(ben: Client, anybody: Client) -> None:
    answer = await anybody.post(TOKENS, {"input": _input(web=True)})

    payload = answer.json()["data"]["signIn"]
    cookies = {cookie.partition("=")[0]: cookie for cookie in answer.headers.get_list("set-cookie")}
    assert payload["accessToken"] is None
    assert "HttpOnly" in cookies["heddle_session"]
    assert "SameSite=lax" in cookies["heddle_session"]
    assert payload["csrfToken"] == anybody.http.cookies["heddle_csrf"]

    without = await anybody.post(VIEWER)
    with_it = await anybody.post(VIEWER, None, **{"x-csrf-token": payload["csrfToken"]})
    forged = await anybody.post(VIEWER, None, **{"x-csrf-token": "a" * 26})

    assert (without.status_code, forged.status_code) == (403, 403)
    assert with_it.json()["data"]["viewer"]["agent"]["name"] == "Ben"


async def test_signing_out_takes_the_cookies_away(ben: Client, anybody: Client) -> None:
    signed_in = (await anybody.post(TOKENS, {"input": _input(web=True)})).json()["data"]["signIn"]

    await anybody.post(
        SIGN_OUT, {"input": {"clientMutationId": "1"}}, **{"x-csrf-token": signed_in["csrfToken"]}
    )

    assert not anybody.http.cookies


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_what_a_foreign_page_can_send_signs_nobody_in(
    ben: Client, anybody: Client, content_type: str
) -> None:
    body = json.dumps({"query": TOKENS, "variables": {"input": _input(web=True)}})

    answer = await anybody.http.post("/graphql", content=body, headers={"content-type": content_type})

    assert answer.status_code == 400
    assert not anybody.http.cookies


@pytest.mark.parametrize(("origin", "opens"), [("https://evil.example", False), (None, True)])
async def test_a_foreign_page_opens_no_socket_with_somebodys_cookie(
    ben: Client, anybody: Client, origin: str | None, opens: bool
) -> None:
    await anybody.post(TOKENS, {"input": _input(web=True)})
    cookie = f"heddle_session={anybody.http.cookies['heddle_session']}"
    address = anybody.address.replace("http", "ws") + "/graphql"

    async def connected() -> bool:
        async with connect(
            address,
            subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]
            origin=origin or anybody.address,  # type: ignore[arg-type]
            additional_headers={"cookie": cookie},
        ) as socket:
            await socket.send('{"type": "connection_init"}')
            return "connection_ack" in str(await socket.recv())

    if opens:
        assert await connected()
    else:
        with pytest.raises(InvalidStatus):
            await connected()


def _input(**others: Any) -> dict[str, Any]:
    return {
        "email": "ben@shop.example",
        "password": PASSWORD,
        "clientMutationId": str(uuid.uuid4()),
        **others,
    }


async def test_guessing_is_slowed_for_the_account_whoever_guesses(ben: Client, anybody: Client) -> None:
    codes = [
        await anybody.refused(SIGN_IN, email="ben@shop.example", password=f"guess {number}")
        for number in range(12)
    ]

    right = await anybody.refused(SIGN_IN, email="BEN@shop.example ", password=PASSWORD)

    assert codes[:10] == [["WRONG_CREDENTIALS"]] * 10
    assert codes[-1] == right == ["TOO_MANY_TRIES"]


WAITED_FOR = 3
"""Of many guesses at once, those that a slow machine comes to when a second, and two, and four, are over."""


async def test_a_thousand_guesses_at_once_are_a_thousand_tries(ben: Client, anybody: Client) -> None:
    guesses = [
        anybody.refused(SIGN_IN, email="ben@shop.example", password=f"guess {number}") for number in range(60)
    ]

    codes = [code for (code,) in await asyncio.gather(*guesses)]

    assert codes.count("WRONG_CREDENTIALS") <= FREE[Guessed.ACCOUNT] + WAITED_FOR


@pytest.mark.usefixtures("unhurried")
async def test_an_address_that_tries_many_accounts_is_slowed_too(anybody: Client) -> None:
    guesses = [
        anybody.refused(SIGN_IN, email=f"{number}@shop.example", password="a guess") for number in range(70)
    ]

    codes = [code for (code,) in await asyncio.gather(*guesses)]

    free = FREE[Guessed.ADDRESS]
    assert free <= codes.count("WRONG_CREDENTIALS") <= free + WAITED_FOR


async def test_who_signs_in_starts_anew_with_tries(ben: Client, anybody: Client) -> None:
    for number in range(9):
        await anybody.refused(SIGN_IN, email="ben@shop.example", password=f"guess {number}")

    assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=PASSWORD) == []

    for number in range(9):
        assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=f"guess {number}") == [
            "WRONG_CREDENTIALS"
        ]


async def test_people_behind_one_address_sign_in_as_often_as_they_like(ben: Client, anybody: Client) -> None:
    for _ in range(FREE[Guessed.ADDRESS] // 2 + 1):
        assert await anybody.refused(SIGN_IN, email="ben@shop.example", password="mistyped") == [
            "WRONG_CREDENTIALS"
        ]
        assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=PASSWORD) == []


@pytest.mark.usefixtures("unhurried")
async def test_who_signs_in_gets_back_no_guess_at_others(ben: Client, anybody: Client) -> None:
    codes = []
    for number in range(FREE[Guessed.ADDRESS] + 1):
        codes += await anybody.refused(SIGN_IN, email=f"{number}@shop.example", password="a guess")
        if number % 10 == 0 and number < FREE[Guessed.ADDRESS]:
            assert await anybody.refused(SIGN_IN, email="ben@shop.example", password=PASSWORD) == []

    assert codes.count("WRONG_CREDENTIALS") == FREE[Guessed.ADDRESS]
    assert codes[-1] == "TOO_MANY_TRIES"

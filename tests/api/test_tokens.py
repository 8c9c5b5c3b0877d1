"""Integrators' tokens."""

import asyncio
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text, update

from api.house import House
from domain.actors import SYSTEM, Scope
from domain.agents.tokens import ApiToken, create_token
from domain.db import database_time
from tests.client import Client
from tests.factories import NOON

CREATE = """mutation($input: TokenCreateInput!) {
  tokenCreate(input: $input) { secret token { id name scopes expiresAt } userErrors { code field } }
}"""
REVOKE = "mutation($input: TokenRevokeInput!) { tokenRevoke(input: $input) { ok userErrors { code } } }"
TOKENS = "{ tokens { id name scopes lastUsedAt revokedAt } }"
TICKETS = "{ tickets { totalCount } }"


async def _program(admin: Client, client: Client, *scopes: str, **others: Any) -> str:
    created = await admin.do(CREATE, name="Orders", scopes=list(scopes), **others)
    client.token = created["secret"]
    return str(created["token"]["id"])


async def test_a_token_in_force_is_listed_however_many_were_revoked_since(
    house: House, admin: Client, anybody: Client
) -> None:
    id = await _program(admin, anybody, "TICKETS_READ")
    async with house.db.transaction() as session:
        now = await database_time(session)
        for number in range(100):
            _, row = create_token(
                session,
                name=f"Till {number}",
                scopes=[Scope.TICKETS_READ],
                expires_at=None,
                by=SYSTEM,
                at=now,
            )
            row.revoked_at = now

    listed = (await admin.ask(TOKENS))["tokens"]

    assert (listed[0]["id"], listed[0]["revokedAt"]) == (id, None)
    assert len(listed) == 100


async def test_a_token_is_shown_once_and_stored_as_a_hash(
    house: House, admin: Client, anybody: Client
) -> None:
    await _program(admin, anybody, "TICKETS_READ")

    async with house.db.transaction() as session:
        kept = str((await session.execute(text("SELECT * FROM api_token, done"))).all())

    assert anybody.token.startswith("hd_")
    assert anybody.token not in kept
    assert (await anybody.ask(TICKETS))["tickets"]["totalCount"] == 0


async def test_a_token_does_what_its_scopes_say_and_is_told_what_it_lacks(
    admin: Client, anybody: Client
) -> None:
    await _program(admin, anybody, "TICKETS_READ")

    (error,) = await anybody.errors("{ tickets { edges { node { subject contact { name } } } } }")

    assert error["extensions"]["code"] == "MISSING_SCOPE"
    assert "contacts:read" in error["message"]


async def test_a_program_is_answered_in_the_language_that_it_asks_for(admin: Client, anybody: Client) -> None:
    await _program(admin, anybody, "TICKETS_READ")
    asked = '{ tickets(after: "nowhere") { totalCount } }'

    in_polish = (await anybody.post(asked, {}, **{"accept-language": "pl-PL,pl;q=0.9"})).json()
    in_english = (await anybody.post(asked)).json()

    assert in_polish["errors"][0]["message"] == "Ten kursor nie pochodzi z Heddle."
    assert in_english["errors"][0]["message"] == "This cursor is not one of ours."


async def test_a_tokens_last_use_is_known(admin: Client, anybody: Client) -> None:
    await _program(admin, anybody, "TICKETS_READ")
    assert [one["lastUsedAt"] for one in (await admin.ask(TOKENS))["tokens"]] == [None]

    await anybody.ask(TICKETS)

    (token,) = (await admin.ask(TOKENS))["tokens"]
    assert datetime.now(UTC) - datetime.fromisoformat(token["lastUsedAt"]) < timedelta(minutes=1)


async def test_a_revoked_token_opens_nothing(admin: Client, anybody: Client) -> None:
    id = await _program(admin, anybody, "TICKETS_READ")

    assert await admin.refused(REVOKE, id=id) == []

    assert [error["extensions"]["code"] for error in await anybody.errors(TICKETS)] == ["UNAUTHENTICATED"]


async def test_a_token_ends_when_it_was_said_to(house: House, admin: Client, anybody: Client) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    await _program(admin, anybody, "TICKETS_READ", expiresAt=soon)
    assert await anybody.ask(TICKETS)

    async with house.db.transaction() as session:
        await session.execute(update(ApiToken).values(expires_at=NOON))

    assert await anybody.errors(TICKETS)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"name": " "}, "name"), ({"scopes": []}, "scopes"), ({"expiresAt": NOON.isoformat()}, "expiresAt")],
)
async def test_a_token_that_makes_no_sense_is_refused(
    admin: Client, wrong: dict[str, Any], field: str
) -> None:
    asked = {"name": "Orders", "scopes": ["TICKETS_READ"], **wrong}

    payload = await admin.do(CREATE, **asked)

    assert payload["userErrors"] == [{"code": "INVALID", "field": [field]}]


async def test_revoking_ends_a_programs_open_stream_within_five_seconds(
    admin: Client, anybody: Client
) -> None:
    id = await _program(admin, anybody, "CHANGES_READ", "TICKETS_READ")
    cursor = (await anybody.ask("{ changeCursor }"))["changeCursor"]
    subscription = "subscription($since: Cursor!) { changes(since: $since) { cursor } }"
    async with anybody.listening(subscription, since=cursor) as stream:
        await admin.do(REVOKE, id=id)

        async with asyncio.timeout(5):
            said = await stream.hear()

    assert said["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_what_a_program_writes_stands_under_its_name(
    house: House, admin: Client, anybody: Client
) -> None:
    from domain.ways_in.channels import ChannelKind
    from tests.factories import a_channel, a_mail, receive

    async with house.db.transaction() as session:
        channel = await a_channel(session, house.keys, ChannelKind.EMAIL)
        await receive(session, channel, a_mail("ada@example.org"))
    await _program(admin, anybody, "TICKETS_READ", "TICKETS_WRITE")
    ((ticket,),) = [
        [
            edge["node"]["id"]
            for edge in (await anybody.ask("{ tickets { edges { node { id } } } }"))["tickets"]["edges"]
        ]
    ]

    noted = await anybody.do(
        "mutation($input: NoteAddInput!) { noteAdd(input: $input) { note { author text } userErrors { code } } }",
        ticketId=ticket,
        text="Paid.",
    )

    assert noted["note"] == {"author": "Orders", "text": "Paid."}


async def test_what_was_done_with_one_token_is_not_known_to_the_next(admin: Client, anybody: Client) -> None:
    save = "mutation($input: TaskSaveInput!) { taskSave(input: $input) { task { id } userErrors { code } } }"
    scopes = ("TASKS_READ", "TASKS_WRITE")
    call = {"title": "Call the carrier", "clientMutationId": "order-1042-carrier"}
    await _program(admin, anybody, *scopes)
    first, again = await anybody.do(save, **call), await anybody.do(save, **call)

    await _program(admin, anybody, *scopes)
    anew = await anybody.do(save, **call)

    assert first == again
    assert anew["task"]["id"] != first["task"]["id"]


@pytest.mark.usefixtures("clean")
async def test_the_command_line_makes_a_token(database_url: str, tmp_path: Any) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "api.cli", "token", "create", "--name", "Orders", "--scope", "tickets:read"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "HEDDLE_DATABASE_URL": database_url,
            "HEDDLE_SECRET_KEY": "a secret for tests that is long enough",
        },
    )

    assert made.stdout.startswith("hd_"), made.stderr

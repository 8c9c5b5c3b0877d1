"""Signing in to a mailbox: by password or by token; whoever cannot is shown, and the account is not locked."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from pydantic import ValidationError
from sqlalchemy import select, true, update

from api.house import House
from demo.farends.server import Answer, HttpFarEnd, Request
from domain.actors import SYSTEM
from domain.alerting import outages
from domain.alerting.alerts import Alert, AlertKind, AlertState
from domain.db import database_time
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from domain.ways_in.fetching import Box
from integrations.holding import Holder
from integrations.mail import oauth
from integrations.mail.mailbox import Mailbox
from tests.client import Client
from tests.dovecot import PASSWORD, dovecot, with_dovecot
from tests.factories import a_channel
from tests.fetching import QUICK, a_mail, a_mailbox, as_many, fails, fetching, running, until, works
from tests.wire import wire


@dataclass
class TokenServer(HttpFarEnd):
    """Makes tokens from refresh tokens, and tells a mail server whose they are."""

    refresh: str = "the refresh token of help"
    good: set[str] = field(default_factory=set)
    made: int = 0
    rotates: bool = False
    refuses: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        if request.path == "/introspect":
            is_good = request.query.get("token") in self.good
            return Answer({"active": is_good, "user": "help"} if is_good else {"active": False})
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        self.asked.append(form)
        if self.refuses or form["refresh_token"] != self.refresh:
            return Answer({"error": "invalid_grant", "error_description": "Token\nhas been revoked"}, 400)
        self.made += 1
        token = f"token{self.made}"
        self.good.add(token)
        said: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        if self.rotates:
            self.refresh = f"refresh token {self.made}"
            said["refresh_token"] = self.refresh
        return Answer(said)

    def seen(self) -> dict[str, Any]:
        return {}

    def settings(self) -> dict[str, Any]:
        return {
            "imap_password": "",
            "oauth_token_url": f"{self.url}/token",
            "oauth_client_id": "heddle",
            "oauth_client_secret": "of heddle",
            "oauth_refresh_token": self.refresh,
            "oauth_scope": "https://mail.example/ offline_access",
        }


@pytest.fixture
async def tokens() -> AsyncIterator[TokenServer]:
    async with TokenServer() as server:
        yield server


async def the_channel(client: Client) -> Any:
    return (await client.ask("{ channels { isHealthy lastError } }"))["channels"][0]


async def the_alert(house: House) -> AlertState | None:
    async with house.db.transaction() as session:
        await outages.look(session, at=await database_time(session))
        await session.flush()
        return await session.scalar(
            select(Alert.state)
            .where(Alert.kind == AlertKind.CHANNEL_DOWN)
            .order_by(Alert.fired_at.desc())
            .limit(1)
        )


@with_dovecot
async def test_a_wrong_password_is_shown_on_the_channel_and_rings_until_it_is_set_right(
    house: House, mia: Client
) -> None:
    async with dovecot() as server, wire(server.port) as line:
        server.put(a_mail(1))
        channel = await a_mailbox(house, f"imap://127.0.0.1:{line.port}", imap_password="mistyped")
        async with fetching(house):
            box = await until(lambda: fails(house))
            shown = await the_channel(mia)
            early = await the_alert(house)
            async with house.db.transaction() as session:
                at = await database_time(session)
                await session.execute(update(Box).values(failing_since=at - timedelta(minutes=3)))
            late = await the_alert(house)
            await asyncio.sleep(0.7)
            signed_in = sum(said.count(b"LOGIN") for said in line.said)

            settings = Mailbox.of(channel, house.keys).secrets() | {"imap_password": PASSWORD}
            async with house.db.transaction() as session:
                kept = await session.get_one(Channel, channel.id)
                kept.set_up(session, house.keys, config=kept.config, secrets=settings, by=SYSTEM, at=at)
            began = time.perf_counter()
            await as_many(house, 1)
            took = time.perf_counter() - began
            await until(lambda: works(house))
        cleared, afterwards = await the_alert(house), await the_channel(mia)

    assert box.last_error == "The sign-in is refused: [AUTHENTICATIONFAILED] Authentication failed."
    assert shown == {"isHealthy": False, "lastError": box.last_error}
    assert (early, late, cleared) == (None, AlertState.FIRING, AlertState.RESOLVED)
    assert signed_in == 1, "whoever tries again and again locks the account"
    assert took < 4, "with other settings nobody waits"
    assert afterwards == {"isHealthy": True, "lastError": None}


async def test_a_server_that_is_not_there_is_no_wrong_password(house: House) -> None:
    await a_mailbox(house, "imap://127.0.0.1:1")

    async with fetching(house, replace(QUICK, again=0.05)):
        box = await until(lambda: fails(house))
        tries = box.failures
        await until(lambda: _tried_more(house, tries))

    assert "refused:" not in box.last_error
    assert "Connection refused" in box.last_error


async def test_a_mailbox_whose_settings_cannot_be_read_is_one_that_does_not_work(
    house: House, mia: Client
) -> None:
    channel = await a_mailbox(house, "imap://127.0.0.1:1")
    sealed = Keys("a secret of another installation altogether").encrypt({"imap_password": PASSWORD})
    async with house.db.transaction() as session:
        await session.execute(update(Channel).where(Channel.id == channel.id).values(secrets=sealed))

    async with fetching(house):
        box = await until(lambda: fails(house))

    assert await the_channel(mia) == {"isHealthy": False, "lastError": box.last_error}
    assert box.last_error == "Its settings cannot be read: give them anew."


async def test_a_mailbox_that_cannot_be_read_for_a_reason_nobody_foresaw_does_not_work_either(
    house: House,
) -> None:
    @dataclass
    class Unforeseen:
        settings: Mailbox

        async def read(self) -> float:
            raise ZeroDivisionError

    await a_mailbox(house, "imap://127.0.0.1:1")
    holder = Holder(
        house.db, house.keys, QUICK, kind=ChannelKind.EMAIL, only=true(), settings=Mailbox,
        reader=lambda channel, mailbox, me: Unforeseen(mailbox),
    )  # fmt: skip

    async with running(holder.run()):
        box = await until(lambda: fails(house))

    assert box.last_error == "ZeroDivisionError"


async def _tried_more(house: House, tries: int) -> bool:
    box = await fails(house)
    return box is not None and box.failures > tries + 1


@with_dovecot
async def test_whoever_has_a_refresh_token_signs_in_with_what_it_gives(
    house: House, tokens: TokenServer
) -> None:
    async with dovecot(f"{tokens.url}/introspect") as server:
        server.put(a_mail(1))
        await a_mailbox(house, server.url, **tokens.settings())
        async with fetching(house):
            await as_many(house, 1)
            tokens.good.clear()  # the token dies before its time
            await server.kill()
            server.put(a_mail(2))
            await server.start()
            await as_many(house, 2)

    first = {name: tokens.asked[0][name] for name in ("grant_type", "client_id", "client_secret", "scope")}
    assert first == {
        "grant_type": "refresh_token",
        "client_id": "heddle",
        "client_secret": "of heddle",
        "scope": "https://mail.example/ offline_access",
    }
    assert tokens.made == 2, "one for each time that a new one was needed"


@with_dovecot
async def test_a_refresh_token_that_changes_is_kept(house: House, tokens: TokenServer) -> None:
    tokens.rotates = True
    async with dovecot(f"{tokens.url}/introspect") as server:
        server.put(a_mail(1))
        channel = await a_mailbox(house, server.url, **tokens.settings())
        async with fetching(house):
            await as_many(house, 1)

    async with house.db.transaction() as session:
        kept = Mailbox.of(await session.get_one(Channel, channel.id), house.keys)
    assert kept.oauth_refresh_token.get_secret_value() == "refresh token 1"


async def test_a_refresh_token_that_was_revoked_is_a_refused_sign_in(
    house: House, tokens: TokenServer
) -> None:
    tokens.refuses = True
    await a_mailbox(house, "imap://127.0.0.1:1", **tokens.settings())

    async with fetching(house):
        box = await until(lambda: fails(house))
        await asyncio.sleep(0.7)

    said = "The sign-in is refused: the token server says invalid_grant: Token has been revoked"
    assert box.last_error == said
    assert len(tokens.asked) == 1


async def test_a_token_is_asked_for_once_until_it_ends(tokens: TokenServer) -> None:
    mailbox = Mailbox(address="help@shop.example", imap_url="imaps://imap.shop.example", **tokens.settings())

    got = [await oauth.access_token(mailbox) for _ in range(3)]

    assert got == ["token1"] * 3
    assert await oauth.access_token(mailbox, fresh=True) == "token2"


async def test_two_who_need_a_token_at_once_ask_once_and_both_keep_it(
    house: House, tokens: TokenServer
) -> None:
    """Some providers let a refresh token die that is shown twice."""
    tokens.rotates = True
    async with house.db.transaction() as session:
        channel = await a_channel(session, house.keys, ChannelKind.EMAIL, **tokens.settings())
        mailbox = Mailbox.of(channel, house.keys)

    got = await asyncio.gather(*(oauth.access_token(mailbox) for _ in range(2)))
    kept = await asyncio.gather(
        *(oauth.keep_newest(house.db, house.keys, channel.id, mailbox) for _ in range(2))
    )

    assert (got, len(tokens.asked)) == (["token1"] * 2, 1)
    assert {one.oauth_refresh_token.get_secret_value() for one in kept} == {"refresh token 1"}
    assert await oauth.access_token(kept[0]) == "token1"


async def test_tokens_of_refresh_tokens_that_changed_again_and_again_are_not_kept_for_ever(
    house: House, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oauth, "KEPT", 5)
    tokens.rotates = True
    async with house.db.transaction() as session:
        channel = await a_channel(session, house.keys, ChannelKind.EMAIL, **tokens.settings())
        mailbox = Mailbox.of(channel, house.keys)

    for _ in range(20):
        newest = await oauth.access_token(mailbox, fresh=True)
        mailbox = await oauth.keep_newest(house.db, house.keys, channel.id, mailbox)

    assert (newest, await oauth.access_token(mailbox)) == ("token20", "token20")
    assert mailbox.oauth_refresh_token.get_secret_value() == "refresh token 20"
    assert len(oauth._tokens) <= 5
    assert len(oauth._asking) <= 1


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"imap_url": "https://imap.shop.example"}, "should be imaps://"),
        ({"imap_url": "imap://imap.shop.example", "imap_password": "x"}, "shows everybody the password"),
        ({"imap_url": "imaps://imap.shop.example"}, "needs imap_password"),
        ({"oauth_token_url": "http://login.shop.example/token"}, "should begin with https://"),
        ({"webhook_token": "short"}, "at least 16 characters"),
    ],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, str], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Mailbox.model_validate({"address": "help@shop.example"} | wrong)


@pytest.mark.parametrize(
    "settings",
    [
        {"imap_url": "imap://127.0.0.1:1143", "imap_password": "x"},
        {"imap_url": "imap://imap.shop.example", "imap_password": "x", "imap_unencrypted": "true"},
        {"imap_url": "imap+starttls://imap.shop.example", "imap_password": "x", "imap_since_days": "7"},
    ],
)
def test_whoever_names_nobody_signs_in_with_the_address(settings: dict[str, str]) -> None:
    mailbox = Mailbox.model_validate({"address": "help@shop.example"} | settings)

    assert mailbox.imap_user == "help@shop.example"

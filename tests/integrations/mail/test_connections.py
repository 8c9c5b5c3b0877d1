"""The few connections by which mail leaves, to servers in all moods."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs

import pytest

from demo.farends import SmtpSink, smtp
from demo.farends.server import Answer, HttpFarEnd, Request
from integrations.mail.mailbox import Mailbox
from integrations.mail.oauth import access_token
from integrations.mail.sending import connections
from integrations.mail.sending.connections import InLine, Patience, Relays, Server
from integrations.mail.sending.smtp import hand_over
from integrations.outbound import Handed, SendFailed, SendRefused

SOON = Patience(opening=0.4, answer=0.4, mail=0.8)


def a_mail(number: int = 1) -> bytes:
    mail = EmailMessage()
    mail["Message-ID"] = f"<{number}@shop.example>"
    mail["Date"] = datetime(2026, 11, 2, tzinfo=UTC)
    mail.set_content("On its way.")
    return mail.as_bytes()


async def hand(sink: SmtpSink, relays: Relays, number: int = 1, *to: str, **server: Any) -> Handed:
    return await hand_over(
        a_mail(number),
        sender="help@shop.example",
        to=to or ["ada@example.org"],
        server=Server.at(f"smtp://{sink.host}:{sink.port}", **server),
        relays=relays,
    )


@pytest.fixture
async def sink() -> AsyncIterator[SmtpSink]:
    async with SmtpSink() as sink:
        yield sink


async def test_two_hundred_mails_leave_over_a_few_connections(sink: SmtpSink) -> None:
    waiting = list(range(200))

    async def hands() -> None:
        while waiting:
            await hand(sink, relays, waiting.pop())

    async with Relays() as relays:
        await asyncio.gather(*(hands() for _ in range(8)))

    assert len({mail.message["Message-ID"] for mail in sink.mails}) == 200
    assert len(sink.conversations) <= connections.MOST + 200 // connections.MAILS


async def test_a_connection_is_closed_after_its_hundred_mails_and_when_it_lies_idle(
    sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "MAILS", 2)
    monkeypatch.setattr(connections, "IDLE", 0.05)
    async with Relays() as relays:
        for number in range(3):
            await hand(sink, relays, number)
        await asyncio.sleep(0.2)

        await hand(sink, relays, 3)

    assert len(sink.conversations) == 3


async def test_a_connection_that_was_lost_meanwhile_is_opened_anew(sink: SmtpSink) -> None:
    async with Relays() as relays:
        await hand(sink, relays)
        sink.conversations[0].wire.abort()

        await hand(sink, relays, 2)

    assert [mail.message["Message-ID"] for mail in sink.mails] == ["<1@shop.example>", "<2@shop.example>"]


async def test_who_refuses_a_recipient_keeps_the_connection(sink: SmtpSink) -> None:
    async with Relays() as relays:
        sink.misbehave("refuse")
        refused = await hand(sink, relays)
        await hand(sink, relays, 2)

    assert list(refused.refused) == ["ada@example.org"]
    assert len(sink.conversations) == 1


@pytest.mark.parametrize(
    ("mood", "outcome"),
    [
        ("silent", SendFailed),
        ("drip", SendFailed),
        ("closing", SendFailed),
        ("hang_at_data", SendFailed),
        ("hang", SendFailed),
        ("busy", SendFailed),
        ("reset_after_dot", SendFailed),
        ("refuse_data", SendRefused),
    ],
)
async def test_whatever_a_server_does_a_mail_ends_in_time(
    sink: SmtpSink, mood: smtp.Fault, outcome: type[Exception]
) -> None:
    async with Relays(SOON) as relays:
        sink.misbehave(mood)

        async with asyncio.timeout(20):
            with pytest.raises(outcome):
                await hand(sink, relays)

        await hand(sink, relays, 2)
    assert sink.mails[-1].message["Message-ID"] == "<2@shop.example>"


@pytest.mark.parametrize(("mood", "later"), [("refuse", False), ("greylist", True), ("full", True)])
async def test_what_one_recipient_is_answered_is_theirs_alone(
    sink: SmtpSink, mood: smtp.Fault, later: bool
) -> None:
    async with Relays() as relays:
        sink.misbehave(mood)

        handed = await hand(sink, relays, 1, "ada@example.org", "zofia@example.com")

    assert handed.taken == ("zofia@example.com",)
    assert list(handed.later if later else handed.refused) == ["ada@example.org"]
    assert sink.mails[0].recipients == ["zofia@example.com"]


async def test_where_nobody_picks_up_is_given_up_soon() -> None:
    with smtp.deaf() as address:
        async with Relays(SOON) as relays, asyncio.timeout(20):
            with pytest.raises(SendFailed):
                await hand_over(
                    a_mail(), sender="", to=["ada@example.org"], server=Server.at(address), relays=relays
                )


async def test_nobody_waits_in_line_for_a_server_that_does_not_go_on(
    sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STUCK", 0.05)
    sink.misbehave("hang", times=connections.MOST)
    async with Relays() as relays, SmtpSink() as other:
        stuck = [asyncio.create_task(hand(sink, relays, number)) for number in range(connections.MOST)]
        await asyncio.sleep(0.2)

        with pytest.raises(InLine):
            await hand(sink, relays, 9)
        await hand(other, relays, 10)

        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)
    assert len(other.mails) == 1


class Provider(HttpFarEnd):
    """Gives access tokens, or does not."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses = False

    def answer(self, request: Request) -> Answer:
        self.asked.append(request.body.decode())
        if self.refuses:
            quoted = f"'{parse_qs(request.body.decode())['refresh_token'][0]}' has expired"
            return Answer({"error": "invalid_grant", "error_description": quoted}, status=400)
        return Answer({"access_token": f"token {len(self.asked)}", "expires_in": 3600})


def a_mailbox(provider: Provider, refresh_token: str) -> Mailbox:
    return Mailbox.model_validate(
        {
            "address": "help@shop.example",
            "oauth_token_url": f"{provider.url}/token",
            "oauth_client_id": "heddle",
            "oauth_client_secret": "client secret",
            "oauth_refresh_token": refresh_token,
            "oauth_scope": "mail",
        }
    )


async def test_who_takes_no_password_is_shown_a_token_that_is_asked_for_once(sink: SmtpSink) -> None:
    async with Provider() as provider, Relays() as relays:
        mailbox = a_mailbox(provider, "first refresh token")

        async def token() -> str:
            return await access_token(mailbox)

        for number in range(2):
            await hand(sink, relays, number, user="help@shop.example", token=token)
        assert await access_token(mailbox) == "token 1"

    assert sink.signed_in == [("help@shop.example", "token 1")]
    assert len(provider.asked) == 1
    assert "grant_type=refresh_token" in provider.asked[0]


async def test_without_a_token_the_mail_waits_and_no_secret_is_told(sink: SmtpSink) -> None:
    async with Provider() as provider, Relays() as relays:
        provider.refuses = True
        mailbox = a_mailbox(provider, "second refresh token")

        with pytest.raises(SendFailed) as failed:
            await hand(sink, relays, user="help@shop.example", token=lambda: access_token(mailbox))

    assert "invalid_grant" in str(failed.value)
    assert "has expired" in str(failed.value)
    assert "second refresh token" not in str(failed.value)


async def test_a_password_signs_in(sink: SmtpSink) -> None:
    async with Relays() as relays:
        await hand(sink, relays, user="help", password="a password")

    assert sink.signed_in == [("help", "a password")]

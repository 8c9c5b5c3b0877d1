"""What a channel's test finds at far ends in several moods."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import update

from api.house import House
from demo.farends import SmtpSink
from demo.farends.server import Answer, HttpFarEnd, Request
from domain.ways_in.channels import Channel, ChannelKind
from integrations import findings
from integrations.channel_settings import KINDS
from integrations.checking import CHECKS, findings_of
from integrations.messenger.connecting import FIELDS
from integrations.outbound import Means
from integrations.settings import IntegrationSettings
from tests.dovecot import PASSWORD, dovecot, with_dovecot
from tests.factories import a_channel


class Graph(HttpFarEnd):
    """Says whose token it is, and of what its page tells."""

    said: Any = {"id": "9001", "name": "The shop"}
    fields: tuple[str, ...] = FIELDS
    asked: list[Request]

    def answer(self, request: Request) -> Answer:
        self.asked = [*getattr(self, "asked", []), request]
        if request.path.endswith("/subscribed_apps"):
            return Answer({"data": [{"subscribed_fields": list(self.fields)}]})
        return self.said if isinstance(self.said, Answer) else Answer(self.said)

    def seen(self) -> dict[str, Any]:
        return {}


@pytest.fixture
async def graph() -> AsyncIterator[Graph]:
    async with Graph() as server:
        yield server


async def found(
    house: House, kind: ChannelKind, *, outside: dict[str, Any] | None = None, kept: Any = None, **others: Any
) -> dict[str, tuple[bool, str]]:
    """`kept`: by an earlier version, which did not look at it."""
    async with house.db.transaction() as session:
        channel: Channel = await a_channel(session, house.keys, kind, **others)
        channel.config = channel.config | (kept or {})
    settings = IntegrationSettings.model_construct(**(outside or {}))
    means = Means(house.db, house.keys, house.files, settings)
    return {one.name: (one.ok, one.in_language("en")) for one in await findings_of(channel, means)}


def test_every_kind_that_can_be_set_up_can_be_tested() -> None:
    assert set(CHECKS) == set(KINDS)


@pytest.mark.parametrize(
    ("said", "ok", "words"),
    [
        ({"id": "9001", "name": "The shop"}, True, "The token is that of The shop."),
        ({"id": "7", "name": "Another"}, False, "The token is another page's: Another."),
        ({"error": {"code": 190, "message": "Error validating access token"}}, False, "Meta refused: 190"),
        (Answer(b"<html>"), False, "Meta did not answer"),
        (Answer([1]), False, "Meta did not answer"),
        (Answer({}, ending="silence"), False, "No answer within 3 seconds."),
    ],
    ids=["right", "another page", "dead", "html", "no object", "silent"],
)
async def test_graph_says_whose_token_it_is(
    house: House, graph: Graph, monkeypatch: pytest.MonkeyPatch, said: Any, ok: bool, words: str
) -> None:
    monkeypatch.setattr(findings, "DEADLINE", 3.0)
    graph.said = said

    token = (await found(house, ChannelKind.MESSENGER, outside={"graph_url": graph.url}))["token"]

    assert token[0] is ok
    assert words in token[1]
    assert "page-token" not in token[1]
    asked = graph.asked[0]
    assert (asked.method, asked.query["fields"], asked.bearer) == ("GET", "id,name", "page-token")


async def test_what_a_page_does_not_tell_us_of_is_named(house: House, graph: Graph) -> None:
    graph.fields = tuple(field for field in FIELDS if field != "message_echoes")

    token = (await found(house, ChannelKind.MESSENGER, outside={"graph_url": graph.url}))["token"]

    assert token == (False, "The page does not tell us of: message_echoes.")


class Provider(HttpFarEnd):
    """Lets in who shows the right secret: by basic authentication, in a header, or in the query."""

    def answer(self, request: Request) -> Answer:
        shown = f"{request.headers.get('authorization', '')} {request.query}"
        if shown.startswith("Basic "):
            shown = base64.b64decode(shown.split()[1]).decode()
        return Answer({"balance": 7}, 200 if "the right secret" in shown else 401)

    def seen(self) -> dict[str, Any]:
        return {}


ACCOUNT = f"AC{'0' * 32}"
SMS, PHONE = ChannelKind.SMS, ChannelKind.PHONE


@pytest.mark.parametrize(
    ("kind", "settings", "secret"),
    [
        (SMS, {"provider": "twilio", "account_sid": ACCOUNT}, "auth_token"),
        (SMS, {"provider": "infobip", "token": "a token of the shop"}, "api_key"),
        (SMS, {"provider": "vonage", "api_key": "a key", "token": "a token of the shop"}, "api_secret"),
        (PHONE, {"provider": "twilio", "account_sid": ACCOUNT}, "auth_token"),
    ],
    ids=["twilio", "infobip", "vonage", "voice"],
)
async def test_a_provider_says_whether_it_knows_the_account(
    house: House, kind: ChannelKind, settings: dict[str, Any], secret: str
) -> None:
    async with Provider() as provider:
        outside = {"twilio_url": provider.url, "vonage_url": provider.url, "webhooks_private": True}
        at = {"base_url": provider.url} if settings["provider"] == "infobip" else {}
        told = [
            (await found(house, kind, outside=outside, slug=slug, number=number, **at, **settings, **{secret: key}))
            for slug, number, key in (
                ("a", "+48221112233", "the right secret"), ("b", "+48221112234", "another"),
            )
        ]  # fmt: skip
    silent = {
        "twilio_url": "http://127.0.0.1:9",
        "vonage_url": "http://127.0.0.1:9",
        "webhooks_private": True,
    }
    nowhere = {"base_url": "http://127.0.0.1:9"} if at else {}
    unasked = await found(
        house,
        kind,
        outside=silent,
        slug="c",
        number="+48221112235",
        **nowhere,
        **settings,
        **{secret: "another"},
    )

    assert [one["account"][0] for one in (*told, unasked)] == [True, False, False]
    assert "HTTP 401" in told[1]["account"][1]
    assert "another" not in str(told[1]["account"])


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nobody_is_asked_within_our_own_network(house: House, scheme: str) -> None:
    async with Provider() as provider:
        told = await found(
            house,
            SMS,
            provider="infobip",
            base_url=provider.url.replace("http", scheme),
            api_key="the right secret",
            token="a token of the shop",
        )

    ok, said = told["account"]
    assert not ok
    assert ("private network" if scheme == "https" else "https://") in said


async def test_an_exchange_that_is_not_there_is_told(house: House) -> None:
    told = await found(
        house,
        PHONE,
        provider="asterisk",
        ami_host="127.0.0.1",
        ami_port=9,
        ami_user="heddle",
        ami_secret="s3cret",
    )

    assert told["ami"][0] is False
    assert "s3cret" not in told["ami"][1]


def a_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@with_dovecot
async def test_a_mailbox_is_signed_in_to_and_its_server_asked_without_sending(house: House) -> None:
    async with dovecot() as server, SmtpSink() as sink:
        said: dict[str, Any] = {
            "imap_url": server.url,
            "imap_user": "help",
            "smtp_url": f"smtp://{sink.host}:{sink.port}",
        }
        signs: dict[str, Any] = {
            "dkim_domain": "shop.example",
            "dkim_selector": "heddle",
            "dkim_key": a_key(),
        }
        right = await found(house, ChannelKind.EMAIL, imap_password=PASSWORD, **said, **signs)
        wrong = await found(
            house, ChannelKind.EMAIL, slug="b", address="b@shop.example", imap_password="mistyped", **said
        )
        sent = list(sink.mails)

    assert [one[0] for one in right.values()] == [True, True, True]
    assert "the folder INBOX opens" in right["imap"][1]
    assert "heddle._domainkey.shop.example: v=DKIM1; k=rsa; p=" in right["dkim"][1]
    assert wrong["imap"][0] is False
    assert wrong["imap"][1].startswith("The sign-in is refused")
    assert sent == []


async def test_a_mail_server_that_is_not_there_is_named(house: House) -> None:
    smtp = (await found(house, ChannelKind.EMAIL, smtp_url="smtp://127.0.0.1:9"))["smtp"]

    assert smtp[0] is False
    assert "127.0.0.1 does not let us send" in smtp[1]


async def test_an_origin_that_no_browser_says_is_found(house: House) -> None:
    right = await found(house, ChannelKind.CHAT, origins=["https://shop.example"])
    wrong = await found(house, ChannelKind.CHAT, slug="b", kept={"origins": ["https://shop.example/cart"]})

    assert [one[0] for one in right.values()] == [True, True]
    assert (wrong["origins"][0], wrong["identity_key"][0]) == (False, True)


async def test_a_channel_that_is_off_or_sealed_with_another_key_says_so(house: House) -> None:
    async with house.db.transaction() as session:
        channel: Channel = await a_channel(session, house.keys, ChannelKind.PHONE)
        await session.execute(update(Channel).values(disabled_at=channel.created_at, secrets=b"sealed"))
        await session.refresh(channel)
    means = Means(house.db, house.keys, house.files, IntegrationSettings.model_construct())

    told = {one.name: one.ok for one in await findings_of(channel, means)}

    assert told == {"enabled": False, "settings": False}

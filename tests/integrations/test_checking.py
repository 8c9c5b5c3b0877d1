"""What a channel's test finds at far ends in several moods."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import update

from api.house import House
from demo.farends import SmtpSink
from demo.farends.server import Answer, HttpFarEnd, Request
from domain.channels import Channel, ChannelKind
from integrations import findings
from integrations.channel_settings import KINDS
from integrations.checking import CHECKS, findings_of
from integrations.outbound import Means
from integrations.settings import IntegrationSettings
from tests.dovecot import PASSWORD, dovecot, with_dovecot
from tests.factories import a_channel


class Graph(HttpFarEnd):
    """Says whose token it is."""

    said: Any = {"id": "9001", "name": "The shop"}
    asked: list[Request]

    def answer(self, request: Request) -> Answer:
        self.asked = [*getattr(self, "asked", []), request]
        return self.said if isinstance(self.said, Answer) else Answer(self.said)

    def seen(self) -> dict[str, Any]:
        return {}


@pytest.fixture
async def graph() -> AsyncIterator[Graph]:
    async with Graph() as server:
        yield server


async def found(
    house: House, kind: ChannelKind, *, outside: dict[str, Any] | None = None, **others: Any
) -> dict[str, tuple[bool, str]]:
    async with house.db.transaction() as session:
        channel: Channel = await a_channel(session, house.keys, kind, **others)
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
        ({"error": {"code": 190, "message": "page-token"}}, False, "error 190."),
        (Answer(b"<html>"), False, "Graph cannot be asked: "),
        (Answer([1]), False, "error None."),
        (Answer({}, ending="silence"), False, "No answer within 1 seconds."),
    ],
    ids=["right", "another page", "dead", "html", "no object", "silent"],
)
async def test_graph_says_whose_token_it_is(
    house: House, graph: Graph, monkeypatch: pytest.MonkeyPatch, said: Any, ok: bool, words: str
) -> None:
    monkeypatch.setattr(findings, "DEADLINE", 1.0)
    graph.said = said

    token = (await found(house, ChannelKind.MESSENGER, outside={"graph_url": graph.url}))["token"]

    assert token[0] is ok
    assert words in token[1]
    assert "page-token" not in token[1]
    (asked,) = graph.asked
    assert (asked.method, asked.query["fields"], asked.bearer) == ("GET", "id,name", "page-token")


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
    wrong = await found(house, ChannelKind.CHAT, slug="b", origins=["https://shop.example/cart"])

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

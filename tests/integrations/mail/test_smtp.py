from datetime import UTC, datetime
from pathlib import Path

import pytest

from demo.farends import SmtpSink
from domain.customers.contacts import Identity, IdentityKind
from domain.db import Database, new_id
from domain.desk.files import Folder
from domain.desk.messages import Message
from domain.desk.threads import Thread
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mail.sending.connections import Relays
from integrations.mail.sending.smtp import send
from integrations.outbound import Letter, Means, SendRefused
from integrations.settings import IntegrationSettings

KEYS = Keys("k" * 32)


def a_letter(to: str) -> Letter:
    return Letter(
        Message(
            id=new_id(),
            text="On its way.",
            external_id="1@shop.example",
            at=datetime(2026, 11, 2, tzinfo=UTC),
            mail={},
        ),
        Thread(number=12),
        Channel(kind=ChannelKind.EMAIL, name="Help", config={"address": "help@shop.example"}),
        Identity(kind=IdentityKind.EMAIL, value=to),
        None,
    )


@pytest.mark.parametrize(
    "to", ["ada@example.org", "ada+vase@example.org", "o'ada=a?b{c}|*%!#$&`~^/_-@xn--fa-hia.example"]
)
async def test_a_letter_goes_to_the_very_address_it_is_for(to: str, tmp_path: Path, db: Database) -> None:
    async with SmtpSink() as sink, Relays() as relays:
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        await send(a_letter(to), Means(db, KEYS, Folder(tmp_path), settings), relays=relays)
        mail = await sink.next_mail()

    assert mail.recipients == [to]


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.org,eve@evil.net",
        "ada@example.org@evil.net",
        "Ada <ada@example.org>",
        "ada@example.org>\r\nRCPT TO:<eve@evil.net",
        "ada@example.org (eve)",
        '"ada@example.org"@evil.net',
        "eve:ada@example.org;",
        "ada@[192.0.2.1]",
        "ada @example.org",
        "józef@example.org",
        "ada",
        "",
    ],
)
async def test_what_is_not_one_plain_address_is_refused_before_anyone_is_called(
    to: str, tmp_path: Path, db: Database
) -> None:
    nobody = IntegrationSettings(smtp_url="smtp://127.0.0.1:1")

    with pytest.raises(SendRefused):
        await send(a_letter(to), Means(db, KEYS, Folder(tmp_path), nobody), relays=Relays())

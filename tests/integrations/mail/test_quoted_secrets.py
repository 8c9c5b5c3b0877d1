"""What a server says of a sign-in is shown, without the password or the token that it may quote."""

import asyncio
import base64

import pytest

from integrations.mail.mailbox import Mailbox
from integrations.mail.receiving.imap import BoxFailed, ImapBox, SignInRefused
from integrations.mail.refusals import without_secrets
from integrations.mail.sending.connections import Relays, Server
from integrations.mail.sending.smtp import hand_over
from integrations.outbound import SendFailed
from tests.wire import parrot

PASSWORD = "correct-horse"
TOKEN = base64.b64encode(b"an access token that nobody may see").decode()


def imap(line: str) -> str:
    tag, _, said = line.partition(" ")
    if said.startswith("CAPABILITY"):
        return f"* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR\r\n{tag} OK done\r\n"
    return f"{tag} NO I do not know {said}\r\n"


def smtp(line: str) -> str:
    if line.startswith("EHLO"):
        return "250-parrot\r\n250 AUTH PLAIN LOGIN\r\n"
    return f"535 5.7.8 I do not know {line}\r\n"


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_a_mailbox_server_that_quotes_what_it_was_told_shows_no_secret(token: str | None) -> None:
    async with parrot("* OK parrot", imap) as port:
        settings = {"address": "help@shop.example", "imap_password": PASSWORD}
        box = ImapBox(Mailbox(imap_url=f"imap://127.0.0.1:{port}", **settings))
        with pytest.raises((SignInRefused, BoxFailed)) as refusal:
            await asyncio.to_thread(box.sign_in, token)
        await asyncio.to_thread(box.leave)

    said = str(refusal.value)
    assert "I do not know" in said
    assert PASSWORD not in said
    assert TOKEN not in said
    assert base64.b64encode(f"auth=Bearer {TOKEN}".encode()).decode()[8:40] not in said


async def test_a_relay_that_quotes_what_it_was_told_shows_no_secret() -> None:
    async with parrot("220 parrot", smtp) as port, Relays() as relays:
        server = Server.at(f"smtp://127.0.0.1:{port}", user="help@shop.example", password=PASSWORD)
        with pytest.raises(SendFailed) as refusal:
            await hand_over(
                b"x", sender="help@shop.example", to=["a@b.example"], server=server, relays=relays
            )

    plain = base64.b64encode(f"\0help@shop.example\0{PASSWORD}".encode()).decode()
    assert "I do not know" in str(refusal.value)
    assert plain not in str(refusal.value)
    assert base64.b64encode(PASSWORD.encode()).decode() not in str(refusal.value)


def test_what_is_no_secret_is_shown() -> None:
    said = "[AUTHENTICATIONFAILED] Invalid credentials\r\n for help@shop.example"

    assert without_secrets(said, PASSWORD, "", None) == said.replace("\r\n", "")

from datetime import UTC, datetime

import pytest

from domain.arriving.afterwards import InboundBounce
from domain.arriving.inbound import Arrival, Inbound, InboundMessage, Unread, Unreadable
from domain.customers.contacts import Proof
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.mail.addresses import reply_address
from integrations.mail.payloads import read

KEYS = Keys("k" * 32)
RELAY = "192.0.2.1"
OF_BANK = "mx.shop.example; dmarc=pass header.from=bank.example"


def taken(
    *headers: str,
    sender: str | None = "Ada <ada@bank.example>",
    text: str = "Where is it?",
    authserv_id: str = "mx.shop.example",
) -> list[Inbound | Unread]:
    """What our mailbox reads in a mail that came through our relay."""
    config = {"address": "help@shop.example", "authserv_id": authserv_id, "relays": [RELAY]}
    channel = Channel(kind=ChannelKind.EMAIL, address="help@shop.example", config=config)
    lines = [*([f"From: {sender}"] if sender else []), *headers, "Subject: Mug", "", text]
    arrival = Arrival(
        raw="\r\n".join(lines).encode(),
        envelope={"peer": RELAY},
        received_at=datetime(2026, 11, 2, tzinfo=UTC),
    )
    return list(read(channel, KEYS, arrival))


def claimed(*headers: str, **mail: str) -> tuple[str, Proof | None]:
    (message,) = taken(*headers, **mail)
    assert isinstance(message, InboundMessage)
    (claim,) = message.claims
    return claim.value, claim.proof


@pytest.mark.parametrize(
    "results",
    [
        OF_BANK,
        "MX.shop.example 1; spf=fail; DMARC = Pass (p=reject; dis=none) Header.From = Bank.Example",
        '(a (nested) one) mx.shop.example; dmarc/1=pass reason="all; well" header.from=bank.example; spf=pass',
        f"{OF_BANK}; dmarc=pass header.from=bank.example",
    ],
)
def test_dmarc_passed_for_the_senders_domain_proves_the_sender(results: str) -> None:
    assert claimed(f"Authentication-Results: {results}") == ("ada@bank.example", Proof.MAIL_AUTHENTICATED)


@pytest.mark.parametrize(
    "results",
    [
        'mx.shop.example; spf=pass smtp.mailfrom="x; dmarc=pass header.from=bank.example"@evil.net; '
        "dmarc=fail header.from=bank.example",
        'mx.shop.example; spf=pass smtp.mailfrom="x\\"; dmarc=pass header.from=bank.example"@evil.net',
        "mx.shop.example; spf=pass (x (y) ; dmarc=pass header.from=bank.example)",
        "mx.shop.example; spf=pass (\\); dmarc=pass header.from=bank.example)",
        'mx.shop.example; dmarc=pass header.from=bank.example; spf=pass smtp.mailfrom="never closed',
        "mx.shop.example; dmarc=pass header.from=bank.example (never (closed)",
        f"{OF_BANK}; dmarc=fail header.from=bank.example",
        f"{OF_BANK}; dmarc=pass header.from=evil.net",
        f"{OF_BANK} header.from=evil.net",
        f"{OF_BANK}; dmarc=none",
        "mx.shop.example; dmarc=pass",
        "mx.shop.example; dmarc=pass header.from=bank.example.evil.net",
        'mx.shop.example; dmarc=pass header.from="bank.example"',
        "mx.shop.example; dmarc=passed header.from=bank.example",
        "mx.shop.example; xdmarc=pass header.from=bank.example",
        "mx.shop.example; spf=pass dmarc=pass header.from=bank.example",
        "mx.shop.example; dkim=pass header.from=bank.example",
        '"mx.shop.example; dmarc=pass header.from=bank.example"',
        "",
    ],
)
def test_nothing_but_dmarc_itself_proves_the_sender(results: str) -> None:
    assert claimed(f"Authentication-Results: {results}") == ("ada@bank.example", None)


BY_MICROSOFT = (
    "spf=pass (sender IP is 192.0.2.7) smtp.mailfrom=bank.example; dkim=pass (signature was verified) "
    "header.d=bank.example;dmarc=pass action=none header.from=bank.example;compauth=pass reason=100"
)


@pytest.mark.parametrize(
    ("results", "proof"),
    [
        ([BY_MICROSOFT], Proof.MAIL_AUTHENTICATED),
        ([BY_MICROSOFT.replace("dmarc=pass", "dmarc=bestguesspass")], None),
        ([BY_MICROSOFT.replace("dmarc=pass", "dmarc=fail"), BY_MICROSOFT], None),
        ([BY_MICROSOFT.partition(";compauth")[0]], None),
        ([f"mx.evil.net; {BY_MICROSOFT}"], None),
        ([f"{BY_MICROSOFT};dmarc=pass header.from=evil.net"], None),
    ],
)
def test_microsoft_365_is_believed_by_the_topmost_though_it_says_no_name(
    results: list[str], proof: Proof | None
) -> None:
    headers = [f"Authentication-Results: {one}" for one in results]

    assert claimed(*headers, authserv_id="microsoft365") == ("ada@bank.example", proof)
    assert claimed(*headers) == ("ada@bank.example", None)


@pytest.mark.parametrize(
    ("sender", "passed", "value", "proof"),
    [
        ("Ada@FASS.de", "fass.de", "ada@fass.de", Proof.MAIL_AUTHENTICATED),
        ("ada@faß.de", "fass.de", "ada@xn--fa-hia.de", None),
        ("ada@faß.de", "xn--fa-hia.de", "ada@xn--fa-hia.de", Proof.MAIL_AUTHENTICATED),
        ("ada@XN--FA-HIA.de", "faß.de", "ada@xn--fa-hia.de", Proof.MAIL_AUTHENTICATED),
        ("Weiß@bank.example", "bank.example", "weiß@bank.example", Proof.MAIL_AUTHENTICATED),
    ],
)
def test_no_letter_makes_two_addresses_one(sender: str, passed: str, value: str, proof: Proof | None) -> None:
    results = f"Authentication-Results: mx.shop.example; dmarc=pass header.from={passed}"

    assert claimed(results, sender=sender) == (value, proof)


@pytest.mark.parametrize("sender", ["<>", None])
def test_an_automatic_mail_without_a_senders_address_is_kept_and_not_acted_on(sender: str | None) -> None:
    assert taken("Auto-Submitted: auto-replied", sender=sender) == [
        Unread("an automatic mail without a sender's address")
    ]


def test_a_bounce_becomes_no_message_and_names_the_mail_that_came_back_first() -> None:
    (bounce,) = taken(
        "Return-Path: <>",
        "X-Failed-Recipients: zofia@example.org",
        "In-Reply-To: <three@shop.example>",
        "References: <one@shop.example> <two@shop.example>",
        sender="Mail Delivery System <mailer-daemon@example.org>",
        text="550 5.1.1 User unknown\n\n--- Original message ---\nMessage-ID: <two@shop.example>",
    )

    assert bounce == InboundBounce(
        message_ids=("two@shop.example", "three@shop.example", "one@shop.example"),
        recipient="zofia@example.org",
        status="5.1.1",
        said="550 5.1.1 User unknown",
        final=True,
        at=datetime(2026, 11, 2, tzinfo=UTC),
    )


def test_a_bounce_that_names_no_mail_is_kept_and_not_acted_on() -> None:
    assert taken(sender="MAILER-DAEMON (Mail Delivery System)") == [
        Unread("a bounce that does not say which mail came back")
    ]


def test_what_cannot_be_read_is_a_message_of_how_it_begins() -> None:
    (message,) = taken(f"X-Rubbish: {'a' * 300_000}")

    assert isinstance(message, InboundMessage)
    assert message.failed == "more than 262144 bytes of headers"
    assert message.text.startswith("From: Ada <ada@bank.example>\nX-Rubbish: aaa")


def test_a_persons_mail_without_a_senders_address_is_shown_as_failed() -> None:
    with pytest.raises(Unreadable, match="no sender's address"):
        taken(sender="<ada@bank.example,eve@evil.net>")


def test_an_id_that_cannot_be_looked_up_gives_way_to_the_mails_own_hash() -> None:
    (message,) = taken("Message-ID: <łódź@bank.example>", "References: <one@bank.example>")

    assert isinstance(message, InboundMessage)
    assert message.external_id.startswith("sha256:")
    assert message.references == ("one@bank.example",)


@pytest.mark.parametrize(
    "token", ["(", '"', '\\"', "(\\", ";", " ", " =", "; dmarc=pass header.from=a", "()"]
)
def test_no_result_of_authentication_takes_longer_than_its_length(token: str) -> None:
    started = datetime.now(UTC)

    assert claimed(f"Authentication-Results: {OF_BANK} {token * (200_000 // len(token))}")

    assert (datetime.now(UTC) - started).total_seconds() < 10


@pytest.mark.parametrize(
    "headers",
    [
        ("From: Ada via Mugs <eve@bank.example>", "X-Original-Sender: ada@bank.example"),
        ("From: <>", "Reply-To: ada@bank.example"),
        ("Sender: ada@bank.example",),
        ("From: <ada@bank.example> <eve@bank.example>",),
        ("From: ada@bank.example, eve@bank.example",),
        ("From: ada@bank.example", "From: eve@bank.example"),
        ('From: "ada@bank.example <eve@bank.example>',),
    ],
)
def test_dmarc_proves_nobody_but_the_one_whom_the_from_header_names(headers: tuple[str, ...]) -> None:
    (message,) = taken(f"Authentication-Results: {OF_BANK}", *headers, sender=None)

    assert isinstance(message, InboundMessage)
    assert message.claims[0].proof is None


def test_results_that_stand_in_the_text_of_a_mail_prove_nothing() -> None:
    """One that names no sender, and cannot be read: who wrote it is looked for further down."""
    parts = "\r\n".join(["--b", "", ""] * 1_001)
    forged = f"From: ada@bank.example\r\nAuthentication-Results: {OF_BANK}\r\n\r\nSend me the goods."

    (message,) = taken(
        "Authentication-Results: mx.shop.example; dmarc=none",
        "Content-Type: multipart/mixed; boundary=b",
        sender=None,
        text=f"{forged}\r\n{parts}",
    )

    assert isinstance(message, InboundMessage)
    assert message.failed
    assert (message.claims[0].value, message.claims[0].proof) == ("ada@bank.example", None)


@pytest.mark.parametrize("form", ["Shop <help@shop.example>", "noreply@shop.example"])
def test_a_contact_form_writes_for_whom_it_asks_to_answer_and_proves_nothing(form: str) -> None:
    results = "Authentication-Results: mx.shop.example; dmarc=pass header.from=shop.example"

    assert claimed(results, "Reply-To: Ada <ada@bank.example>", sender=form) == ("ada@bank.example", None)


def test_what_a_contact_form_says_is_shown_whole_though_it_looks_like_a_quoted_mail() -> None:
    said = (
        "Wiadomość z formularza kontaktowego\n\nOd: Ada <ada@bank.example>\nData: 2026-11-12 10:12\n"
        "Temat: Reklamacja\n\nWazon przyszedł pęknięty."
    )

    (message,) = taken("Reply-To: ada@bank.example", sender="Shop <help@shop.example>", text=said)

    assert isinstance(message, InboundMessage)
    assert (message.text, message.folded) == (said, None)


@pytest.mark.parametrize(
    "asked", ["", "Reply-To: help@shop.example", f"Reply-To: {reply_address(KEYS, 'help@shop.example', 12)}"]
)
def test_a_mail_of_the_mailbox_to_itself_is_nobodys(asked: str) -> None:
    (said,) = taken(*([asked] if asked else []), sender="Shop <help@shop.example>")

    assert said == Unread("from this mailbox itself")


def test_anybody_else_writes_for_themselves_whatever_they_ask() -> None:
    assert claimed("Reply-To: eve@evil.net")[0] == "ada@bank.example"

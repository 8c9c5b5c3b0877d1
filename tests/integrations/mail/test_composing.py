"""What an answer looks like as a mail."""

import email
import email.policy
from base64 import b64encode
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from demo.farends import SmtpSink
from domain.agents.staff import Agent
from domain.customers.contacts import Identity, IdentityKind
from domain.db import Database, new_id
from domain.desk.files import Folder
from domain.desk.messages import Attachment, Message
from domain.desk.threads import Thread
from domain.errors import InvalidInput
from domain.keys import Keys
from domain.ways_in.channels import Channel, ChannelKind
from integrations.channel_settings import read_settings
from integrations.mail.addresses import recipient
from integrations.mail.mailbox import Mailbox
from integrations.mail.sending.body import html
from integrations.mail.sending.compose import compose, envelope_sender
from integrations.mail.sending.connections import Relays
from integrations.mail.sending.smtp import check_sendable, send
from integrations.outbound import Letter, Means, SendRefused
from integrations.settings import IntegrationSettings

KEYS = Keys("k" * 32)
WRITTEN = datetime(2026, 3, 2, 12, tzinfo=UTC)


def a_mailbox(**others: Any) -> Mailbox:
    return Mailbox.model_validate({"address": "help@shop.example", **others})


def a_letter(text: str = "On its way.", *, mail: Any = None, **others: Any) -> Letter:
    automatic = others.pop("automatic", False)
    message = Message(
        id=others.pop("id", None) or new_id(),
        text=text,
        external_id="1@shop.example",
        at=WRITTEN,
        automatic=automatic,
        mail={"to": [["", "ada@example.org"]], "subject": "My order"} | (mail or {}),
    )
    return Letter(
        message,
        Thread(number=12),
        Channel(kind=ChannelKind.EMAIL, name="Help", config={"address": "help@shop.example"}),
        Identity(kind=IdentityKind.EMAIL, value="ada@example.org"),
        others.pop("agent", None),
        **others,
    )


def composed(letter: Letter, mailbox: Mailbox | None = None, files: Any = ()) -> EmailMessage:
    raw = compose(letter, mailbox or a_mailbox(), KEYS, files)
    return email.message_from_bytes(raw, policy=email.policy.default)


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    body = mail.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def said_by_ada(text: str, **others: Any) -> Message:
    return Message(text=text, author="Ada", at=WRITTEN, **others)


def test_an_answer_is_plain_text_and_html_of_the_same_words_with_the_channels_signature() -> None:
    mailbox = a_mailbox(signature="Shop\\nhttps://shop.example", language="pl")
    letter = a_letter("Dzień dobry,\n\nnowy kubek <już> jedzie: https://shop.example/t?a=1&b=2.")

    mail = composed(letter, mailbox)

    assert mail.get_content_type() == "multipart/alternative"
    assert text_of(mail) == (
        "Dzień dobry,\n\nnowy kubek <już> jedzie: https://shop.example/t?a=1&b=2.\n\n"
        "-- \nShop\nhttps://shop.example\n"
    )
    shown = text_of(mail, "html")
    assert '<html lang="pl">' in shown
    assert "<p>Dzień dobry,</p>" in shown
    assert "nowy kubek &lt;już&gt; jedzie:" in shown
    assert '<a href="https://shop.example/t?a=1&amp;b=2">https://shop.example/t?a=1&amp;b=2</a>.' in shown
    assert '<a href="https://shop.example">' in shown
    assert mail["Content-Language"] == "pl"


def test_any_relay_takes_it() -> None:
    letter = a_letter("Zażółć gęślą jaźń ¡Ñandú! l·l\n" + "x" * 5000, agent=Agent(name="Żaneta Ñ"))

    raw = compose(letter, a_mailbox(sender_name="Sklep żółty"), KEYS, [_a_file("zdjęcie żółte.png")])

    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    body = raw.partition(b"\r\n\r\n")[2]
    assert max(len(line) for line in body.split(b"\r\n") if b"; " not in line) <= 76


def test_nothing_that_somebody_wrote_becomes_a_header_or_a_recipient() -> None:
    agent = Agent(name="Ben\r\nBcc: eve@example.net")
    attack = "x\r\nBcc: eve@example.net\u2028X: 1\x85Y: 2\x00"
    mail = {"subject": attack, "references": ["good@example.org", "bad\r\nBcc: eve@example.net"]}
    letter = a_letter(agent=agent, mail=mail, language=attack)

    built = composed(letter, a_mailbox(sender_name=attack), [_a_file(attack)])

    assert built["Bcc"] is None
    assert {"X", "Y"}.isdisjoint(built.keys())
    assert built["References"] == "<good@example.org>"
    assert [one.addr_spec for one in built["From"].addresses] == ["help@shop.example"]
    assert [one.addr_spec for one in built["To"].addresses] == ["ada@example.org"]
    assert built["Content-Language"] is None


@pytest.mark.parametrize("encoded", ["=?us-ascii?q?", "=?utf-8?b?", "=\u202a?utf-8?q?"])
def test_no_encoded_word_that_somebody_wrote_becomes_a_header_or_a_body(encoded: str) -> None:
    """The library decodes such a word when a header is set, with the line breaks in it."""
    injected = "a\r\nBcc: eve@example.net\r\n\r\n<a href=https://evil.example>"
    base64 = "?b?" in encoded
    words = b64encode(injected.encode()).decode() if base64 else quote(injected).replace("%", "=")
    attack = f"{encoded}{words}?="
    mail = {
        "subject": attack,
        "references": [attack.replace("\u202a", ""), f"<{attack}", "good@example.org"],
        "cc": [[attack, "zofia@example.org"]],
    }
    letter = a_letter(
        agent=Agent(name=attack), mail=mail, below=said_by_ada("Where?", mail={"subject": attack})
    )

    raw = compose(letter, a_mailbox(sender_name=attack), KEYS, [_a_file(attack)])

    built = email.message_from_bytes(raw, policy=email.policy.compat32)
    assert built["Bcc"] is None
    assert built["References"] == "<good@example.org>"
    assert b"\nBcc" not in raw.partition(b"\r\n\r\n")[0]
    (*_, file) = built.walk()
    assert file.keys() == ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "MIME-Version"]


def test_nothing_is_sent_to_an_address_that_is_an_encoded_word() -> None:
    with pytest.raises(SendRefused):
        check_sendable("=?us-ascii?q?a=0D=0ABcc:eve?=@example.org")


@pytest.mark.parametrize("signed_sender", [True, False])
def test_a_mailbox_of_an_international_domain_writes_in_its_plain_name(signed_sender: bool) -> None:
    mailbox = a_mailbox(address="kontakt@żółw.example", signed_sender=signed_sender)

    raw = compose(a_letter(), mailbox, KEYS)

    assert b"<kontakt@xn--w-uga1v8h.example>" in raw
    assert envelope_sender(a_letter(), mailbox, KEYS).endswith("@xn--w-uga1v8h.example")


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "On March 2, 2026, Ada wrote:"),
        ("pl-PL", "Dnia 2 marca 2026 Ada napisał(a):"),
        ("es", "El 2 de marzo de 2026, Ada escribió:"),
        ("ca", "El 2 de març del 2026, Ada va escriure:"),
        ("", "On March 2, 2026, Ada wrote:"),
    ],
)
def test_what_the_customer_wrote_last_stands_below_in_their_language(language: str, line: str) -> None:
    below = said_by_ada("Where is it?\nYours\n\n> older", folded="Where is it?\n\nYours")

    mail = composed(a_letter(language=language, below=below))

    assert text_of(mail) == f"On its way.\n\n{line}\n> Where is it?\n>\n> Yours\n"
    assert "<p>Where is it?</p>" in text_of(mail, "html").partition('<blockquote type="cite" style="')[2]


def test_what_is_passed_on_stands_below_as_it_was() -> None:
    below = said_by_ada("It broke.", mail={"subject": "My vase"})

    mail = composed(a_letter("Please look.", mail={"forwards": "x"}, below=below))

    assert text_of(mail) == (
        "Please look.\n\n---------- Forwarded message ----------\n"
        "From: Ada\nDate: March 2, 2026\nSubject: My vase\n\nIt broke.\n"
    )


def test_copies_are_named_and_hidden_ones_are_not() -> None:
    mail = {"cc": [["", "zofia@example.com"]], "bcc": [["", "boss@example.net"]]}

    raw = compose(a_letter(mail=mail), a_mailbox(), KEYS)

    assert b"Cc: zofia@example.com\r\n" in raw
    assert b"boss@example.net" not in raw
    assert b"Bcc" not in raw


def test_a_bounce_finds_its_conversation_unless_the_provider_takes_no_such_sender() -> None:
    sender = envelope_sender(a_letter(), a_mailbox(), KEYS)

    back = recipient(KEYS, sender)
    assert back is not None
    assert (back.mailbox, back.thread_number) == ("help@shop.example", 12)
    assert envelope_sender(a_letter(), a_mailbox(signed_sender=False), KEYS) == "help@shop.example"


def test_what_no_person_wrote_says_so_comes_from_nobody_and_quotes_nothing() -> None:
    letter = a_letter("We have it.", automatic=True, below=said_by_ada("Buy this: https://evil.example"))

    mail = composed(letter)

    assert envelope_sender(letter, a_mailbox(), KEYS) == ""
    assert mail["Auto-Submitted"] == "auto-replied"
    assert mail["X-Auto-Response-Suppress"] == "All"
    assert mail["Precedence"] == "bulk"
    assert "evil" not in mail.as_string()


def test_the_same_message_is_the_same_bytes_each_time() -> None:
    mailbox = a_mailbox(dkim_domain="shop.example", dkim_selector="heddle", dkim_key=A_KEY)
    id = new_id()

    first, second = (
        compose(a_letter(id=id, below=said_by_ada("Hm?")), mailbox, KEYS, [_a_file()]) for _ in range(2)
    )

    assert first == second


def test_files_go_along_whole_and_under_their_names() -> None:
    mail = composed(a_letter(), files=[_a_file("zdjęcie.png"), _a_file("brief.eml", mime="message/rfc822")])

    assert mail.get_content_type() == "multipart/mixed"
    attached = [
        (part.get_filename(), part.get_content_type(), part.get_content())
        for part in mail.iter_attachments()
        if isinstance(part, EmailMessage)
    ]
    assert attached == [
        ("zdjęcie.png", "image/png", b"bytes"),
        ("brief.eml", "application/octet-stream", b"bytes"),
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>"),
        ("a\nb\n\n\n\nc", "<p>a<br>\nb</p>\n<p>c</p>"),
        ("see (https://a.example/x)!", '<p>see (<a href="https://a.example/x">https://a.example/x</a>)!</p>'),
        (
            'https://a.example/"onclick=x',
            '<p><a href="https://a.example/">https://a.example/</a>"onclick=x</p>',
        ),
        ("javascript:alert(1)", "<p>javascript:alert(1)</p>"),
        ("a  b", "<p>a\u00a0 b</p>"),
    ],
)
def test_words_stay_words_in_html(text: str, shown: str) -> None:
    assert shown in html(text)


def test_a_named_link_is_its_name_in_what_no_person_wrote_and_only_there() -> None:
    text = "One tap:\n5 – very: https://a.example/?a=1&b=5\nSee https://a.example/x"
    question = a_letter(text)
    question.message.automatic = True

    asked, written = text_of(composed(question), "html"), text_of(composed(a_letter(text)), "html")

    assert '<a href="https://a.example/?a=1&amp;b=5">5 – very</a><br>' in asked
    assert '5 – very: <a href="https://a.example/?a=1&amp;b=5">https://a.example/?a=1&amp;b=5</a>' in written
    assert all('See <a href="https://a.example/x">https://a.example/x</a>' in one for one in (asked, written))


KEY = rsa.generate_private_key(65537, 2048)
A_KEY = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
SMALL = rsa.generate_private_key(65537, 1024)
ED = ed25519.Ed25519PrivateKey.generate()


async def test_a_signature_is_good_after_the_way_through_a_server(tmp_path: Any, db: Database) -> None:
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    record = f"v=DKIM1; k=rsa; p={''.join(public.splitlines()[1:-1])}".encode()
    letter = a_letter(
        "Zażółć.\n.\n..\nFrom here", mail={"references": ["a@example.org"], "cc": [["", "zofia@example.com"]]}
    )
    signs = {"dkim_domain": "shop.example", "dkim_selector": "heddle"}
    letter.channel.config |= signs
    letter.channel.secrets = KEYS.encrypt({"dkim_key": A_KEY})
    async with SmtpSink() as sink, Relays() as relays:
        settings = IntegrationSettings(smtp_url=f"smtp://{sink.host}:{sink.port}")
        await send(letter, Means(db, KEYS, Folder(tmp_path), settings), relays=relays)
        mail = await sink.next_mail()

    asked: list[bytes] = []

    def dns(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return record

    assert dkim.verify(mail.raw, dnsfunc=dns)
    assert asked == [b"heddle._domainkey.shop.example."]
    assert not dkim.verify(mail.raw.replace(b"Subject: My order", b"Subject: Your order"), dnsfunc=dns)
    assert not dkim.verify(b"From: eve@example.net\r\n" + mail.raw, dnsfunc=dns)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dkim_key": "no key"}, "no private key"),
        ({"dkim_key": A_KEY[:-200]}, "no private key"),
        ({"dkim_key": ED.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()}, "RSA"),
        ({"dkim_selector": ""}, "go together"),
        ({"smtp_url": "https://mail.example"}, "smtp://"),
        ({"smtp_url": "smtp://user:password@mail.example"}, "settings of their own"),
    ],
)
def test_a_mailbox_that_could_not_send_is_refused_when_it_is_added(
    settings: dict[str, str], words: str
) -> None:
    given = {"dkim_domain": "shop.example", "dkim_selector": "heddle", "dkim_key": A_KEY}

    with pytest.raises(InvalidInput, match=words):
        read_settings(ChannelKind.EMAIL, {"address": "help@shop.example"} | given | settings)


def test_a_key_may_be_typed_on_one_line() -> None:
    given = {"dkim_domain": "shop.example", "dkim_selector": "heddle", "dkim_key": A_KEY.replace("\n", "\\n")}

    read = read_settings(ChannelKind.EMAIL, {"address": "help@shop.example"} | given)

    assert read.secrets()["dkim_key"] == A_KEY
    assert "dkim_key" not in read.config()


def _a_file(name: str = "x.png", mime: str = "image/png") -> tuple[Attachment, bytes]:
    return Attachment(name=name, mime=mime, file="x"), b"bytes"

"""Which mails are ours that came back, and what they say of it."""

from pathlib import Path

import pytest

from integrations.mail.machines.bounces import Bounce
from integrations.mail.machines.reports import recipients, status_of
from integrations.mail.reading.parse import read

SAMPLES = Path(__file__).parent / "samples"
OURS = "t12.7.k9h2@shop.test"


def sample(name: str) -> Bounce | None:
    return read((SAMPLES / f"{name}.eml").read_bytes()).bounce


def letter(
    subject: str, text: str, *headers: str, sender: str = "MAILER-DAEMON@mx.example.org"
) -> Bounce | None:
    """What is read in a letter from this sender."""
    lines = [f"From: {sender}", "To: support@shop.test", f"Subject: {subject}", *headers, "", text]
    return read("\n".join(lines).encode()).bounce


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("bounce", "5.1.1"),
        ("bounce-qmail", "5.1.1"),
        ("bounce-exchange", "5.2.2"),
        ("bounce-pl", "5.2.2"),
        ("bounce-es", "5.1.1"),
        ("bounce-ca", "5.1.1"),
        ("bounce-de", "5.1.1"),
        ("bounce-fr", "5.1.1"),
        ("bounce-ru", "5.1.1"),
        ("bounce-ja", "5.1.1"),
    ],
)
def test_a_bounce_says_which_mail_came_back_from_whom_and_why(name: str, status: str) -> None:
    bounce = sample(name)

    assert bounce
    assert (bounce.status, bounce.recipient, bounce.message_id) == (status, "zofia@example.org", OURS)
    assert bounce.is_final


def test_a_bounce_without_the_mail_names_its_recipient() -> None:
    bounce = sample("exim-bounce")

    assert bounce
    assert (bounce.status, bounce.recipient, bounce.message_id) == ("5.2.2", "zofia@example.org", None)


def test_of_several_recipients_the_one_that_failed_is_told_of() -> None:
    bounce = sample("bounce-several")

    assert bounce
    assert (bounce.status, bounce.recipient) == ("5.7.26", "zofia.wiśniewska@example.org")
    assert bounce.said == "550-5.7.26 This sender is not authenticated, says mx.example.org"


def test_a_mail_that_is_late_is_not_given_up() -> None:
    bounce = sample("bounce-late")

    assert bounce
    assert (bounce.is_final, bounce.status, bounce.recipient) == (False, "4.4.1", "zofia@example.org")
    assert bounce.message_id == OURS


def test_a_mail_that_failed_after_days_of_trying_is_given_up_though_its_status_is_a_passing_one() -> None:
    report = "Final-Recipient: rfc822; ada@example.com\nAction: failed\nStatus: 4.4.7"

    bounce = letter("Returned mail", report)

    assert bounce
    assert (bounce.status, bounce.is_final) == ("4.4.7", True)


@pytest.mark.parametrize(
    ("name", "automatic"),
    [
        ("bounce-delivered", "auto_reply"),
        ("out-of-office", "auto_reply"),
        ("vacation", "auto_reply"),
        ("parcel-returned", "auto_reply"),
        ("challenge", "none"),
        ("list", "list"),
    ],
)
def test_what_only_looks_like_a_bounce_is_none(name: str, automatic: str) -> None:
    mail = read((SAMPLES / f"{name}.eml").read_bytes())

    assert (mail.automatic, mail.bounce) == (automatic, None)


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Delivery failed", "My parcel could not be delivered, they say the address does not exist. Why?"),
        (
            "Undelivered order 1042",
            "It was returned to sender. My address is ada@example.com, please try again.",
        ),
        (
            "Fwd: Undelivered Mail Returned to Sender",
            "Your mail bounced:\n\n<ada@example.com>: 550 5.1.1 User unknown",
        ),
        ("Re: Mail delivery failed", "I got: 550 5.1.1 <ada@example.com> user unknown. What is it?"),
        ("Not delivered", "The message you sent to bo@example.com was not delivered, he says."),
    ],
)
def test_a_person_who_writes_about_a_delivery_is_no_machine(subject: str, text: str) -> None:
    mail = read(f"From: Ada <ada@example.com>\nTo: support@shop.test\nSubject: {subject}\n\n{text}".encode())

    assert (mail.automatic, mail.bounce) == ("none", None)


@pytest.mark.parametrize("subject", ["See this", "Fwd: Undelivered Mail Returned to Sender"])
def test_somebody_who_passes_a_bounce_on_did_not_bounce(subject: str) -> None:
    report = (
        b"Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; bo@example.com\nAction: failed\nStatus: 5.1.1"
    )
    raw = (
        f"From: Ada <ada@example.com>\nSubject: {subject}\nContent-Type: multipart/mixed; boundary=b\n\n".encode()
        + b"--b\n\nWhat is that?\n--b\nContent-Type: message/delivery-status; name=details.txt\n\n"
        + report
        + b"\n--b--"
    )

    assert read(raw).bounce is None


def test_somebody_who_attaches_what_a_carrier_wrote_is_no_machine() -> None:
    raw = (
        b"From: Ada <ada@example.com>\nTo: support@shop.test\nSubject: Delivery failed\n"
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\nMy order 450 was not delivered, see what they write.\n"
        b"--b\nContent-Type: message/rfc822\n\nFrom: Post <noreply@post.example>\nTo: ada@example.com\n"
        b"Subject: Your parcel\n\nNobody was at home.\n--b--"
    )

    assert read(raw).bounce is None


@pytest.mark.parametrize(
    ("reported", "said", "status"),
    [
        ("5.1.1", "550 5.7.1 no", "5.1.1"),
        ("5.0.0", "550 5.1.1 no such user", "5.1.1"),
        ("5.0.0", "550 no such user", "5.0.0"),
        ("5.0.0", "550 5.0.0 then (#5.7.1)", "5.7.1"),
        ("", "550 Requested action not taken: mailbox unavailable", "5.0.0"),
        ("", "550 mailbox unavailable: user unknown", "5.1.1"),
        ("", "452 mailbox full", "4.2.2"),
        ("", "552 mailbox full", "5.2.2"),
        ("", "host 192.5.1.1 said: 554 no", "5.0.0"),
        ("", "by Mailer 5.1.10.3: 451 try later", "4.0.0"),
        ("", "nothing that means anything", "5.0.0"),
    ],
)
def test_the_most_exact_status_that_anybody_said_is_taken(reported: str, said: str, status: str) -> None:
    assert status_of(reported, said) == status


@pytest.mark.parametrize(
    ("report", "address", "status"),
    [
        (
            "Final-Recipient: rfc822; ada@example.com\nAction: failed\nStatus: 5.1.1 (no such user)",
            "ada@example.com",
            "5.1.1",
        ),
        ("Final-Recipient: RFC822;<ada@example.com>\nAction: failed", "ada@example.com", ""),
        (
            "Original-Recipient: rfc822;ada@example.com\nFinal-Recipient: X-LOCAL;1001\nAction: failed",
            "ada@example.com",
            "",
        ),
        ("Final-Recipient: utf-8; \\x{142}uk@example.com\nStatus: 5.4.4", "łuk@example.com", "5.4.4"),
        ("Action: failed\nStatus:\n 5.2.1", "", "5.2.1"),
    ],
)
def test_a_report_is_read_however_it_is_written(report: str, address: str, status: str) -> None:
    (one,) = recipients(f"Reporting-MTA: dns; mx.example.org\n\n{report}\n")

    assert (one.address, one.status) == (address, status)


def test_recipients_of_a_report_need_no_blank_line_between_them() -> None:
    report = "".join(
        f"Final-Recipient: rfc822; {name}@example.com\nAction: failed\nStatus: 5.1.1\n"
        for name in ("ada", "bo")
    )

    assert [one.address for one in recipients(report)] == ["ada@example.com", "bo@example.com"]


@pytest.mark.parametrize(
    "subject",
    [
        "Out of office: back on Monday",
        "Respuesta automática: su pedido",
        "Resposta automàtica: la comanda",
        "Automatyczna odpowiedź: zamówienie",
        "Odpowiedź automatyczna: zamówienie",
        "Automatische Antwort: Bestellung",
        "Réponse automatique : commande",
        "[Autoreply] order",
        "自動返信: 注文",
    ],
)
def test_an_answer_that_nobody_wrote_is_known_by_its_subject(subject: str) -> None:
    raw = f"From: Ada <ada@example.com>\nSubject: {subject}\nIn-Reply-To: <{OURS}>\n\nI am away.".encode()

    assert read(raw).automatic == "auto_reply"
    assert read(raw.replace(b"Subject: ", b"Subject: Re: ")).automatic == "none"


@pytest.mark.parametrize(
    "subject",
    [
        "Vacation home decoration",
        "Absent lid on my teapot",
        "Urlaub: brauche Vase",
        "Auto: Škoda Octavia, brak śruby",
    ],
)
def test_a_word_of_holidays_or_of_cars_alone_makes_no_machine(subject: str) -> None:
    assert read(f"From: Ada <ada@example.com>\nSubject: {subject}\n\nHello".encode()).automatic == "none"


@pytest.mark.parametrize(
    "piece",
    [
        "a@",
        "<a@b.c>",
        "to a@b.c ",
        "5.1.1",
        "550 ",
        "From: a\n",
        " \n",
        "following address ",
        "adres",
        "#5.",
        "<",
        "Final-Recipient: a\n",
    ],
)
def test_no_letter_takes_longer_than_its_length(piece: str) -> None:
    bounce = letter("failure notice", piece * (400_000 // len(piece)))

    assert bounce

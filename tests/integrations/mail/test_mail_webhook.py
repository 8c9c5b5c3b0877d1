"""Mails that providers post: as they came, from whom we know, and no other."""

import base64
import time
from typing import Any
from urllib.parse import quote_from_bytes

import httpx
import orjson
import pytest
from sqlalchemy import select

from api.house import House
from domain.arriving.inbound import ARRIVALS, Arrival
from domain.desk.messages import Direction, Message
from domain.ways_in.channels import ChannelKind
from integrations.mail import webhook
from integrations.mail.addresses import reply_address
from integrations.mailroom import Mailroom
from integrations.signatures import mailgun_signature
from tests.client import Client
from tests.factories import SETTINGS, a_channel, messages, set_channel, tickets

HELP = SETTINGS[ChannelKind.EMAIL]["address"]
HOOK = "/hooks/mail/email"
TOKEN, KEY = "a token for whoever posts", "key-of-mailgun"
BEARER = {"authorization": f"Bearer {TOKEN}"}
BASIC = {"authorization": f"Basic {base64.b64encode(f'heddle:{TOKEN}'.encode()).decode()}"}
MAIL = (
    "From: Ada <ada@example.org>\r\nTo: help@shop.example\r\nSubject: Mug\r\nMessage-ID: <1@example.org>\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\nGdzie jest żółty kubek? 100% + & =\r\n"
).encode()
LATIN = MAIL.replace("żółty kubek".encode(), b"el caf\xe9").replace(b"utf-8", b"iso-8859-1")


@pytest.fixture(autouse=True)
async def channel(house: House) -> None:
    async with house.db.transaction() as session:
        settings = {"webhook_token": TOKEN, "mailgun_key": KEY, "relays": []}
        await a_channel(session, house.keys, ChannelKind.EMAIL, **settings)


async def kept(house: House) -> list[Arrival]:
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Arrival).order_by(Arrival.id)))


async def opened(house: House) -> None:
    async with house.db.transaction() as session:
        claimed = await ARRIVALS.claim(session, 10)
    for arrival, lease in claimed:
        await Mailroom(house.db, house.keys, house.files).open(arrival, lease)


def by_mailgun(
    mail: bytes = MAIL, *, key: str = KEY, ago: int = 0, token: str = "t" * 50, **others: str
) -> dict[str, Any]:
    timestamp = str(int(time.time()) - ago)
    signature = mailgun_signature(key, timestamp, token)
    return {
        "body-mime": mail,
        "timestamp": timestamp,
        "token": token,
        "signature": signature,
        "recipient": HELP,
        **others,
    }


def encoded(form: dict[str, Any]) -> dict[str, Any]:
    pairs = (
        f"{name}={quote_from_bytes(value if isinstance(value, bytes) else value.encode(), safe='')}".replace(
            "%20", "+"
        )
        for name, value in form.items()
    )
    return {
        "content": "&".join(pairs).encode(),
        "headers": {"content-type": "application/x-www-form-urlencoded"},
    }


def in_parts(form: dict[str, Any]) -> dict[str, Any]:
    parts = b"".join(
        b'--b0undary\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in form.items()
    )
    return {
        "content": parts + b"--b0undary--\r\n",
        "headers": {"content-type": "multipart/form-data; boundary=b0undary"},
    }


def with_token(request: dict[str, Any]) -> dict[str, Any]:
    return request | {"headers": request["headers"] | BASIC}


def ways(mail: bytes, house: House) -> list[tuple[str, dict[str, Any]]]:
    """All the ways in which one mail may be posted."""
    signed = reply_address(house.keys, HELP, 7)
    envelope = orjson.dumps({"from": "ada@example.org", "to": [HELP, signed]}).decode()
    rfc822 = {"content-type": "message/rfc822"}
    return [
        (HOOK, {"content": mail, "headers": rfc822 | BEARER}),
        (HOOK, {"content": mail, "headers": rfc822 | BASIC}),
        (f"{HOOK}/sendgrid", with_token(in_parts({"email": mail, "envelope": envelope, "charsets": "{}"}))),
        (f"{HOOK}/sendgrid", with_token(encoded({"email": mail, "envelope": envelope}))),
        (f"{HOOK}/mailgun/mime", encoded(by_mailgun(mail, recipient=signed, sender="ada@example.org"))),
        (f"{HOOK}/mailgun", in_parts(by_mailgun(mail, token="u" * 50))),
    ]


@pytest.mark.parametrize("mail", [MAIL, LATIN, MAIL + b"\x00\xff.\r\n--b0undar \r\n"])
async def test_by_whatever_way_a_mail_is_posted_it_is_kept_as_it_came_and_once(
    anybody: Client, house: House, mail: bytes
) -> None:
    answers = [await anybody.http.post(hook, **request) for hook, request in ways(mail, house)]

    assert [answer.status_code for answer in answers] == [200] * 6
    (arrival,) = await kept(house)
    assert arrival.raw == mail
    assert arrival.envelope["way"] == "webhook"


@pytest.mark.parametrize("way", range(2, 5))
async def test_the_carrier_says_to_whom_it_was_sent(anybody: Client, house: House, way: int) -> None:
    hook, request = ways(MAIL, house)[way]

    await anybody.http.post(hook, **request)

    (arrival,) = await kept(house)
    assert (arrival.envelope["thread"], arrival.envelope["from"]) == (7, "ada@example.org")


async def test_postmark_posts_json(anybody: Client, house: House) -> None:
    signed = reply_address(house.keys, HELP, 7)
    said = {"RawEmail": MAIL.decode(), "OriginalRecipient": signed, "Subject": "Mug", "MessageID": "x"}

    answer = await anybody.http.post(f"{HOOK}/postmark", json=said, headers=BASIC)

    assert answer.status_code == 200
    (arrival,) = await kept(house)
    assert (arrival.raw, arrival.envelope["thread"]) == (MAIL, 7)


async def test_what_was_posted_becomes_a_ticket_and_the_topmost_word_of_the_host_counts(
    anybody: Client, house: House
) -> None:
    word = b"Authentication-Results: mx.shop.example; dmarc=%s header.from=example.org\r\n"
    for number, results in enumerate([word % b"pass", b"", word % b"fail" + word % b"pass"]):
        mail = results + MAIL.replace(b"<1@", b"<%d@" % number)
        headers = {"content-type": "message/rfc822"} | BEARER
        assert (await anybody.http.post(HOOK, content=mail, headers=headers)).status_code == 200

    await opened(house)

    async with house.db.transaction() as session:
        found = await session.scalars(select(Message).order_by(Message.seq))
        assert [message.sender_verified for message in found] == [True, False, False]
        assert (await messages(session, (await tickets(session))[0]))[0].text.startswith("Gdzie jest żółty")


@pytest.mark.parametrize(
    ("way", "is_acknowledged"),
    [
        ("raw", True),
        ("postmark", True),
        ("sendgrid", True),
        ("sendgrid from nobody", False),
        ("mailgun", True),
        ("mailgun from nobody", False),
    ],
)
async def test_a_carrier_that_does_not_tell_the_envelopes_sender_is_no_empty_return_path(
    anybody: Client, house: House, way: str, is_acknowledged: bool
) -> None:
    async with house.db.transaction() as session:
        await set_channel(session, "email", acknowledge=True)
    nobody = orjson.dumps({"from": "", "to": [HELP]}).decode()
    rfc822 = {"content-type": "message/rfc822"} | BEARER
    posts: dict[str, tuple[str, dict[str, Any]]] = {
        "raw": (HOOK, {"content": MAIL, "headers": rfc822}),
        "postmark": (f"{HOOK}/postmark", {"json": {"RawEmail": MAIL.decode()}, "headers": BASIC}),
        "sendgrid": (f"{HOOK}/sendgrid", with_token(in_parts({"email": MAIL}))),
        "sendgrid from nobody": (
            f"{HOOK}/sendgrid",
            with_token(in_parts({"email": MAIL, "envelope": nobody})),
        ),
        "mailgun": (f"{HOOK}/mailgun", encoded(by_mailgun())),
        "mailgun from nobody": (f"{HOOK}/mailgun", in_parts(by_mailgun(sender=""))),
    }
    hook, request = posts[way]

    assert (await anybody.http.post(hook, **request)).status_code == 200
    await opened(house)

    async with house.db.transaction() as session:
        sent = list(await session.scalars(select(Message).where(Message.direction == Direction.OUT)))
    assert [message.automatic for message in sent] == ([True] if is_acknowledged else [])


@pytest.mark.parametrize(
    "shown",
    [
        {},
        {"authorization": "Bearer guessed"},
        {"authorization": "Basic !!"},
        {"authorization": "Basic ÿ"},
        {"authorization": "Digest x"},
    ],
)
@pytest.mark.parametrize("path", ["", "/postmark", "/sendgrid"])
async def test_whoever_does_not_show_the_token_is_refused_before_the_mail_is_read(
    anybody: Client, house: House, shown: dict[str, str], path: str
) -> None:
    headers = httpx.Headers({"content-type": "message/rfc822"} | shown, encoding="latin-1")

    answer = await anybody.http.post(HOOK + path, content=MAIL, headers=headers)

    assert answer.status_code == 401
    assert await kept(house) == []


@pytest.mark.parametrize(
    "form",
    [
        by_mailgun(key="another key"),
        by_mailgun(ago=4000),
        by_mailgun(ago=-4000),
        by_mailgun() | {"token": "v" * 50},
        by_mailgun() | {"timestamp": "now"},
        by_mailgun() | {"signature": ""},
        {"body-mime": MAIL},
    ],
)
async def test_what_mailgun_did_not_sign_just_now_is_refused(
    anybody: Client, house: House, form: dict[str, Any]
) -> None:
    answer = await anybody.http.post(f"{HOOK}/mailgun/mime", **encoded(form))

    assert answer.status_code == 401
    assert await kept(house) == []


async def test_a_token_of_mailgun_carries_one_mail(anybody: Client, house: House) -> None:
    first = by_mailgun()
    other = first | {"body-mime": MAIL.replace(b"kubek", b"talerz")}

    answers = [
        await anybody.http.post(f"{HOOK}/mailgun/mime", **encoded(form)) for form in (first, first, other)
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert [arrival.raw for arrival in await kept(house)] == [MAIL]


async def test_a_channel_without_a_token_or_key_takes_nothing(anybody: Client, house: House) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.EMAIL, slug="sales", address="sales@shop.example")
    sales = "/hooks/mail/sales"
    rfc822 = {"content-type": "message/rfc822"}

    answers = [
        await anybody.http.post(sales, content=MAIL, headers=rfc822 | {"authorization": "Basic Og=="}),
        await anybody.http.post(sales, content=MAIL, headers=rfc822),
        await anybody.http.post(f"{sales}/mailgun/mime", **encoded(by_mailgun(key=""))),
        await anybody.http.post(f"{sales}/mailgun/mime", content=b"no form", headers={"content-type": "x/y"}),
        await anybody.http.post("/hooks/mail/nowhere", content=MAIL, headers=rfc822 | BEARER),
    ]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 401, 404]


@pytest.mark.parametrize(
    ("path", "request_", "status"),
    [
        ("", {"content": b" \r\n", "headers": {"content-type": "message/rfc822"}}, 400),
        ("", {"content": MAIL, "headers": {"content-type": "text/plain"}}, 415),
        ("/postmark", {"content": b"{", "headers": {}}, 400),
        ("/postmark", {"content": b'{"TextBody": "Hi"}', "headers": {}}, 400),
        ("/postmark", {"content": b'{"RawEmail": ["Hi"]}', "headers": {}}, 400),
        ("/sendgrid", {"content": MAIL, "headers": {}}, 415),
        ("/sendgrid", encoded({"text": "Hi"}), 400),
        ("/sendgrid", encoded({"email": MAIL, "envelope": "["}), 400),
        ("/sendgrid", encoded({"email": MAIL, "envelope": "7"}), 400),
        ("/sendgrid", encoded({f"f{number}": "" for number in range(300)}), 400),
        ("/sendgrid", in_parts({f"f{number}": "" for number in range(300)}), 400),
        ("/sendgrid", {"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, 400),
        (
            "/sendgrid",
            {"content": b"--x", "headers": {"content-type": "multipart/form-data; boundary=b"}},
            400,
        ),
    ],
)
async def test_what_is_not_well_formed_is_refused(
    anybody: Client, house: House, path: str, request_: dict[str, Any], status: int
) -> None:
    answer = await anybody.http.post(HOOK + path, **with_token(request_))

    assert answer.status_code == status
    assert await kept(house) == []


async def test_a_mail_that_is_too_large_is_refused(
    anybody: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "LARGEST_MAIL", 100_000)
    monkeypatch.setattr(webhook, "LARGEST_BODY", 150_000)
    rfc822 = {"content-type": "message/rfc822"} | BEARER

    async def slowly() -> Any:
        for _ in range(30):
            yield b"x" * 5_000

    answers = [
        await anybody.http.post(HOOK, content=MAIL + b"x" * 100_000, headers=rfc822),
        await anybody.http.post(HOOK, content=slowly(), headers=rfc822),
        await anybody.http.post(f"{HOOK}/sendgrid", **with_token(in_parts({"email": MAIL + b"x" * 120_000}))),
        await anybody.http.post(HOOK, content=MAIL + b"x" * 90_000, headers=rfc822),
    ]

    assert [answer.status_code for answer in answers] == [413, 413, 413, 200]


async def test_a_mail_larger_than_other_bodies_may_be_is_taken(anybody: Client, house: House) -> None:
    mail = MAIL + b"x" * 76 + b"\r\n" + (b"large " * 12 + b"\r\n") * 50_000

    answer = await anybody.http.post(f"{HOOK}/sendgrid", **with_token(in_parts({"email": mail})))

    assert answer.status_code == 200
    assert (await kept(house))[0].raw == mail

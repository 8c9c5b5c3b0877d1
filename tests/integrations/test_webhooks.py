"""The doors of the providers: what is believed, what is kept, what is refused."""

import time
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from api.house import House
from demo.farends import GraphStandIn, messenger_events
from domain.arriving.inbound import Arrival
from domain.ways_in.channels import ChannelKind
from integrations.signatures import messenger_signature, phone_signature
from tests.client import Client
from tests.factories import SETTINGS, a_channel

PAGE = SETTINGS[ChannelKind.MESSENGER]
KEY = SETTINGS[ChannelKind.PHONE]["key"]
HOOK = "/hooks/messenger/messenger"
CALL = orjson.dumps(
    {"event": "newCall", "direction": "in", "from": "48600100200", "to": "48221234567", "call_id": "c1"}
)


@pytest.fixture(autouse=True)
async def channels(house: House) -> None:
    async with house.db.transaction() as session:
        await a_channel(session, house.keys, ChannelKind.MESSENGER)
        await a_channel(session, house.keys, ChannelKind.PHONE)


async def kept(house: House) -> list[bytes]:
    async with house.db.transaction() as session:
        return list(await session.scalars(select(Arrival.raw).order_by(Arrival.id)))


def signed(body: bytes, secret: str = PAGE["app_secret"]) -> dict[str, str]:
    return {"x-hub-signature-256": messenger_signature(secret, body)}


async def test_meta_may_verify_the_address_with_the_channels_own_token(anybody: Client) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": PAGE["verify_token"]}

    right = await anybody.http.get(HOOK, params=asked)
    wrong = await anybody.http.get(HOOK, params={**asked, "hub.verify_token": "guessed"})

    assert (right.status_code, right.text) == (200, "1158201444")
    assert wrong.status_code == 403


async def test_a_signed_batch_is_kept_as_it_came_and_once(anybody: Client, house: House) -> None:
    events = [messenger_events.text_message("p1", PAGE["page_id"], f"Zażółć {n}") for n in range(3)]
    body, headers = GraphStandIn(page_token="", app_secret=PAGE["app_secret"]).webhook(
        events, PAGE["page_id"]
    )

    answers = [await anybody.http.post(HOOK, content=body, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert await kept(house) == [body]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature-256": ""},
        {"x-hub-signature-256": "sha256=00"},
        {"x-hub-signature": "sha1=00"},
        signed(b"other"),
    ],
)
async def test_an_unsigned_or_wrongly_signed_body_is_refused_and_not_kept(
    anybody: Client, house: House, headers: dict[str, str]
) -> None:
    answer = await anybody.http.post(HOOK, content=b'{"object":"page","entry":[]}', headers=headers)

    assert answer.status_code == 401
    assert await kept(house) == []


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b'"x"', b"\xff\xfe", b"{" * 5000])
async def test_what_is_not_a_json_object_is_refused_though_signed(
    anybody: Client, house: House, body: bytes
) -> None:
    by_meta = await anybody.http.post(HOOK, content=body, headers=signed(body))
    by_pbx = await anybody.http.post(f"/hooks/phone/phone/{KEY}", content=body)

    assert (by_meta.status_code, by_pbx.status_code) == (400, 400)
    assert await kept(house) == []


async def test_an_event_nobody_knows_is_answered_and_kept(anybody: Client, house: House) -> None:
    body = orjson.dumps(
        {"object": "page", "entry": [{"id": PAGE["page_id"], "messaging": [{"hologram": {}}]}]}
    )

    answer = await anybody.http.post(HOOK, content=body, headers=signed(body))

    assert answer.status_code == 200
    assert await kept(house) == [body]


async def test_a_body_has_a_largest_size(anybody: Client) -> None:
    body = b'{"x":"' + b"a" * 1_100_000 + b'"}'

    assert (await anybody.http.post(HOOK, content=body, headers=signed(body))).status_code == 413


async def test_a_channel_that_is_not_there_is_not_found(anybody: Client) -> None:
    body = b"{}"
    for path in ("/hooks/messenger/other", "/hooks/messenger/phone", "/hooks/phone/messenger/x"):
        assert (await anybody.http.post(path, content=body, headers=signed(body))).status_code == 404


async def test_a_pbx_signs_its_events_or_has_the_key_in_the_path(anybody: Client, house: House) -> None:
    signature = {"x-signature": phone_signature(KEY, CALL, at=int(time.time()))}

    by_header = await anybody.http.post("/hooks/phone/phone", content=CALL, headers=signature)
    by_path = await anybody.http.post(f"/hooks/phone/phone/{KEY}", content=CALL)

    assert (by_header.json(), by_path.json()) == ({}, {})
    assert await kept(house) == [CALL]


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "nonsense",
        phone_signature("another key", CALL, at=int(time.time())),
        phone_signature(KEY, CALL, at=int(time.time()) - 3600),
        phone_signature(KEY, b"{}", at=int(time.time())),
    ],
    ids=["empty", "nonsense", "another key", "an hour old", "another body"],
)
async def test_a_forged_or_old_phone_signature_is_refused(
    anybody: Client, house: House, signature: str
) -> None:
    headers: dict[str, Any] = {"x-signature": signature}

    assert (await anybody.http.post("/hooks/phone/phone", content=CALL, headers=headers)).status_code == 401
    assert (await anybody.http.post("/hooks/phone/phone/guessed", content=CALL)).status_code == 401
    assert await kept(house) == []

"""The doors of the providers of text messages: what is believed, kept once, and refused."""

import hashlib
import hmac
from urllib.parse import urlencode

import httpx
import orjson
import pytest

from api.house import House
from domain.desk.messages import DeliveryState
from integrations.sms.vonage.signing import signature
from tests.client import Client
from tests.forging import forgeries
from tests.integrations.sms.telling import (
    SECRET,
    TOKEN,
    Texting,
    a_twilio_text,
    a_vonage_text,
    an_infobip_text,
    bearing,
    by_twilio,
)
from tests.integrations.sms.test_sms_conversations import answer

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_two_hundred_forged_forms_of_twilio_are_refused_and_a_replay_changes_nothing(
    house: House, anybody: Client
) -> None:
    texting = Texting(house, "twilio", anybody)
    await texting.begin()
    path, body, headers = by_twilio("/hooks/twilio/sms/sms", a_twilio_text("Zażółć & more = =", Empty=""))
    statuses = {await texting.post(path, body, headers) for _ in range(3)}
    await texting.opened()
    before = await texting.shown()

    refused = {
        await texting.post(path, forged, bad | FORM)
        for forged, bad in forgeries(body, headers, signed_by="x-twilio-signature", count=200, seed=7)
    }
    elsewhere = await texting.post("/hooks/twilio/sms/sms/status", body, headers)
    await texting.opened()

    assert statuses == {200}
    assert refused <= {400, 401}
    assert elsewhere == 401
    assert before == await texting.shown() == [["Zażółć & more = ="]]
    assert len(await texting.arrivals()) == 1


async def test_a_signed_form_that_is_cut_elsewhere_is_no_other_message(house: House, anybody: Client) -> None:
    """Twilio signs names and values run together."""
    texting = Texting(house, "twilio", anybody)
    await texting.begin()
    form = a_twilio_text("Hello?")
    path, body, headers = by_twilio("/hooks/twilio/sms/sms", form)
    swallowed = form | {"MessageSid": f"{form['MessageSid']}NumMedia0"}
    del swallowed["NumMedia"]
    _, cut, same = by_twilio("/hooks/twilio/sms/sms", swallowed)

    statuses = [await texting.post(path, one, headers) for one in (body, cut)]
    await texting.opened()

    assert headers == same
    assert statuses == [200, 401]
    assert await texting.shown() == [["Hello?"]]


async def test_two_hundred_forged_calls_of_infobip_are_refused_and_a_replay_changes_nothing(
    house: House, anybody: Client
) -> None:
    texting = Texting(house, "infobip", anybody)
    await texting.begin()
    body = orjson.dumps(
        {"results": [an_infobip_text("One", messageId="1"), an_infobip_text("Two", messageId="2")]}
    )
    again = orjson.dumps({"results": [an_infobip_text("One", messageId="1")], "pendingMessageCount": 0})
    by_name = await anybody.http.post("/hooks/sms/sms", content=body, auth=("infobip", TOKEN))
    in_path = [await texting.post(f"/hooks/sms/sms/{TOKEN}", one, {}) for one in (body, again)]
    await texting.opened()

    refused = set()
    for _, forged in forgeries(body, {"password": TOKEN}, signed_by="password", count=180, seed=7):
        if forged.get("password") != TOKEN:
            known = "password" in forged
            auth = httpx.BasicAuth("infobip", forged["password"]) if known else httpx.USE_CLIENT_DEFAULT
            refused.add((await anybody.http.post("/hooks/sms/sms", content=body, auth=auth)).status_code)
    for place in range(20):
        refused.add(await texting.post(f"/hooks/sms/sms/{TOKEN[:place]}x", body, {}))
    broken = await texting.post(f"/hooks/sms/sms/{TOKEN}", b'{"results": [', {})

    assert (by_name.status_code, in_path) == (200, [200, 200])
    assert refused == {401}
    assert broken == 400
    assert await texting.shown() == [["One", "Two"]]
    assert len(await texting.arrivals()) == 2


async def test_two_hundred_forged_calls_of_vonage_are_refused_and_a_replay_changes_nothing(
    house: House, anybody: Client
) -> None:
    """By its SMS API with a signature among the parameters, and by its Messages API with a token over the body."""
    texting = Texting(house, "vonage", anybody)
    await texting.begin()
    said = a_vonage_text("a=b & c", messageId="A1")
    form = urlencode(said).encode()
    whole = orjson.dumps(
        {
            "channel": "sms", "message_uuid": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab", "to": "48732100200",
            "from": "34600100200", "timestamp": "2026-11-05T11:58:00Z", "text": "From the new one",
            "message_type": "text", "sms": {"num_messages": "1", "keyword": "FROM"},
        }
    )  # fmt: skip
    signed = bearing(whole)
    right = [
        await texting.post("/hooks/sms/sms", form, FORM),
        (await anybody.http.get("/hooks/sms/sms", params=said)).status_code,
        await texting.post("/hooks/sms/sms", orjson.dumps(said), {}),
        await texting.post("/hooks/sms/sms", whole, signed),
        await texting.post("/hooks/sms/sms", whole, signed),
    ]
    await texting.opened()

    refused = {
        await texting.post("/hooks/sms/sms", forged, bad)
        for forged, bad in forgeries(whole, signed, signed_by="authorization", count=100, seed=7)
    }
    place = form.index(b"sig=") + 4
    for forged, bad in forgeries(form[: place - 5], {"sig": said["sig"]}, signed_by="sig", count=100, seed=7):
        refused.add(
            await texting.post("/hooks/sms/sms", forged + b"&sig=" + bad.get("sig", "").encode(), FORM)
        )
    refused.add(await texting.post("/hooks/sms/sms", whole, bearing(whole, "x" * 40)))
    refused.add((await anybody.http.get("/hooks/sms/sms")).status_code)
    await texting.opened()

    assert right == [200] * 5
    assert refused <= {400, 401}
    assert await texting.shown() == [["a=b & c", "From the new one"]]


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("md5hash", hashlib.md5),
        ("md5", hashlib.md5),
        ("sha1", hashlib.sha1),
        ("sha256", hashlib.sha256),
        ("sha512", hashlib.sha512),
    ],
)
def test_vonage_signs_its_parameters_in_five_ways(method: str, expected: type) -> None:
    """Written out by hand: names in order, `&` and `=` in values as `_`, `sig` left out."""
    plain = b"&a=1_2&b=x_y&timestamp=7"
    made = signature(SECRET, method, {"timestamp": "7", "b": "x=y", "a": "1&2", "sig": "?"})

    if method == "md5hash":
        assert made == hashlib.md5(plain + SECRET.encode()).hexdigest()
    else:
        assert made == hmac.new(SECRET.encode(), plain, expected).hexdigest()


async def test_where_vonage_does_not_sign_a_token_in_the_path_is_enough_and_needed(
    house: House, anybody: Client
) -> None:
    texting = Texting(house, "vonage", anybody, {"signature_secret": "", "token": TOKEN})
    await texting.begin()
    said = {name: value for name, value in a_vonage_text("Hello").items() if name != "sig"}
    form = urlencode(said).encode()

    right = await texting.post(f"/hooks/sms/sms/{TOKEN}", form, FORM)
    tried_out = (await anybody.http.get(f"/hooks/sms/sms/{TOKEN}")).status_code
    wrong = [await texting.post(path, form, FORM) for path in ("/hooks/sms/sms", "/hooks/sms/sms/other")]
    other = await texting.post("/hooks/twilio/sms/sms", form, FORM)

    assert (right, tried_out, wrong, other) == (200, 200, [401, 401], 404)
    assert len(await texting.arrivals()) == 1


async def test_reports_come_in_any_order_and_what_has_arrived_has_arrived(
    house: House, anybody: Client
) -> None:
    """`sent` after `delivered`, twice, and a failure in between; each report names the message by our own id."""
    texting = Texting(house, "twilio", anybody)
    await texting.begin()
    await texting.comes("Where is my parcel?")
    message = await _answer(texting)

    states = []
    for status, code in (
        ("queued", ""), ("undelivered", "30003"), ("sent", ""), ("delivered", ""), ("failed", "30005"),
        ("delivered", ""),
    ):  # fmt: skip
        told = {"MessageSid": "SM1", "MessageStatus": status, "To": "+34600100200", "ErrorCode": code}
        post = by_twilio(f"/hooks/twilio/sms/sms/status?message={message}", told)
        assert await texting.post(*post) == 200
        await texting.opened()
        ours = (await texting.messages())[-1]
        states.append((ours.delivery, ours.last_error))

    failed = (DeliveryState.FAILED, "30003: the telephone cannot be reached")
    assert states == [
        (DeliveryState.QUEUED, None), failed, failed,
        *[(DeliveryState.DELIVERED, None)] * 3,
    ]  # fmt: skip
    assert ours.external_id == "SM1"
    assert ours.due_at is None


async def test_of_vonage_a_message_has_arrived_when_all_its_parts_have(house: House, anybody: Client) -> None:
    texting = Texting(house, "vonage", anybody)
    await texting.begin()
    await texting.comes("Where is my parcel?")
    message = await _answer(texting, "a" * 200)

    states = []
    for part, status in (("P2", "accepted"), ("P2", "delivered"), ("P2", "delivered"), ("P1", "delivered")):
        told = {
            "msisdn": "34600100200", "to": "48732100200", "messageId": part, "status": status, "err-code": "0",
            "scts": "2611051200", "price": "0.05", "network-code": "21407", "client-ref": message,
            "message-timestamp": "2026-11-05 12:00:00",
        }  # fmt: skip
        told["sig"] = signature(SECRET, "sha256", told)
        assert (await anybody.http.get("/hooks/sms/sms", params=told)).status_code == 200
        await texting.opened()
        states.append((await texting.messages())[-1].delivery)

    assert states == [DeliveryState.QUEUED] * 3 + [DeliveryState.DELIVERED]


async def _answer(texting: Texting, text: str = "On its way.") -> str:
    return str((await answer(texting, text)).id)

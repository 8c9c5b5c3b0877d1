"""What providers post to our doors, signed as they do it."""

import base64
import hashlib
import hmac
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import jwt
import orjson
from sqlalchemy import select

from api.house import House
from domain.arriving.inbound import Arrival
from domain.desk.messages import Message
from domain.ways_in.channels import ChannelKind
from integrations.sms.vonage.signing import signature
from tests.client import Client
from tests.factories import SETTINGS, a_channel, messages, tickets
from tests.integrations.opening import open_all

ADA = "+34600100200"
OURS = SETTINGS[ChannelKind.SMS]
SECRET = "Vonage signs with this secret, and we know it"
TOKEN = "a-token-that-nobody-guesses"
NUMBERS: dict[str, dict[str, Any]] = {
    "twilio": {},
    "infobip": {"api_key": "key", "base_url": "https://x.api.infobip.example", "token": TOKEN},
    "vonage": {"api_key": "key", "api_secret": "secret", "signature_secret": SECRET},
}


def by_twilio(path: str, form: Mapping[str, str]) -> tuple[str, bytes, dict[str, str]]:
    """Written from their page, and not by the validator that the door uses."""
    plain = f"http://heddle.test{path}" + "".join(name + form[name] for name in sorted(form))
    made = hmac.new(OURS["auth_token"].encode(), plain.encode(), hashlib.sha1).digest()
    headers = {
        "x-twilio-signature": base64.b64encode(made).decode(),
        "content-type": "application/x-www-form-urlencoded",
    }
    return path, urlencode(form).encode(), headers


def a_twilio_text(text: str, number: str = ADA, **others: str) -> dict[str, str]:
    sid = others.pop("sid", f"SM{uuid.uuid4().hex}")
    return {
        "ToCountry": "PL", "SmsMessageSid": sid, "NumMedia": "0", "SmsSid": sid, "SmsStatus": "received",
        "Body": text, "FromCountry": "ES", "To": OURS["number"], "NumSegments": "1", "MessageSid": sid,
        "AccountSid": OURS["account_sid"], "From": number, "ApiVersion": "2010-04-01", "FromCity": "",
        **others,
    }  # fmt: skip


def an_infobip_text(text: str, number: str = ADA, **others: Any) -> dict[str, Any]:
    return {
        "messageId": uuid.uuid4().hex, "from": number.removeprefix("+"), "to": "48732100200", "text": text,
        "cleanText": text, "keyword": "", "receivedAt": "2026-11-05T11:55:00.000+0000", "smsCount": 1,
        "price": {"pricePerMessage": 0, "currency": "EUR"}, "callbackData": "", **others,
    }  # fmt: skip


def a_vonage_text(text: str, number: str = ADA, **others: str) -> dict[str, str]:
    """With `sig`."""
    said = {
        "msisdn": number.removeprefix("+"), "to": "48732100200", "messageId": uuid.uuid4().hex[:16].upper(),
        "text": text, "type": "unicode", "keyword": "HELLO", "api-key": "key",
        "message-timestamp": "2026-11-05 11:55:00", "timestamp": str(int(time.time())), "nonce": uuid.uuid4().hex,
        **others,
    }  # fmt: skip
    return said | {"sig": signature(SECRET, "sha256", said).upper()}


def bearing(body: bytes, secret: str = SECRET) -> dict[str, str]:
    claims = {
        "iss": "Vonage", "iat": int(time.time()), "jti": uuid.uuid4().hex, "api_key": "key",
        "payload_hash": hashlib.sha256(body).hexdigest(),
    }  # fmt: skip
    return {"authorization": f"Bearer {jwt.encode(claims, secret, 'HS256')}"}


@dataclass
class Texting:
    """A shop with one number, and who works behind its door."""

    house: House
    provider: str
    client: Client
    settings: dict[str, Any] = field(default_factory=dict)

    async def begin(self) -> None:
        async with self.house.db.transaction() as session:
            told = {"provider": self.provider, **NUMBERS[self.provider], **self.settings}
            await a_channel(session, self.house.keys, ChannelKind.SMS, **told)

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        return (await self.client.http.post(path, content=body, headers=headers)).status_code

    async def comes(self, text: str, number: str = ADA, *, opens: bool = True, **others: Any) -> None:
        """By the provider's own door; `opens`: somebody reads it at once."""
        match self.provider:
            case "twilio":
                path, body, headers = by_twilio(
                    "/hooks/twilio/sms/sms", a_twilio_text(text, number, **others)
                )
            case "infobip":
                path, headers = f"/hooks/sms/sms/{TOKEN}", {}
                body = orjson.dumps({"results": [an_infobip_text(text, number, **others)]})
            case _:
                path, body = "/hooks/sms/sms", urlencode(a_vonage_text(text, number, **others)).encode()
                headers = {"content-type": "application/x-www-form-urlencoded"}
        assert await self.post(path, body, headers) == 200
        if opens:
            await self.opened()

    async def opened(self) -> list[Arrival]:
        await open_all(self.house)
        return await self.arrivals()

    async def arrivals(self) -> list[Arrival]:
        async with self.house.db.transaction() as session:
            return list(await session.scalars(select(Arrival).order_by(Arrival.id)))

    async def shown(self) -> list[list[str]]:
        """The texts of each ticket."""
        async with self.house.db.transaction() as session:
            return [
                [message.text for message in await messages(session, ticket)]
                for ticket in await tickets(session)
            ]

    async def messages(self) -> list[Message]:
        async with self.house.db.transaction() as session:
            return list(await session.scalars(select(Message).order_by(Message.seq)))

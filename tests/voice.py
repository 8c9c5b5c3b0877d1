"""Twilio, from both sides: who calls our webhooks, signed as it signs, and the REST interface that calls are asked of."""

import base64
import random
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, urlencode
from xml.etree import ElementTree

from twilio.request_validator import RequestValidator

from api.house import House
from demo.farends.server import Answer, HttpFarEnd, Mischief, Received, Request
from domain.ways_in.channels import Channel, ChannelKind
from tests.client import Client
from tests.factories import a_channel

ACCOUNT = "AC" + "0f" * 16
TOKEN = "the token of the account"
OURS, ADAS = "+48221234567", "+48600100200"
BASE = "http://heddle.test"
HOOK = "/hooks/twilio/phone/voice"


def sid(kind: str = "CA") -> str:
    return f"{kind}{random.getrandbits(128):032x}"


async def a_line(house: House, **settings: Any) -> Channel:
    """At Twilio, not at a PBX."""
    async with house.db.transaction() as session:
        return await a_channel(
            session,
            house.keys,
            ChannelKind.PHONE,
            **{"provider": "twilio", "account_sid": ACCOUNT, "auth_token": TOKEN} | settings,
        )


class Voice:
    """One call, as Twilio tells of it."""

    def __init__(self, client: Client, *, caller: str = ADAS, dialled: str = OURS) -> None:
        self._http = client.http
        self.sid = sid()
        self._form = {
            "AccountSid": ACCOUNT, "ApiVersion": "2010-04-01", "CallSid": self.sid, "From": caller, "To": dialled,
            "Direction": "inbound", "CallStatus": "ringing", "CallerName": "",
        }  # fmt: skip

    async def says(self, address: str = HOOK, **more: str) -> ElementTree.Element:
        """What it is answered; `address`: as TwiML gave it."""
        body, headers = self.signed(address, **more)
        answer = await self._http.post(path_of(address), content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/xml")
        return ElementTree.fromstring(answer.text)

    def signed(self, address: str = HOOK, **more: str) -> tuple[bytes, dict[str, str]]:
        form = self._form | more
        return urlencode(form, quote_via=quote).encode(), {
            "content-type": "application/x-www-form-urlencoded",
            "x-twilio-signature": signature(address, form),
        }


def path_of(address: str) -> str:
    return address.removeprefix(BASE)


def signature(address: str, form: Mapping[str, str]) -> str:
    return str(RequestValidator(TOKEN).compute_signature(BASE + path_of(address), form))


Trouble = Literal["refused", "busy", "broken", "silent", "cut"]


class TwilioFarEnd(HttpFarEnd):
    """Takes calls, and hands over and deletes recordings, for who signs in."""

    def __init__(self) -> None:
        self.calls: Received[dict[str, str]] = Received()
        self.mischief: Mischief[Trouble] = Mischief()
        self.recordings: dict[str, bytes] = {}

    def seen(self) -> dict[str, Any]:
        return {"calls": list(self.calls)}

    def answer(self, request: Request) -> Answer:
        expected = "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        account = f"/2010-04-01/Accounts/{ACCOUNT}"
        if request.headers.get("authorization") != expected or not request.path.startswith(account):
            return Answer({"code": 20003, "message": "Authenticate"}, 401)
        asked = request.path.removeprefix(account)
        if asked == "/Calls.json":
            return self._call(request)
        return self._recording(request.method, asked)

    def _call(self, request: Request) -> Answer:
        match self.mischief.next("refused", "busy"):
            case "refused":
                return Answer({"code": 21211, "message": "The 'To' number is not a valid number."}, 400)
            case "busy":
                return Answer({"code": 20429, "message": "Too Many Requests"}, 429)
        call = sid()
        self.calls.take({**dict(parse_qsl(request.body.decode())), "sid": call})
        match self.mischief.next("broken", "silent", "cut"):
            case "broken":
                return Answer(b"<html>502</html>", 502)
            case "silent":
                return Answer(b"", ending="silence")
            case "cut":
                return Answer({"sid": call}, 201, ending="reset")
        return Answer({"sid": call, "status": "queued"}, 201)

    def _recording(self, method: str, asked: str) -> Answer:
        name = asked.removeprefix("/Recordings/").rpartition(".")[0]
        if method == "DELETE" and self.mischief.next("broken"):
            return Answer(b"", 503)
        if name not in self.recordings:
            return Answer({"code": 20404, "message": "not found"}, 404)
        if method == "DELETE":
            del self.recordings[name]
            return Answer(b"", 204)
        return Answer(self.recordings[name], headers={"Content-Type": "audio/mpeg"})


def recording_url(far_end: TwilioFarEnd, content: bytes) -> tuple[str, str]:
    """Of one that is there now, and its sid."""
    name = sid("RE")
    far_end.recordings[name] = content
    return f"{far_end.url}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{name}", name

"""The REST ends of Twilio, Infobip and Vonage, for as far as text messages go, in all moods. Shapes as their references say."""

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from demo.farends.server import Answer, HttpFarEnd, Mischief, Received, Request

Fault = Literal["throttled", "server_error", "bad_gateway", "html", "after_success", "unauthorized", "refuse"]


@dataclass(frozen=True)
class Sent:
    id: str
    to: str
    text: str
    asked: dict[str, Any]
    at: datetime


class SmsStandIn(HttpFarEnd):
    """`after_success` keeps the message and never answers. `refuse` answers with `code`."""

    def __init__(self) -> None:
        self.sent: Received[Sent] = Received()
        self.asked = 0
        self.misbehave: Mischief[Fault] = Mischief()
        self.code = ""

    def seen(self) -> dict[str, Any]:
        return {"sent": len(self.sent)}

    def answer(self, request: Request) -> Answer:
        if request.method == "GET":
            self.asked += 1
            return self._listed(request)
        fault = self.misbehave.next()
        match fault:
            case "throttled":
                return Answer({"code": 20429, "message": "Too Many Requests"}, 429, {"Retry-After": "7"})
            case "server_error":
                return Answer({"code": 20500, "message": "Internal"}, 500)
            case "bad_gateway":
                return Answer(b"<html>Bad Gateway</html>", 502)
            case "html":
                return Answer(b"<html>Welcome</html>")
            case _:
                pass
        asked = (
            json.loads(request.body) if request.body[:1] == b"{" else dict(parse_qsl(request.body.decode()))
        )
        if request.path.endswith("/Messages.json"):
            answer = self._twilio(asked, fault)
        elif request.path == "/sms/2/text/advanced":
            answer = self._infobip(asked, fault)
        else:
            answer = self._vonage(asked, fault)
        return Answer(None, ending="silence") if fault == "after_success" else answer

    def _take(self, id: str, to: str, text: str, asked: dict[str, Any]) -> None:
        self.sent.take(Sent(id, to, text, asked, datetime.now(UTC)))

    def _twilio(self, asked: dict[str, Any], fault: Fault | None) -> Answer:
        if fault == "unauthorized":
            return Answer({"code": 20003, "message": "Authenticate", "status": 401}, 401)
        if fault == "refuse":
            return Answer({"code": int(self.code), "message": "Refused", "status": 400}, 400)
        sid = f"SM{secrets.token_hex(16)}"
        self._take(sid, asked["To"], asked["Body"], asked)
        return Answer({"sid": sid, "status": "queued", "error_code": None}, 201)

    def _infobip(self, asked: dict[str, Any], fault: Fault | None) -> Answer:
        if fault == "unauthorized":
            wrong = {"messageId": "UNAUTHORIZED", "text": "Invalid login details"}
            return Answer({"requestError": {"serviceException": wrong}}, 401)
        (one,) = asked["messages"]
        (to,) = one["destinations"]
        status = {"groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED"}
        if fault == "refuse":
            status = {"groupId": 5, "groupName": "REJECTED", "id": 12, "name": self.code}
        elif any(sent.id == to["messageId"] for sent in self.sent):
            status = {"groupId": 5, "groupName": "REJECTED", "name": "REJECTED_DUPLICATE_MESSAGE_ID"}
        else:
            self._take(to["messageId"], to["to"], one["text"], asked)
        return Answer({"messages": [{"to": to["to"], "messageId": to["messageId"], "status": status}]})

    def _vonage(self, asked: dict[str, Any], fault: Fault | None) -> Answer:
        """`code`: the status of each part."""
        codes = ["4"] if fault == "unauthorized" else self.code.split() if fault == "refuse" else ["0"]
        parts = [
            {"to": asked["to"], "message-id": secrets.token_hex(8).upper(), "status": one} for one in codes
        ]
        if "0" in codes:
            self._take(parts[0]["message-id"], asked["to"], asked["text"], asked)
        return Answer({"message-count": str(len(parts)), "messages": parts})

    def _listed(self, request: Request) -> Answer:
        if request.path == "/sms/1/logs":
            there = [one for one in self.sent if one.id == request.query["messageId"]]
            return Answer({"results": [{"messageId": one.id} for one in there]})
        there = [one for one in self.sent if one.to == request.query["To"]]
        return Answer(
            {
                "messages": [
                    {
                        "sid": one.id,
                        "body": one.text,
                        "date_created": format_datetime(one.at),
                        "date_sent": None,
                    }
                    for one in reversed(there)
                ]
            }
        )

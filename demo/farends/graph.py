"""Meta's end of Messenger: the Graph API, which takes our answers and signs what it posts to our webhook.

Point fbmessenger here with `client.graph_url = f"{graph.url}/v26.0"`; any version is taken.
Shapes: https://developers.facebook.com/documentation/business-messaging/messenger-platform/error-codes
"""

import hashlib
import hmac
import json
import re
import secrets
import struct
import zlib
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from demo.farends.messenger_events import Event, milliseconds, new_mid
from demo.farends.server import Answer, HttpFarEnd, Mischief, Received, Request

Fault = Literal[
    "code_190", "window_closed", "rate_limited", "server_error", "html", "hang", "timeout_after_success"
]


@dataclass(frozen=True)
class SentMessage:
    to: str  # the page-scoped id (PSID)
    text: str | None  # None for an attachment: see the payload
    messaging_type: str
    tag: str | None
    message_id: str
    payload: dict[str, Any]
    at: datetime


class GraphStandIn(HttpFarEnd):
    """Faults strike at messages, not at typing signs, profiles or uploads. Only `timeout_after_success` keeps
    the message: the customer has it, but the sender cannot know.
    """

    def __init__(self, page_token: str, app_secret: str = "") -> None:
        """With an `app_secret`, every call must carry the `appsecret_proof`."""
        self.page_token, self.app_secret = page_token, app_secret
        self.sent: Received[SentMessage] = Received()
        self.actions: list[tuple[str, str]] = []  # PSID and typing_on, typing_off or mark_seen
        self.uploads: list[bytes] = []  # bodies as posted, multipart and all
        self.people: dict[str, str] = {}  # PSID to full name; Meta refuses the profile of anyone else
        self.misbehave: Mischief[Fault] = Mischief()

    def next_sent(self, timeout: float = 5) -> Coroutine[Any, Any, SentMessage]:
        return self.sent.next(timeout)

    def media_url(self, name: str) -> str:
        """Where a customer's photo lies: a small PNG, its colour depending on the name."""
        return f"{self.url}/media/{name}"

    def webhook(self, events: list[Event], page_id: str) -> tuple[bytes, dict[str, str]]:
        """Body and headers of what Meta would post to us."""
        return self.signed(
            {"object": "page", "entry": [{"id": page_id, "time": milliseconds(), "messaging": events}]}
        )

    def signed(self, payload: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
        # Meta escapes non-ASCII letters and slashes: a signature over JSON dumped anew would not match.
        body = json.dumps(payload, separators=(",", ":")).replace("/", r"\/").encode()
        signature = hmac_sha256(self.app_secret, body)
        return body, {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={signature}"}

    def seen(self) -> dict[str, Any]:
        sent = [asdict(message) for message in self.sent]
        return {"sent": sent, "actions": self.actions, "misbehaved": self.misbehave.done}

    def answer(self, request: Request) -> Answer:
        version, *path = request.path.strip("/").split("/")
        if version == "media":
            return Answer(photo(path[0]), headers={"Content-Type": "image/png"})
        if not re.fullmatch(r"v\d+\.\d+", version):
            return refuse(2500, f"Unknown path components: {request.path}")
        if request.query.get("access_token", request.bearer) != self.page_token:
            return refuse(190, "Invalid OAuth access token - Cannot parse access token")
        proof = hmac_sha256(self.app_secret, self.page_token.encode())
        if self.app_secret and request.query.get("appsecret_proof") != proof:
            return refuse(
                100, "Invalid appsecret_proof provided in the API argument", kind="GraphMethodException"
            )
        match request.method, path:
            case "POST", ["me", "messages"]:
                return self._send(json.loads(request.body))
            case "POST", ["me", "message_attachments"]:
                self.uploads.append(request.body)
                return Answer({"attachment_id": str(secrets.randbits(50))})
            case "POST" | "DELETE", ["me", "messenger_profile" | "subscribed_apps"]:
                return Answer({"result": "success", "success": True})
            case "GET", [psid]:
                return self._profile(
                    psid, request.query.get("fields", "first_name,last_name,profile_pic").split(",")
                )
        return refuse(2500, f"Unknown path components: {request.path}")

    def _send(self, payload: dict[str, Any]) -> Answer:
        to = payload["recipient"]["id"]
        if "sender_action" in payload:
            self.actions.append((to, payload["sender_action"]))
            return Answer({"recipient_id": to})
        fault = self.misbehave.next()
        if fault and fault != "timeout_after_success":
            return play(fault)
        text, tag = payload["message"].get("text"), payload.get("tag")
        if payload["messaging_type"] == "MESSAGE_TAG" and tag != "HUMAN_AGENT":  # Meta has retired all others
            return refuse(100, "(#100) Invalid parameter")
        if text and len(text) > 2000:
            return refuse(100, "(#100) Length of param message[text] must be less than or equal to 2000")
        mid = new_mid()
        self.sent.take(SentMessage(to, text, payload["messaging_type"], tag, mid, payload, datetime.now(UTC)))
        return Answer({"recipient_id": to, "message_id": mid}, ending="silence" if fault else "whole")

    def _profile(self, psid: str, fields: list[str]) -> Answer:
        if psid not in self.people:
            message = f"Unsupported get request. Object with ID '{psid}' does not exist"
            return refuse(100, message, subcode=33, kind="GraphMethodException")
        name = self.people[psid]
        first, _, last = name.partition(" ")
        known = {"name": name, "first_name": first, "last_name": last, "profile_pic": self.media_url(psid)}
        return Answer({field: known[field] for field in fields if field in known} | {"id": psid})


def play(fault: Fault) -> Answer:
    match fault:
        case "code_190":
            return refuse(190, "Error validating access token: Session has expired", subcode=463)
        case "window_closed":
            return refuse(10, "(#10) This message is sent outside of allowed window.", subcode=2018278)
        case "rate_limited":
            return refuse(613, "(#613) Calls to this api have exceeded the rate limit.")
        case "server_error":
            return refuse(2, "An unexpected error has occurred. Please retry your request later.", status=500)
        case "html":
            return Answer(b"<!doctype html><title>Error</title>Sorry, something went wrong.", 502)
        case "hang" | "timeout_after_success":
            return Answer(None, ending="silence")


def refuse(
    code: int, message: str, *, subcode: int | None = None, kind: str = "OAuthException", status: int = 400
) -> Answer:
    error = {"message": message, "type": kind, "code": code, "fbtrace_id": f"A{secrets.token_urlsafe(16)}"}
    if subcode:
        error["error_subcode"] = subcode
    if status == 500:
        error["is_transient"] = True
    return Answer({"error": error}, status)


def hmac_sha256(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def photo(name: str) -> bytes:
    """A PNG of 8 x 8 pixels, all of one colour."""
    size = 8
    colour = zlib.crc32(name.encode()).to_bytes(4, "big")[:3]
    rows = (b"\0" + colour * size) * size  # each row begins with its filter: none
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks.items()
    )

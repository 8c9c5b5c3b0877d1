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
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from demo.farends.messenger_events import Event, milliseconds, new_mid
from demo.farends.server import Answer, Ending, HttpFarEnd, Mischief, Received, Request

Fault = Literal[
    "code_190",
    "window_closed",
    "held_elsewhere",
    "restricted",
    "gone",
    "unavailable",
    "rate_limited",
    "server_error",
    "html",
    "hang",
    "timeout_after_success",
    "reset_after_success",
    "html_after_success",
]

AFTER_SUCCESS: dict[Fault, Ending] = {
    "timeout_after_success": "silence",
    "reset_after_success": "reset",
    "html_after_success": "whole",
}
RETRY_AFTER = 7
"""Seconds for which a rate limit asks."""


@dataclass
class Page:
    id: str = "9001"
    name: str = "Our page"
    subscribed: list[str] = field(default_factory=list)
    may_not: frozenset[str] = frozenset()  # fields that Meta leaves out, for want of a permission


@dataclass(frozen=True)
class SentMessage:
    to: str  # the page-scoped id (PSID)
    text: str | None  # None for an attachment: see the payload
    messaging_type: str
    tag: str | None
    message_id: str
    payload: dict[str, Any]
    at: datetime
    page_id: str = ""


class GraphStandIn(HttpFarEnd):
    """Faults strike at messages, not at typing signs, profiles or uploads. Only those `…_after_success` keep
    the message: the customer has it, but the sender cannot know.
    """

    def __init__(self, page_token: str, app_secret: str = "", page: Page | None = None) -> None:
        """With an `app_secret`, every call must carry the `appsecret_proof`."""
        self.page_token, self.app_secret = page_token, app_secret
        self.pages = {page_token: page or Page()}  # by their tokens; put in others, take one out to end it
        self.tells_conversations = True  # without the permission, it refuses to
        self.attachments: dict[str, str] = {}  # id to kind, of what was uploaded
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
        if version == "media" and path[0] == "expired":
            return Answer(b"URL signature expired", 403)
        if version == "media":
            return Answer(photo(path[0]), headers={"Content-Type": "image/png"})
        if not re.fullmatch(r"v\d+\.\d+", version):
            return refuse(2500, f"Unknown path components: {request.path}")
        token = request.query.get("access_token", request.bearer)
        page = self.pages.get(token)
        if page is None:
            return refuse(190, "Invalid OAuth access token - Cannot parse access token")
        proof = hmac_sha256(self.app_secret, token.encode())
        if self.app_secret and request.query.get("appsecret_proof") != proof:
            return refuse(
                100, "Invalid appsecret_proof provided in the API argument", kind="GraphMethodException"
            )
        match request.method, path:
            case "POST", ["me", "messages"]:
                return self._send(json.loads(request.body), page)
            case "POST", ["me", "message_attachments"]:
                return self._upload(request.body)
            case "POST", ["me", "subscribed_apps"]:
                return subscribe(page, request.query.get("subscribed_fields", ""))
            case "GET", ["me", "subscribed_apps"]:
                app = {"id": "1", "name": "Heddle", "subscribed_fields": page.subscribed}
                return Answer({"data": [app] if page.subscribed else []})
            case "POST" | "DELETE", ["me", "messenger_profile"]:
                return Answer({"result": "success", "success": True})
            case "GET", ["me"]:
                return Answer({"id": page.id, "name": page.name})
            case "GET", [page.id, "conversations"]:
                return self._conversation(page, request.query.get("user_id", ""))
            case "GET", [psid]:
                return self._profile(
                    psid, request.query.get("fields", "first_name,last_name,profile_pic").split(",")
                )
        return refuse(2500, f"Unknown path components: {request.path}")

    def _send(self, payload: dict[str, Any], page: Page) -> Answer:
        to = payload["recipient"]["id"]
        if "sender_action" in payload:
            self.actions.append((to, payload["sender_action"]))
            return Answer({"recipient_id": to})
        fault = self.misbehave.next()
        if fault and fault not in AFTER_SUCCESS:
            return play(fault)
        text, tag = payload["message"].get("text"), payload.get("tag")
        if payload["messaging_type"] == "MESSAGE_TAG" and tag != "HUMAN_AGENT":  # Meta has retired all others
            return refuse(100, "(#100) Invalid parameter")
        if text and len(text) > 2000:
            return refuse(100, "(#100) Length of param message[text] must be less than or equal to 2000")
        attached = payload["message"].get("attachment")
        if attached and attached["payload"].get("attachment_id") not in self.attachments:
            return refuse(100, "(#100) Upload attachment failure.", subcode=2018047)
        mid = new_mid()
        self.sent.take(
            SentMessage(to, text, payload["messaging_type"], tag, mid, payload, datetime.now(UTC), page.id)
        )
        if fault == "html_after_success":
            return play("html")
        return Answer(
            {"recipient_id": to, "message_id": mid}, ending=AFTER_SUCCESS[fault] if fault else "whole"
        )

    def _upload(self, body: bytes) -> Answer:
        self.uploads.append(body)
        kind = re.search(rb'"type":\s*"(\w+)"', body)
        id = str(secrets.randbits(50))
        self.attachments[id] = kind[1].decode() if kind else ""
        return Answer({"attachment_id": id})

    def _conversation(self, page: Page, psid: str) -> Answer:
        """What the page has said to the person, the newest first."""
        if not self.tells_conversations:
            return refuse(10, "(#10) This endpoint requires the 'pages_messaging' permission")
        said = [
            {
                "id": one.message_id,
                "message": one.text or "",
                "from": {"id": page.id, "name": page.name},
                "created_time": one.at.strftime("%Y-%m-%dT%H:%M:%S+0000"),
            }
            for one in reversed(self.sent)
            if one.to == psid and one.page_id == page.id
        ]
        return Answer({"data": [{"id": f"t_{psid}", "messages": {"data": said[:25]}}]})

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
        case "held_elsewhere":
            message = "(#10) Message not sent: another app is controlling this thread now."
            return refuse(10, message, subcode=2018300)
        case "restricted":
            return refuse(10, "(#10) The Page is temporarily restricted.", subcode=1893063)
        case "gone":
            return refuse(100, "(#100) No matching user found", subcode=2018001)
        case "unavailable":
            return refuse(551, "(#551) This person isn't available right now.", subcode=1545041)
        case "rate_limited":
            limited = refuse(613, "(#613) Calls to this api have exceeded the rate limit.")
            return replace(limited, headers={"Retry-After": str(RETRY_AFTER)})
        case "server_error":
            return refuse(2, "An unexpected error has occurred. Please retry your request later.", status=500)
        case "html":
            return Answer(b"<!doctype html><title>Error</title>Sorry, something went wrong.", 502)
        case _:
            return Answer(None, ending="silence")


def subscribe(page: Page, fields: str) -> Answer:
    """Meta takes what it may, and says nothing of the rest."""
    if not fields:
        return refuse(100, "(#100) The parameter subscribed_fields is required.")
    page.subscribed = [one for one in fields.split(",") if one not in page.may_not]
    return Answer({"success": True})


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

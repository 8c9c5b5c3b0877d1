"""Google's end of a push: the token endpoint and Firebase Cloud Messaging, HTTP v1.

Point firebase-admin here with `credentials.Certificate(fcm.credentials)` and
`messaging._MessagingService.FCM_URL = fcm.url + "/v1/projects/{0}/messages:send"`.
Shapes: https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send and .../v1/ErrorCode
"""

import functools
import json
import secrets
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from demo.farends.server import Answer, HttpFarEnd, Mischief, Received, Request

PROJECT = "heddle-demo"
ACCOUNT = f"heddle@{PROJECT}.iam.gserviceaccount.com"
AUDIENCE = "https://oauth2.googleapis.com/token"  # google-auth signs for it, whatever token_uri says

Refusal = Literal[
    "unregistered", "no_project", "invalid", "unauthorized", "forbidden", "wrong_sender",
    "quota", "quota_silent", "unavailable", "internal",
]  # fmt: skip
Fault = Refusal | Literal["reset", "truncated", "hang", "token_down"]

REFUSALS: dict[Refusal, tuple[int, str, str, str | None]] = {
    "unregistered": (404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"),
    "no_project": (404, "NOT_FOUND", "Requested entity was not found.", None),
    "invalid": (400, "INVALID_ARGUMENT", "The token is not a valid FCM registration token", "INVALID_ARGUMENT"),
    "unauthorized": (401, "UNAUTHENTICATED", "Request had invalid authentication credentials.", None),
    "forbidden": (403, "PERMISSION_DENIED", "Permission 'cloudmessaging.messages.create' denied.", None),
    "wrong_sender": (403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH"),
    "quota": (429, "RESOURCE_EXHAUSTED", "Quota exceeded for messages per minute.", "QUOTA_EXCEEDED"),
    "quota_silent": (429, "RESOURCE_EXHAUSTED", "Quota exceeded for messages per minute.", "QUOTA_EXCEEDED"),
    "unavailable": (503, "UNAVAILABLE", "The service is currently unavailable.", "UNAVAILABLE"),
    "internal": (500, "INTERNAL", "Internal error encountered.", "INTERNAL"),
}  # fmt: skip


@dataclass(frozen=True)
class Push:
    handle: str  # the device: message.token or message.fid
    data: dict[str, str]
    notification: dict[str, Any]
    android: dict[str, Any]
    apns: dict[str, Any]
    name: str  # what FCM calls it: projects/heddle-demo/messages/…
    at: datetime


class FcmStandIn(HttpFarEnd):
    """`hang` and the refusals take no push; after `reset` and `truncated` the phone has rung, but the sender
    cannot know. `token_down` strikes at /token, all others at messages:send.
    """

    def __init__(self) -> None:
        self.pushed: Received[Push] = Received()
        self.uninstalled: set[str] = set()  # devices that answer UNREGISTERED every time
        self.misbehave: Mischief[Fault] = Mischief()
        self._access_tokens: set[str] = set()

    @property
    def credentials(self) -> dict[str, str]:
        """The service account, as the JSON file from the Firebase console would be."""
        key = service_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": "1",
            "private_key": key.decode(),
            "client_email": ACCOUNT,
            "token_uri": f"{self.url}/token",
        }

    def next_push(self, timeout: float = 5) -> Coroutine[Any, Any, Push]:
        return self.pushed.next(timeout)

    def seen(self) -> dict[str, Any]:
        return {"pushed": [asdict(push) for push in self.pushed], "misbehaved": self.misbehave.done}

    def answer(self, request: Request) -> Answer:
        match request.method, request.path.strip("/").split("/"):
            case "POST", ["token"]:
                return self._grant(request)
            case "POST", ["v1", "projects", project, "messages:send"]:
                return self._send(request, project)
        return Answer(b"<title>Error 404 (Not Found)!!1</title>", 404)

    def _grant(self, request: Request) -> Answer:
        if self.misbehave.next("token_down"):
            return Answer(b"Service Unavailable", 503)
        assertion = parse_qs(request.body.decode())["assertion"][0]
        try:
            jwt.decode(
                assertion, service_key().public_key(), algorithms=["RS256"], audience=AUDIENCE, issuer=ACCOUNT
            )
        except jwt.InvalidTokenError as why:
            return Answer({"error": "invalid_grant", "error_description": f"Invalid JWT: {why}"}, 400)
        token = f"ya29.{secrets.token_urlsafe(24)}"
        self._access_tokens.add(token)
        return Answer({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def _send(self, request: Request, project: str) -> Answer:
        fault = self.misbehave.next(*REFUSALS, "hang", "reset", "truncated")
        if fault == "hang":
            return Answer(b"", ending="silence")
        if fault in REFUSALS:
            return refuse(fault)
        if request.bearer not in self._access_tokens:
            return refuse("unauthorized")
        body = json.loads(request.body)
        message = body["message"]
        handle = message.get("token") or message.get("fid")
        if not handle:
            return refuse("invalid")
        if handle in self.uninstalled:
            return refuse("unregistered")
        if body.get("validate_only"):
            return Answer({"name": f"projects/{project}/messages/fake_message_id"})
        name = f"projects/{project}/messages/{secrets.token_hex(8)}"
        parts = {part: message.get(part, {}) for part in ("data", "notification", "android", "apns")}
        self.pushed.take(Push(handle=handle, name=name, at=datetime.now(UTC), **parts))
        return Answer({"name": name}, ending=fault if fault in ("reset", "truncated") else "whole")


def refuse(kind: Refusal) -> Answer:
    status, name, message, fcm_code = REFUSALS[kind]
    error: dict[str, Any] = {"code": status, "message": message, "status": name}
    if fcm_code:
        error["details"] = [
            {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": fcm_code}
        ]
    return Answer({"error": error}, status, {"Retry-After": "1"} if kind == "quota" else {})


@functools.cache  # making one takes up to 0.1 s
def service_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)

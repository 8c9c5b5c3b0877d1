"""A push service's end of Web Push, and the browser's behind it: RFC 8030, 8291 and 8292.

Name it in HEDDLE_WEB_PUSH_HOSTS as `web_push.host`. The browser decrypts at once, so what it cannot read is refused.
"""

import base64
import json
import re
import secrets
import time
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Literal

import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from demo.farends.server import Answer, HttpFarEnd, Mischief, Received, Request

LARGEST = 4096  # bytes, encrypted
A_DAY = 24 * 3600

Refusal = Literal[
    "gone", "unknown", "too_large", "quota", "quota_silent", "bad", "unauthorized", "forbidden",
    "unavailable", "busy", "internal", "redirect",
]  # fmt: skip
Fault = Refusal | Literal["reset", "hang"]

REFUSALS: dict[Refusal, int] = {
    "gone": 410,
    "unknown": 404,
    "too_large": 413,
    "quota": 429,
    "quota_silent": 429,
    "bad": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "unavailable": 503,
    "busy": 503,
    "internal": 500,
    "redirect": 302,
}


@dataclass(frozen=True)
class Subscription:
    """As PushSubscription.toJSON() has it."""

    endpoint: str
    p256dh: str
    auth: str


@dataclass(frozen=True)
class BrowserPush:
    endpoint: str
    body: dict[str, Any]
    size: int  # bytes, encrypted
    headers: dict[str, str]  # names in lower case
    claims: dict[str, Any]  # of the VAPID token
    replaced: bool  # one of the same Topic had come before
    at: datetime


@dataclass(frozen=True)
class Browser:
    subscription: Subscription
    private: ec.EllipticCurvePrivateKey
    application_server_key: str


class WebPushStandIn(HttpFarEnd):
    """`hang` and the refusals take no push; after `reset` the browser has shown it, but the sender cannot know.
    `quota` asks for a second's patience, `busy` for a minute's, as a date. `redirect` leads to `strayed`.
    """

    def __init__(self) -> None:
        self.pushed: Received[BrowserPush] = Received()
        self.unsubscribed: set[str] = set()  # endpoints that answer 410 every time
        self.strayed: list[Request] = []
        self.misbehave: Mischief[Fault] = Mischief()
        self._browsers: dict[str, Browser] = {}
        self._waiting: set[tuple[str, str]] = set()

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def subscribe(self, application_server_key: str) -> Subscription:
        private, auth = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(16)
        path = f"/push/{secrets.token_urlsafe(24)}%3d%2B:x"  # to be asked for as it is spelt
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        subscription = Subscription(self.url + path, base64url(point), base64url(auth))
        self._browsers[path] = Browser(subscription, private, application_server_key)
        return subscription

    def next_push(self, timeout: float = 5) -> Coroutine[Any, Any, BrowserPush]:
        return self.pushed.next(timeout)

    def seen(self) -> dict[str, Any]:
        return {"pushed": [asdict(push) for push in self.pushed], "misbehaved": self.misbehave.done}

    def answer(self, request: Request) -> Answer:
        if request.path == "/strayed":
            self.strayed.append(request)
            return Answer(b"", 201)
        fault = self.misbehave.next()
        if fault == "hang":
            return Answer(b"", ending="silence")
        if fault and fault != "reset":
            return self._refuse(fault)
        browser = self._browsers.get(request.path)
        if browser is None or request.method != "POST":
            return self._refuse("unknown")
        if browser.subscription.endpoint in self.unsubscribed:
            return self._refuse("gone")
        answer = self._take(request, browser)
        return Answer(b"", answer.status, answer.headers, "reset") if fault == "reset" else answer

    def _take(self, request: Request, browser: Browser) -> Answer:
        if len(request.body) > LARGEST:
            return self._refuse("too_large")
        try:
            claims = self._vapid_claims(request.headers.get("authorization", ""), browser)
        except (jwt.InvalidTokenError, ValueError) as why:
            return self._refuse("forbidden", str(why))
        if not request.headers.get("ttl", "").isdigit():
            return self._refuse("bad", "TTL is missing")
        topic = request.headers.get("topic", "")
        if not re.fullmatch("[A-Za-z0-9_-]{0,32}", topic):
            return self._refuse("bad", "Topic is too long, or not URL-safe")
        try:
            body = json.loads(decrypted(request, browser))
        except (http_ece.ECEException, ValueError) as why:
            return self._refuse("bad", f"the browser cannot read it: {why}")
        self.pushed.take(
            BrowserPush(
                endpoint=browser.subscription.endpoint,
                body=body,
                size=len(request.body),
                headers=request.headers,
                claims=claims,
                replaced=(request.path, topic) in self._waiting,
                at=datetime.now(UTC),
            )
        )
        if topic:
            self._waiting.add((request.path, topic))
        return Answer(b"", 201, {"Location": f"{self.url}/m/{secrets.token_hex(8)}"})

    def _vapid_claims(self, authorization: str, browser: Browser) -> dict[str, Any]:
        given = re.fullmatch(r"vapid t=([\w.-]+), ?k=([\w-]+)", authorization)
        if given is None:
            raise ValueError("this is no VAPID header")
        token, key = given.groups()
        if key != browser.application_server_key:
            raise ValueError("the browser subscribed for another key")
        claims: dict[str, Any] = jwt.decode(
            token,
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), from_base64url(key)),
            algorithms=["ES256"],
            audience=self.url,
            options={"require": ["aud", "exp", "sub"]},
        )
        if claims["exp"] > time.time() + A_DAY:
            raise ValueError("exp is more than 24 hours away")
        if not claims["sub"].startswith(("mailto:", "https:")):
            raise ValueError("sub is neither mailto: nor https:")
        return claims

    def _refuse(self, kind: Refusal, why: str = "") -> Answer:
        headers = {
            "quota": {"Retry-After": "1"},
            "busy": {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)},
            "redirect": {"Location": f"{self.url}/strayed"},
        }
        said = f"Détails: {why or kind}".encode(
            "latin-1"
        )  # in spite of its header: nobody should depend on it
        return Answer(said, REFUSALS[kind], headers.get(kind, {}))


def decrypted(request: Request, browser: Browser) -> bytes:
    if request.headers.get("content-encoding") != "aes128gcm":
        raise ValueError("Content-Encoding is not aes128gcm")
    plain: bytes = http_ece.decrypt(
        request.body,
        private_key=browser.private,
        auth_secret=from_base64url(browser.subscription.auth),
        version="aes128gcm",
    )
    return plain


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

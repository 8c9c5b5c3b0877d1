"""Web Push through pywebpush: where pushes may go, what is sent, and what each answer means for the ledger.

An endpoint is a secret: who knows it can ring the device. It stands in no code and no error.
"""

import asyncio
import base64
import importlib
import ipaddress
import re
import socket
import time
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from domain.addresses import is_public
from domain.errors import InvalidInput
from domain.languages import N_
from domain.retry_after import seconds_of
from notifications.push import Accepted, Failed, Push
from notifications.settings import NotificationSettings
from notifications.vapid import VapidKey

TIMEOUT = 10.0
"""Seconds for one push, the looking up of the name included."""
ROOM = 4096 - 86 - 17
"""Bytes of JSON: RFC 8291 adds a header, and to its one record a delimiter and a tag."""
VALID = 12 * 3600
"""Seconds for which a VAPID token is good; a push service allows 24 hours."""

HOSTS = ("fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com")
WINDOWS = ".notify.windows.com"
# Only the spelling that browsers give: then no two parsers read it differently.
ENDPOINT = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})*)(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"/[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*"
)

NO_KEY = N_("This is not a key of a browser's subscription.")


def check_endpoint(url: str, settings: NotificationSettings) -> None:
    if not (_is_known(url) or _is_trusted(url, settings)):
        raise InvalidInput(N_("Heddle sends nothing to this push service."), field=["handle"])


def _is_known(url: str) -> bool:
    parts = ENDPOINT.fullmatch(url)
    if parts is None or parts["scheme"] != "https" or parts["port"]:
        return False
    return parts["host"] in HOSTS or parts["host"].endswith(WINDOWS)


def _is_trusted(url: str, settings: NotificationSettings) -> bool:
    """By the operator, as it is: http and an address of our own network are allowed."""
    parts = ENDPOINT.fullmatch(url)
    if parts is None:
        return False
    port = parts["port"] or {"https": "443", "http": "80"}[parts["scheme"]]
    names = {f"{parts['host']}:{port}"} | (set() if parts["port"] else {parts["host"]})
    return not names.isdisjoint(settings.trusted_push_hosts)


def check_keys(p256dh: str, auth: str) -> None:
    """Of a subscription: a point on P-256, and 16 bytes that are known to the browser and us alone."""
    try:
        point = _decoded(p256dh, length=65)
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError:
        raise InvalidInput(NO_KEY, field=["p256dh"]) from None
    try:
        _decoded(auth, length=16)
    except ValueError:
        raise InvalidInput(NO_KEY, field=["auth"]) from None


def _decoded(text: str, *, length: int) -> bytes:
    # b64decode itself skips what it does not know
    if not re.fullmatch(r"[A-Za-z0-9_-]+={0,2}", text):
        raise ValueError("not base64url")
    found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if len(found) != length:
        raise ValueError("too long or too short")
    return found


class WebPush:
    def __init__(self, settings: NotificationSettings, key: VapidKey, *, subject: str) -> None:
        """`subject`: where push services reach the operator, as mailto: or https:."""
        self._settings = settings
        self._key = key
        self._subject = subject

    async def send(self, push: Push) -> Accepted | Failed:
        try:
            check_endpoint(push.handle, self._settings)
        except InvalidInput:
            return Failed("ENDPOINT_NOT_ALLOWED", again=False)
        await asyncio.to_thread(importlib.import_module, "pywebpush")  # 0.5 s, only where something is pushed
        import aiohttp
        from pywebpush import WebPusher

        subscription = {"endpoint": push.handle, "keys": {"p256dh": push.p256dh, "auth": push.auth}}
        names: Any = _Names(private=_is_trusted(push.handle, self._settings))
        connector = aiohttp.TCPConnector(resolver=names, use_dns_cache=False, force_close=True)
        try:
            async with asyncio.timeout(TIMEOUT), aiohttp.ClientSession(connector=connector) as http:
                answer = await WebPusher(subscription, aiohttp_session=_OneRequest(http)).send_async(
                    _payload(push), self._headers(push), ttl=int(push.time_to_live.total_seconds())
                )
        except _NotPublic:
            return Failed("ENDPOINT_NOT_PUBLIC", again=True)
        except (aiohttp.ClientError, OSError) as failure:
            return Failed(f"UNREACHABLE: {type(failure).__name__}", again=True)
        return _judged(answer.status, answer.headers)

    def _headers(self, push: Push) -> dict[str, str]:
        from py_vapid import Vapid

        origin = push.handle[: push.handle.index("/", len("https://"))]
        claims = {"aud": origin, "sub": self._subject, "exp": int(time.time()) + VALID}
        # its own rule for `sub` refuses an https address with a port or a path
        signed: dict[str, str] = Vapid(self._key.private, conf={"no-strict": True}).sign(claims)
        topic = {"Topic": push.replaces} if push.replaces else {}
        return {**signed, **topic, "Urgency": push.urgency.value}


def _payload(push: Push) -> bytes:
    """Both a declarative message (https://www.w3.org/TR/push-api/) and what a service worker reads."""
    body = push.words.body
    whole = _message(push, body)
    if len(whole) <= ROOM:
        return whole
    fit = bisect_right(range(len(body)), ROOM, key=lambda length: len(_message(push, body[:length] + "…")))
    return _message(push, body[: max(fit - 1, 0)] + "…")


def _message(push: Push, body: str) -> bytes:
    notification: dict[str, Any] = {
        "title": push.words.title,
        "body": body,
        "lang": push.locale,
        "navigate": push.link,
        "actions": [
            {"action": action.code, "title": action.title, "navigate": _arming(push.link, action.code)}
            for action in push.actions
        ],
        "data": push.data,
    }
    if push.replaces:
        notification["tag"] = push.replaces
    message = {"web_push": 8030, "mutable": True, "app_badge": push.badge, "notification": notification}
    return orjson.dumps(message)


def _arming(link: str, code: str) -> str:
    """The page with that button marked; what stands behind the # stays there."""
    page, mark, opened = link.partition("#")
    return f"{page}?do={code}{mark}{opened}"


class _NotPublic(Exception):
    pass


class _Names:
    """What aiohttp takes for a resolver: what a name means is both checked and connected to."""

    def __init__(self, *, private: bool) -> None:
        self._private = private

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[dict[str, Any]]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(address[0]) for *_, address in found]
        if not self._private and not all(map(_lies_outside, addresses)):
            raise _NotPublic
        return [{"host": address, "port": port} for address in addresses]


def _lies_outside(address: str) -> bool:
    return is_public(ipaddress.ip_address(address.partition("%")[0]))


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]

    async def text(self) -> str:
        return ""


class _OneRequest:
    """What pywebpush takes for a session. By itself it would follow redirects, and know no time-out; aiohttp would
    spell an endpoint's %3D anew. The status has said it all: the body is not read.
    """

    def __init__(self, http: Any) -> None:
        self._http = http

    async def post(self, url: str, *, data: bytes, headers: Mapping[str, str], **_: Any) -> _Answer:
        from yarl import URL

        request = self._http.post(URL(url, encoded=True), data=data, headers=headers, allow_redirects=False)
        async with request as answer:
            return _Answer(answer.status, answer.headers)


def _judged(status: int, headers: Mapping[str, str]) -> Accepted | Failed:
    """404 and 410 are gone for good; 429, 5xx and silence are tried again."""
    match status:
        case 200 | 201 | 202:
            return Accepted(headers.get("Location", ""))
        case 404 | 410:
            return Failed("UNREGISTERED", again=False, device_gone=True)
        case 413:
            return Failed("PAYLOAD_TOO_LARGE", again=False)
        case _ if status == 429 or status >= 500:
            return Failed(f"HTTP_{status}", again=True, after=seconds_of(headers.get("Retry-After")))
        case _:
            return Failed(f"HTTP_{status}", again=False)

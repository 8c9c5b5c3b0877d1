"""What a webhook must show before a byte of it is believed. Everything is checked over the raw body."""

import hmac
import re
import time

PHONE_WINDOW = 300
"""Seconds for which a signed phone event may be on its way."""

_PHONE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})\Z")


def messenger_signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def messenger_signed(secret: str, body: bytes, header: str | None) -> bool:
    return bool(secret) and hmac.compare_digest(
        messenger_signature(secret, body).encode(), (header or "").encode("utf-8", "replace")
    )


def phone_signature(key: str, body: bytes, *, at: int) -> str:
    return f"t={at},v1={hmac.digest(key.encode(), f'{at}.'.encode() + body, 'sha256').hex()}"


def phone_signed(key: str, body: bytes, header: str | None) -> bool:
    match = _PHONE.match(header or "")
    if not key or not match or abs(time.time() - int(match[1])) > PHONE_WINDOW:
        return False
    return hmac.compare_digest(phone_signature(key, body, at=int(match[1])), match[0])


def same_secret(given: str, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())

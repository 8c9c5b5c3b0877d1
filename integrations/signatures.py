"""What a webhook must show before a byte of it is believed. Everything is checked over the raw body."""

import hmac
import re
import time
from collections.abc import Mapping

from starlette.datastructures import FormData

PHONE_WINDOW = 300
"""Seconds for which a signed phone event may be on its way."""

MAILGUN_WINDOW = 300

_PHONE = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})\Z")


def messenger_signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()


def messenger_signed(secret: str, body: bytes, header: str | None) -> bool:
    return bool(secret) and same_secret(header or "", messenger_signature(secret, body))


def phone_signature(key: str, body: bytes, *, at: int) -> str:
    return f"t={at},v1={hmac.digest(key.encode(), f'{at}.'.encode() + body, 'sha256').hex()}"


def phone_signed(key: str, body: bytes, header: str | None) -> bool:
    match = _PHONE.match(header or "")
    if not key or not match or abs(time.time() - int(match[1])) > PHONE_WINDOW:
        return False
    return hmac.compare_digest(phone_signature(key, body, at=int(match[1])), match[0])


def mailgun_signature(key: str, timestamp: str, token: str) -> str:
    return hmac.digest(key.encode(), (timestamp + token).encode("utf-8", "replace"), "sha256").hex()


def mailgun_signed(key: str, *, timestamp: str, token: str, signature: str) -> bool:
    """Of the time and the token alone, not of the mail: whoever takes it has to see that a token is used once."""
    if not key or not token or not re.fullmatch(r"[0-9]{1,12}", timestamp):
        return False
    if abs(time.time() - int(timestamp)) > MAILGUN_WINDOW:
        return False
    return same_secret(signature.lower(), mailgun_signature(key, timestamp, token))


def twilio_signed(auth_token: str, url: str, form: FormData, headers: Mapping[str, str]) -> bool:
    """`url`: as Twilio was told it, with its query; `form`: as it was posted, blank values too.

    SHA1, or what `X-Twilio-Webhooks-Signature-Settings` says.
    """
    from twilio.request_validator import RequestValidator, get_signature_algorithm

    if not auth_token:
        return False
    algorithm = get_signature_algorithm(headers.get("x-twilio-webhooks-signature-settings", ""))
    given = headers.get("x-twilio-signature", "")
    return bool(RequestValidator(auth_token).validate(url, form, given, algorithm))


def same_secret(given: str, secret: str) -> bool:
    return bool(secret) and hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode())

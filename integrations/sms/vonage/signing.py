"""How Vonage shows that it is Vonage: `sig` among the parameters of its SMS API, a JWT over the body for its Messages API.

Sources: https://developer.vonage.com/en/getting-started/concepts/signing-messages and …/webhooks
"""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import jwt

from integrations.signatures import same_secret

HASHES = {"md5": "md5", "sha1": "sha1", "sha256": "sha256", "sha512": "sha512"}
LEEWAY = 60
"""Seconds by which its clock may be before ours."""


def signature(secret: str, method: str, fields: Mapping[str, Any]) -> str:
    """Over all fields in order of their names; `&` and `=` in values are written as `_`."""
    pairs = sorted((name, str(value)) for name, value in fields.items() if name != "sig")
    plain = "".join(f"&{name}={value.replace('&', '_').replace('=', '_')}" for name, value in pairs)
    if method == "md5hash":
        return hashlib.md5((plain + secret).encode(), usedforsecurity=False).hexdigest()
    return hmac.new(secret.encode(), plain.encode(), HASHES[method]).hexdigest()


def signed(secret: str, method: str, fields: Mapping[str, Any]) -> bool:
    given = str(fields.get("sig") or "").lower()
    return bool(secret) and same_secret(given, signature(secret, method, fields))


def bears_token(secret: str, body: bytes, header: str) -> bool:
    """`Authorization: Bearer …`, of which `payload_hash` binds the body."""
    if not secret:
        return False
    try:
        claims: dict[str, Any] = jwt.decode(
            header.removeprefix("Bearer ").strip(),
            secret,
            algorithms=["HS256"],
            leeway=LEEWAY,
            options={"require": ["iat", "payload_hash"], "verify_aud": False},
        )
    except (jwt.PyJWTError, RecursionError):
        return False
    return same_secret(str(claims["payload_hash"]).lower(), hashlib.sha256(body).hexdigest())

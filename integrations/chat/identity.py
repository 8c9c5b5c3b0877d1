"""Who a chat visitor is: a session of ours, and what the shop signed about the person in it."""

import hashlib
import secrets
from typing import Any

import jwt

from domain.keys import Keys

PURPOSE = "chat-session"


def new_session(keys: Keys, channel_slug: str) -> str:
    """The secret that a browser keeps; whoever shows it continues that conversation."""
    secret = secrets.token_urlsafe(32)
    return f"{secret}.{keys.sign(PURPOSE, channel_slug, secret)}"


def session_id(keys: Keys, channel_slug: str, session: str) -> str | None:
    """The session's name in the database, from which the secret cannot be had back; none if it is not ours."""
    secret, _, signature = session.rpartition(".")
    if not secret or not keys.signed(signature, PURPOSE, channel_slug, secret):
        return None
    return hashlib.sha256(secret.encode()).hexdigest()[:40]


class IdentityRefused(Exception):
    """One sentence for the shop's developer."""


def signed_identity(key: str, channel_slug: str, token: str) -> dict[str, Any]:
    """What the shop's JWT (HS256: `sub, email, email_verified, name, aud, exp`) says, once it is right."""
    if not key:
        raise IdentityRefused("this widget has no identity key")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["HS256"],
            audience=channel_slug,
            options={"require": ["sub", "exp", "aud"]},
        )
    except (jwt.PyJWTError, RecursionError) as refusal:
        raise IdentityRefused(str(refusal)) from None
    said = {name: str(claims[name])[:300] for name in ("sub", "email", "name") if claims.get(name)}
    return {**said, "email_verified": claims.get("email_verified") is True}

"""Who a chat visitor is: a session of ours, and what the shop signed about the person in it."""

import hashlib
import secrets
from collections.abc import Sequence
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


def signed_identity(keys: Sequence[str], channel_slug: str, token: str) -> dict[str, Any]:
    """What the shop's JWT (HS256: `sub, email, email_verified, name, aud, exp`) says, once it is right by one of the keys."""
    refusals = []
    for key in keys:
        try:
            return _signed_with(key, channel_slug, token)
        except IdentityRefused as refusal:
            refusals.append(refusal)
    raise refusals[0] if refusals else IdentityRefused("this widget has no identity key")


def _signed_with(key: str, channel_slug: str, token: str) -> dict[str, Any]:
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

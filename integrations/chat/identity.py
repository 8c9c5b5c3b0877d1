"""Who a chat visitor is: a session of ours, and what the shop signed about the person in it."""

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

import jwt

from domain.customers.mailboxes import mail_address
from domain.keys import Keys
from integrations.storable import storable

PURPOSE, TICKET, FILE = "chat-session", "chat-stream", "chat-file"
TICKET_LIVES = 120
"""Seconds within which it opens a stream."""
LINK_LIVES = 600
LONGEST = 300
"""Characters of a claim."""


def new_session(keys: Keys, channel_slug: str) -> str:
    """The secret that a browser keeps; whoever shows it continues that conversation."""
    secret = secrets.token_urlsafe(32)
    return f"{secret}.{keys.sign(PURPOSE, channel_slug, secret)}"


def session_id(keys: Keys, channel_slug: str, session: str) -> str | None:
    """The session's name in the database, from which the secret cannot be had back; none if it is not ours."""
    secret, _, signature = session.rpartition(".")
    if not secret or not signature.isascii() or not keys.signed(signature, PURPOSE, channel_slug, secret):
        return None
    return hashlib.sha256(secret.encode()).hexdigest()[:40]


def new_ticket(keys: Keys, channel_slug: str, key: str, *, now: float) -> str:
    """Opens the stream of one conversation, for a while, and does nothing else: it stands in an address."""
    until = int(now) + TICKET_LIVES
    return f"{key}.{until}.{keys.sign(TICKET, channel_slug, key, until)}"


def key_of_ticket(keys: Keys, channel_slug: str, ticket: str, *, now: float) -> str | None:
    key, _, rest = ticket.partition(".")
    until, _, signature = rest.partition(".")
    if not until.isdecimal() or not until.isascii() or len(until) > 12 or int(until) < now:
        return None
    if not signature.isascii() or not keys.signed(signature, TICKET, channel_slug, key, int(until)):
        return None
    return key


class IdentityRefused(Exception):
    """One sentence for the shop's developer."""


def signed_identity(keys: Sequence[str], channel_slug: str, token: str) -> dict[str, Any]:
    """What the shop's JWT (HS256: `sub, email, email_verified, name, aud, exp`) says, once it is right by one of the keys.

    A name is cut and loses what the database does not take; who somebody is may not change by that. With the email comes its
    `address`, as addresses are compared.
    """
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
    except (jwt.PyJWTError, RecursionError, ValueError, OverflowError) as refusal:
        raise IdentityRefused(str(refusal)[:LONGEST]) from None
    said = {name: str(claims[name]) for name in ("sub", "email", "name") if claims.get(name)}
    if not said.get("sub", "").strip():
        raise IdentityRefused("sub is empty")
    for name in ("sub", "email"):
        value = said.get(name, "")
        if len(value) > LONGEST or storable(value) != value:
            raise IdentityRefused(f"{name} is too long, or holds characters that cannot be stored")
    if "name" in said:
        said["name"] = storable(said["name"])[:LONGEST]
    if address := mail_address(said.get("email", "")):
        said["address"] = address
    return {**said, "email_verified": claims.get("email_verified") is True}

"""The link by which a survey is answered: whoever has it, and nobody else, may answer in the customer's place.

It stands in no row: the message that asks keeps the question, and its sender writes the link below it. So nobody of the shop
can answer for a customer.
"""

import base64
import binascii
import uuid

from domain.keys import Keys

PURPOSE = "feedback"
ID = 26
"""Letters of 128 bits in base 32."""


def token_of(keys: Keys, request_id: uuid.UUID) -> str:
    name = _name(request_id)
    return name + keys.sign(PURPOSE, name)


def request_of(keys: Keys, token: str) -> uuid.UUID | None:
    """None for what is no token of ours, letter by letter."""
    name, signature = token[:ID], token[ID:]
    if not token.isascii() or token != token.lower() or not keys.signed(signature, PURPOSE, name):
        return None
    try:
        id = uuid.UUID(bytes=base64.b32decode(f"{name.upper()}======"))
    except (ValueError, binascii.Error):
        return None
    return id if _name(id) == name else None


def link(base_url: str, keys: Keys, request_id: uuid.UUID, score: int | None = None) -> str:
    chosen = "" if score is None else f"?score={score}"
    return f"{base_url}/feedback/{token_of(keys, request_id)}{chosen}"


def stop_link(base_url: str, keys: Keys, request_id: uuid.UUID) -> str:
    return f"{base_url}/feedback/{token_of(keys, request_id)}/stop"


def _name(id: uuid.UUID) -> str:
    return base64.b32encode(id.bytes).decode().rstrip("=").lower()

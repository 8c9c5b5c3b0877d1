"""A visitor's links to files: they live ten minutes, open one file of one conversation, and are asked for anew."""

import time
import uuid
from urllib.parse import quote

from domain.keys import Keys
from integrations.chat.identity import FILE, LINK_LIVES


def link(base_url: str, keys: Keys, slug: str, key: str, id: uuid.UUID) -> str:
    until = int(time.time()) + LINK_LIVES
    signature = keys.sign(FILE, slug, key, id, until)
    return f"{base_url}/chat/{quote(slug)}/files/{id}?v={key}&u={until}&s={signature}"


def is_linked(keys: Keys, slug: str, key: str, id: uuid.UUID, *, until: str, signature: str) -> bool:
    if not (until.isascii() and until.isdecimal() and len(until) <= 12 and signature.isascii()):
        return False
    return int(until) >= time.time() and keys.signed(signature, FILE, slug, key, id, int(until))

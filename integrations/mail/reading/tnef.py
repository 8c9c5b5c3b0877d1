"""winmail.dat: what Outlook packs a mail's files and text into (TNEF), opened by `tnefparse` where it is installed."""

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from integrations.mail.reading.letters import clear_text, lenient

try:
    from tnefparse import TNEF
    from tnefparse import properties as named
except ImportError:
    TNEF = None

MAGIC = b"\x78\x9f\x3e\x22"
MOST_OBJECTS = 5_000
MOST_PROPERTIES = 5_000
# tnefparse copies all that is left for each object.
MOST_COPIED = 4_000_000_000

# Objects by their number. Of the others, some make tnefparse raise or count to four thousand million.
_OF_PROPERTIES = {0x9003, 0x9005}
_ASKED = {0x9007, 0x800C, 0x800F, 0x8010, 0x9002, *_OF_PROPERTIES}
_FIRST_OF_ATTACHMENT = 0x9002
_MAIL_WITHIN = bytes.fromhex("0703020000000000c000000000000046")  # which is TNEF again, and again

logging.getLogger("tnefparse").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True)
class Packed:
    name: str
    content: bytes
    content_id: str


@dataclass(frozen=True)
class Opened:
    files: list[Packed]
    text: str | None
    html: str | None


def is_tnef(mime: str, name: str, content: bytes) -> bool:
    by_name = mime in ("application/ms-tnef", "application/vnd.ms-tnef") or name.lower() == "winmail.dat"
    return by_name and content.startswith(MAGIC)


def opened(content: bytes) -> Opened | None:
    """What is inside; none where it cannot be opened, or not whole."""
    if TNEF is None:
        return None
    try:
        read = TNEF(b"".join(_asked(content)), do_checksum=False)
        files = [
            Packed(str(one.long_filename() or ""), bytes(one.data), _content_id(one))
            for one in read.attachments
        ]
        found = Opened(files, _letters(read.body), _letters(read.htmlbody))
        return found if files or found.text or found.html else None
    except Exception:  # it raises whatever its bytes make it raise
        return None


def _asked(content: bytes) -> Iterator[bytes]:
    """The objects we want, if nothing about them is out of proportion. Raises ValueError otherwise."""
    yield content[:6]
    position, count, is_begun = 6, 0, False
    while position + 12 < len(content):
        level, number, _, length = struct.unpack_from("<BHHI", content, position)
        end = position + 11 + length
        data = content[position + 9 : end - 2]
        count += 1
        if count > MOST_OBJECTS or count * len(content) > MOST_COPIED or end > len(content):
            raise ValueError
        if number in _OF_PROPERTIES and (
            len(data) < 4 or struct.unpack_from("<I", data)[0] > MOST_PROPERTIES or _MAIL_WITHIN in data
        ):
            raise ValueError
        is_begun = is_begun or number == _FIRST_OF_ATTACHMENT
        if number in _ASKED and (level != 2 or is_begun):
            yield content[position:end]
        position = end
    if content[position:].strip(b"\0"):
        raise ValueError


def _content_id(attachment: object) -> str:
    for attribute in getattr(attachment, "mapi_attrs", ()):
        if attribute.name == named.MAPI_ATTACH_CONTENT_ID:
            return str(attribute.data).strip("<> \0")
    return ""


def _letters(body: object) -> str | None:
    """tnefparse gives a text, its bytes, or a list of either."""
    if isinstance(body, list):
        body = next(iter(body), None)
    if isinstance(body, bytes):
        return _letters(lenient(body))
    return clear_text(body) if isinstance(body, str) and clear_text(body).strip() else None

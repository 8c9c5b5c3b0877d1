"""How the bytes of a mail become letters.

Valid UTF-8 beats the label, which is wrong more often than chance makes UTF-8; then the label; then a guess. What comes out can be stored: PostgreSQL refuses NUL, and UTF-8 has no surrogates.
"""

import binascii
import codecs
import re

import charset_normalizer

from integrations.mail.reading import charsets
from integrations.storable import storable

# What a label means when it says less than its writer wrote (by Python's name), or says it in words Python does
# not know. "" says nothing.
_MEANT = {
    "ascii": "",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "unicode-1-1-utf-7": "utf-7",
    "iso-8859-8-i": "iso8859-8",
    "windows-874": "cp874",
    "utf8mb4": "utf-8",
}
_MULTIBYTE = {"utf-8", "gb18030", "big5hkscs", "cp932", "cp949", "euc_jp", "euc_jis_2004", "johab"}
# Written in seven bits, so that they are valid UTF-8 as well: here the label decides.
_SEVEN_BIT = {"utf-7", "hz", "iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_ext", "iso2022_kr"}
_WIDE = {"utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"}
_SINGLE_BYTE = {f"iso8859-{n}" for n in range(2, 17)} | {f"cp{n}" for n in range(1250, 1259)}
_SINGLE_BYTE |= {"cp437", "cp850", "cp852", "cp866", "cp874", "koi8-r", "koi8-u", "mac-roman", "mac-latin2"}
# Anything else is no charset of mail; punycode alone can take minutes.
_ALLOWED = _MULTIBYTE | _SEVEN_BIT | _WIDE | _SINGLE_BYTE

_EUROPEAN = ["cp1250", "iso8859_2", "cp1252"]
_ANY = [*_EUROPEAN, "cp1251", "koi8_r", "gb18030", "big5", "cp932", "euc_jp", "cp949"]
_GUESS_FROM = 50_000
MOST_GUESSES = 20
MOST_PIECES = 10_000

# The first of what stands in no line of base64.
_PLAIN = re.compile(rb"[^A-Za-z0-9+/=\s]|\w[ \t]+\w")
_SURELY_ENCODED = 60
"""Bytes; fewer without a "=" at their end may be words as well."""


class Letters:
    """The letters of one mail: a guess holds for the rest of it, until other letters speak against it."""

    def __init__(self) -> None:
        self._guess: str | None = None
        self._guesses = 0

    def decode(self, raw: bytes, label: str = "") -> str:
        codec = codec_of(label)
        for candidate in _in_order(codec, raw):
            try:
                text = raw.decode(candidate)
            except UnicodeError:
                text = raw.decode(candidate, "replace")
                if candidate not in _MULTIBYTE or not _is_mostly_right(text):
                    continue
            if candidate in _SINGLE_BYTE:
                self._guess = self._guess or candidate  # what one part says is the best guess for the next
            return clear_text(text)
        if self._guesses < MOST_GUESSES:
            self._guesses += 1
            self._guess = _guess(raw[:_GUESS_FROM], self._guess) or codec or "cp1252"
        return clear_text(raw.decode(self._guess or "cp1252", "replace"))


def lenient(raw: bytes) -> str:
    """For looking at bytes of which nothing is known: no guess, in time that is sure."""
    try:
        return clear_text(raw.decode())
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
        return clear_text(text if _is_mostly_right(text) else raw.decode("cp1252", "replace"))


def codec_of(label: str) -> str:
    """Python's name of the charset a label means, or "" when it means none that a mail may use."""
    name = label.strip().lower().removeprefix("x-")
    name = _MEANT.get(name, name)
    if not re.fullmatch(r"[a-z0-9_.:-]{1,40}", name):
        return ""
    try:
        name = codecs.lookup(name).name
    except LookupError:
        return ""
    name = _MEANT.get(name, name)
    return name if name in _ALLOWED else ""


def _in_order(codec: str, raw: bytes) -> list[str]:
    # A wide label is often a lie; the truth has zero bytes, or a byte order mark.
    if codec in _SEVEN_BIT or (codec in _WIDE and (b"\0" in raw or raw[:2] in (b"\xff\xfe", b"\xfe\xff"))):
        return [codec, "utf-8"]
    return ["utf-8", codec] if codec and codec not in _WIDE else ["utf-8"]


def _is_mostly_right(text: str) -> bool:
    """One letter in five may be broken: a text cut within a letter is no reason to doubt the others."""
    broken = text.count("\ufffd")
    return broken * 5 <= len(text) - len(text.encode("ascii", "ignore")) - broken


def _guess(raw: bytes, before: str | None) -> str:
    # A few bytes above ASCII look like Chinese to the guesser; a whole text of them is not European.
    high = sum(byte > 127 for byte in raw)
    is_foreign = high > 20 and high * 2 > len(raw)
    european = "" if is_foreign else charsets.likeliest(raw, before)
    if european or before:
        return european or before or ""
    best = charset_normalizer.from_bytes(raw, cp_isolation=_ANY if is_foreign else _EUROPEAN).best()
    return best.encoding if best else ""


def clear_text(text: str) -> str:
    return storable(text.removeprefix("\ufeff"))


def unbase64(written: bytes) -> bytes:
    """Lenient: foreign characters are skipped, a torn end gives what is whole."""
    out = []
    # Pieces may have been encoded one by one and put together: each ends in its own "=".
    for piece in written.replace(b"==", b"=").split(b"=")[:MOST_PIECES]:
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", piece)
        if len(letters) % 4 == 1:
            letters = letters[:-1]
        out.append(binascii.a2b_base64(letters + b"=" * (-len(letters) % 4)))
    return b"".join(out)


def unbase64_text(raw: bytes) -> bytes:
    """With what a list or a scanner has written plainly below it."""
    begun = _PLAIN.search(raw)
    encoded = raw[: raw.rfind(b"\n", 0, begun.start()) + 1].rstrip() if begun else b""
    encoded = encoded[: encoded.rfind(b"=") + 1] or encoded
    below = raw[len(encoded) :].lstrip()
    is_encoded = encoded.endswith(b"=") or len(encoded) >= _SURELY_ENCODED
    if is_encoded and len(b"".join(encoded.split())) % 4 == 0 and _is_not_base64(below):
        return unbase64(encoded) + b"\n\n" + below
    return raw if _is_not_base64(raw) else unbase64(raw)


def _is_not_base64(raw: bytes) -> bool:
    """Labelled so, but written plainly: one letter in eight is none of its letters."""
    foreign = len(re.findall(rb"[^A-Za-z0-9+/=\r\n]", raw[:10_000]))
    return foreign * 8 > len(raw[:10_000].strip())

"""The headers of a mail, read from the raw bytes: words, addresses, ids, parameters, dates.

Every reader here takes what is there and never raises, in time that grows with the length and no faster: in the
patterns what follows a repetition never begins with what is repeated, so that nothing is tried twice. (Possessive
quantifiers would say so, but the first releases of CPython 3.11 match some of them wrongly.) The standard library
takes longer: 20 seconds for 5,000 parameters or 20,000 addresses, and 2 KB of "(" are a RecursionError.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from urllib.parse import unquote_to_bytes

from integrations.mail.reading import dates
from integrations.mail.reading.address_lists import (
    LONGEST_NAME,
    MOST_ADDRESSES,
    QUOTED,
    Address,
    addresses_in,
    unescaped,
    unquoted,
)
from integrations.mail.reading.letters import Letters
from integrations.mail.reading.words import WORD, one_line, words

MOST_IDS = 1_000
MOST_PARAMETERS = 100
# Longer ones break the index they are looked up in.
LONGEST_ID = 500

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
_END_OF_FIELD = re.compile(rb"\n(?![ \t])|\Z")
_BLANK = re.compile(rb"\r*\n")
_LONGEST_RUBBISH = 2_000
# Where the headers begin when something else stands before them.
_BEGIN = re.compile(
    rb"^(?:received|return-path|delivered-to|from|to|subject|date|message-id|mime-version|content-type|x-[\w-]+):",
    re.IGNORECASE | re.MULTILINE,
)
_PARAMETER = re.compile(rf';\s*([^\s=;"]+)\s*=\s*(?:"({QUOTED})"?|([^;]*))', re.DOTALL)
_BARE_IN_FROM = re.compile(r'[^\s<>"(),;:@]+@[^\s<>"(),;:@]+')


@dataclass(frozen=True)
class Headers:
    """Fields in order: lower-case name and raw value, folded lines joined."""

    fields: list[tuple[str, bytes]]
    letters: Letters

    def all(self, name: str) -> list[str]:
        """Every value of a field, its encoded words as they are."""
        return [self.letters.decode(value) for field, value in self.fields if field == name]

    def first(self, name: str) -> str:
        return next((self.letters.decode(value) for field, value in self.fields if field == name), "")

    def has(self, name: str) -> bool:
        return any(field == name for field, _ in self.fields)

    def line(self, name: str) -> str:
        """The first value for people to read: words decoded, on one line."""
        return one_line(words(self.first(name), self.letters))

    def addresses(self, *names: str) -> list[Address]:
        values = ", ".join(value for name in names for value in self.all(name))
        return list(islice(addresses_in(values, self.letters), MOST_ADDRESSES))

    def sender(self) -> Address | None:
        """Of the From header; of the Sender header where there is no From at all, of Reply-To where its brackets are empty."""
        name = "from" if self.has("from") else "sender"
        written = self.first(name)
        # Some programs encode name and address as one word.
        whole = one_line(words(written, self.letters)) if WORD.fullmatch(written.strip()) else ""
        found = next(iter(self.addresses(name)), None) or next(addresses_in(whole, self.letters), None)
        if found is None and "<>" in written:
            return next(iter(self.addresses("reply-to")), None)
        # "Nowak, Ada <ada@example.org>", in want of quotes, looks like two people of whom the first has no address.
        before, comma, _ = written.partition(",")
        if found and found.name and comma and not re.search(r"[@<\"()]", before):
            found = Address(
                f"{one_line(words(before, self.letters))}, {found.name}"[:LONGEST_NAME], found.address
            )
        # A group that sends in its own name says so, and for whom.
        if found and " via " in found.name and (original := self.addresses("x-original-sender")):
            return Address(found.name.rpartition(" via ")[0].strip("'"), original[0].address)
        return found

    def is_from(self, sender: Address | None) -> bool:
        """Does the mail have one From header that names this address and no other? Only of that a server can say that the
        sender is right: not of who stands in Reply-To or X-Original-Sender."""
        if sender is None or len(self.all("from")) != 1:
            return False
        plain = unquoted(self.first("from"))
        named = {one.lower() for one in _BARE_IN_FROM.findall(plain)}
        return (
            bool(plain)
            and sender.address in [one.address for one in self.addresses("from")]
            and named <= {sender.address.lower()}
        )

    def ids(self, name: str) -> list[str]:
        """Message ids without their brackets, in order, the last thousand. What cannot be looked up is no id."""
        written = " ".join(self.all(name))
        found = ["".join(value.split()) for value in re.findall(r"<([^<>]*)", written)]
        if not found:
            found = [value for value in written.split() if "@" in value]
        return [value for value in found if 0 < len(value) <= LONGEST_ID and value.isascii()][-MOST_IDS:]

    def date(self) -> datetime | None:
        return dates.read(self.first("date")[:100])

    def parameters(self, name: str) -> tuple[str, dict[str, str]]:
        """A value such as `text/plain; charset="utf-8"`: its first word in lower case, and the parameters."""
        value = self.first(name)
        found: dict[str, str] = {}
        for parameter in islice(_PARAMETER.finditer(value), MOST_PARAMETERS):
            key, quoted, bare = parameter.groups("")
            found.setdefault(key.lower(), unescaped(quoted) or bare.strip())
        for plain in {key.partition("*")[0] for key in found if key.endswith(("*", "*0"))}:
            if (whole := _extended(found, plain, self.letters)) is not None:
                found[plain] = whole
        return re.split(r"[;\s]", value.strip().lower(), maxsplit=1)[0], found


def split(raw: bytes, start: int, end: int, letters: Letters) -> tuple[Headers, int]:
    """The header block that begins at `start`, and where what follows it begins. A line that is no header ends it."""
    fields: list[tuple[str, bytes]] = []
    while (field := _next_field(raw, start, end, after=len(fields))) and (
        ending := _END_OF_FIELD.search(raw, field.end(), end)
    ):
        value = re.sub(rb"(?<!\r)\r*\n", b"", raw[field.end() : ending.start()]).replace(b"\r", b" ").strip()
        fields.append((field[1].decode("ascii").lower(), value))
        start = ending.end()
    blank = _BLANK.match(raw, start, end)
    return Headers(fields, letters), blank.end() if blank else start


def _next_field(raw: bytes, start: int, end: int, *, after: int) -> re.Match[bytes] | None:
    """The field that begins there; or, among others, after one line of rubbish."""
    field = _FIELD.match(raw, start, end)
    if field or not after or _BLANK.match(raw, start, end):
        return field
    line_end = raw.find(b"\n", start, min(end, start + _LONGEST_RUBBISH)) + 1
    known = line_end and _BEGIN.match(raw, line_end, end)
    return _FIELD.match(raw, line_end, end) if known else None


def begin(raw: bytes) -> int:
    """Where the headers of a mail begin: after the line of an mbox, blank lines, or some lines of rubbish."""
    start = len(raw) - len(raw.lstrip(b"\xef\xbb\xbf\r\n\t "))
    if raw.startswith((b"From ", b">From "), start):
        start = raw.find(b"\n", start) + 1 or len(raw)
    if not _FIELD.match(raw, start, start + _LONGEST_RUBBISH):
        found = _BEGIN.search(raw, start, start + _LONGEST_RUBBISH)
        start = found.start() if found else start
    return start


def _extended(found: dict[str, str], name: str, letters: Letters) -> str | None:
    """RFC 2231: a value in pieces, or with a charset, or both."""
    if f"{name}*" in found:
        pieces = [(found[f"{name}*"], True)]
    else:
        pieces = []
        for n in range(MOST_PARAMETERS):
            encoded = f"{name}*{n}*" in found
            piece = found.get(f"{name}*{n}*" if encoded else f"{name}*{n}")
            if piece is None:
                break
            pieces.append((piece, encoded))
    if not pieces:
        return None
    label = ""
    first, encoded = pieces[0]
    if encoded and first.count("'") >= 2:
        label, _, first = first.split("'", 2)
        pieces[0] = first, True
    return letters.decode(
        b"".join(unquote_to_bytes(text) if coded else text.encode() for text, coded in pieces), label
    )

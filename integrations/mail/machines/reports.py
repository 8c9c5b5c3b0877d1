"""What a report of delivery says of each recipient (RFC 3464), and what a refusal means (RFC 3463)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from integrations.mail.machines import phrases
from integrations.mail.reading.address_lists import is_plain
from integrations.mail.reading.words import one_line

LONGEST_SAID = 500
MOST_RECIPIENTS = 100

_FIELD = re.compile(r"([A-Za-z][A-Za-z-]{1,60})[ \t]*:[ \t]*(.*)")
_ADDRESS = re.compile(r"[^\s<>()\[\]{},;:\"'|\\@]{1,64}@[^\s<>()\[\]{},;:\"'|\\@]{1,255}")
# Neither a piece of an IP address nor of a version.
_ENHANCED = re.compile(r"(?<![\d.\w-])([245]\.\d{1,3}\.\d{1,3})(?![\d\w]|\.\d)")
_AFTER_CODE = re.compile(r"(?<![\d.])[245]\d\d[ -]{1,2}(?:\(?#)?([245]\.\d{1,3}\.\d{1,3})(?![\d\w]|\.\d)")
_MARKED = re.compile(r"#\s{0,2}([245]\.\d{1,3}\.\d{1,3})(?![\d\w]|\.\d)")
_REPLY = re.compile(r"(?<![\d.:/#\w-])([45][0-5]\d)(?=[ \-][^\d\s]|[ \-]\d\.\d|[ \-]{2,}|#|:)(?!-\d)")
_UTF8 = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")

FAILED = ("failed", "failure", "undeliverable", "bounced")
LATE = ("delayed", "delay")
WELL = ("delivered", "relayed", "expanded", "deliverable", "relay", "success")


@dataclass(frozen=True)
class Recipient:
    """One of those of a report."""

    address: str
    action: str
    """`failed`, `delayed`, `delivered`, `relayed` or `expanded`; "" when it is not said."""
    status: str
    diagnostic: str

    @property
    def is_late(self) -> bool:
        return self.action in LATE or (not self.action and self.status.startswith("4"))

    @property
    def is_well(self) -> bool:
        return self.action in WELL or (not self.action and self.status.startswith("2"))


def recipients(report: str) -> list[Recipient]:
    """Those that a `message/delivery-status` tells of, however its writer separated them."""
    found = []
    for fields in _groups(report):
        address = address_in(fields.get("original-recipient", ""))
        address = address or address_in(fields.get("final-recipient", ""))
        address = address or address_in(fields.get("x-actual-recipient", ""))
        if address or "action" in fields or "status" in fields:
            diagnostic = re.sub(r"^\s*[\w-]{1,40}\s*;", "", fields.get("diagnostic-code", ""), count=1)
            status = _ENHANCED.search(fields.get("status", ""))
            action = fields.get("action", "").lower().split("(")[0].strip(" .;")
            found.append(Recipient(address, action, status[1] if status else "", one_line(diagnostic)))
    return found


def _groups(report: str) -> Iterator[dict[str, str]]:
    """The fields of each recipient: a blank line ends a group, and so does a field that the group has already."""
    group: dict[str, str] = {}
    last, count = "", 0
    for line in [*report.splitlines(), ""]:
        field = _FIELD.match(line)
        is_over = not line.strip() or (field is not None and field[1].lower() in group)
        if is_over and group and not (group.keys() <= {"final-recipient", "original-recipient"}):
            yield group
            group, last, count = {}, "", count + 1
            if count > MOST_RECIPIENTS:
                return
        if field:
            last = field[1].lower()
            group.setdefault(last, field[2].strip())
        elif last and line[:1] in " \t" and len(group[last]) < 2_000:
            group[last] += " " + line.strip()


def address_in(value: str) -> str:
    """Of `rfc822; ada@example.com` the address; "" when there is none."""
    value = _UTF8.sub(lambda found: _letter(found[1]), value[:1_000])
    for found in _ADDRESS.finditer(value.partition(";")[2] or value):
        if (address := tidied(found[0])) and is_plain(address):
            return address
    return ""


def tidied(address: str) -> str:
    local, _, domain = address.strip(".").rpartition("@")
    local = re.sub(r"^(?:=|mailto:|smtp[=:])", "", local, flags=re.IGNORECASE)
    return f"{local}@{domain.rstrip('.').lower()}"


def addresses_in(text: str) -> list[str]:
    return [address for found in _ADDRESS.finditer(text) if is_plain(address := tidied(found[0]))]


def _letter(code: str) -> str:
    number = int(code, 16)
    return "" if 0xD800 <= number <= 0xDFFF or number > 0x10FFFF or number < 0x20 else chr(number)


def status_of(reported: str, said: str, *, late: bool = False) -> str:
    """The status of a refusal: the one that was reported, unless what the server said is more exact.

    Where nobody says one, it is read out of the reply code and the words; where those say nothing, `5.0.0`.
    """
    if reported and not reported.endswith(".0.0"):
        return reported
    exact = [code for code in _codes(said) if not code.endswith(".0.0")]
    if exact:
        return exact[0]
    return reported or next(iter(_codes(said)), "") or _by_words(said, late=late)


def _codes(said: str) -> list[str]:
    """Enhanced codes, the surest first."""
    found = [*_AFTER_CODE.findall(said), *_MARKED.findall(said), *_ENHANCED.findall(said)]
    return [code for code in found if code[0] != "2"]


def _by_words(said: str, *, late: bool) -> str:
    words = phrases.plain(said)
    reply = _REPLY.search(said)
    of_class = "4" if late else reply[1][0] if reply else "5"
    for status, told in phrases.statuses():
        if any(phrase in words for phrase in told):
            # Only a place that is full or closed may be so for good or for a while.
            return of_class + status[1:] if status[0] == "x" else status
    return f"{of_class}.0.0"


def has_code(said: str) -> bool:
    return _REPLY.search(said) is not None or bool(_codes(said))


def line_with_code(said: str) -> str:
    """The line in which a server gives its reason, with what is left of the sentence; "" when there is none."""
    lines = said.splitlines()
    for number, line in enumerate(lines):
        if has_code(line):
            sentence = takewhile(str.strip, lines[number : number + 3])
            return one_line(" ".join(sentence))[:LONGEST_SAID]
    return ""

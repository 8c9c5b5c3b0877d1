"""The marks that mail programs set in a text: above a mail they quote, around one they pass on, below what was written.

Every pattern looks at a line of bounded length.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from integrations.mail.folding import idioms

LONGEST_LINE = 400
LONGEST_LINES = 600
_MOST_LINES_OF_ATTRIBUTION = 5
_MOST_LINES_OF_BLOCK = 30

Divider = Literal["original", "forwarded", "reply"]

_DASHES = "-–—=_~#"
_INVISIBLE = dict.fromkeys(map(ord, "*\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u2060\ufeff\u00ad"))

_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)|(?<!\d)\d{1,2}[./-]\d{1,2}[./-]\d\d(?!\d)")
_TIME = re.compile(r"(?<!\d)\d{1,2}[:.h]\d\d(?!\d)")
_CLOSED = re.compile(r"[:：][ .>_-]*$")
_ADDRESS_LAST = re.compile(r"[>)] ?[:：]$")


def plain(line: str) -> str:
    """The line as patterns read it: small letters, single spaces, without stars and what nobody sees."""
    line = line[:LONGEST_LINE].translate(_INVISIBLE)
    if not line.isascii():
        line = unicodedata.normalize("NFC", line)
    return " ".join(line.split()).casefold()


def is_quoted(line: str) -> bool:
    return line.lstrip(" \t\xa0").startswith(">")


def is_rule(line: str) -> bool:
    """A line across, and nothing else."""
    return len(line) > 4 and not line.strip("-–—_=*")


# Above a quoted mail


@dataclass(frozen=True)
class Attribution:
    """ "On Monday, Ada wrote:", from its first line on."""

    first: int
    is_certain: bool
    """Even when what follows is not set off by `>`."""


def attribution(lines: list[str], last: int) -> Attribution | None:
    """The one that ends with this line (of `plain` lines), which may have begun some lines above."""
    if not _may_end(lines[last]):
        return Attribution(last, True) if _goes_on(lines[last]) else None
    found = None
    joined = ""
    for first in range(last, max(-1, last - _MOST_LINES_OF_ATTRIBUTION), -1):
        line = lines[first]
        if not line or (first < last and (is_quoted(line) or _ends_a_sentence(line))):
            break
        joined = f"{line} {joined}" if joined else line
        if len(joined) > LONGEST_LINES:
            break
        certain = _attributes(joined)
        if certain is None:
            continue
        if _begins_one(joined) and (first == last or _has_a_date(line)):
            return Attribution(first, certain)
        found = found or Attribution(first, certain)
    return found


def _begins_one(joined: str) -> bool:
    return bool(idioms.begins().match(joined.lstrip(_DASHES + " "))) and bool(re.search(r"\d", joined))


def _has_a_date(line: str) -> bool:
    """Or the beginning of one, which was wrapped."""
    return bool(_YEAR.search(line) or _TIME.search(line) or (len(line) < 30 and re.search(r"\d", line)))


def _may_end(line: str) -> bool:
    return line.endswith((":", "：", "--", ">")) or bool(
        _CLOSED.search(line) or idioms.wrote_last().search(line)
    )


def _goes_on(line: str) -> bool:
    """Whether the quoted text goes on in the same line, as Yahoo writes it on a telephone."""
    if "@" not in line or not _begins_one(line):
        return False
    above = idioms.wrote_above().search(line)
    said = line[: above.start()] if above else ""
    return bool("@" in said and _YEAR.search(said) and _TIME.search(said))


def _ends_a_sentence(line: str) -> bool:
    return line[-1] in "!?:" or (
        line[-1] == "." and line.rpartition(" ")[2].rstrip(".").isalpha() and len(line.rpartition(" ")[2]) > 6
    )


def _attributes(joined: str) -> bool | None:
    """Whether it surely is one; none when it is not."""
    is_closed = bool(_CLOSED.search(joined)) or (joined.startswith("--") and joined.endswith("--"))
    date, time, address = _YEAR.search(joined), _TIME.search(joined), "@" in joined
    is_dated = bool(date and (time or address)) or bool(time and address)
    if is_closed and idioms.announces().match(joined):
        return is_dated
    last = idioms.wrote_last().search(joined)
    if last:
        before = joined[: last.start()].rstrip(" ,").rpartition(" ")[2]
        if before in idioms.pronouns():
            return False if is_dated else None
        is_short = len(joined) < 80 and bool(before)
        if not (is_dated or date or time or address or is_short or idioms.begins().match(joined)):
            return None
        return is_closed and (
            address or (is_dated and not idioms.phrases("whose").intersection(joined.split(" ")))
        )
    middle = idioms.wrote_within().search(joined)
    if middle and is_closed:
        after = joined[middle.end() :].strip(" :：").split(" ")
        if after[0] in idioms.pronouns() or joined[: middle.start()].rpartition(" ")[2] in idioms.pronouns():
            return None
        if address and len(after) < 12:
            return True
        return is_dated and len(after) < 7 if is_dated or len(after) < 5 else None
    if date and address and len(joined) < 200:
        begins = bool(idioms.begins().match(joined))
        if is_closed and time and _ADDRESS_LAST.search(joined):
            return begins
        if begins and joined[-1] == ">" and date.start() == 0:
            return False
    return None


def block(lines: list[str], first: int) -> int | None:
    """Where the fields that begin with this line end ("From: … Sent: … To: … Subject: …"), if they do: the line after."""
    if _field(lines[first]) is None:
        return None
    roles: dict[str, set[str]] = {}
    said: dict[str, str] = {}
    end, gap = first, 0
    for at in range(first, min(len(lines), first + _MOST_LINES_OF_BLOCK)):
        line = lines[at]
        found = _field(line) if line else None
        if found:
            named, value = found
            if any(role in roles.get(language, ()) for language, role in named) and len(said) > 2:
                break  # the next block
            for language, role in named:
                roles.setdefault(language, set()).add(role)
                said[role] = said.get(role) or value
            end, gap = at + 1, 0
        elif line:
            gap += 1
            if gap > 8:
                break
        else:
            gap += 1
            if at + 1 < len(lines) and not lines[at + 1]:
                break
    is_dated = bool(_TIME.search(said.get("date", "")) or _YEAR.search(said.get("date", "")))
    is_addressed = "@" in said.get("from", "") + said.get("to", "")
    if not (is_dated or is_addressed):
        return None
    whole = [{"from", "subject", "date"}, {"from", "subject", "to"}]
    if is_dated and is_addressed:
        whole.append({"from", "date", "to"})
    return end if any(known >= fields for known in roles.values() for fields in whole) else None


def _field(line: str) -> tuple[list[tuple[str, str]], str] | None:
    """In which languages the line is which field, and its value."""
    name, colon, value = line.replace("：", ":").partition(":")
    named = idioms.fields().get(name.strip()) if colon and len(name) < 30 else None
    return (named, value.strip()) if named else None


def divider(line: str) -> Divider | None:
    core = line.strip(_DASHES + "<>:： ")
    is_between_dashes = line[:2] in ("--", "__", "==", "––", "——", "~~", "##") or line[:1] in "–—"
    if (is_between_dashes or (line[0] == line[-1] == "-")) and is_original(core):
        return "original"
    if idioms.forwarded().fullmatch(core) and (is_between_dashes or line[-1] in ":："):
        return "forwarded"
    return "reply" if idioms.reply_above().fullmatch(core) else None


def is_original(line: str) -> bool:
    return bool(idioms.original().fullmatch(line.strip(_DASHES + ":： ")))


# Below what was written


def is_sent_from(line: str) -> bool:
    """What a telephone adds."""
    line = re.sub(r"\]?<?\(?https?://\S*", "", line).replace("[", "").strip("<>()]-–— .\"'|")
    return 7 < len(line) < 120 and bool(idioms.sent_from().fullmatch(line))


def begins_notice(line: str) -> bool:
    """Of confidentiality, as a company's server adds it."""
    return bool(idioms.notice().match(line.lstrip(_DASHES + " ")))

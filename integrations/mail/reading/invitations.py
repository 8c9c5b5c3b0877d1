"""What an invitation (iCalendar, RFC 5545) says, for a mail that has no other words."""

import re
from collections.abc import Iterator

LONGEST = 100_000
MOST_LINES = 5_000

_LINE = re.compile(r'([A-Za-z-]{1,40})((?:;[^:;"]*(?:"[^"]*"[^:;"]*)*)*):(.*)')
_TIME = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(?:\d\d)?(Z?))?")


def told(calendar: str) -> str:
    """What it is, when, where, and what it is about: of the first event, without any labels. "" when it has none."""
    found: dict[str, str] = {}
    inside = False
    for name, parameters, value in _lines(calendar[:LONGEST]):
        if name == "BEGIN" and value.upper() in ("VEVENT", "VTODO"):
            inside = True
        elif name == "END" and value.upper() in ("VEVENT", "VTODO") and found:
            break
        elif inside and name in ("DTSTART", "DTEND"):
            found.setdefault(name, _moment(parameters, value))
        elif inside:
            found.setdefault(name, _unescaped(value))
    when = " – ".join(time for name in ("DTSTART", "DTEND") if (time := found.get(name)))
    head = "\n".join(line for line in (found.get("SUMMARY"), when, found.get("LOCATION")) if line)
    return "\n\n".join(part for part in (head, found.get("DESCRIPTION", "").strip()) if part)


def _lines(calendar: str) -> Iterator[tuple[str, str, str]]:
    unfolded = re.sub(r"\r?\n[ \t]", "", calendar)
    for line in unfolded.splitlines()[:MOST_LINES]:
        if read := _LINE.fullmatch(line.strip()):
            yield read[1].upper(), read[2], read[3]


def _moment(parameters: str, value: str) -> str:
    read = _TIME.fullmatch(value.strip())
    if not read:
        return ""
    year, month, day, hour, minute, utc = read.groups()
    if hour is None:
        return f"{year}-{month}-{day}"
    zone = re.search(r';TZID="?([^;:"]{1,60})', parameters, re.IGNORECASE)
    return f"{year}-{month}-{day} {hour}:{minute}" + (" UTC" if utc else f" {zone[1]}" if zone else "")


def _unescaped(value: str) -> str:
    return re.sub(r"\\([nN,;\\])", lambda escaped: "\n" if escaped[1] in "nN" else escaped[1], value).strip()

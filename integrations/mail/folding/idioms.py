"""What mail programs say around a quoted mail, in which language: `quotes.toml`, as patterns for lines in small letters.

No pattern repeats what repeats: each takes a time that grows with the line alone.
"""

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any


@cache
def said() -> dict[str, dict[str, Any]]:
    with Path(__file__).with_name("quotes.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def phrases(key: str) -> frozenset[str]:
    return frozenset(phrase for language in said().values() for phrase in language.get(key, ()))


def any_of(phrases: Iterable[str]) -> str:
    return "|".join(sorted(phrases, key=len, reverse=True))


@cache
def fields() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name, language in said().items():
        for role in ("from", "date", "to", "cc", "subject"):
            for word in language.get(role, ()):
                found.setdefault(word.replace("\\", ""), []).append((name, role))
    return found


@cache
def wrote_last() -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{any_of(phrases('wrote'))})[ :：.>_-]*$")


@cache
def wrote_above() -> re.Pattern[str]:
    return re.compile(rf"[>)] (?:{any_of(phrases('wrote'))}) ?: ")


@cache
def wrote_within() -> re.Pattern[str]:
    named_after = {
        word for language in said().values() if language.get("name_after") for word in language["wrote"]
    }
    return re.compile(rf"(?<!\w)(?:{any_of(named_after | phrases('dated_after'))})(?!\w)")


@cache
def pronouns() -> frozenset[str]:
    return phrases("pronouns")


@cache
def begins() -> re.Pattern[str]:
    """With a word, a date, or the abbreviation of a weekday."""
    return re.compile(rf"(?:{any_of(phrases('begins'))})(?!\w)|\d|\w{{2,4}}\.? ?,? \d")


@cache
def announces() -> re.Pattern[str]:
    return re.compile(rf"(?:{any_of(phrases('announces'))})(?!\w)")


@cache
def original() -> re.Pattern[str]:
    return re.compile(any_of(phrases("original")))


@cache
def reply_above() -> re.Pattern[str]:
    return re.compile(rf"(?:\w+ )?(?:{any_of(phrases('reply_above'))})")


@cache
def forwarded() -> re.Pattern[str]:
    return re.compile(rf"(?:{any_of(phrases('forwarded'))})(?: .{{0,80}})?")


@cache
def sent_from() -> re.Pattern[str]:
    names = rf"(?:{any_of(said()['devices']['names'])})"
    device = rf"(?:[^ ,]+ ){{0,3}}{names}[^?]{{0,60}}"
    written = sorted(phrases("sent_from"))
    return re.compile(
        "|".join(phrase.replace("{device}", device).replace("{names}", names) for phrase in written)
    )


@cache
def notice() -> re.Pattern[str]:
    return re.compile(any_of(phrases("notice")))

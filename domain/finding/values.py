"""What may stand after a term's colon."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Any, Protocol, TypeAlias

from domain.finding.mistakes import DirectionMissing, NotANumber, NotATime, NotComparable, UnknownValue
from domain.finding.tree import Span
from domain.joining.words import folded

ME, NOBODY = "me", "none"

SIGNS = (">=", "<=", ">", "<")


class Values(Protocol):
    def read(self, key: str, word: str, span: Span) -> Any:
        """What the word means; raises a `WrongQuery` that points at it."""

    def spelled(self, word: str) -> str:
        """As it is kept."""


@dataclass(frozen=True)
class OneOf:
    """Of these, and of nothing else."""

    known: Mapping[str, Any]

    def read(self, key: str, word: str, span: Span) -> Any:
        if word in self.known:
            return self.known[word]
        if word.startswith(SIGNS):
            raise NotComparable(*span, word, term=key)
        raise UnknownValue(*span, word, nearest=nearest(word, self.known), term=key)

    def spelled(self, word: str) -> str:
        return word.lower()


@dataclass(frozen=True)
class Anything:
    """Words that the shop itself has chosen; `also`, those with a meaning of their own."""

    also: tuple[str, ...] = ()
    names: str | None = None
    """What they must be a name of (`domain/finding/names.py`)."""

    def read(self, key: str, word: str, span: Span) -> str:
        return word

    def spelled(self, word: str) -> str:
        return word.lower() if word.lower() in self.also else word


@dataclass(frozen=True)
class Compared:
    """More or less than that, or that."""

    sign: str
    than: Any


@dataclass(frozen=True)
class Numbers:
    names: Mapping[str, int] = ()  # type: ignore[assignment]
    largest: int = 2**31 - 1
    """That its column holds: what is larger finds as much."""

    def read(self, key: str, word: str, span: Span) -> Compared:
        sign, rest = _signed(word)
        if rest in self.names:
            return Compared(sign or "=", self.names[rest])
        if not re.fullmatch(r"[0-9]{1,15}", rest):
            if self.names:
                raise UnknownValue(*span, word, nearest=nearest(rest, self.names), term=key)
            raise NotANumber(*span, word, term=key)
        return Compared(sign or "=", min(int(rest), self.largest))

    def spelled(self, word: str) -> str:
        return word.lower()


Moment: TypeAlias = timedelta | date | str
"""How long ago, a day, or `today` and `yesterday`."""

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
DAYS = ("today", "yesterday")
LONGEST_AGO = timedelta(days=3650)


@dataclass(frozen=True)
class Times:
    days: bool = True
    """Not only how long ago."""

    def read(self, key: str, word: str, span: Span) -> Compared:
        sign, rest = _signed(word)
        than = self._than(rest)
        if than is None:
            raise NotATime(*span, word)
        if isinstance(than, timedelta) and not sign:
            raise DirectionMissing(*span, word)
        return Compared(sign or "=", than)

    def _than(self, word: str) -> Moment | None:
        if found := re.fullmatch(r"([0-9]{1,6})([mhdw])", word):
            ago = timedelta(**{UNITS[found[2]]: int(found[1])})
            return ago if ago <= LONGEST_AGO else None
        if not self.days:
            return None
        if word in DAYS:
            return word
        try:
            day = date.fromisoformat(word) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", word, re.ASCII) else None
        except ValueError:
            return None
        return day if day and 1970 <= day.year < 3000 else None

    def spelled(self, word: str) -> str:
        return word.lower()


def _signed(word: str) -> tuple[str, str]:
    sign = next((sign for sign in SIGNS if word.startswith(sign)), "")
    return sign, word.removeprefix(sign)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """What is spelled most alike, if anything is."""
    spelled = {folded(one): one for one in known}
    close = get_close_matches(folded(word), spelled, 1, 0.6)
    return spelled[close[0]] if close else None

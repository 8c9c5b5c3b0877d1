"""From what somebody types to a tree.

    is:open (channel:email,chat or clock:risk) -tag:spam "zwrot pieniędzy" buty

Terms are `key:value`, several values with commas; what is left are words, `zwr*` by their beginning, in quotes as they stand; `-`
before any of them takes it away. All must hold; in parentheses, `or` parts what may. Outside them it is a word, which in Catalan
is gold.
"""

import re
from typing import NoReturn

from domain.finding.mistakes import (
    GroupEmpty,
    GroupNotOpen,
    GroupOpen,
    QuoteOpen,
    TooLong,
    UnknownTerm,
    ValueMissing,
    WrongQuery,
)
from domain.finding.terms import TERMS
from domain.finding.tree import Asked, Not, Query, Quoted, Said, either, every
from domain.finding.values import nearest

MOST_LETTERS, MOST_PARTS, DEEPEST = 1_000, 60, 5

_KEY = re.compile(r"([A-Za-z_]{1,30}):(?!//)")
_WORD = re.compile(r'[^\s()"]+')
_VALUE = re.compile(r'[^\s(),"]+')


def parse(text: str) -> Query:
    """Raises a `WrongQuery` that says which characters are wrong, and why."""
    if len(text) > MOST_LETTERS:
        _too_long(text, MOST_LETTERS)
    return _Reader(text.replace("\0", " ")).everything()


def understood(saved: str) -> Query | None:
    """None of what was saved when terms were others."""
    try:
        return parse(saved)
    except WrongQuery:
        return None


def _too_long(text: str, start: int) -> NoReturn:
    word = text[start : start + 20]
    raise TooLong(start, len(text), word, letters=MOST_LETTERS, parts=MOST_PARTS, depth=DEEPEST)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self._at, self._parts, self._depth = text, 0, 0, 0

    def everything(self) -> Query:
        found = self._several()
        if self._at < len(self._text):
            raise GroupNotOpen(self._at, self._at + 1, ")")
        return every(found)

    def _several(self) -> list[Query]:
        """Up to the end, a `)`, or in a group an `or`."""
        found: list[Query] = []
        while self._next() not in ("", ")") and not self._is_or():
            found.append(self._one())
        return found

    def _one(self) -> Query:
        self._parts += 1
        if self._parts > MOST_PARTS:
            _too_long(self._text, self._at)
        if self._next() == "-" and self._peek(1) not in ("", ")") and not self._peek(1).isspace():
            self._at += 1
            return Not(self._one())
        match self._next():
            case "(":
                return self._group()
            case '"':
                start = self._at
                return Quoted(self._quoted(), (start, self._at))
        if found := _KEY.match(self._text, self._at):
            after = self._text[found.end() : found.end() + 1]
            if found[1].lower() in TERMS or not (after in ("", ")") or after.isspace()):
                return self._term(found)
        return self._word()

    def _group(self) -> Query:
        start = self._at
        self._depth += 1
        if self._depth > DEEPEST:
            _too_long(self._text, start)
        ways = [self._way(1)]
        while self._is_or():
            ways.append(self._way(2))
        if self._next() != ")":
            raise GroupOpen(start, len(self._text), "(")
        self._at += 1
        self._depth -= 1
        return either(ways)

    def _way(self, letters: int) -> Query:
        """What comes after `(` or `or`."""
        start = self._at
        self._at += letters
        found = self._several()
        if not found:
            raise GroupEmpty(start, start + letters, self._text[start : start + letters])
        return every(found)

    def _term(self, found: re.Match[str]) -> Asked:
        key, start = found[1].lower(), self._at
        if key not in TERMS:
            self._at = found.end()
            self._run(_WORD)
            raise UnknownTerm(start, self._at, f"{found[1]}:", nearest=_with_colon(nearest(key, TERMS)))
        self._at = found.end()
        values, spans = [], []
        while True:
            begin = self._at
            word = self._value()
            if not word:
                raise ValueMissing(start, self._at, self._text[start : self._at])
            spelled = TERMS[key].values.spelled(word)
            TERMS[key].values.read(key, spelled, (begin, self._at))
            values.append(spelled)
            spans.append((begin, self._at))
            if self._peek(0) != ",":
                return Asked(key, tuple(values), tuple(spans))
            self._at += 1

    def _value(self) -> str:
        if self._peek(0) == '"':
            return self._quoted()
        return self._run(_VALUE)

    def _quoted(self) -> str:
        start, said = self._at, ""
        self._at += 1
        while (sign := self._peek(0)) != '"':
            if sign == "\\":
                self._at += 1
            if self._at >= len(self._text):
                raise QuoteOpen(start, len(self._text), self._text[start : start + 20])
            said += self._peek(0)
            self._at += 1
        self._at += 1
        return said

    def _word(self) -> Said:
        start = self._at
        text = self._run(_WORD)
        begins = text.endswith("*") and len(text) > 1
        return Said(text.removesuffix("*") if begins else text, begins, (start, self._at))

    def _run(self, signs: re.Pattern[str]) -> str:
        found = signs.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found.group() if found else ""

    def _is_or(self) -> bool:
        """Only a group has several ways."""
        self._next()
        found = _WORD.match(self._text, self._at)
        return self._depth > 0 and found is not None and found.group() == "or"

    def _next(self) -> str:
        """The next sign that is no blank."""
        while self._peek(0).isspace():
            self._at += 1
        return self._peek(0)

    def _peek(self, ahead: int) -> str:
        return self._text[self._at + ahead : self._at + ahead + 1]


def _with_colon(key: str | None) -> str | None:
    return f"{key}:" if key else None

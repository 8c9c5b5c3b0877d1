"""What is kept of a text so that it can be found, and what is asked for when somebody types.

Kept are words in all their forms at their places, and of numbers and addresses every ending, under a mark of its own: what
begins like an ending is a fragment of the whole, and beginnings are what an index finds (`#417` in `#wn20417`).
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from domain.finding.inflection import LONGEST, forms_of
from domain.joining.numbers import codes_in
from domain.joining.words import folded, language_of, stop_words

MOST_WORDS = 5_000
"""Of one text."""
MOST_PLACES = 200
"""Of one word: PostgreSQL keeps 255."""
MOST_BYTES = 600_000
"""Of one row: PostgreSQL refuses a megabyte, and a mail that was made for it must not keep all others from the index."""
MOST_CODES = 20
LONGEST_CODE = 60
FEWEST_DIGITS = 3
"""Of a number that is looked for by a piece: fewer are in nearly all."""
FEWEST_LETTERS = 4
"""Of a word that may be a piece of an address."""


class Mark(StrEnum):
    NUMBER = "#"
    """Of an order, a parcel, an invoice: small letters and digits."""
    PHONE = "+"
    """Digits only."""
    ADDRESS = "@"


# `l·l` is one letter of Catalan, also as a keyboard without it has it.
_WORD = re.compile(r"[^\W_]+(?:(?:·|(?<=l)[.•](?=l))[^\W_]+)*", re.IGNORECASE)


@dataclass(frozen=True)
class Spoken:
    """A word of a text."""

    word: str
    start: int
    end: int


def spoken_in(text: str) -> Iterator[Spoken]:
    """`text` is composed (NFC)."""
    for found in _WORD.finditer(text):
        word = re.sub(r"[·.•]", "", found.group().lower())
        if len(word) <= LONGEST:
            yield Spoken(word, found.start(), found.end())


def composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@dataclass
class Kept:
    """The lexemes of one row, as they come together."""

    _places: dict[str, list[int]] = field(default_factory=dict)
    _at: int = 0
    _room: int = MOST_BYTES

    def text(self, text: str) -> None:
        text = composed(text)
        language = language_of(text)
        for spoken, _ in zip(spoken_in(text), range(MOST_WORDS), strict=False):
            self._at += 1
            for form in forms_of(spoken.word, language):
                if self._takes(form) and len(self._places[form]) < MOST_PLACES:
                    self._places[form].append(self._at)
                    self._room -= 2
        self._at += 10  # no phrase goes from one text to the next

    def codes_of(self, text: str) -> None:
        self.fragments(Mark.NUMBER, sorted(codes_in(folded(text)))[:MOST_CODES])

    def fragments(self, mark: Mark, values: Iterable[str]) -> None:
        for value in values:
            plain = _plain(mark, value)
            for begin in range(max(1, len(plain) - FEWEST_DIGITS + 1)):
                self._takes(mark + plain[begin:])

    def _takes(self, lexeme: str) -> bool:
        """Is it kept, or is there still room for it?"""
        size = len(lexeme.encode()) + 4
        if lexeme not in self._places and size < self._room:
            self._places[lexeme] = []
            self._room -= size
        return lexeme in self._places and self._room > 0

    def written(self) -> str:
        """As PostgreSQL reads a `tsvector`."""
        return " ".join(
            f"{_quoted(lexeme)}:{','.join(map(str, places))}" if places else _quoted(lexeme)
            for lexeme, places in self._places.items()
        )


def _plain(mark: Mark, value: str) -> str:
    """No longer than what is kept: PostgreSQL refuses a lexeme of more than 2 kB."""
    match mark:
        case Mark.PHONE:
            plain = re.sub(r"\D", "", value)
        case Mark.NUMBER:
            plain = re.sub(r"[\W_]", "", folded(value))
        case Mark.ADDRESS:
            plain = folded(value.strip())
    return plain[:LONGEST_CODE]


def _quoted(lexeme: str) -> str:
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def asked_words(said: str, *, begins: bool = False) -> str | None:
    """As PostgreSQL reads a `tsquery`: any form of each word, or all of it as a piece of a number or an address.

    `begins`: of the last word only the beginning is typed. None where nothing can be looked for.
    """
    words = [spoken.word for spoken in spoken_in(composed(said))]
    each = [_any(forms_of(word)) for word in words]
    if begins and words:
        each[-1] = f"({each[-1]} | {_quoted(folded(words[-1]))}:*)"
    ways = [" & ".join(each)] if each else []
    ways += [f"{_quoted(mark + piece)}:*" for mark, piece in pieces_of(said)]
    return " | ".join(f"({way})" for way in ways) or None


def is_small(said: str) -> bool:
    """Such words as *in*, *w*, *de*."""
    words = [folded(spoken.word) for spoken in spoken_in(composed(said))]
    return bool(words) and all(word in stop_words() for word in words)


def asked_phrase(said: str) -> str | None:
    """These very words, one after the other."""
    return " <-> ".join(_quoted(folded(spoken.word)) for spoken in spoken_in(composed(said))) or None


def asked_piece(mark: Mark, value: str) -> str | None:
    plain = _plain(mark, value)
    return f"{_quoted(mark + plain)}:*" if len(plain) >= FEWEST_DIGITS else None


def pieces_of(said: str) -> list[tuple[Mark, str]]:
    """Of what they may be a piece, in the spelling that is kept."""
    number = _plain(Mark.NUMBER, said)
    found = []
    if sum(sign.isdigit() for sign in number) >= FEWEST_DIGITS:
        found.append((Mark.NUMBER, number))
        if not re.search(r"[^\W\d_]", said):
            digits = _plain(Mark.PHONE, said)
            found.append((Mark.PHONE, digits.removeprefix("00") or digits))
    address = _plain(Mark.ADDRESS, said)
    if len(address) >= FEWEST_LETTERS and not re.search(r"\s", address):
        found.append((Mark.ADDRESS, address))
    return found


def _any(forms: Iterable[str]) -> str:
    return "(" + " | ".join(_quoted(form) for form in sorted(forms)) + ")"

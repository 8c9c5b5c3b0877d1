"""Words with places to fill in: `Hola {{contact.first_name|cliente}},`.

A place names a variable, and may say after `|` what stands there where that is empty. What is filled in is not read
again, so nobody's name can ask for anything, and it is one line of plain text: what makes a mail or a page of it escapes
it there.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

from domain.errors import InvalidInput
from domain.languages import N_

NAMES = (
    "contact.name",
    "contact.first_name",
    "ticket.number",
    "ticket.subject",
    "order.number",
    "agent.name",
    "agent.first_name",
    "shop.name",
    "today",
)
LONGEST = 10_000
"""Letters of a text, before anything is filled in."""
LONGEST_VALUE = 200
OPENS, CLOSES = "{{", "}}"

_PLACE = re.compile(r"\{\{[ \t]*([^{}|\n]*?)[ \t]*(?:\|([^{}\n]*))?\}\}")
_REORDERS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Letters that turn around what stands after them."""


@dataclass(frozen=True)
class Place:
    at: int
    """Letters before it."""
    end: int
    name: str
    default: str


@dataclass(frozen=True)
class Gap:
    """A place where nothing stands."""

    name: str
    at: int
    """In the filled text, in letters."""
    known: bool
    """Otherwise there is no such variable, and its place stands as it was written."""


@dataclass(frozen=True)
class Filled:
    text: str
    gaps: list[Gap] = field(default_factory=list)


def places(body: str) -> Iterator[Place]:
    for found in _PLACE.finditer(body):
        yield Place(found.start(), found.end(), found[1], (found[2] or "").strip())


def check(body: str, *, path: list[str]) -> None:
    """Refuses what could not be filled in, and says where."""
    if len(body) > LONGEST:
        raise InvalidInput(N_("This is too long: at most {most} characters."), field=path, most=LONGEST)
    for place in places(body):
        if place.name in NAMES:
            continue
        line, column = _where(body, place.at)
        if near := get_close_matches(place.name, NAMES, n=1):
            raise InvalidInput(
                N_("Line {line}, column {column}: there is no {name}. Did you mean {meant}?"),
                field=path,
                line=line,
                column=column,
                name=place.name or OPENS + CLOSES,
                meant=near[0],
            )
        raise InvalidInput(
            N_("Line {line}, column {column}: there is no {name}. There are {known}."),
            field=path,
            line=line,
            column=column,
            name=place.name or OPENS + CLOSES,
            known=", ".join(NAMES),
        )
    if (at := _unfinished(body)) is not None:
        line, column = _where(body, at)
        raise InvalidInput(
            N_("Line {line}, column {column}: a place to fill in is written like {example}."),
            field=path,
            line=line,
            column=column,
            example="{{contact.name}}",
        )


def fill(body: str, values: Mapping[str, str]) -> Filled:
    """`values`: by name; one that is empty or not there leaves a gap, unless its place has a default."""
    text, gaps, read, length = [], [], 0, 0

    def add(piece: str) -> None:
        nonlocal length
        text.append(piece)
        length += len(piece)

    for place in places(body):
        add(body[read : place.at])
        read = place.end
        known = place.name in NAMES
        piece = one_line(values.get(place.name, "")) or place.default if known else body[place.at : place.end]
        if not piece or not known:
            gaps.append(Gap(place.name, length, known))
        add(piece)
    add(body[read:])
    return Filled("".join(text), gaps)


def one_line(value: str) -> str:
    """As it may stand within a sentence."""
    letters = ("" if letter in _REORDERS else " " if _breaks(letter) else letter for letter in value)
    return " ".join("".join(letters).split())[:LONGEST_VALUE].rstrip()


def _breaks(letter: str) -> bool:
    return unicodedata.category(letter) in ("Cc", "Zl", "Zp", "Cs")


def _unfinished(body: str) -> int | None:
    """Where something opens or closes that is no place."""
    left = _PLACE.sub(lambda place: " " * len(place[0]), body)
    found = [at for mark in (OPENS, CLOSES) if (at := left.find(mark)) >= 0]
    return min(found, default=None)


def _where(body: str, at: int) -> tuple[int, int]:
    return body.count("\n", 0, at) + 1, at - (body.rfind("\n", 0, at) + 1) + 1

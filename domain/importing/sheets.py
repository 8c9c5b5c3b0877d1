"""A table as spreadsheets save it (CSV): which of its columns we know, and its rows under our names for these."""

import csv
import io
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from domain.errors import InvalidInput
from domain.joining.words import words_of
from domain.languages import N_

SEPARATORS = ",;\t|"
OF_EXCEL = {"cp1250": "ąćęłńóśźż", "cp1252": "áéíóúàèòïüñç·ºª"}
"""In which it saves where no Unicode is asked for, in Poland and in Spain, and the letters that tell."""
MOST_ROWS = 100_000
LONGEST_CELL = 10_000


class ImportKind(StrEnum):
    CONTACTS = "contacts"
    AGENTS = "agents"


@dataclass(frozen=True)
class Line:
    """One row. `cells`: what is not empty, by our names; of columns named by the shop (`own`) by those names."""

    number: int
    """In the file, from 1, as a spreadsheet or an editor counts: the head is 1."""
    cells: Mapping[str, str]
    own: Mapping[str, str]
    is_whole: bool = True
    """Has it no more cells than the head has names?"""


@dataclass(frozen=True)
class Sheet:
    lines: tuple[Line, ...]
    unknown: tuple[str, ...]
    """Columns that nobody knows: they are left out."""


def read(raw: bytes, kind: ImportKind, own: frozenset[str] = frozenset()) -> Sheet:
    """`own`: names of columns that the shop has defined itself. Refuses what has no head that we know."""
    text = _decoded(raw)
    known, theirs = _known(kind), {_plain(name): name for name in own}
    head, separator = _head(text, known, theirs)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    next(rows)
    unknown = tuple(name.strip() for name in head if name.strip() and not _means(name, known, theirs))
    return Sheet(tuple(_lines(rows, head, known, theirs)), unknown)


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        found = raw.decode("utf-16", errors="replace")
    else:
        try:
            found = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            read_as = {charset: raw.decode(charset, errors="replace") for charset in OF_EXCEL}
            found = read_as[max(read_as, key=lambda charset: _tells(read_as[charset], OF_EXCEL[charset]))]
    return found.replace("\x00", "")


def _tells(text: str, letters: str) -> int:
    return sum(letter in letters for letter in text.lower())


@cache
def _known(kind: ImportKind) -> dict[str, str]:
    """Our name of a column by each that it may have."""
    words = tomllib.loads(files("domain.importing").joinpath("columns.toml").read_text(encoding="utf-8"))
    return {_plain(word): name for name, called in words[kind].items() for word in (name, *called)}


def _plain(name: str) -> str:
    return " ".join(words_of(name))


def _means(name: str, known: Mapping[str, str], theirs: Mapping[str, str]) -> str | None:
    said = _plain(name)
    return known.get(said) or theirs.get(said)


def _head(text: str, known: Mapping[str, str], theirs: Mapping[str, str]) -> tuple[list[str], str]:
    """The first line's names, and the separator with which most of them are known."""
    best: tuple[int, list[str], str] = (0, [], ",")
    for separator in SEPARATORS:
        first = next(_readable(csv.reader(io.StringIO(text, newline=""), delimiter=separator)), [])
        score = sum(_means(name, known, theirs) is not None for name in first)
        if score > best[0]:
            best = (score, first, separator)
    if not best[0]:
        raise InvalidInput(
            N_("The first line names no column that is known here: {known}."),
            field=["fileId"],
            known=", ".join(dict.fromkeys(known.values())),
        )
    return best[1], best[2]


def _lines(rows: Any, head: list[str], known: Mapping[str, str], theirs: Mapping[str, str]) -> Iterator[Line]:
    names, begins = [_plain(name) for name in head], rows.line_num + 1
    for count, row in enumerate(_readable(rows), start=1):
        if count > MOST_ROWS:
            raise InvalidInput(N_("At most {most} rows."), field=["fileId"], most=MOST_ROWS)
        cells: dict[str, str] = {}
        own: dict[str, str] = {}
        for name, cell in zip(names, row, strict=False):
            if (said := cell.strip()[:LONGEST_CELL]) and name in known:
                cells.setdefault(known[name], said)
            elif said and name in theirs:
                own[theirs[name]] = said
        if any(cell.strip() for cell in row):
            yield Line(begins, cells, own, is_whole=not any(cell.strip() for cell in row[len(head) :]))
        begins = rows.line_num + 1


def _readable(rows: Any) -> Iterator[list[str]]:
    try:
        yield from rows
    except csv.Error as problem:
        raise InvalidInput(
            N_("Line {line} cannot be read: {problem}."),
            field=["fileId"],
            line=rows.line_num,
            problem=str(problem),
        ) from None

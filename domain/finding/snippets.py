"""The piece of a text in which words were found, and where in it they stand."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.finding.inflection import forms_of
from domain.finding.lexemes import FEWEST_DIGITS, Spoken, composed, pieces_of, spoken_in
from domain.finding.tree import Either, Every, Query, Quoted, Said, Span
from domain.joining.words import folded

LENGTH, BEFORE = 200, 60


@dataclass(frozen=True)
class Snippet:
    text: str
    marks: list[Span]


@dataclass(frozen=True)
class Sought:
    forms: frozenset[str]
    beginnings: tuple[str, ...]
    pieces: tuple[str, ...]
    """Of numbers and addresses."""

    def is_met_by(self, word: str) -> bool:
        bare = folded(word)
        if bare.startswith(self.beginnings) or not self.forms.isdisjoint(forms_of(word)):
            return True
        is_number = sum(sign.isdigit() for sign in bare) >= FEWEST_DIGITS
        return is_number and any(bare in piece or piece in bare for piece in self.pieces)


def sought_in(query: Query) -> Sought:
    """Not what is negated."""
    forms: set[str] = set()
    beginnings: list[str] = []
    pieces: list[str] = []
    for said in _said_in(query):
        words = [spoken.word for spoken in spoken_in(composed(said.text))]
        if isinstance(said, Quoted):
            forms |= {folded(word) for word in words}
            continue
        forms = forms.union(*map(forms_of, words))
        beginnings += [folded(word) for word in words[-1:] if said.begins]
        pieces += [piece for _, piece in pieces_of(said.text)]
    return Sought(frozenset(forms), tuple(beginnings), tuple(pieces))


def _said_in(query: Query) -> Iterator[Said | Quoted]:
    match query:
        case Said() | Quoted():
            yield query
        case Every(of=many) | Either(of=many):
            for one in many:
                yield from _said_in(one)


def snippet(text: str, sought: Sought) -> Snippet:
    """Around the first word that was found; the beginning, where none stands there."""
    text = " ".join(composed(text).split())
    first = next((spoken for spoken in spoken_in(text) if sought.is_met_by(spoken.word)), None)
    start = _begin(text, first)
    piece = text[start : start + LENGTH]
    if start + LENGTH < len(text):
        piece = piece.rsplit(" ", 1)[0]
    marks = [(spoken.start, spoken.end) for spoken in spoken_in(piece) if sought.is_met_by(spoken.word)]
    before, behind = "…" if start else "", "…" if start + len(piece) < len(text) else ""
    return Snippet(before + piece + behind, [(a + len(before), b + len(before)) for a, b in marks])


def _begin(text: str, first: Spoken | None) -> int:
    """Of a word, a little before."""
    if first is None or first.start <= BEFORE or len(text) <= LENGTH:
        return 0
    return text.rfind(" ", 0, first.start - BEFORE) + 1

"""One word as it may be met: bare of accents, without its ending, and with what endings do to a word undone.

A customer writes `paczkę`, an agent types `paczce` or `paczki` on a keyboard without accents; both come to a common form. Forms
are only ever added: what a rule gets wrong for one word finds a little more, never less.
"""

import re
import threading
from collections.abc import Iterable
from functools import lru_cache

import Stemmer

from domain.joining.words import folded

ALGORITHMS = {"en": "english", "pl": "polish", "es": "spanish", "ca": "catalan"}

BEARINGS = {"en": ("en",), "pl": ("pl",), "es": ("es", "ca"), "ca": ("ca", "es")}
"""By a text's language, those in whose way its words are stemmed: who speaks Catalan or Spanish borrows from the other."""

LONGEST = 50
"""Letters. Anything longer was written by a machine."""

_KNOWN = 200_000
"""Words whose forms are remembered: more than a shop's customers use."""

_REACCENTED = {
    "pl": (("ow", "ów"), ("osc", "ość"), ("ac", "ać"), ("ec", "eć"), ("ic", "ić"), ("yc", "yć"), ("aja", "ają"), ("eja", "eją")),
    "ca": (("cio", "ció"), ("sio", "sió")),
}  # fmt: skip
"""Endings as they are typed without accents: a stemmer knows them only with."""

_ALTERNATING = (
    (re.compile(r"(?<=\w{3})i?e([kcrln])$"), (r"\1",)),  # paczek, paczki; sweter, swetra; okien, okna
    (re.compile(r"(?<=\w{4})c$"), ("k", "t")),  # paczce, paczka; zwrócić, zwrot
    (re.compile(r"(?<=\w{3})rz$"), ("r",)),  # fakturze, faktura
    (re.compile(r"(?<=\w{2})dz$"), ("d", "g")),  # wodzie, woda; nodze, noga
)
"""What Polish endings do to the consonants before them, on stems without accents."""

_NASALS = str.maketrans("ąę", "ęą")

_thread = threading.local()


def forms_of(word: str, language: str | None = None) -> frozenset[str]:
    """`word`: small letters, with whatever accents. Without a language, as all of ours would have it."""
    return _forms(word, BEARINGS.get(language or "", tuple(ALGORITHMS)))


@lru_cache(maxsize=_KNOWN)
def _forms(word: str, languages: tuple[str, ...]) -> frozenset[str]:
    bare = folded(word)
    if not bare.isalpha():
        return frozenset({bare})
    found = {bare}
    for language in languages:
        stems = {_stem(language, spelling) for spelling in _spellings(word, bare, language)}
        if language == "pl":
            stems |= {_stem(language, word.translate(_NASALS))}
            stems |= {form for stem in stems for form in _alternated(stem)}
        found |= stems
    return frozenset(form for form in found if form)


def _spellings(word: str, bare: str, language: str) -> Iterable[str]:
    yield word
    yield bare
    for typed, meant in _REACCENTED.get(language, ()):
        if bare.endswith(typed):
            yield bare.removesuffix(typed) + meant


def _stem(language: str, word: str) -> str:
    return folded(_stemmers()[language].stemWord(word)).replace(".", "")


def _alternated(stem: str) -> Iterable[str]:
    for ending, others in _ALTERNATING:
        for other in others:
            if (form := ending.sub(other, stem)) != stem:
                yield form


def _stemmers() -> dict[str, Stemmer.Stemmer]:
    """One of each for each thread: they are not safe between threads."""
    if not hasattr(_thread, "stemmers"):
        _thread.stemmers = {language: Stemmer.Stemmer(name) for language, name in ALGORITHMS.items()}
        for one in _thread.stemmers.values():
            one.maxCacheSize = 0
    stemmers: dict[str, Stemmer.Stemmer] = _thread.stemmers
    return stemmers

"""Words of customers as one compares them: without case, accents and punctuation."""

import re
import tomllib
import unicodedata
from functools import cache
from importlib.resources import files
from typing import Any

from domain.languages import LANGUAGES

# `l·l` is one letter of Catalan; `nº` is `n.` by another way.
_LETTERS = str.maketrans(
    {"ł": "l", "Ł": "l", "ß": "ss", "ø": "o", "đ": "d", "·": "", "°": " ", "º": " ", "ª": " "}
)

_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")

MOST_LETTERS, FEWEST_WORDS = 2_000, 3
"""Of a text, by which its language is told."""


def folded(text: str) -> str:
    if text.isascii():
        return text.casefold()
    split = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return _BEYOND_ASCII.sub(_plain, split).casefold()


def _plain(letters: re.Match[str]) -> str:
    return "".join(letter for letter in letters.group() if not unicodedata.combining(letter))


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", folded(text))


@cache
def stop_words() -> frozenset[str]:
    """Words that say nothing by themselves, of all languages at once: customers mix them."""
    from stop_words import get_stop_words

    return frozenset(word for language in LANGUAGES for word in words_of(" ".join(get_stop_words(language))))


@cache
def _own_words() -> dict[str, frozenset[str]]:
    """By language, those that no other has."""
    from stop_words import get_stop_words

    said = {language: frozenset(words_of(" ".join(get_stop_words(language)))) for language in LANGUAGES}
    return {
        language: words.difference(*(others for name, others in said.items() if name != language))
        for language, words in said.items()
    }


def language_of(text: str) -> str | None:
    """In which of our languages it is written, as far as its small words tell."""
    words = words_of(text[:MOST_LETTERS])
    counted = {language: sum(word in own for word in words) for language, own in _own_words().items()}
    best, next_best = sorted(counted, key=lambda language: -counted[language])[:2]
    is_clear = counted[best] >= FEWEST_WORDS and counted[best] >= 2 * counted[next_best]
    return best if is_clear else None


@cache
def vocabulary() -> dict[str, Any]:
    """What the words of customers mean: `vocabulary.toml`."""
    return tomllib.loads(files("domain.joining").joinpath("vocabulary.toml").read_text(encoding="utf-8"))


def listed(section: str, name: str) -> frozenset[str]:
    """The words of one of its lists."""
    return frozenset(vocabulary()[section][name].split())

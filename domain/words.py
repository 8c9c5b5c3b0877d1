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


def folded(text: str) -> str:
    if text.isascii():
        return text.casefold()
    split = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(letter for letter in split if not unicodedata.combining(letter)).casefold()


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", folded(text))


@cache
def stop_words() -> frozenset[str]:
    """Words that say nothing by themselves, of all languages at once: customers mix them."""
    from stop_words import get_stop_words

    return frozenset(word for language in LANGUAGES for word in words_of(" ".join(get_stop_words(language))))


@cache
def vocabulary() -> dict[str, Any]:
    """What the words of customers mean: `vocabulary.toml`."""
    return tomllib.loads(files("domain").joinpath("vocabulary.toml").read_text(encoding="utf-8"))


def listed(section: str, name: str) -> frozenset[str]:
    """The words of one of its lists."""
    return frozenset(vocabulary()[section][name].split())

"""Words of customers as one compares them: without case, accents and punctuation."""

import re
import unicodedata

# `l·l` is one letter of Catalan; `nº` is `n.` by another way.
_LETTERS = str.maketrans(
    {"ł": "l", "Ł": "l", "ß": "ss", "ø": "o", "đ": "d", "·": "", "°": " ", "º": " ", "ª": " "}
)


def folded(text: str) -> str:
    split = unicodedata.normalize("NFKD", text.translate(_LETTERS))
    return "".join(letter for letter in split if not unicodedata.combining(letter)).casefold()


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", folded(text))

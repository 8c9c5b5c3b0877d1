"""The words by which somebody wants no more text messages, or wants them again: `words.toml`."""

import tomllib
from functools import cache
from importlib.resources import files

from domain.customers.consents import Wish
from domain.joining.words import words_of

LONGEST = 60


@cache
def _wishes() -> dict[str, Wish]:
    read = tomllib.loads(files("integrations.sms").joinpath("words.toml").read_text(encoding="utf-8"))
    return {word: wish for wish in Wish for words in read[wish].values() for word in words}


def wish_of(text: str) -> tuple[Wish | None, str]:
    """With the word, as it stands in our list. Only of a whole message: who writes of stopping wants something else."""
    if len(text) > LONGEST:
        return None, ""
    word = " ".join(words_of(text))
    wish = _wishes().get(word)
    return wish, word if wish else ""

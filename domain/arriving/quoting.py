"""A quote that no mark sets off: the end of a customer's mail repeats what we sent them last.

Some mail programs quote without a line that says so and without `>`. What we wrote ourselves is known, and is no news
to whoever reads the answer.
"""

import re
from collections.abc import Iterable

FEWEST_LINES, FEWEST_LETTERS = 2, 40
MOST_LETTERS = 50_000
_MOST_LINES = 2_000

_WORD = re.compile(r"\w+")
_WHO_WROTE = re.compile(r".{0,300}@.{0,300}\d.{0,300}:|.{0,300}\d.{0,300}@.{0,300}:")


def without_ours(text: str, ours: Iterable[str]) -> str:
    """The text without the lines at its end that repeat one of ours, word for word; the same text when in doubt."""
    lines = text.split("\n")
    words = [_words(line) for line in lines[-_MOST_LINES:]]
    end = next((at for sent in ours if (at := _begins(words, _words(sent[:MOST_LETTERS])))), None)
    if end is None:
        return text
    kept = lines[: len(lines) - len(words) + end]
    while kept and not kept[-1].strip():
        kept.pop()
    if kept and len(kept[-1]) < 300 and _WHO_WROTE.fullmatch(kept[-1].strip()):
        kept.pop()
    said = "\n".join(kept).strip("\n")
    return said if _WORD.search(said) else text


def _words(text: str) -> list[str]:
    return [word.casefold() for word in _WORD.findall(text)]


def _begins(lines: list[list[str]], sent: list[str]) -> int | None:
    """From which line on these lines are a piece of what was sent; none when they are too few."""
    whole = f" {' '.join(sent)} "

    def repeats(first: int) -> bool:
        return f" {' '.join(word for line in lines[first:] for word in line)} " in whole

    low, high = 0, len(lines)
    while low < high:  # less of an end repeats ours when more of it does
        middle = (low + high) // 2
        if repeats(middle):
            high = middle
        else:
            low = middle + 1
    taken = [line for line in lines[low:] if line]
    letters = sum(len(word) for line in taken for word in line)
    return low if len(taken) >= FEWEST_LINES and letters >= FEWEST_LETTERS else None

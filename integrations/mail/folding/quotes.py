"""What somebody says in a mail, without the mails they quote and without a signature.

    said = fold(text, page)

Pure, and in time that grows with the text alone. What is folded is not lost, only not shown at first; but a person's
words that are folded are easily overlooked, so that nothing is folded when in doubt:

* Of answers between pieces of the quoted mail, all is kept but what is quoted below the last of them.
* A mail that is passed on is what the mail is about.
* Where nothing of the writer's own would be left, the text stays as it is.
"""

import re

from integrations.mail.folding import marks, structure
from integrations.mail.folding.lines import Lines

_MOST_ROUNDS = 8

_NOT_SAID = re.compile(
    r"\[(?:cid|image|bild|imagen|imatge|obraz)[^\[\]]*\]|<?https?://[^\s>]*>?|[\W_]", re.IGNORECASE
)


def fold(text: str, page: str | None = None, *, passes_on: bool = False) -> str:
    """The text's own part; the same text where nothing is folded.

    `page`: the mail's HTML as it came; its elements say more than lines do. `passes_on`: the mail passes another one on,
    which is then not folded.
    """
    lines = text.split("\n")
    said = lines if passes_on else _by_structure(lines, page)
    if said is None:
        return text
    is_cut = said is not lines
    for _ in range(_MOST_ROUNDS):
        less = _without(said, passes_on=passes_on, is_cut=is_cut)
        if len(less) == len(said):
            break
        said = less
    if not _says_something(said) or len(_trimmed(lines)) == len(said):
        return text
    return "\n".join(said)


def _says_something(lines: list[str]) -> bool:
    return any(_NOT_SAID.sub("", line) and not marks.is_sent_from(marks.plain(line)) for line in lines)


def _trimmed(lines: list[str]) -> list[str]:
    """Without the blank lines around."""
    first, end = 0, len(lines)
    while first < end and not lines[first].strip():
        first += 1
    while end > first and not lines[end - 1].strip():
        end -= 1
    return lines[first:end]


# By the elements of the page


def _by_structure(lines: list[str], page: str | None) -> list[str] | None:
    """The lines that the page's elements leave, or all; none where they say that the whole is to be kept."""
    own = structure.read(page) if page else None
    if own is None:
        return lines
    if own.is_between:
        return lines if any(marks.is_quoted(line) for line in lines) else None
    for letters in own.above:
        end = _lines_of(letters, lines)
        if end and _says_something(lines[:end]):
            return _trimmed(lines[:end])
    if own.below and not own.above:
        taken = _lines_of(own.below[::-1], [line[::-1] for line in reversed(lines)])
        if taken and _says_something(lines[-taken:]):
            return _trimmed(lines[-taken:])
    return lines


def _lines_of(letters: str, lines: list[str]) -> int | None:
    """How many of the lines hold just these letters (and digits), in this order."""
    at = 0
    for number, line in enumerate(lines, 1):
        for written in structure.spellings(line):
            if letters.startswith(written, at):
                at += len(written)
                break
        else:
            return None
        if at == len(letters):
            return number if letters else None
    return None


# By the lines


def _without(lines: list[str], *, passes_on: bool, is_cut: bool) -> list[str]:
    """One step: the lines without a quote below, one above, and a signature. `is_cut`: a quote below was taken off."""
    read = Lines(lines)
    end, attributions = read.end(is_cut=is_cut)
    if end is None or (passes_on and end < len(lines)):
        return lines
    runs = read.joined(list(read.runs(end, attributions)))
    while len(runs) > 1 and read.is_below(runs):
        runs.pop()
    if runs and runs[-1].is_quote and len(runs) > 1 and (runs[-1].is_attributed or runs[-1].quoted > 1):
        runs.pop()
    if [run.is_quote for run in runs] == [True, False]:
        runs = runs[1:]
    if not any(not run.is_quote and _says_something(lines[run.first : run.end]) for run in runs):
        return lines
    last = runs[-1]
    signature = None if last.is_quote else read.signature(last.first, last.end)
    if signature is not None and _says_something(lines[runs[0].first : signature]):
        return _trimmed(lines[runs[0].first : signature])
    return _trimmed(lines[runs[0].first : last.end])

"""What somebody says in a mail, without the mails they quote and without a signature.

    said = fold(text, page)

Pure, and in time that grows with the text alone. What is folded is not lost, only not shown at first; but a person's
words that are folded are easily overlooked, so that nothing is folded when in doubt:

* Of answers between pieces of the quoted mail, all is kept but what is quoted below the last of them.
* A mail that is passed on is what the mail is about.
* Where nothing of the writer's own would be left, the text stays as it is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from integrations.mail import marks, structure

MOST_LINES = 2_000
_MOST_ROUNDS = 8

# Of a signature below "-- ", below "--", and below a line across.
_LONGEST_SIGNATURE, _LONGEST_LIKELY, _LONGEST_BELOW_RULE = 40, 12, 8

_MARKS = ("--", "—", "–", "---", "__")

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


@dataclass
class _Run:
    """Lines that are quoted, with what says whose they are; or lines in between."""

    first: int
    end: int
    is_quote: bool
    is_attributed: bool = False
    quoted: int = 0


def _without(lines: list[str], *, passes_on: bool, is_cut: bool) -> list[str]:
    """One step: the lines without a quote below, one above, and a signature. `is_cut`: a quote below was taken off."""
    read = _Read(lines)
    end, attributions = read.end(is_cut=is_cut)
    if end is None or (passes_on and end < len(lines)):
        return lines
    runs = list(read.runs(end, attributions))
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


class _Read:
    """The lines, as patterns read them: those that are neither blank nor quoted, so many of them."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.quoted = [marks.is_quoted(line) for line in lines]
        self.plain: list[str] = []
        """Up to where it was read; "" for what is quoted."""
        seen = 0
        for line, is_quoted in zip(lines, self.quoted, strict=True):
            self.plain.append("" if is_quoted else marks.plain(line))
            seen += bool(self.plain[-1])
            if seen >= MOST_LINES:
                break

    def end(self, *, is_cut: bool) -> tuple[int | None, dict[int, int]]:
        """Where a mail is quoted down to the end; and where lines in between say whose the next lines are, by their end.

        None where a mail is passed on.
        """
        attributions: dict[int, int] = {}
        for at, line in enumerate(self.plain):
            if not line:
                continue
            match marks.divider(line):
                case "forwarded":
                    return None, {}
                case "original" | "reply":
                    return self._up(at), attributions
            if marks.block(self.plain, at):
                return self._up(at), attributions
            found = marks.attribution(self.plain, at)
            if found:
                below = self._next(at + 1)
                if below is None and (found.is_certain or is_cut):
                    return found.first, attributions
                if below is not None and self.quoted[below] and below - at < 5:
                    attributions[at + 1] = found.first
                elif found.is_certain:
                    return found.first, attributions
        return len(self.lines), attributions

    def _up(self, at: int) -> int:
        """With the line across above it, if there is one."""
        above = at - 1
        while above >= 0 and at - above < 4 and not self.quoted[above]:
            line = self.plain[above]
            if line and (marks.is_rule(line) or marks.is_original(line)):
                return above
            if line:
                break
            above -= 1
        return at

    def _next(self, at: int) -> int | None:
        return next((place for place in range(at, len(self.lines)) if self.lines[place].strip()), None)

    def runs(self, end: int, attributions: dict[int, int]) -> Iterator[_Run]:
        run: _Run | None = None
        above: int | None = None
        """Where the attribution began that stands right above."""
        begun = {first: below for below, first in attributions.items()}
        at = 0
        while at < end:
            if at in begun:
                above, at = at, begun[at]
                continue
            if self.lines[at].strip():
                is_quote = self.quoted[at]
                if run is None or run.is_quote != is_quote:
                    if run:
                        yield run
                    run = _Run(at, at, is_quote)
                if is_quote:
                    run.quoted += 1
                    run.is_attributed = run.is_attributed or above is not None
                    run.first = run.first if above is None else min(run.first, above)
                    above = None
                run.end = at + 1
            at += 1
        if run:
            yield run

    def is_below(self, runs: list[_Run]) -> bool:
        """Whether the last lines are what machines add below a quote."""
        quote, last = runs[-2:]
        if last.is_quote or not quote.is_quote or last.first >= len(self.plain):
            return False
        first = self.plain[last.first]
        if marks.begins_notice(first):
            return True
        if marks.is_rule(first):
            below = self._next(last.first + 1)
            return (
                below is not None
                and below < len(self.plain)
                and (marks.begins_notice(self.plain[below]) or " mailing list" in self.plain[below])
            )
        start = self.signature(last.first, last.end)
        return start is not None and start <= last.first

    # Signatures

    def signature(self, first: int, end: int) -> int | None:
        """Where it begins within these lines, if there is one."""
        end = min(end, len(self.plain))
        last = [at for at in range(first, end) if self.plain[at]]
        start = end
        for at in reversed(last):
            if not marks.is_sent_from(self.plain[at]):
                break
            if self._is_apart(at, first):
                start = at
        if start < end:
            above = max((at for at in last if at < start), default=start)
            return above if self.plain[above] in _MARKS else start
        for place, at in enumerate(last):
            if len(last) - place - 1 <= _LONGEST_SIGNATURE and self._is_mark(at, last[place + 1 :]):
                return at
        return None

    def _is_apart(self, at: int, first: int) -> bool:
        """Whether the line is no end of a sentence that began above."""
        if at <= first or not self.plain[at - 1]:
            return True
        above = self.plain[at - 1]
        return len(above) <= 40 or above[-1] in ".!?)" or marks.is_sent_from(above)

    def _is_mark(self, at: int, below: list[int]) -> bool:
        """Whether a signature begins with this line."""
        if not below:
            return False
        line = self.lines[at].rstrip("\r")
        texts = [self.plain[place] for place in below]
        if line == "-- ":
            return True
        if self.plain[at] in _MARKS:
            return (
                len(below) <= _LONGEST_LIKELY
                and len(texts[0]) < 70
                and not any("?" in text for text in texts if "://" not in text)
            )
        return (
            marks.is_rule(self.plain[at])
            and len(below) <= _LONGEST_BELOW_RULE
            and all(len(text) < 70 for text in texts)
            and any(re.search(r"\w@\w|www\.|https?:|\+?\d[\d ()-]{7,}", text) for text in texts)
            and not any("?" in text for text in texts if "://" not in text)
        )

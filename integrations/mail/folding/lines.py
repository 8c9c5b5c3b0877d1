"""The lines of a mail's text: which are quoted, where a quoted mail begins, and where a signature does."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from integrations.mail.folding import marks

MOST_LINES = 2_000
_MARKS = ("--", "—", "–", "---", "__")
# Of a signature below "-- ", below "--", and below a line across.
_LONGEST_SIGNATURE, _LONGEST_LIKELY, _LONGEST_BELOW_RULE = 40, 12, 8
# Four words at least, of which the last is no abbreviation.
_SENTENCE = re.compile(r"(?:\S+ ){3,}\S*\w{4}[.!…]")


@dataclass
class Run:
    """Lines that are quoted, with what says whose they are; or lines in between."""

    first: int
    end: int
    is_quote: bool
    is_attributed: bool = False
    quoted: int = 0


class Lines:
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

    def runs(self, end: int, attributions: dict[int, int]) -> Iterator[Run]:
        run: Run | None = None
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
                    run = Run(at, at, is_quote)
                if is_quote:
                    run.quoted += 1
                    run.is_attributed = run.is_attributed or above is not None
                    run.first = run.first if above is None else min(run.first, above)
                    above = None
                run.end = at + 1
            at += 1
        if run:
            yield run

    def joined(self, runs: list[Run]) -> list[Run]:
        """With the ends of long quoted lines, which a program broke and did not quote, made part of the quote."""
        found: list[Run] = []
        for at, run in enumerate(runs):
            if found and found[-1].is_quote and (run.is_quote or self._is_broken_off(runs, at)):
                found[-1].end = run.end
                found[-1].quoted += run.quoted
            else:
                found.append(run)
        return found

    def _is_broken_off(self, runs: list[Run], at: int) -> bool:
        run = runs[at]
        if run.end - run.first > 1 or at + 1 == len(runs) or runs[at + 1].first != run.end:
            return False
        above, line = self.lines[run.first - 1].rstrip(), self.lines[run.first].strip()
        return (
            self.quoted[run.first - 1]
            and len(above) > 60
            and (above[-1].isalnum() or above[-1] == ",")
            and len(line) < 40
        )

    def is_below(self, runs: list[Run]) -> bool:
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
            return len(below) <= _LONGEST_LIKELY and len(texts[0]) < 70 and not _says_more(texts)
        return (
            marks.is_rule(self.plain[at])
            and len(below) <= _LONGEST_BELOW_RULE
            and all(len(text) < 70 for text in texts)
            and any(re.search(r"\w@\w|www\.|https?:|\+?\d[\d ()-]{7,}", text) for text in texts)
            and not _says_more(texts)
        )


def _says_more(texts: list[str]) -> bool:
    """Whether somebody goes on writing: what a signature holds, but for a notice at its end, neither asks nor is a sentence."""
    own = takewhile(lambda text: not marks.begins_notice(text), texts)
    return any("?" in text or _SENTENCE.fullmatch(text) for text in own if "://" not in text)

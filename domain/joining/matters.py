"""What a conversation is about: its subject, the numbers it names, its topics. Read from words, never from who said them."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from domain.joining.numbers import (
    LONGEST_TEXT,
    CaseNumber,
    NumberKind,
    codes_in,
    is_telling,
    numbers_in,
    shape_of,
    without_signature,
)
from domain.joining.subjects import MARKED, plain, untagged
from domain.joining.topics import Topic, topics_of
from domain.joining.words import folded, listed, stop_words, vocabulary, words_of

_ANSWERED = re.compile(rf"^\s*(?:{MARKED}\s*|\[[^\]]{{1,40}}\]\s*)+", re.IGNORECASE)
SAYS_NOTHING, COMMON = listed("speech", "says_nothing"), listed("speech", "common")
GOES_ON = listed("speech", "goes_on")
FOLLOWS_UP = listed("speech", "follows_up") | GOES_ON
ANOTHER = tuple(vocabulary()["speech"]["another"])
LITTLE, LITTLE_MORE = 1, 4
"""Words of its own in a text that says nothing by itself; and in one that says it goes on with something."""
SPECIFIC = 5
"""Letters of a word that two texts may have in common by their matter."""


@dataclass(frozen=True)
class Matter:
    subjects: frozenset[str] = frozenset()
    """As `subject_of` reads them."""
    numbers: frozenset[CaseNumber] = frozenset()
    topics: frozenset[Topic] = frozenset()
    things: frozenset[str] = frozenset()
    """Beginnings of the words that say something of their own."""
    says_little: bool = True
    """It greets, or goes on with something: by itself it is about nothing."""
    goes_on: bool = False
    """It says that something is as it was."""
    is_another: bool = False
    """It says that it is about something else."""
    codes: frozenset[str] = frozenset()
    """All that looks like a number of something, however it is written."""

    @property
    def subject(self) -> str:
        return min(self.subjects, default="")

    def shares(self, other: "Matter") -> frozenset[str]:
        """The numbers that both name: that one says what it is of, and the other repeats, is enough."""
        mine, theirs = ({number.value for number in one.numbers} for one in (self, other))
        return frozenset(mine & theirs | mine & other.codes | theirs & self.codes)

    def repeats(self, other: "Matter") -> str | None:
        """What looks like a number and stands in both, whatever it is of."""
        return min(filter(is_telling, self.codes & other.codes), default=None)

    def names_others_than(self, other: "Matter") -> bool:
        """Both name orders, parcels, or codes of one shape, and none is the same."""
        for kind in (NumberKind.ORDER, NumberKind.TRACKING):
            if (mine := self.numbers_of(kind)) and (theirs := other.numbers_of(kind)) and not mine & theirs:
                return True
        shapes = {shape_of(code) for code in self.codes} & {shape_of(code) for code in other.codes}
        return bool(shapes) and not self.codes & other.codes

    def numbers_of(self, kind: NumberKind) -> frozenset[CaseNumber]:
        return frozenset(number for number in self.numbers if number.kind == kind)


def matter_of(subject: str, text: str, masks: tuple[str, ...] = ()) -> Matter:
    """Of a long text its beginning is read: the whole house waits, and what is remembered is kept whole."""
    return _read(subject, text[:LONGEST_TEXT], masks)


@lru_cache(maxsize=2_000)  # each message of a customer asks what their last ones were about
def _read(subject: str, text: str, masks: tuple[str, ...]) -> Matter:
    subject, text = untagged(subject), untagged(text)  # a ticket's number is no order's
    named, words, said = subject_of(subject), words_of(text), without_signature(f"{subject}\n{text}")
    topics, numbers = topics_of(said), numbers_in(said, masks)
    return Matter(
        subjects=frozenset((named,)) if named else frozenset(),
        numbers=numbers,
        topics=topics,
        things=things_in(said),
        says_little=not topics and not numbers and _says_little(words),
        goes_on=not GOES_ON.isdisjoint(words),
        is_another=any(marker in said for marker in ANOTHER),
        codes=codes_in(said),
    )


def _says_little(words: list[str]) -> bool:
    unsaid = _unsaid()
    own = {word for word in words if len(word) > 2 and word not in unsaid}
    return len(own) <= (LITTLE if FOLLOWS_UP.isdisjoint(words) else LITTLE_MORE)


def things_in(text: str) -> frozenset[str]:
    unsaid = _unsaid()
    return frozenset(
        word[:SPECIFIC]
        for word in words_of(text)
        if len(word) >= SPECIFIC and word.isalpha() and word not in unsaid
    )


@cache
def _unsaid() -> frozenset[str]:
    return stop_words() | COMMON | SAYS_NOTHING | FOLLOWS_UP


def subject_of(subject: str) -> str:
    """Without `Re:`, case and accents; empty if it says nothing: `Hello`, `My order`."""
    words = words_of(_ANSWERED.sub("", folded(subject)))
    return "" if SAYS_NOTHING.issuperset(words) else " ".join(words)


def is_called_otherwise(subject: str, *known: str) -> bool:
    """Does it call the matter by another name than any of these? One that names nothing calls it by none."""
    words, others = words_of(plain(subject)), [words_of(plain(one)) for one in known]
    return bool(words) and any(others) and words not in others

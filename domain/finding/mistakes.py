"""What can be wrong with a query, and at which word.

WrongQuery
├── UnknownTerm
├── UnknownValue
├── ValueMissing
├── NotANumber
├── NotATime
├── DirectionMissing      older or younger than that?
├── NotComparable         `>` where nothing is more or less
├── QuoteOpen
├── GroupOpen
├── GroupNotOpen
├── GroupEmpty
├── NobodyIsMe            a program asks
└── TooLong
"""

from domain.errors import Refused
from domain.languages import N_


class WrongQuery(Refused):
    """`start` and `end` are places in the query, in characters from 0; `nearest` is what may have been meant."""

    code = "QUERY_WRONG"
    meant: str | None = None
    """The sentence where something near is known."""

    def __init__(
        self, start: int, end: int, word: str, *, nearest: str | None = None, **values: str | int
    ) -> None:
        self.start, self.end, self.word, self.nearest = start, end, word, nearest
        if nearest and self.meant:
            self.sentence = self.meant
            values["nearest"] = nearest
        super().__init__(field=None, word=word, **values)


class UnknownTerm(WrongQuery):
    code = "QUERY_UNKNOWN_TERM"
    sentence = N_("There is no term {word}. To look for these words, put them in quotes.")
    meant = N_(
        "There is no term {word}. Did you mean {nearest}? To look for these words, put them in quotes."
    )


class UnknownValue(WrongQuery):
    code = "QUERY_UNKNOWN_VALUE"
    sentence = N_("{term}: has no value {word}.")
    meant = N_("{term}: has no value {word}. Did you mean {nearest}?")


class ValueMissing(WrongQuery):
    code = "QUERY_VALUE_MISSING"
    sentence = N_("After {word} something is missing.")


class NotANumber(WrongQuery):
    code = "QUERY_NOT_A_NUMBER"
    sentence = N_("{term}: takes a number, and {word} is none.")


class NotATime(WrongQuery):
    code = "QUERY_NOT_A_TIME"
    sentence = N_("{word} is no time: write 30m, 4h, 2d, 1w, today, yesterday or a day such as 2026-11-01.")


class DirectionMissing(WrongQuery):
    code = "QUERY_DIRECTION_MISSING"
    sentence = N_("Write >{word} for longer ago, or <{word} for less long ago.")


class NotComparable(WrongQuery):
    code = "QUERY_NOT_COMPARABLE"
    sentence = N_("{term}: is not compared. Leave out the sign of {word}.")


class QuoteOpen(WrongQuery):
    code = "QUERY_QUOTE_OPEN"
    sentence = N_("These quotes are not closed: {word}")


class GroupOpen(WrongQuery):
    code = "QUERY_GROUP_OPEN"
    sentence = N_("This group is not closed: a ) is missing.")


class GroupNotOpen(WrongQuery):
    code = "QUERY_GROUP_NOT_OPEN"
    sentence = N_("This ) closes nothing.")


class GroupEmpty(WrongQuery):
    code = "QUERY_GROUP_EMPTY"
    sentence = N_("Something is missing beside {word}.")


class NobodyIsMe(WrongQuery):
    code = "QUERY_NOBODY_IS_ME"
    sentence = N_("Here nobody asks who could be {word}: name somebody.")


class TooLong(WrongQuery):
    code = "QUERY_TOO_LONG"
    sentence = N_(
        "This query is too long: at most {letters} characters, {parts} parts, and groups {depth} deep."
    )

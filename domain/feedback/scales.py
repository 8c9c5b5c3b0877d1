"""What a customer may answer, and what it is worth."""

from enum import StrEnum


class SurveyKind(StrEnum):
    CSAT = "csat"
    """How was our help? After a ticket is solved."""
    NPS = "nps"
    """Would you recommend us? Now and then, in its place."""


class Scale(StrEnum):
    FIVE = "five"
    """1 to 5."""
    THUMBS = "thumbs"
    """Down is 1 of 5 and up is 5, so that both are counted together."""
    TEN = "ten"
    """0 to 10."""


SCORES = {Scale.FIVE: (1, 2, 3, 4, 5), Scale.THUMBS: (1, 5), Scale.TEN: tuple(range(11))}
SCALES = {SurveyKind.CSAT: (Scale.FIVE, Scale.THUMBS), SurveyKind.NPS: (Scale.TEN,)}
"""The first is the usual one."""

SATISFIED = 4
"""Of five, from here on."""
UNSATISFIED = 2
PROMOTER = 9
"""Of ten, from here on."""
DETRACTOR = 6


def is_low(kind: SurveyKind, score: int) -> bool:
    return score <= (UNSATISFIED if kind == SurveyKind.CSAT else DETRACTOR)

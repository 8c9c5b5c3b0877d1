"""Names that a person gives to something, in one spelling: short enough for an index, and for a line on a phone."""

import unicodedata

from domain.errors import InvalidInput
from domain.languages import N_

LONGEST = 200


def line(given: str, field: str) -> str:
    """Of one line, without blanks around and in a row. Raises InvalidInput where it is too long."""
    said = " ".join(unicodedata.normalize("NFC", given).split())
    if len(said) > LONGEST:
        raise InvalidInput(N_("This is too long: at most {most} characters."), field=[field], most=LONGEST)
    return said


def name(given: str) -> str:
    said = line(given, "name")
    if not said:
        raise InvalidInput(N_("This may not be empty."), field=["name"])
    return said

"""What a shop writes down about a contact, in one spelling. Each function refuses what makes no sense, at its field."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from zoneinfo import available_timezones

from babel import Locale

from domain.errors import InvalidInput
from domain.languages import N_

MOST_TAGS = 50
LONGEST_TAG = 50

_TAG = re.compile(
    r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?"
    r"(?P<variants>(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
)
_zones = cache(available_timezones)


def locale(given: str, *, field: str = "locale") -> str:
    """A language as BCP 47 has it, with script, region and variants: `pl`, `ca-valencia`, `zh-Hant-TW`."""
    found = _TAG.fullmatch(given.strip().replace("_", "-").lower())
    english = Locale("en")
    if found is None or found["language"] not in english.languages:
        raise _no_language(field)
    script, region = (found["script"] or "").title(), (found["region"] or "").upper()
    if (script and script not in english.scripts) or (region and region not in english.territories):
        raise _no_language(field)
    return "-".join(filter(None, [found["language"], script, region])) + found["variants"]


def _no_language(field: str) -> InvalidInput:
    return InvalidInput(N_("This is no language, such as pl, ca or en-GB."), field=[field])


def timezone(given: str) -> str:
    if given not in _zones():
        raise InvalidInput(N_("There is no such time zone."), field=["timezone"])
    return given


def tags(given: Iterable[str]) -> list[str]:
    """Each once, in the order given: `VIP `, `vip` and `Vip` are one word."""
    words = list(dict.fromkeys(filter(None, map(tag, given))))
    if len(words) > MOST_TAGS:
        raise InvalidInput(N_("At most {most} tags."), field=["tags"], most=MOST_TAGS)
    return words


def tag(given: str) -> str:
    # Folding takes apart what NFC had put together, and NFC may make something that folds again (ẖ, ΐ).
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", given).casefold())
    word = " ".join(unicodedata.normalize("NFC", folded.casefold()).split())
    if len(word) > LONGEST_TAG:
        raise InvalidInput(N_("A tag has at most {most} characters."), field=["tags"], most=LONGEST_TAG)
    return word

"""Why a ticket was given to somebody, or taken from them, by a rule: codes in the history, sentences for who reads it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from babel import Locale, UnknownLocaleError

from domain.languages import N_, best_language, translate


class Because(StrEnum):
    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"
    SPEAKS = "speaks"
    NOBODY_SPEAKS = "nobody_speaks"
    """Nobody who speaks the language came in time."""
    SKILLED = "skilled"
    LEFT_SHOP = "left_shop"
    OFF_SHIFT = "off_shift"
    UNREACHABLE = "unreachable"
    OTHER_TEAM = "other_team"


OTHER_TEAM = Because.OTHER_TEAM

SENTENCES = {
    Because.ROUND_ROBIN: N_("their turn"),
    Because.LEAST_LOADED: N_("the least to do"),
    Because.SPEAKS: N_("language: {language}"),
    Because.NOBODY_SPEAKS: N_("nobody was there for this language: {language}"),
    Because.SKILLED: N_("has the skill it needs"),
    Because.LEFT_SHOP: N_("does not work here any more"),
    Because.OFF_SHIFT: N_("off shift"),
    Because.UNREACHABLE: N_("not reachable"),
    Because.OTHER_TEAM: N_("not in the new team"),
}


def reasons(data: dict[str, Any], locale: str) -> str:
    """Of an event's `because`, in the reader's language; empty where somebody decided."""
    codes: Sequence[str] = data.get("because", ())
    language = language_name(data.get("language", ""), locale)
    return ", ".join(translate(locale, SENTENCES[Because(code)], language=language) for code in codes)


def language_name(code: str, locale: str) -> str:
    """`ca` is Catalan, catalán, català; a code that nobody knows stays one."""
    try:
        return Locale.parse(code).get_language_name(best_language(locale)) or code
    except (ValueError, UnknownLocaleError):
        return code

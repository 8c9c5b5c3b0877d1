"""Sentences a person reads, in the person's language. Catalogues: locales/<language>/LC_MESSAGES/heddle.po."""

from datetime import date
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO
from typing import Any

from babel.dates import format_skeleton
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LANGUAGES = ("en", "pl", "es", "ca")


def N_(sentence: str) -> str:
    return sentence


@lru_cache
def _catalogue(language: str) -> NullTranslations:
    if language == "en":
        return NullTranslations()
    source = files("locales").joinpath(language, "LC_MESSAGES", "heddle.po")
    compiled = BytesIO()
    with source.open("rb") as lines:
        write_mo(compiled, read_po(lines, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


def best_language(*wanted: str | None) -> str:
    """The first of `wanted` (`pl-PL`, `ca`, None…) that Heddle speaks; otherwise English."""
    for locale in wanted:
        language = (locale or "").replace("_", "-").split("-")[0].lower()
        if language in LANGUAGES:
            return language
    return "en"


def preferred_language(accepted: str) -> str:
    """Of an `Accept-Language` header, in its order."""
    return best_language(*(part.split(";")[0].strip() for part in accepted.split(",")))


def translate(locale: str, sentence: str, **values: Any) -> str:
    found = _catalogue(best_language(locale)).gettext(sentence)
    return found.format(**values) if values else found


def as_said(locale: str, kept: str | None) -> str | None:
    """What was kept for a reader: a sentence of ours in their language, and below it, or in its place, what somebody else said."""
    sentence, below, words = (kept or "").partition("\n")
    return translate(locale, sentence) + below + words if sentence else kept


def day_said(day: date, language: str) -> str:
    """Without its year: `5 December`, `5 de diciembre`."""
    return str(format_skeleton("MMMMd", day, locale={"en": "en_GB"}.get(language, language)))

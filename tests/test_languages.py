"""Whatever Heddle says, it says in every one of its languages."""

from string import Formatter

import pytest

from domain.languages import translate
from locales.__main__ import TRANSLATED, catalogue, marked

SENTENCES = [str(sentence.id) for sentence in marked() if sentence.id]

in_every_language = pytest.mark.parametrize("language", TRANSLATED)


@in_every_language
def test_every_sentence_is_translated(language: str) -> None:
    known = catalogue(language)

    missing = [
        sentence
        for sentence in SENTENCES
        if sentence not in known or not known[sentence].string or known[sentence].fuzzy
    ]

    assert not missing, _to_do(language, "these wait for a translation", missing)


@in_every_language
def test_a_translation_has_the_placeholders_of_its_sentence(language: str) -> None:
    different = [
        str(known.id)
        for known in catalogue(language)
        if known.id and known.string and _placeholders(str(known.string)) != _placeholders(str(known.id))
    ]

    assert not different, _to_do(language, "these have other placeholders", different)


@in_every_language
def test_no_catalogue_keeps_a_sentence_that_nobody_says(language: str) -> None:
    gone = [str(known.id) for known in catalogue(language) if known.id and known.id not in SENTENCES]

    assert not gone, _to_do(language, "the code no longer says these", gone)


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("en", "Ben took the ticket."),
        ("pl", "Ben przejmuje zgłoszenie."),
        ("es-ES", "Ben se ha asignado el ticket."),
        ("ca", "Ben s’ha assignat el tiquet."),
        ("de", "Ben took the ticket."),
    ],
)
def test_a_sentence_is_said_in_the_readers_language(locale: str, words: str) -> None:
    assert translate(locale, "{who} took the ticket.", who="Ben") == words


def _placeholders(sentence: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(sentence) if name is not None)


def _to_do(language: str, what: str, sentences: list[str]) -> str:
    how = f"run `.venv/bin/python -m locales`, then edit locales/{language}/LC_MESSAGES/heddle.po"
    return "\n  ".join([f"{language}: {what} ({how}):", *sentences])

"""Whatever Heddle says, it says in every one of its languages."""

import re
from string import Formatter

import pytest

from domain.languages import translate
from locales.__main__ import TRANSLATED, catalogue, marked

SENTENCES = [str(sentence.id) for sentence in marked() if sentence.id]

CUSTOMERS_READ = {
    "api/feedback/pages.py",
    "domain/answering/absence.py",
    "domain/arriving/acknowledging.py",
    "domain/feedback/wording.py",
    "integrations/phone/twilio/speaking.py",
}
FAMILIAR = {
    "pl": r"ty|ci|cię|ciebie|twoj\w+|życzysz|napisz|zaczekaj|zostaw|zadzwoń|naciśnij|wpisz|rozłącz|pani|pana",
    "es": r"tú|te|ti|tus?|escribe|espera|pulsa|marca|deja|llama",
    "ca": r"tu|et|tev[ae]s?|teus?|vostè|seva|escrigui’ns|pengi|premi|deixi|truqui|digui|esperi|respongui|torni",
}
"""And in Catalan vostè: what customers read says vós."""
POLITE = {
    "pl": r"pan|pana|pani|państw\w*|napisałeś|napisałaś",
    "es": r"usted|tarea suya|quería decir|póngalas|resuélvala|envíelo|délo|bloquee|prometa|omita|reactive|"
    r"(?<!que )(?<!que lo )(?:indique|escriba|quite|cambie|espere|elija)",
    "ca": r"vós|vostr[ea]s?|volíeu|ometi|tregui|(?:indiqu|escrivi|pos|trai|bloqueg|deix|canvi|esper|promet|reactiv|resol|torn|f)e?u",
}

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


@in_every_language
def test_customers_are_spoken_to_politely_and_the_shops_people_as_colleagues(language: str) -> None:
    known, wrong = catalogue(language), []
    for sentence in marked():
        files = {file for file, _ in sentence.locations}
        others = POLITE if files - CUSTOMERS_READ else FAMILIAR
        said = str(known[sentence.id].string) if sentence.id else ""
        if re.search(rf"\b(?:{others[language]})\b", said, re.IGNORECASE):
            wrong.append(said)

    assert wrong == []


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

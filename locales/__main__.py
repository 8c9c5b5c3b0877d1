"""Brings the catalogues to what the code says now: new sentences wait there empty, those gone are dropped."""

from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from domain.languages import LANGUAGES

HOUSE = Path(__file__).parent.parent
ROOMS = ("domain", "integrations", "notifications", "api")
TRANSLATED = [language for language in LANGUAGES if language != "en"]


def marked() -> Catalog:
    """Every sentence inside N_(…), with the files that say it."""
    found = Catalog()
    for room in ROOMS:
        for file, line, sentence, _, _ in extract_from_dir(HOUSE / room, keywords={"N_": None}):
            found.add(sentence, locations=[(f"{room}/{file}", line)])
    return found


def catalogue(language: str) -> Catalog:
    with _file(language).open("rb") as lines:
        return read_po(lines, language)


def _file(language: str) -> Path:
    return HOUSE / "locales" / language / "LC_MESSAGES" / "heddle.po"


if __name__ == "__main__":
    for language in TRANSLATED:
        known = catalogue(language)
        known.update(marked(), no_fuzzy_matching=True, update_creation_date=False)
        with _file(language).open("wb") as lines:
            write_po(lines, known, width=0, include_lineno=False, ignore_obsolete=True)

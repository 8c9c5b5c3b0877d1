"""Spreadsheets as people save them."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import InvalidInput
from domain.importing.sheets import ImportKind, read

POLISH = "Imię i nazwisko;Adres e-mail;Telefon;Miasto\nŁucja Żak;lucja@example.com;+48 600 100 200;Łódź\n"


@pytest.mark.parametrize(
    "raw",
    [
        POLISH.encode(),
        POLISH.encode("utf-8-sig"),
        POLISH.encode("cp1250"),
        POLISH.encode("utf-16"),
        POLISH.replace(";", ",").replace("\n", "\r\n").encode(),
        POLISH.replace(";", "\t").encode("utf-16"),
    ],
    ids=["utf-8", "with a mark", "Excel in Poland", "UTF-16", "commas", "Excel's Unicode text"],
)
def test_a_sheet_is_read_however_a_spreadsheet_saved_it(raw: bytes) -> None:
    sheet = read(raw, ImportKind.CONTACTS)

    assert [line.cells for line in sheet.lines] == [
        {"name": "Łucja Żak", "email": "lucja@example.com", "phone": "+48 600 100 200", "city": "Łódź"}
    ]


def test_columns_are_known_in_four_languages_and_by_the_shops_own_names() -> None:
    raw = "Correo electrónico,Numer klienta,Etiquetes,Favourite colour\na@example.com,17,vip;nou,blue\n".encode()

    sheet = read(raw, ImportKind.CONTACTS, frozenset({"Numer klienta"}))

    (line,) = sheet.lines
    assert line.cells == {"email": "a@example.com", "tags": "vip;nou"}
    assert line.own == {"Numer klienta": "17"}
    assert sheet.unknown == ("Favourite colour",)


def test_lines_are_counted_as_an_editor_shows_them() -> None:
    raw = b'email,note\n\na@example.com,"two\nlines"\nb@example.com,\nc@example.com,x,too many\n'

    sheet = read(raw, ImportKind.CONTACTS)

    assert [(line.number, line.cells["email"], line.is_whole) for line in sheet.lines] == [
        (3, "a@example.com", True),
        (5, "b@example.com", True),
        (6, "c@example.com", False),
    ]


@pytest.mark.parametrize("raw", [b"", b"\n", b"colour,size\nblue,4\n", b"\x00\x01\x02", b"a@example.com\n"])
def test_what_has_no_head_that_we_know_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match="names no column"):
        read(raw, ImportKind.CONTACTS)


def test_a_head_that_never_ends_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read(b"email," + b"x" * 200_000 + b"\n", ImportKind.CONTACTS)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=20), st.sampled_from(",;\t|"))
def test_what_a_spreadsheet_writes_is_what_is_read(rows: list[tuple[str, str]], separator: str) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=separator).writerows([("email", "note"), *rows])

    sheet = read(written.getvalue().encode(), ImportKind.CONTACTS)

    said = [(row[0].strip(), row[1].strip()) for row in rows]
    assert [(line.cells.get("email", ""), line.cells.get("note", "")) for line in sheet.lines] == [
        row for row in said if any(row)
    ]

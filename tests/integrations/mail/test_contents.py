"""What comes packed, broken or written otherwise: winmail.dat, invitations, flowed lines, uuencoded files."""

import struct
from base64 import b64encode, encodebytes
from pathlib import Path

import pytest

from integrations.mail.reading import plain, tnef
from integrations.mail.reading.invitations import told
from integrations.mail.reading.parse import Attachment, Mail, read

SAMPLES = Path(__file__).parent / "samples"
MAGIC = b"\x78\x9f\x3e\x22\x01\x00"
CODEPAGE, BODY, RENDERED, TITLE, DATA, PROPERTIES = 0x9007, 0x800C, 0x9002, 0x8010, 0x800F, 0x9003


def sample(name: str) -> Mail:
    return read((SAMPLES / f"{name}.eml").read_bytes())


def written(level: int, number: int, data: bytes, *, length: int | None = None) -> bytes:
    """An object of a winmail.dat, as Outlook writes it."""
    size = len(data) if length is None else length
    return struct.pack("<BHHI", level, number, 6, size) + data + struct.pack("<H", sum(data) & 0xFFFF)


def winmail(*objects: bytes) -> bytes:
    return MAGIC + written(1, CODEPAGE, struct.pack("<II", 1252, 0)) + b"".join(objects)


def file(name: bytes, content: bytes) -> bytes:
    return written(2, RENDERED, bytes(14)) + written(2, TITLE, name + b"\0") + written(2, DATA, content)


def mail(packed: bytes, text: bytes = b"") -> Mail:
    return read(
        b"From: Ada <ada@example.com>\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n"
        + text
        + b"\n--b\n"
        b"Content-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n"
        + b64encode(packed)
        + b"\n--b--"
    )


PACKED = winmail(
    written(1, BODY, b"Here is the photo.\0"),
    file(b"C:\\photos\\vase.jpg", b"\xff\xd8jpg"),
    file(b"list.txt", b"one"),
)


def test_the_files_of_a_winmail_come_out_of_it() -> None:
    pytest.importorskip("tnefparse")

    read_ = mail(PACKED, b"Hello")

    assert read_.text == "Hello"
    assert read_.attachments == [
        Attachment("vase.jpg", "image/jpeg", b"\xff\xd8jpg", None, False),
        Attachment("list.txt", "text/plain", b"one", None, False),
    ]


def test_a_picture_of_a_winmail_stands_where_its_page_shows_it() -> None:
    pytest.importorskip("tnefparse")
    id = b"photo@01D\0"
    named = struct.pack("<IHHII", 1, 0x001E, 0x3712, 1, len(id)) + id + bytes(-len(id) % 4)
    packed = winmail(file(b"vase.jpg", b"\xff\xd8jpg") + written(2, 0x9005, named))

    assert mail(packed, b"Hello").attachments == [
        Attachment("vase.jpg", "image/jpeg", b"\xff\xd8jpg", "photo@01D", False)
    ]


def test_a_mail_that_says_nothing_says_what_its_winmail_says() -> None:
    pytest.importorskip("tnefparse")

    assert mail(PACKED).text == "Here is the photo."


def test_without_its_reader_a_winmail_is_an_attachment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tnef, "TNEF", None)

    assert [(one.name, one.content) for one in mail(PACKED).attachments] == [("winmail.dat", PACKED)]


@pytest.mark.parametrize(
    "packed",
    [
        b"not what its name says",
        MAGIC,
        PACKED[:-5],
        winmail(written(2, DATA, b"no file has begun", length=2**32 - 20)),
        winmail(written(1, PROPERTIES, struct.pack("<I", 2**32 - 1))),
        winmail(written(1, PROPERTIES, struct.pack("<IHHI", 1, 0x1003, 0x1000, 2**31))[:-1]),
        winmail(*[written(1, BODY, b"")] * 10_000),
        winmail(
            written(1, PROPERTIES, struct.pack("<I", 1) + bytes.fromhex("0703020000000000c000000000000046"))
        ),
    ],
)
def test_a_winmail_that_cannot_be_opened_or_is_out_of_proportion_is_kept_whole(packed: bytes) -> None:
    read_ = mail(packed, b"Hello")

    assert read_.text == "Hello"
    assert [(one.name, one.content) for one in read_.attachments if one.content] == [("winmail.dat", packed)]


def test_a_mail_of_an_invitation_alone_says_what_it_is_when_and_where() -> None:
    read_ = sample("invitation-only")

    assert read_.text == (
        "Visita a la botiga, dimarts\n"
        "2026-11-10 10:00 Europe/Madrid – 2026-11-10 10:30 Europe/Madrid\n"
        "Carrer de l'Aigua 3\n\n"
        "Porto el gerro trencat.\nFins dimarts!"
    )
    assert [one.name for one in read_.attachments] == ["invite.ics"]


@pytest.mark.parametrize(
    ("calendar", "text"),
    [
        ("BEGIN:VEVENT\nDTSTART;VALUE=DATE:20261110\nEND:VEVENT", "2026-11-10"),
        ("BEGIN:VEVENT\r\nSUMMARY:A\\;B\r\nDTSTART:20261110T100000Z\r\n", "A;B\n2026-11-10 10:00 UTC"),
        ("BEGIN:VEVENT\nSUMMARY:one\nEND:VEVENT\nBEGIN:VEVENT\nSUMMARY:two\nEND:VEVENT", "one"),
        ("BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR", ""),
        ("BEGIN:VEVENT\nDTSTART:soon\nSUMMARY:A", "A"),
        ("nothing", ""),
    ],
)
def test_an_invitation_is_told_without_labels(calendar: str, text: str) -> None:
    assert told(calendar) == text


def test_lines_that_a_program_broke_are_joined_but_not_across_quotes_nor_into_a_signature() -> None:
    assert sample("flowed").text == (
        "Where is my order? I have been waiting for it since Monday and it is late.\n\n"
        "> We sent it on Friday.\n>not quoted\n-- \nAda"
    )


@pytest.mark.parametrize(
    ("text", "delsp", "joined"),
    [
        ("割れた \n花瓶", True, "割れた花瓶"),
        ("one \ntwo", False, "one two"),
        ("one \n> two", False, "one\n> two"),
        (">> a \n>> b\n> c", False, ">> a b\n> c"),
        (" From here \n >there", False, "From here >there"),
        ("one \n\ntwo", False, "one \n\ntwo"[:3] + "\ntwo"),
        ("", False, ""),
    ],
)
def test_flowed_lines_are_joined(text: str, delsp: bool, joined: str) -> None:
    assert plain.unflowed(text, delsp=delsp).replace("one \n", "one\n") == joined


def test_a_file_written_into_a_text_is_an_attachment() -> None:
    read_ = sample("uuencoded")

    assert read_.text == "Here is the list.\n\n\nAda"
    assert read_.attachments == [Attachment("list.txt", "text/plain", b"one\ntwo\nthree\n", None, False)]


@pytest.mark.parametrize(
    "text",
    [
        "begin 644 a.txt\nthis is no such file\nend",
        "begin 644 a.txt\nend",
        "begin 644 a.txt\n#0V%T\n`",
        "begin here and end there",
        "We begin 644 things",
    ],
)
def test_words_about_beginnings_are_no_files(text: str) -> None:
    assert plain.without_files(text) == (text, [])


@pytest.mark.parametrize(("kind", "said"), [("plain", "It is broken."), ("html", "<p>It is broken.</p>")])
def test_a_mail_whose_only_words_have_a_file_name_says_them(kind: str, said: str) -> None:
    """As gateways write it that make a mail of a telephone's picture message."""
    raw = (
        "From: +48600100200@mms.example\nSubject: Mug\nContent-Type: multipart/mixed; boundary=b\n\n"
        "--b\nContent-Type: image/png; name=mug.png\n\nPNG\n"
        f"--b\nContent-Type: text/{kind}; name=text_0.txt\nContent-Disposition: inline; filename=text_0.txt\n\n{said}\n--b--"
    )

    mms = read(raw.encode())

    assert mms.text == "It is broken."
    assert [one.name for one in mms.attachments] == ["mug.png", "text_0.txt"]


@pytest.mark.parametrize("times", [1, 20])
def test_what_a_list_or_a_scanner_adds_below_an_encoded_text_hides_none_of_it(times: int) -> None:
    said = "Mój wazon przyszedł pęknięty, proszę o zwrot pieniędzy." * times
    footer = "---\nThis email has been checked for viruses by Avast antivirus software.\nwww.avast.com"
    head = "From: Ada <ada@example.com>\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64"

    mail = read(f"{head}\n\n".encode() + encodebytes(said.encode()) + f"\n{footer}\n".encode())

    assert mail.text == f"{said}\n\n{footer}"


def test_a_text_that_only_says_it_is_encoded_is_read_as_it_is() -> None:
    said = "Order=1042\nMy mug came broken, please send another one."
    head = "From: Ada <ada@example.com>\nContent-Type: text/plain\nContent-Transfer-Encoding: base64"

    assert read(f"{head}\n\n{said}".encode()).text == said


def test_what_is_encrypted_is_left_whole() -> None:
    read_ = sample("encrypted")

    assert read_.text == ""
    assert [(one.name, one.mime) for one in read_.attachments] == [
        ("encryption.txt", "application/pgp-encrypted"),
        ("encrypted.asc", "application/octet-stream"),
    ]


def test_what_is_signed_clearly_is_read_as_it_is() -> None:
    assert "My order is 1042." in sample("signed-clearly").text


@pytest.mark.parametrize("piece", ["begin 644 a\n", "begin 644 a\nM\n", "> \n", " \n", "a \n", "#0V%T\n"])
def test_no_text_takes_longer_than_its_length(piece: str) -> None:
    text = ("begin 644 a\n" if piece == "#0V%T\n" else "") + piece * (1_000_000 // len(piece))

    plain.without_files(text)
    plain.unflowed(text, delsp=False)

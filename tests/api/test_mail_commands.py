"""`heddle mail read`, typed on a machine where nothing is set up."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).parent.parent / "integrations/mail/samples"
KEYS = [
    "file",
    "from",
    "from_name",
    "reply_to",
    "to",
    "cc",
    "subject",
    "date",
    "message_id",
    "text",
    "folded",
    "html",
    "attachments",
    "automatic",
    "bounce",
    "failed",
]


def typed(*files: str | Path, given: bytes = b"", folder: Path) -> tuple[int, list[dict[str, Any]], str]:
    """The status, what was printed, and what was complained of."""
    ran = subprocess.run(
        [sys.executable, "-c", "from api.cli import main; main()", "mail", "read", *map(str, files)],
        input=given,
        capture_output=True,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin"},
        check=False,
    )
    return ran.returncode, [json.loads(line) for line in ran.stdout.splitlines()], ran.stderr.decode()


def test_mails_are_told_of_in_the_order_of_their_files_without_a_database_or_settings(tmp_path: Path) -> None:
    files = [*sorted(SAMPLES.glob("*.eml")), SAMPLES / "bounce.eml"]

    status, told, _ = typed(*files, folder=tmp_path)

    assert status == 0
    assert [one["file"] for one in told] == [str(file) for file in files]
    assert all(list(one) == KEYS for one in told)
    assert list(tmp_path.iterdir()) == []
    bounced = told[-1]
    assert bounced["bounce"] == {
        "status": "5.1.1",
        "recipient": "zofia@example.org",
        "message_id": "t12.7.k9h2@shop.test",
    }
    assert (bounced["from"], bounced["date"]) == ("MAILER-DAEMON@mx.example.org", "2026-11-08T10:00:00+00:00")
    assert bounced["attachments"][1] == {
        "name": "Re: Pytanie.eml",
        "type": "message/rfc822",
        "bytes": 154,
        "inline": False,
    }


def test_a_mail_is_taken_from_standard_input(tmp_path: Path) -> None:
    status, (told,), _ = typed("-", given=b"From: Ada <ada@example.com>\n\nHello", folder=tmp_path)

    assert (status, told["file"], told["from"], told["text"]) == (0, "-", "ada@example.com", "Hello")


@pytest.mark.parametrize(
    ("raw", "failed", "sender"),
    [
        (b"", "neither a header nor a text", None),
        (
            b"From: ada@example.com\nX: " + b"a" * 300_000,
            "more than 262144 bytes of headers",
            "ada@example.com",
        ),
        (b"X: " + b"a" * 300_000, "more than 262144 bytes of headers", None),
    ],
)
def test_what_cannot_be_read_says_why_and_stops_nothing(
    tmp_path: Path, raw: bytes, failed: str, sender: str | None
) -> None:
    (tmp_path / "bad.eml").write_bytes(raw)

    status, told, _ = typed("bad.eml", SAMPLES / "names.eml", folder=tmp_path)

    assert status == 0
    assert [(one["failed"], one["from"]) for one in told] == [(failed, sender), (None, "zofia@example.org")]
    assert list(told[0]) == KEYS


def test_a_file_that_is_not_there_is_told_of_and_the_others_are_read(tmp_path: Path) -> None:
    status, told, complaint = typed("nowhere.eml", SAMPLES / "names.eml", folder=tmp_path)

    assert status == 1
    assert [bool(one["failed"]) for one in told] == [True, False]
    assert complaint.startswith("heddle: nowhere.eml: ")

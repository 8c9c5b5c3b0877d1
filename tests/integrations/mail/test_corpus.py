"""Every mail of the corpus is read as its expectation says; the rules of comparing stand in corpus/README.md."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integrations.mail.reading.parse import Mail, Unreadable, read

CORPUS = Path(__file__).parent / "corpus"
MAILS = sorted(path.stem for path in CORPUS.glob("*.eml"))
LINES_AND_LISTS = set(">|*_-=•·—")


def words(text: str) -> list[str]:
    unquoted = (word.lstrip(">") for word in text.split())
    return [word for word in unquoted if not set(word) <= LINES_AND_LISTS]


def lines(text: str) -> list[str]:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip().split("\n")


def bare(message_id: str | None) -> str | None:
    return message_id and message_id.strip(" <>")


def moment(date: datetime | None) -> str | None:
    return date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if date else None


def attachments(mail: Mail, like: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The attachments by the keys asked for; those nobody expected with all of theirs."""
    have = [
        {"name": each.name, "type": each.mime, "bytes": len(each.content), "inline": each.inline}
        for each in mail.attachments
    ]
    asked = [set(each) for each in like] + [{"name", "type", "bytes", "inline"}] * len(have)
    return [{key: each[key] for key in each if key in keys} for each, keys in zip(have, asked, strict=False)]


def bounce(mail: Mail, like: dict[str, Any] | None) -> dict[str, Any] | None:
    if mail.bounce is None:
        return None
    status = mail.bounce.status
    have = {
        "status": status[:1] if like and len(like.get("status") or "") == 1 else status,
        "recipient": mail.bounce.recipient,
        "message_id": bare(mail.bounce.message_id),
    }
    return have if like is None else {key: have[key] for key in like}


def reading(mail: Mail, like: dict[str, Any]) -> dict[str, Any]:
    """The mail in the keys of an expectation."""
    every = {
        "from": mail.from_ and mail.from_.address,
        "from_name": (mail.from_ and mail.from_.name) or "",
        "reply_to": [each.address for each in mail.reply_to],
        "to": [each.address for each in mail.to],
        "cc": [each.address for each in mail.cc],
        "subject": " ".join(mail.subject.split()),
        "date": moment(mail.date),
        "message_id": bare(mail.message_id),
        "text": words(mail.text),
        "folded": lines(mail.folded),
        "attachments": attachments(mail, like.get("attachments") or []),
        "automatic": str(mail.automatic),
        "bounce": bounce(mail, like.get("bounce")),
        "html_has": [each for each in like.get("html_has", []) if each in (mail.html or "")],
        "html_lacks": [each for each in like.get("html_lacks", []) if each not in (mail.html or "")],
    }
    return {key: every[key] for key in like}


def expected(name: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads((CORPUS / f"{name}.json").read_text("utf-8"))
    comparable: dict[str, Callable[[Any], Any]] = {
        "subject": lambda subject: " ".join(subject.split()),
        "message_id": bare,
        "text": words,
        "folded": lines,
        "bounce": lambda each: (
            each and {key: bare(each[key]) if key == "message_id" else each[key] for key in each}
        ),
    }
    return {
        key: comparable[key](value) if key in comparable else value
        for key, value in said.items()
        if key != "about"
    }


@pytest.mark.parametrize("name", MAILS)
def test_a_mail_of_the_corpus_is_read_as_expected(name: str) -> None:
    raw = (CORPUS / f"{name}.eml").read_bytes()
    like = expected(name)

    if like.pop("failed", False):
        with pytest.raises(Unreadable):
            read(raw)
        return
    mail = read(raw)

    have = reading(mail, like)
    different = {key: {"expected": like[key], "read": have[key]} for key in like if have[key] != like[key]}
    assert not different, json.dumps(different, ensure_ascii=False, indent=1)


def test_every_mail_of_the_corpus_has_its_expectation() -> None:
    expectations = sorted(path.stem for path in CORPUS.glob("*.json"))

    assert expectations == MAILS
    assert len(MAILS) >= 190

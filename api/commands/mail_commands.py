"""How Heddle reads a mail, for whoever asks why: `heddle mail read`. No database, no settings."""

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from integrations.mail.reading import parse
from integrations.mail.reading.parse import LARGEST_MAIL, Mail, Unreadable
from integrations.mail.reading.reader import Children

mail = App(name="mail", version_flags=[])

AHEAD = 16
NOT_OPENED = "it could not be opened"


@mail.command
def read(
    files: Annotated[
        list[str],
        Parameter(help="Mails as they came (.eml); - for standard input.", allow_leading_hyphen=True),
    ],
) -> None:
    """Says how each mail is read: a JSON object on a line, in the order of the files.

    Ends with status 1 if a file could not be opened. What is no mail, or too much of one, says so in "failed".
    """
    is_well = True
    for told in _told(files):
        is_well = is_well and not (told["failed"] or "").startswith(NOT_OPENED)
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    if not is_well:
        raise SystemExit(1)


def _told(files: list[str]) -> Iterator[dict[str, Any]]:
    """A few files ahead of the one that is told of, so that all processors read."""
    hands = os.cpu_count() or 1
    children = Children(most=hands)
    waiting: list[Future[dict[str, Any]]] = []
    try:
        with ThreadPoolExecutor(hands) as pool:
            for file in files:
                waiting.append(pool.submit(_read, children, file))
                if len(waiting) >= AHEAD:
                    yield waiting.pop(0).result()
            for late in waiting:
                yield late.result()
    finally:
        children.close()


def _read(children: Children, file: str) -> dict[str, Any]:
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(LARGEST_MAIL + 1)
        else:
            with Path(file).open("rb") as opened:
                raw = opened.read(LARGEST_MAIL + 1)
    except OSError as failure:
        print(f"heddle: {file}: {failure.strerror}", file=sys.stderr)
        return _unread(file, f"{NOT_OPENED}: {failure.strerror}")
    if len(raw) > LARGEST_MAIL:
        return _unread(file, f"larger than {LARGEST_MAIL // 1024 // 1024} MB")
    try:
        read = children.read(raw)
    except Unreadable as reason:
        return _unread(file, str(reason))
    return {"file": file, **_as_json(read)}


def _as_json(read: Mail) -> dict[str, Any]:
    bounce = read.bounce
    return {
        "from": read.from_.address if read.from_ else None,
        "from_name": read.from_.name if read.from_ else None,
        "reply_to": [one.address for one in read.reply_to],
        "to": [one.address for one in read.to],
        "cc": [one.address for one in read.cc],
        "subject": read.subject,
        "date": read.date.isoformat() if read.date else None,
        "message_id": read.message_id,
        "text": read.text,
        "folded": read.folded,
        "html": read.html,
        "attachments": [
            {"name": one.name, "type": one.mime, "bytes": len(one.content), "inline": one.inline}
            for one in read.attachments
        ],
        "automatic": read.automatic,
        "bounce": bounce
        and {"status": bounce.status, "recipient": bounce.recipient, "message_id": bounce.message_id},
        "failed": read.failed,
    }


def _unread(file: str, reason: str) -> dict[str, Any]:
    """Of what is no mail nothing is known: each key is there all the same."""
    return {"file": file, **_as_json(parse.nothing()), "failed": reason}

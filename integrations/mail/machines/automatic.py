"""Whether a machine wrote a mail, and of which kind: it decides whether a clock runs, and whether we may answer."""

import re
from typing import Literal, TypeAlias

from integrations.mail.machines import phrases
from integrations.mail.machines.bounces import Bounce
from integrations.mail.reading.headers import Headers

Automatic: TypeAlias = Literal["none", "auto_reply", "bounce", "list"]

# Nobody but a machine that answers writes these.
_ANSWERING = (
    "x-autoreply",
    "x-autorespond",
    "x-autoresponder",
    "x-autoreply-from",
    "x-mail-autoreply",
    "x-auto-reply-from",
    "x-vacation-date",
)
# What an answer has that nobody wrote, beside its subject.
_HINTS = ("x-auto-response-suppress", "in-reply-to", "references", "auto-submitted")


def kind(headers: Headers, bounce: Bounce | None) -> Automatic:
    """Bounces first: they carry our own ids in References, and must never be taken for an answer."""
    if bounce:
        return "bounce"
    submitted = re.split(r"[\s;(]", headers.first("auto-submitted").lower(), maxsplit=1)[0]
    precedence = headers.first("precedence").lower().strip()
    if submitted not in ("", "no", "auto-generated") or any(headers.has(name) for name in _ANSWERING):
        return "auto_reply"
    is_returned = headers.has("return-path") and headers.first("return-path").strip() in ("<>", "")
    is_bulk = precedence in ("bulk", "junk", "auto_reply")
    subject = phrases.plain(headers.line("subject")[:1_000]).lstrip("[(* ")
    is_hinted = is_returned or is_bulk or any(headers.has(name) for name in _HINTS)
    if phrases.begins("reply", "certain", subject) or (
        is_hinted and phrases.begins("reply", "subjects", subject)
    ):
        return "auto_reply"
    # A notice of a marketplace or of a group is written by someone, though a machine sent it.
    if headers.has("list-id") or headers.has("list-unsubscribe") or precedence == "list":
        return "list"
    if submitted == "auto-generated" or is_bulk or is_returned:
        return "auto_reply"
    is_report = headers.parameters("content-type")[0] == "multipart/report"
    return "auto_reply" if is_report or phrases.is_daemon(headers) else "none"

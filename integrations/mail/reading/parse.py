"""How a mail is read: bytes in, a value out.

    mail = read(raw)

Pure: no database, no network, no clock. A mail comes from anyone, so what is too big to be read in good time is
`Unreadable` and shown raw; whatever else is wrong with a mail, the rest of it is read.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from domain.joining.subjects import passes_on
from integrations.mail.folding import quotes
from integrations.mail.machines import automatic, bounces
from integrations.mail.machines.automatic import Automatic
from integrations.mail.machines.bounces import Bounce
from integrations.mail.reading import markup
from integrations.mail.reading.address_lists import Address
from integrations.mail.reading.headers import Headers, begin, split
from integrations.mail.reading.letters import Letters, lenient
from integrations.mail.reading.parts import (
    MOST_HEADER_BYTES,
    Attachment,
    Reading,
    Unreadable,
    joined_html,
    joined_text,
)
from integrations.mail.reading.words import one_line

__all__ = ["Address", "Attachment", "Automatic", "Bounce", "Mail", "Unreadable", "read", "read_raw"]

LARGEST_MAIL = 50 * 1024 * 1024
"""Bytes; no door of ours takes more."""
LONGEST_SUBJECT = 1_000
LONGEST_RAW = 20_000
# Characters; more than anybody reads, and the original has all of them.
LONGEST_TEXT = 1_000_000

_FROM = re.compile(rb"^from[ \t]*:", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Mail:
    message_id: str | None
    in_reply_to: list[str]
    references: list[str]
    subject: str
    date: datetime | None
    from_: Address | None
    """Of the From header alone, if there is one: who has none in it is unknown, whatever the others say."""
    reply_to: list[Address]
    to: list[Address]
    cc: list[Address]
    delivered_to: list[Address]
    """Where the servers on the way delivered it to, the last first; our reply tokens may stand here only."""
    text: str
    """All that it says."""
    folded: str
    """What its writer says in it: without quoted mails and signatures. The same as `text` where nothing is folded."""
    html: str | None
    attachments: list[Attachment]
    automatic: Automatic
    bounce: Bounce | None
    """What a bounce says; none for any other mail."""
    authentication_results: list[str]
    """As received, the topmost first: only the one our own host wrote is worth anything. None where the sender is not who
    the From header names, of whom alone they tell."""
    wants_no_answers: bool
    """Of machines, as it says itself."""
    failed: str | None = None
    """Why it could not be read, when `text` is how the original begins; none for a mail that was read."""


def read(raw: bytes) -> Mail:
    """Reads a mail. Raises Unreadable for what is no mail or too much, and nothing else."""
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    reading = Reading(raw, Letters())
    root = reading.part(begin(raw), len(raw))
    texts, attachments = reading.attachments(list(reading.texts(root, is_root=True)))
    headers = root.headers
    text = joined_text(texts)[:LONGEST_TEXT]
    if not headers.fields and not text:
        raise Unreadable("neither a header nor a text")
    whole = joined_html(texts) if any(one.html for one in texts) else None
    page = markup.clean(whole) if whole else None
    shown = markup.content_ids(page) if page else set()
    bounce = bounces.read(headers, text, reading.attached)
    headed = _headed(headers)
    return replace(
        headed,
        text=text,
        folded=quotes.fold(text, whole, passes_on=passes_on(headed.subject)),
        html=page,
        attachments=[replace(one, inline=True) if one.content_id in shown else one for one in attachments],
        automatic=automatic.kind(headers, bounce),
        bounce=bounce,
    )


def read_raw(raw: bytes, reason: str) -> Mail:
    """What a short look shows of a mail that could not be read: who wrote it, and how it begins.

    Raises Unreadable, for the same reason, when nobody is found to have written it.
    """
    head = raw[:MOST_HEADER_BYTES]
    if b"\n" not in head:
        head = head.replace(b"\r", b"\n")
    headers, _ = split(head, begin(head), len(head), Letters())
    if not headers.sender():
        sender = _FROM.search(head)
        below, _ = split(head, sender.start() if sender else len(head), len(head), Letters())
        if not below.sender():
            raise Unreadable(reason)
        # What our own host wrote stands on top, and does not tell of these.
        headers = Headers([one for one in below.fields if one[0] != "authentication-results"], below.letters)
    text = lenient(raw[: 4 * LONGEST_RAW]).replace("\r\n", "\n").replace("\r", "\n")[:LONGEST_RAW]
    return replace(
        _headed(headers), text=text, folded=text, automatic=automatic.kind(headers, None), failed=reason
    )


def nothing() -> Mail:
    """A mail of which nothing is known."""
    return _headed(Headers([], Letters()))


def _headed(headers: Headers) -> Mail:
    """A mail of which only the headers are known."""
    ids = headers.ids("message-id")
    sender = headers.sender()
    return Mail(
        message_id=ids[0] if ids else None,
        in_reply_to=headers.ids("in-reply-to"),
        references=headers.ids("references"),
        subject=headers.line("subject")[:LONGEST_SUBJECT],
        date=headers.date(),
        from_=sender,
        reply_to=headers.addresses("reply-to"),
        to=headers.addresses("to"),
        cc=headers.addresses("cc"),
        delivered_to=headers.addresses("delivered-to", "x-original-to", "envelope-to"),
        text="",
        folded="",
        html=None,
        attachments=[],
        automatic="none",
        bounce=None,
        authentication_results=headers.all("authentication-results") if headers.is_from(sender) else [],
        wants_no_answers=one_line(headers.first("x-auto-response-suppress")).lower() not in ("", "none"),
    )

"""How a mail is read: bytes in, a value out.

    mail = read(raw)

Pure: no database, no network, no clock. A mail comes from anyone, so what is too big to be read in good time is
`Unreadable` and shown raw; whatever else is wrong with a mail, the rest of it is read.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from integrations.mail import marks, markup, quotes
from integrations.mail.headers import Address, Headers, begin, one_line
from integrations.mail.letters import Letters
from integrations.mail.parts import Attachment, Reading, Unreadable, joined_html, joined_text

__all__ = ["Address", "Attachment", "Automatic", "Bounce", "Mail", "Unreadable", "read"]

LONGEST_SUBJECT = 1_000

Automatic: TypeAlias = Literal["none", "auto_reply", "bounce", "list"]

# What later stations ask of a mail beyond its fields.
_KEPT = (
    "auto-submitted",
    "content-language",
    "list-id",
    "precedence",
    "return-path",
    "sender",
    "x-auto-response-suppress",
    "x-failed-recipients",
    "x-original-sender",
)


@dataclass(frozen=True)
class Bounce:
    """One of our mails did not arrive, or not yet."""

    status: str
    """As RFC 3463 has it, `5.1.1`; "" when the bounce does not say."""
    recipient: str
    message_id: str | None
    """Of the mail that bounced."""
    said: str
    """In the words of the server that refused it."""

    @property
    def is_final(self) -> bool:
        """Otherwise it is late, and still being tried."""
        return not self.status.startswith("4")


@dataclass(frozen=True)
class Mail:
    message_id: str | None
    in_reply_to: list[str]
    references: list[str]
    subject: str
    date: datetime | None
    from_: Address | None
    """Of the From header alone. Who has none is unknown, whatever the others say."""
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
    """As received, the topmost first: only the one our own host wrote is worth anything."""
    headers: dict[str, str]
    """First values of what else is useful, by lower-case name; absent when the mail has none."""


def read(raw: bytes) -> Mail:
    """Reads a mail. Raises Unreadable for what is no mail or too much, and nothing else."""
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    reading = Reading(raw, Letters())
    root = reading.part(begin(raw), len(raw))
    texts = list(reading.texts(root, is_root=True))
    headers = root.headers
    text = joined_text(texts)
    if not headers.fields and not text:
        raise Unreadable("neither a header nor a text")
    whole = joined_html(texts) if any(one.html for one in texts) else None
    page = markup.clean(whole) if whole else None
    shown = markup.content_ids(page) if page else set()
    subject = headers.line("subject")[:LONGEST_SUBJECT]
    sender = headers.addresses("from")
    ids = headers.ids("message-id")
    return Mail(
        message_id=ids[0] if ids else None,
        in_reply_to=headers.ids("in-reply-to"),
        references=headers.ids("references"),
        subject=subject,
        date=headers.date(),
        from_=sender[0] if sender else None,
        reply_to=headers.addresses("reply-to"),
        to=headers.addresses("to"),
        cc=headers.addresses("cc"),
        delivered_to=headers.addresses("delivered-to", "x-original-to", "envelope-to"),
        text=text,
        folded=quotes.fold(text, whole, passes_on=marks.passes_on(subject)),
        html=page,
        attachments=[part.attachment(number, shown) for number, part in enumerate(reading.attached, 1)],
        automatic=_automatic(headers),
        bounce=None,
        authentication_results=headers.all("authentication-results"),
        headers={name: one_line(headers.first(name)) for name in _KEPT if headers.has(name)},
    )


def _automatic(headers: Headers) -> Automatic:
    """Bounces first: they carry our own ids in References, and must never be taken for an answer."""
    mime, parameters = headers.parameters("content-type")
    report = parameters.get("report-type", "").lower() if mime == "multipart/report" else None
    sender = headers.first("from").lower()
    is_returned = headers.has("return-path") and headers.first("return-path") in ("<>", "")
    if report == "delivery-status" or headers.has("x-failed-recipients"):
        return "bounce"
    if "mailer-daemon" in sender or ("postmaster@" in sender and is_returned):
        return "bounce"
    submitted = re.split(r"[\s;(]", headers.first("auto-submitted").lower(), maxsplit=1)[0]
    precedence = headers.first("precedence").lower()
    if (
        submitted not in ("", "no", "auto-generated")
        or headers.has("x-autoreply")
        or headers.has("x-autorespond")
    ):
        return "auto_reply"
    # A notice of a marketplace or of a group is written by someone, though a machine sent it.
    if headers.has("list-id") or headers.has("list-unsubscribe") or precedence == "list":
        return "list"
    if submitted == "auto-generated" or precedence in ("bulk", "junk", "auto_reply"):
        return "auto_reply"
    return "auto_reply" if is_returned or report is not None else "none"

"""An answer as a mail: made of the message's row and nothing that changes, so that sending it again sends the same bytes."""

import re
from collections.abc import Iterable, Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from babel.dates import format_date

from domain.desk.messages import Attachment, Message
from domain.keys import Keys
from domain.languages import N_, best_language, translate
from integrations.mail.addresses import reply_address
from integrations.mail.mailbox import Mailbox
from integrations.mail.reading.words import one_line
from integrations.mail.sending.body import Below, html, plain
from integrations.mail.sending.signing import sign
from integrations.outbound import Letter

# A Message-ID that begins on its second line is not found by every mail program.
POLICY = SMTP.clone(max_line_length=200, cte_type="7bit")
BODY = SMTP.clone(max_line_length=76, cte_type="7bit")
LONGEST_QUOTE = 20_000
"""Characters."""

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}")

File = tuple[Attachment, bytes]


def compose(letter: Letter, mailbox: Mailbox, keys: Keys, files: Sequence[File] = ()) -> bytes:
    message, mail = letter.message, letter.message.mail or {}
    composed = EmailMessage(policy=BODY)
    composed["From"] = address(_sender_name(letter, mailbox), mailbox.place())
    for whom in ("To", "Cc"):
        if named := _addresses(mail.get(whom.lower()) or _addressee(letter, whom)):
            composed[whom] = named
    composed["Reply-To"] = address("", answer_address(letter, mailbox, keys))
    composed["Subject"] = header(mail.get("subject") or "")
    composed["Date"] = format_datetime(message.at)
    composed["Message-ID"] = f"<{message.external_id}>"
    references = [reference for reference in mail.get("references", ()) if _is_message_id(reference)]
    if references:
        composed["In-Reply-To"] = f"<{references[-1]}>"
        composed["References"] = " ".join(f"<{reference}>" for reference in references)
    language = _tag(letter.language) or mailbox.language
    if message.automatic:
        composed["Auto-Submitted"] = "auto-generated" if mail.get("passes_on") else "auto-replied"
        composed["X-Auto-Response-Suppress"] = "All"
    if _is_of_nobody(message):
        composed["Precedence"] = "bulk"
    _say(composed, letter, mailbox, language, _below(letter, language))
    for attachment, content in files:
        _attach(composed, attachment, content)
    if language:  # not before: all headers of content move into the first part
        composed["Content-Language"] = language
    _part_from_each_other(composed, message)
    raw = composed.as_bytes(policy=POLICY)
    if mailbox.dkim_key.get_secret_value():
        return sign(
            raw,
            domain=mailbox.dkim_domain,
            selector=mailbox.dkim_selector,
            key=mailbox.dkim_key.get_secret_value(),
            at=message.at,
        )
    return raw


def envelope_sender(letter: Letter, mailbox: Mailbox, keys: Keys) -> str:
    """Where a bounce goes: to its own conversation; of what no person wrote, to nobody (RFC 3834)."""
    if _is_of_nobody(letter.message):
        return ""
    return answer_address(letter, mailbox, keys) if mailbox.signed_sender else mailbox.place()


def _is_of_nobody(message: Message) -> bool:
    return bool(message.automatic) and not (message.mail or {}).get("passes_on")


def answer_address(letter: Letter, mailbox: Mailbox, keys: Keys) -> str:
    return reply_address(keys, mailbox.place(), letter.thread.number)


def address(name: str, whole: str) -> Address:
    local, _, domain = whole.rpartition("@")
    return Address(header(name), local, domain)


def header(text: str) -> str:
    """As a header may say it: what looks like an encoded word is decoded when it is set, line breaks and all."""
    return one_line(text).replace("=?", "= ?")


def _say(
    composed: EmailMessage, letter: Letter, mailbox: Mailbox, language: str, below: Below | None
) -> None:
    signature = mailbox.signature
    composed.set_content(plain(letter.text, signature=signature, below=below), cte="quoted-printable")
    names_links = _is_of_nobody(letter.message)  # the links that somebody wrote are shown as they are
    shown = html(letter.text, language=language, signature=signature, below=below, names_links=names_links)
    composed.add_alternative(shown, subtype="html", cte="quoted-printable")


def _below(letter: Letter, language: str) -> Below | None:
    below, mail = letter.below, letter.message.mail or {}
    if below is None or letter.message.automatic:
        return None
    speaks = best_language(language)
    text = (below.text if mail.get("forwards") else below.folded or below.text)[:LONGEST_QUOTE]
    date = format_date(below.at, "long", locale=speaks)
    who = one_line(below.author)
    if not mail.get("forwards"):
        heading = translate(speaks, N_("On {date}, {who} wrote:"), date=date, who=who)
        return Below((heading,), text) if text.strip() else None
    subject = one_line((below.mail or {}).get("subject") or "")
    lines = (
        translate(speaks, N_("---------- Forwarded message ----------")),
        translate(speaks, N_("From: {who}"), who=who),
        translate(speaks, N_("Date: {date}"), date=date),
        translate(speaks, N_("Subject: {subject}"), subject=subject) if subject else "",
    )
    return Below(tuple(line for line in lines if line), text, quoted=False)


def _attach(composed: EmailMessage, attachment: Attachment, content: bytes) -> None:
    kind, _, subtype = attachment.mime.partition("/")
    if kind in ("multipart", "message"):  # these must not be encoded, so any relay may change them
        kind, subtype = "application", "octet-stream"
    composed.add_attachment(
        content, maintype=kind, subtype=subtype, filename=header(attachment.name) or "file"
    )


def _part_from_each_other(composed: EmailMessage, message: Message) -> None:
    """By boundaries that are the same each time."""
    for number, part in enumerate(composed.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_{message.id.hex}_{number}")


def _addresses(named: Iterable[Sequence[str]]) -> list[Address]:
    return [address(name, whole) for name, whole in named]


def _addressee(letter: Letter, whom: str) -> list[list[str]]:
    return [["", letter.to.value]] if whom == "To" and letter.to else []


def _sender_name(letter: Letter, mailbox: Mailbox) -> str:
    shop = mailbox.sender_name or letter.channel.name
    return f"{letter.agent.name} ({shop})" if letter.agent else shop


def _tag(language: str) -> str:
    """As RFC 5646 has it, `pl-PL`; "" for what is none: a visitor's browser may say anything."""
    tag = language.replace("_", "-")
    return tag if _TAG.fullmatch(tag) else ""


def _is_message_id(reference: str) -> bool:
    return (
        reference.isascii()
        and "=?" not in reference
        and not any(letter in "<> \t\r\n" for letter in reference)
    )

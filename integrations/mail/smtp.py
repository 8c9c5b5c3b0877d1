"""An answer as a mail: built from the message's row, so that sending it again sends the same."""

from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from urllib.parse import unquote, urlsplit

import aiosmtplib

from domain.keys import Keys
from integrations.channel_settings import Mailbox
from integrations.mail.addresses import reply_address
from integrations.mail.headers import is_plain
from integrations.outbound import Letter, RecipientBusy, SendFailed, SendRefused
from integrations.settings import IntegrationSettings

TIMEOUT = 30

# A Message-ID that begins on its second line is not found by every mail program.
POLICY = SMTP.clone(max_line_length=200)


def compose(letter: Letter, mailbox: Mailbox, keys: Keys) -> EmailMessage:
    message, mail = letter.message, letter.message.mail or {}
    local, _, domain = letter.to.value.rpartition("@")
    mine, _, here = mailbox.address.rpartition("@")
    answer_to, _, there = reply_address(keys, mailbox.place(), letter.thread.number).rpartition("@")
    composed = EmailMessage(policy=POLICY)
    composed["From"] = Address(one_line(_sender_name(letter, mailbox)), mine, here)
    composed["To"] = Address("", local, domain)
    composed["Reply-To"] = Address("", answer_to, there)
    composed["Subject"] = one_line(mail.get("subject") or "")
    composed["Date"] = format_datetime(message.at)
    composed["Message-ID"] = f"<{message.external_id}>"
    references = [reference for reference in mail.get("references", ()) if _is_message_id(reference)]
    if references:
        composed["In-Reply-To"] = f"<{references[-1]}>"
        composed["References"] = " ".join(f"<{reference}>" for reference in references)
    if message.automatic:  # nobody's machine should answer to it
        composed["Auto-Submitted"] = "auto-replied"
        composed["X-Auto-Response-Suppress"] = "All"
        composed["Precedence"] = "bulk"
    composed.set_content(message.text)
    return composed


async def send(letter: Letter, keys: Keys, settings: IntegrationSettings) -> None:
    check_sendable(letter.to.value)
    mailbox = Mailbox.of(letter.channel, keys)
    composed = compose(letter, mailbox, keys)
    sender = (
        "" if letter.message.automatic else mailbox.address
    )  # what bounces of it, bounces to nobody (RFC 3834)
    await hand_over(composed, sender=sender, to=letter.to.value, settings=settings)


def check_sendable(address: str) -> None:
    # aiosmtplib looks for an address in what it is given; in one that is plain it finds that one.
    if not (address.isascii() and is_plain(address)):
        raise SendRefused(f"{address} is no address that mail can be sent to"[:300])


async def hand_over(composed: EmailMessage, *, sender: str, to: str, settings: IntegrationSettings) -> None:
    """To the relay of the settings; raises SendRefused for good, SendFailed for now."""
    server = urlsplit(settings.smtp_url)
    try:
        client = aiosmtplib.SMTP(
            hostname=server.hostname,
            port=server.port,
            username=unquote(server.username) if server.username else None,
            password=unquote(server.password) if server.password else None,
            use_tls=server.scheme == "smtps",
            start_tls=True if server.scheme == "smtp+starttls" else None,
            timeout=TIMEOUT,
        )
        async with client:  # not `aiosmtplib.send`, which takes an empty sender for none
            await client.sendmail(sender, [to], composed.as_bytes())
    except aiosmtplib.SMTPRecipientsRefused as refused:
        first = refused.recipients[0]
        busy = SendFailed if first.code == 421 else RecipientBusy  # 421: the relay itself is closing
        raise _judged(first.code, first.message, busy) from refused
    except aiosmtplib.SMTPResponseException as refused:
        raise _judged(refused.code, refused.message, SendFailed) from refused
    except (
        aiosmtplib.SMTPException,
        OSError,
    ) as failure:  # unknown whether it arrived: same Message-ID again
        raise SendFailed(f"{type(failure).__name__}: {failure}"[:300]) from failure


def _judged(code: int, message: str, for_now: type[SendFailed]) -> Exception:
    words = f"{code} {message}"[:300]
    return SendRefused(words) if 500 <= code < 600 else for_now(words)


def _sender_name(letter: Letter, mailbox: Mailbox) -> str:
    shop = mailbox.sender_name or letter.channel.name
    return f"{letter.agent.name} ({shop})" if letter.agent else shop


def one_line(text: str) -> str:
    """One line: what a header must not hold would become another header."""
    return " ".join(text.split())


def _is_message_id(reference: str) -> bool:
    return reference.isascii() and not any(letter in "<> \t\r\n" for letter in reference)

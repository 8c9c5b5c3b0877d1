"""Hands a mail to the server of its channel, and tells what became of it for each recipient."""

import asyncio
from collections.abc import Sequence
from functools import partial

import aiosmtplib
import structlog
from sqlalchemy.exc import SQLAlchemyError

from domain.answering.addressing import left_to_send
from integrations.mail.mailbox import Mailbox
from integrations.mail.oauth import TokenFailed, TokenRefused, access_token, keep_newest
from integrations.mail.reading.address_lists import is_plain
from integrations.mail.refusals import without_secrets
from integrations.mail.sending.compose import File, compose, envelope_sender
from integrations.mail.sending.connections import Relays, Server
from integrations.outbound import Handed, Letter, Means, SendFailed, SendRefused

log = structlog.get_logger()

OF_US = (aiosmtplib.SMTPAuthenticationError, aiosmtplib.SMTPConnectResponseError, aiosmtplib.SMTPHeloError)
NOT_LET_IN = (530, 534, 535, 538)
"""A no to all mail of the channel, until somebody puts its settings right: not the end of this one."""


async def send(letter: Letter, means: Means, *, relays: Relays) -> Handed:
    mailbox = Mailbox.of(letter.channel, means.keys)
    to = left_to_send(letter.message.mail) or ([letter.to.value] if letter.to else [])
    for recipient in to:
        check_sendable(recipient)
    files = await _files(letter, means)
    raw = await asyncio.to_thread(compose, letter, mailbox, means.keys, files)
    sender = envelope_sender(letter, mailbox, means.keys)
    server = server_of(mailbox, means)
    try:
        return await hand_over(raw, sender=sender, to=to, server=server, relays=relays)
    finally:
        if server.token:
            await _keep_token(letter, means, mailbox)


async def _keep_token(letter: Letter, means: Means, mailbox: Mailbox) -> None:
    """What became of the mail stands, whatever becomes of the token."""
    try:
        await keep_newest(means.db, means.keys, letter.channel.id, mailbox)
    except (SQLAlchemyError, OSError) as failure:
        log.warning("token_not_kept", channel=letter.channel.slug, error=type(failure).__name__)


def check_sendable(address: str) -> None:
    # aiosmtplib looks for an address in what it is given; in one that is plain it finds that one.
    if not (address.isascii() and is_plain(address)) or "=?" in address:
        raise SendRefused(f"{address} is no address that mail can be sent to"[:300])


def server_of(mailbox: Mailbox, means: Means) -> Server:
    if not mailbox.smtp_url:
        return Server.at(means.settings.smtp_url)
    signs_in = mailbox.signs_in_with_tokens
    return Server.at(
        mailbox.smtp_url,
        user=mailbox.smtp_user or (mailbox.address if signs_in else None),
        password=mailbox.smtp_password.get_secret_value() or None,
        token=partial(access_token, mailbox) if signs_in else None,
    )


async def hand_over(raw: bytes, *, sender: str, to: Sequence[str], server: Server, relays: Relays) -> Handed:
    """Raises SendRefused for good, SendFailed for now; what single recipients' sides said is in what it returns."""
    try:
        async with asyncio.timeout(relays.patience.mail), relays.to(server) as smtp:
            refusals, _ = await smtp.sendmail(sender, list(to), raw)
            answers = {one: (answer.code, answer.message) for one, answer in refusals.items()}
    except aiosmtplib.SMTPRecipientsRefused as refused:
        closing = next((one for one in refused.recipients if one.code == 421), None)
        if closing:  # the relay itself
            raise SendFailed(_words(closing.code, closing.message)) from refused
        answers = {one.recipient: (one.code, one.message) for one in refused.recipients}
    except aiosmtplib.SMTPResponseException as refused:
        words = _words(refused.code, refused.message)
        of_us = isinstance(refused, OF_US) or refused.code in NOT_LET_IN
        words = without_secrets(words, server.password) if of_us else words
        raise (SendRefused if _is_final(refused.code) and not of_us else SendFailed)(words) from refused
    except (TokenFailed, TokenRefused) as refused:
        raise SendFailed(f"no access token: {refused}"[:300]) from refused
    except (aiosmtplib.SMTPException, OSError) as failure:
        # Unknown whether it arrived: the same Message-ID again.
        raise SendFailed(f"{server.host}: {type(failure).__name__} {failure}"[:300]) from failure
    refused_ones = {one: _words(*answer) for one, answer in answers.items()}
    return Handed(
        taken=tuple(one for one in to if one not in answers),
        refused={one: said for one, said in refused_ones.items() if _is_final(answers[one][0])},
        later={one: said for one, said in refused_ones.items() if not _is_final(answers[one][0])},
    )


async def _files(letter: Letter, means: Means) -> list[File]:
    return [(one, await means.files.get(one.file)) for one in letter.attachments if one.file]


def _is_final(code: int) -> bool:
    return 500 <= code < 600


def _words(code: int, message: str) -> str:
    return " ".join(f"{code} {message}".split())[:300]

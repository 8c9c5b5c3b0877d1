"""A mail as an inbound message: who is certain by it, and what it answers."""

import hashlib
import re
from collections.abc import Iterator

from domain.channels import Channel
from domain.contacts import Claim, IdentityKind, Proof, normalised
from domain.errors import InvalidInput
from domain.inbound import Arrival, Inbound, InboundAttachment, InboundMessage, Unread, Unreadable
from domain.inbound import Mailbox as InboundMailbox
from domain.keys import Keys
from integrations.channel_settings import Mailbox
from integrations.mail import parse
from integrations.mail.addresses import recipient
from integrations.mail.headers import unquoted

MOST_RECIPIENTS = 200
"""Of a mail that are looked at for a signed address of ours."""


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    try:
        mail = parse.read(arrival.raw)
    except parse.Unreadable as reason:
        raise Unreadable(str(reason)) from None
    sender = mail.from_
    address = _normalised(sender.address) if sender else None
    if sender is None or address is None:
        if mail.automatic in ("auto_reply", "bounce"):
            yield Unread("an automatic mail without a sender's address")
            return
        raise Unreadable("it has no sender's address")
    if address == _normalised(channel.address or ""):
        yield Unread("from this mailbox itself")
        return
    proven = _authenticated(Mailbox.of(channel, keys), arrival, mail, address)
    yield InboundMessage(
        external_id=mail.message_id or f"sha256:{hashlib.sha256(arrival.raw).hexdigest()}",
        claims=(
            Claim(
                IdentityKind.EMAIL,
                address,
                Proof.MAIL_AUTHENTICATED if proven else None,
                label=sender.address,
            ),
        ),
        at=arrival.received_at,
        subject=mail.subject,
        sender_name=sender.name,
        text=mail.text,
        folded=mail.folded if mail.folded != mail.text else None,
        to=tuple(InboundMailbox(one.name, one.address) for one in mail.to),
        cc=tuple(InboundMailbox(one.name, one.address) for one in mail.cc),
        html=mail.html,
        attachments=tuple(
            InboundAttachment(
                name=one.name,
                mime=one.mime,
                content=one.content,
                content_id=one.content_id,
                inline=one.inline,
            )
            for one in mail.attachments
        ),
        references=tuple(dict.fromkeys([*mail.in_reply_to, *reversed(mail.references)])),
        thread_number=arrival.envelope.get("thread") or _signed(keys, mail),
        automatic=mail.automatic in ("auto_reply", "bounce"),  # a list's mail is a person's
        answerable=_may_be_answered(arrival, mail),
    )


def _signed(keys: Keys, mail: parse.Mail) -> int | None:
    """Of one of our signed addresses that it names: it may have come by another mailbox of ours, or been fetched."""
    for one in (*mail.delivered_to, *mail.to, *mail.cc)[:MOST_RECIPIENTS]:
        if (meant := recipient(keys, one.address)) and meant.thread_number:
            return meant.thread_number
    return None


def _may_be_answered(arrival: Arrival, mail: parse.Mail) -> bool:
    """By ourselves: not a list or a machine, nor who is silent about where bounces go or asks for no such answers."""
    suppressed = mail.headers.get("x-auto-response-suppress", "none").strip().lower() not in ("", "none")
    returns_nowhere = arrival.envelope.get("from") in (
        "",
        "<>",
    )  # aiosmtpd leaves the brackets of an empty one
    return mail.automatic == "none" and not returns_nowhere and not suppressed


def _authenticated(mailbox: Mailbox, arrival: Arrival, mail: parse.Mail, address: str) -> bool:
    """DMARC passed for the sender's domain, by the word of our own relay; what others wrote counts for nothing.

    The relay puts its header on top, so only the first one can be its own.
    """
    if not mailbox.authserv_id or arrival.envelope.get("peer") not in mailbox.relays:
        return False
    if not mail.authentication_results:
        return False
    authserv_id, *results = (
        " ".join(part.split()) for part in unquoted(mail.authentication_results[0]).split(";")
    )
    if authserv_id.partition(" ")[0].casefold() != mailbox.authserv_id.casefold():
        return False
    verdicts = [verdict for result in results for verdict in _dmarc(result)]
    own = f"any@{address.rpartition('@')[2]}"
    return bool(verdicts) and all(
        passed and _normalised(f"any@{domain}") == own for passed, domain in verdicts
    )


def _dmarc(result: str) -> Iterator[tuple[bool, str]]:
    """Whether a domain passed, if the result is one of DMARC (RFC 8601: `dmarc=pass … header.from=example.org`)."""
    (method, _, verdict), *properties = (
        word.partition("=") for word in re.sub(" ?= ?", "=", result).split(" ")
    )
    if method.lower().partition("/")[0] == "dmarc":
        domains = [value for name, _, value in properties if name.lower() == "header.from"]
        for domain in domains or [""]:
            yield verdict.lower() == "pass", domain


def _normalised(address: str) -> str | None:
    try:
        return normalised(IdentityKind.EMAIL, address)
    except InvalidInput:
        return None

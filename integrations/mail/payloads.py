"""A mail as an inbound message: who is certain by it, and what it answers."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from domain.arriving.acknowledging import STALE
from domain.arriving.afterwards import InboundBounce
from domain.arriving.inbound import (
    Arrival,
    Inbound,
    InboundAttachment,
    InboundMessage,
    MailAddress,
    Unread,
    Unreadable,
)
from domain.customers.contacts import Claim, IdentityKind, Proof
from domain.customers.mailboxes import mail_address, reads_nothing
from domain.customers.names import unless_an_address
from domain.joining.words import language_of
from domain.keys import Keys
from domain.languages import N_, translate
from domain.ways_in.channels import Channel
from integrations.mail.addresses import recipient, thread_number
from integrations.mail.mailbox import MICROSOFT_365, Mailbox
from integrations.mail.reading import parse, reader
from integrations.mail.reading.address_lists import unquoted
from integrations.mail.reading.words import one_line

HANDED_OVER = ("imap", "webhook")
"""Ways of an arrival on which the box's own server, or who knows the webhook's secret, gave it to us."""
NOT_WHOLE = N_(
    "Only the headers of this mail are here: with {megabytes} MB it was too large to be fetched, or its server did not "
    "hand it over. It lies in the mailbox."
)


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    if withheld := arrival.envelope.get("withheld"):
        raise Unreadable(f"its server does not hand over mail {arrival.envelope['uid']}: {withheld}")
    try:
        mail = reader.read(_as_delivered(arrival))
    except parse.Unreadable as reason:
        raise Unreadable(str(reason)) from None
    mailbox = Mailbox.of(channel, keys)
    # It may name an address of another mailbox of ours, or have been fetched, without an envelope.
    named = (*mail.delivered_to, *mail.to, *mail.cc)
    number = arrival.envelope.get("thread") or thread_number(
        keys, mailbox.place(), (one.address for one in named)
    )
    if mail.bounce:
        yield _bounced(arrival, mail, mail.bounce, number)
        return
    sender = mail.from_
    address = mail_address(sender.address) if sender else None
    is_form = address is not None and _is_form(mailbox, address)
    if is_form and (asked := _asked_to_answer(keys, mailbox, mail)):
        sender, address = asked, mail_address(asked.address)
        mail = replace(mail, folded=mail.text)  # it quotes nobody, though its fields look like it
    if sender is None or address is None:
        if mail.automatic == "auto_reply":
            yield Unread("an automatic mail without a sender's address")
            return
        raise Unreadable("it has no sender's address")
    if address == mail_address(channel.address or ""):
        yield Unread("from this mailbox itself")
        return
    proven = not is_form and _authenticated(mailbox, arrival, mail, address)
    if size := arrival.envelope.get("oversized"):
        said = translate(mailbox.language, NOT_WHOLE, megabytes=round(size / 1_000_000, 1))
        mail = replace(mail, text=said, folded=said, html=None, attachments=[])
    claim = Claim(
        IdentityKind.EMAIL, address, Proof.MAIL_AUTHENTICATED if proven else None, label=sender.address
    )
    yield replace(
        message_of(mail, arrival.raw, claim, name=unless_an_address(sender.name), at=arrival.received_at),
        thread_number=number,
        answerable=_may_be_answered(arrival, mail),
    )


def _as_delivered(arrival: Arrival) -> bytes:
    """With its envelope's sender on top, as whoever delivers a mail writes it (RFC 5321, section 4.4): the one who handed it over to
    us was no such, and wrote none, or believed another's."""
    sender = arrival.envelope.get("from")
    if sender is None or arrival.raw.startswith((b"From ", b">From ")):
        return arrival.raw
    return f"Return-Path: <{one_line(sender).strip('<>')}>\r\n".encode() + arrival.raw


def message_of(
    mail: parse.Mail, raw: bytes, claim: Claim, *, name: str, at: datetime, from_shop: bool = False
) -> InboundMessage:
    """`claim` and `name`: of the customer, who wrote it, or whom the shop (`from_shop`) wrote to."""
    return InboundMessage(
        external_id=mail.message_id or f"sha256:{hashlib.sha256(raw).hexdigest()}",
        claims=(claim,),
        at=at,
        subject=mail.subject,
        sender_name=name,
        locale=language_of(mail.folded),
        text=mail.text,
        folded=mail.folded if mail.folded != mail.text else None,
        to=tuple(MailAddress(one.name, one.address) for one in mail.to),
        cc=tuple(MailAddress(one.name, one.address) for one in mail.cc),
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
        automatic=mail.automatic == "auto_reply",  # a list's mail is a person's
        failed=mail.failed,
        from_shop=from_shop,
    )


def _bounced(
    arrival: Arrival, mail: parse.Mail, bounce: parse.Bounce, number: int | None
) -> InboundBounce | Unread:
    """Whichever of the ids it names is ours: some give the one of the mail that came back in References alone."""
    named = [bounce.message_id] if bounce.message_id else []
    ids = dict.fromkeys([*named, *mail.in_reply_to, *reversed(mail.references)])
    if not ids and number is None:
        return Unread("a bounce that does not say which mail came back")
    return InboundBounce(
        message_ids=tuple(ids),
        recipient=bounce.recipient,
        status=bounce.status,
        said=bounce.said,
        final=bounce.is_final,
        at=arrival.received_at,
        thread_number=number,
    )


def _may_be_answered(arrival: Arrival, mail: parse.Mail) -> bool:
    """By ourselves: not a list or a machine, nor who is silent about where bounces go or asks for no such answers; nor what was
    written long ago, and was found in a box."""
    is_old = mail.date is not None and arrival.received_at - mail.date >= STALE
    returns_nowhere = arrival.envelope.get("from") in ("", "<>")
    return mail.automatic == "none" and not returns_nowhere and not mail.wants_no_answers and not is_old


def _is_form(mailbox: Mailbox, address: str) -> bool:
    """May a contact form have sent it? They write in the shop's own name, and whom they write for stands in Reply-To."""
    same_domain = address.rpartition("@")[2] == mailbox.place().rpartition("@")[2]
    return address == mailbox.place() or (same_domain and reads_nothing(address))


def _asked_to_answer(keys: Keys, mailbox: Mailbox, mail: parse.Mail) -> parse.Address | None:
    """Somebody else than ourselves: a mail of ours that comes back asks for answers to its signed address."""
    for one in mail.reply_to:
        meant = recipient(keys, one.address)
        if meant and meant.mailbox != mailbox.place() and meant.thread_number is None:
            return one
    return None


def _authenticated(mailbox: Mailbox, arrival: Arrival, mail: parse.Mail, address: str) -> bool:
    """DMARC passed for the sender's domain, by the word of our own relay, or of the server whose box we fetch; what others
    wrote counts for nothing.

    Each puts its header on top, so only the first one can be its own.
    """
    was_handed_over = arrival.envelope.get("way") in HANDED_OVER
    if not mailbox.authserv_id or not (was_handed_over or arrival.envelope.get("peer") in mailbox.relays):
        return False
    if not mail.authentication_results:
        return False
    name, *results = (" ".join(part.split()) for part in unquoted(mail.authentication_results[0]).split(";"))
    if mailbox.authserv_id == MICROSOFT_365:  # it names itself nowhere, but says more than others
        results = [name, *results]
        if "=" not in name or not any(result.startswith("compauth=") for result in results):
            return False
    elif name.partition(" ")[0].casefold() != mailbox.authserv_id.casefold():
        return False
    verdicts = [verdict for result in results for verdict in _dmarc(result)]
    own = f"any@{address.rpartition('@')[2]}"
    return bool(verdicts) and all(
        passed and mail_address(f"any@{domain}") == own for passed, domain in verdicts
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

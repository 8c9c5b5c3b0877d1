"""A mail as an inbound message: who is certain by it, and what it answers."""

import hashlib
import re
from collections.abc import Iterator

from domain.channels import Channel
from domain.contacts import Claim, IdentityKind, Proof
from domain.inbound import Arrival, Inbound, InboundAttachment, InboundMessage, Unread, Unreadable
from domain.keys import Keys
from integrations.channel_settings import Mailbox
from integrations.mail import parse

_DMARC = re.compile(r";\s*dmarc\s*=\s*pass\b[^;]*\bheader\.from\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)


def read(channel: Channel, keys: Keys, arrival: Arrival) -> Iterator[Inbound | Unread]:
    try:
        mail = parse.read(arrival.raw)
    except parse.Unreadable as reason:
        raise Unreadable(str(reason)) from None
    sender = mail.from_
    if sender is None or "@" not in sender.address[1:-1]:
        raise Unreadable("it has no sender's address")
    address = sender.address.casefold()
    if address == (channel.address or "").casefold():
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
        thread_number=arrival.envelope.get("thread"),
        automatic=mail.automatic in ("auto_reply", "bounce"),  # a list's mail is a person's
    )


def _authenticated(mailbox: Mailbox, arrival: Arrival, mail: parse.Mail, address: str) -> bool:
    """DMARC passed for the sender's domain, by the word of our own relay; what others wrote counts for nothing.

    The relay puts its header on top, so only the first one can be its own.
    """
    if not mailbox.authserv_id or arrival.envelope.get("peer") not in mailbox.relays:
        return False
    if not mail.authentication_results:
        return False
    results = mail.authentication_results[0]
    authserv_id = results.partition(";")[0].split()
    if not authserv_id or authserv_id[0].casefold() != mailbox.authserv_id.casefold():
        return False
    passed = _DMARC.search(results)
    return passed is not None and passed[1].casefold() == address.rpartition("@")[2]

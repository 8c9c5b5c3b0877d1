"""The signed reply address: `support+t12.<signature>@…`. Whoever writes to it got our mail of that thread."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from domain.customers.mailboxes import mail_address
from domain.keys import Keys

PURPOSE = "reply-address"

MOST_RECIPIENTS = 200
"""Of a mail that are looked at for a signed address."""

_TAG = re.compile(r"t([0-9]{1,18})\.([a-z2-7]{26})")


@dataclass(frozen=True)
class Recipient:
    mailbox: str
    """The channel's address, without the tag."""
    thread_number: int | None


def reply_address(keys: Keys, mailbox: str, thread_number: int) -> str:
    local, _, domain = mailbox.rpartition("@")
    return f"{local}+t{thread_number}.{keys.sign(PURPOSE, mailbox, thread_number)}@{domain}"


def recipient(keys: Keys, address: str) -> Recipient | None:
    """Whom an address means; none when it bears a tag that we did not sign. Any other plus is the mailbox's own."""
    whole = mail_address(address)
    if whole is None:
        return None
    local, _, domain = whole.rpartition("@")
    name, _, tag = local.rpartition("+")
    match = _TAG.fullmatch(tag)
    if not name or not match:
        return Recipient(whole, None)
    mailbox = f"{name}@{domain}"
    if keys.signed(match[2], PURPOSE, mailbox, int(match[1])):
        return Recipient(mailbox, int(match[1]))
    return None


def thread_number(keys: Keys, mailbox: str, addresses: Iterable[str]) -> int | None:
    """Of the first of them that is a signed reply address of this mailbox; else of another of ours."""
    meant = [recipient(keys, address) for address in islice(addresses, MOST_RECIPIENTS)]
    signed = [one for one in meant if one and one.thread_number is not None]
    signed.sort(key=lambda one: one.mailbox != mailbox)
    return signed[0].thread_number if signed else None

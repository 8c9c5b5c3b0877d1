"""The signed reply address: `support+t12.<signature>@…`. Whoever writes to it got our mail of that thread."""

import re
from dataclasses import dataclass

from domain.keys import Keys

PURPOSE = "reply-address"

_TAG = re.compile(r"t(\d{1,18})\.([a-z2-7]{26})\Z")


@dataclass(frozen=True)
class Recipient:
    mailbox: str
    """The channel's address, without the tag."""
    thread_number: int | None


def reply_address(keys: Keys, mailbox: str, thread_number: int) -> str:
    local, _, domain = mailbox.rpartition("@")
    return f"{local}+t{thread_number}.{keys.sign(PURPOSE, mailbox, thread_number)}@{domain}"


def recipient(keys: Keys, address: str) -> Recipient | None:
    """Whom an address means; none when it bears a tag that we did not sign."""
    local, _, domain = address.strip().casefold().rpartition("@")
    name, plus, tag = local.partition("+")
    mailbox = f"{name}@{domain}"
    if not plus:
        return Recipient(mailbox, None)
    match = _TAG.match(tag)
    if match and keys.signed(match[2], PURPOSE, mailbox, int(match[1])):
        return Recipient(mailbox, int(match[1]))
    return None

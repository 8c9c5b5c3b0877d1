"""The signed `m.me` link: who opens a Messenger conversation by it has proven to be the contact it was made for."""

import uuid
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from domain.customers.contacts import Contact
from domain.keys import Keys
from domain.ways_in.channels import Channel

PURPOSE = "messenger-link"
LIVES = timedelta(days=14)


def link(keys: Keys, channel: Channel, contact: Contact, *, at: datetime) -> str:
    until = int((at + LIVES).timestamp())
    signature = keys.sign(PURPOSE, channel.address, contact.id, until)
    return f"https://m.me/{quote(channel.address or '')}?ref={contact.id.hex}.{until}.{signature}"


def contact_of(keys: Keys, channel: Channel, ref: str, *, at: datetime) -> uuid.UUID | None:
    """Whom the link was made for; none for a `ref` that is not ours, or too old."""
    try:
        named, until, signature = ref.split(".")
        contact_id, ends_at = uuid.UUID(hex=named), datetime.fromtimestamp(int(until), UTC)
    except (ValueError, OverflowError, OSError):
        return None
    right = keys.signed(signature, PURPOSE, channel.address, contact_id, int(until))
    return contact_id if right and at < ends_at else None

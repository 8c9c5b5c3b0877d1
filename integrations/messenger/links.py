"""The signed `m.me` link: who opens a Messenger conversation by it has proven to be the contact it was made for."""

import uuid
from urllib.parse import quote

from domain.channels import Channel
from domain.contacts import Contact
from domain.keys import Keys

PURPOSE = "messenger-link"


def link(keys: Keys, channel: Channel, contact: Contact) -> str:
    signature = keys.sign(PURPOSE, channel.address, contact.id)
    return f"https://m.me/{quote(channel.address or '')}?ref={contact.id.hex}.{signature}"


def contact_of(keys: Keys, channel: Channel, ref: str) -> uuid.UUID | None:
    """Whom the link was made for; none for a `ref` that is not ours."""
    named, _, signature = ref.partition(".")
    try:
        contact_id = uuid.UUID(hex=named)
    except ValueError:
        return None
    return contact_id if keys.signed(signature, PURPOSE, channel.address, contact_id) else None

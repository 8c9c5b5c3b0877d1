"""By which of a customer's addresses a ticket can be answered, the one used last first."""

import uuid
from collections.abc import Mapping

from sqlalchemy import func, select

from api.context import Reading, by, plain
from api.customers.identities import Identity, each_once, identities_where
from api.selection import Selection
from domain.customers import contacts
from domain.db import among, one_of_given
from domain.desk.threads import Thread
from domain.gathering import gathered
from domain.ways_in.channels import ChannelKind


async def reply_channels_of(
    reading: Reading, tickets: Mapping[uuid.UUID, uuid.UUID], selection: Selection
) -> dict[uuid.UUID, list[Identity]]:
    """`tickets`: with the contact of each."""
    asked = {"ids": list(tickets), "contacts": list(set(tickets.values()))}
    rows, known = await gathered(
        reading.connection.execute(_used, asked),
        identities_where(reading, _may_be, asked, Selection(selection | {"channel": Selection()})),
    )
    threads, identities = by("ticket_id", rows.all()), each_once(known)
    found: dict[uuid.UUID, list[Identity]] = {}
    for ticket_id, contact_id in tickets.items():
        used = {one.identity_id: one.at.timestamp() if one.at else 0.0 for one in threads.get(ticket_id, [])}
        mine = [
            _from_here(identity, was_used=identity.row_id in used)
            for identity in identities
            if identity.contact_id == contact_id or identity.row_id in used
        ]
        found[ticket_id] = sorted(mine, key=lambda one: used.get(one.row_id, 0.0), reverse=True)
    return found


_here = one_of_given(Thread.ticket_id)
_used = (
    select(Thread.ticket_id, Thread.identity_id, func.max(Thread.last_inbound_at).label("at"))
    .where(_here)
    .group_by(Thread.ticket_id, Thread.identity_id)
)
_taking_part = select(Thread.identity_id).where(_here, Thread.identity_id.is_not(None))
_may_be = one_of_given(contacts.Identity.contact_id, "contacts") | among(contacts.Identity.id, _taking_part)


def _from_here(identity: Identity, *, was_used: bool) -> Identity:
    """A mail begins a conversation, and a text message one with who has written some; elsewhere the answer goes where the
    customer wrote."""
    if identity.channel in (ChannelKind.EMAIL, ChannelKind.SMS) or was_used:
        return identity
    return plain(Identity, {**vars(identity), "can_reply": False})

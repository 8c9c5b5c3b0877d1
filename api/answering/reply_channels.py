"""By which of a customer's addresses a ticket can be answered, the one used last first."""

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from api.context import Reading, by, plain
from api.customers.identities import IS_TEXTED, SAID_THERE, Identity, each_once, identities_where
from api.selection import Selection
from domain.answering.carrying import LATEST
from domain.customers import contacts
from domain.customers.consents import Consent
from domain.db import among, one_of_given
from domain.desk.threads import Thread
from domain.gathering import gathered
from domain.ways_in.channels import Channel, ChannelKind


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
        here = {one.identity_id: one for one in threads.get(ticket_id, [])}
        used = {id: one.at.timestamp() if one.at else 0.0 for id, one in here.items()}
        mine = [
            _from_here(identity, here.get(identity.row_id))
            for identity in identities
            if identity.contact_id == contact_id or identity.row_id in used
        ]
        found[ticket_id] = sorted(mine, key=lambda one: used.get(one.row_id, 0.0), reverse=True)
    return found


_here = one_of_given(Thread.ticket_id)
_stopped = func.array_agg(aggregate_order_by(Consent.stopped_at, *LATEST)).filter(*IS_TEXTED)
_used = (
    select(
        Thread.ticket_id,
        Thread.identity_id,
        func.max(Thread.last_inbound_at).label("at"),
        _stopped.label("stopped"),
    )
    .join(Channel, Channel.id == Thread.channel_id)
    .outerjoin(Consent, SAID_THERE)
    .where(_here)
    .group_by(Thread.ticket_id, Thread.identity_id)
)
_taking_part = select(Thread.identity_id).where(_here, Thread.identity_id.is_not(None))
_may_be = one_of_given(contacts.Identity.contact_id, "contacts") | among(contacts.Identity.id, _taking_part)


def _from_here(identity: Identity, used: Any) -> Identity:
    """A mail begins a conversation, and a text message one with who has written some; elsewhere the answer goes where the
    customer wrote."""
    if used and used.stopped:
        stopped_at = used.stopped[0]  # to the number of ours that is in conversation here
        said = {"can_reply": stopped_at is None, "stopped_at": stopped_at}
        return plain(Identity, {**vars(identity), **said})
    if identity.channel in (ChannelKind.EMAIL, ChannelKind.SMS) or used:
        return identity
    return plain(Identity, {**vars(identity), "can_reply": False})

"""Whose contact somebody opened: written down before it is shown, once in an hour for each reader and contact.

Opening is to ask for one contact, for one ticket of theirs, or for a timeline. Names in lists, and what comes by the feed,
are read by everybody all day long.
"""

import uuid
from collections.abc import Iterable

from api.context import Context
from domain import audit
from domain.audit import AuditKind
from domain.db import database_time


async def opened(context: Context, contacts: Iterable[uuid.UUID]) -> None:
    actor, reads = context.actor, context.house.reads
    new = reads.unknown((actor.id, contact_id) for contact_id in contacts)
    if not new:
        return
    async with context.house.db.transaction() as session:
        now = await database_time(session)
        for _, contact_id in new:
            audit.note(
                session,
                AuditKind.CONTACT_READ,
                by=actor,
                at=now,
                address=context.address,
                contact_id=contact_id,
            )
    reads.remember(new)

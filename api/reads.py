"""Whose contact somebody opened: written down before it is shown, once in an hour for each reader and contact.

Opening is to ask for one contact, for one ticket of theirs, or for a timeline. Names in lists, and what comes by the feed,
are read by everybody all day long.
"""

import uuid
from collections.abc import Iterable

from api.context import Context
from domain import audit


async def opened(context: Context, contacts: Iterable[uuid.UUID]) -> None:
    if context.is_query:
        context.opened.update(contacts)
    else:
        await note(context, contacts)


async def note(context: Context, contacts: Iterable[uuid.UUID]) -> None:
    reads = context.house.reads
    new = reads.unknown((context.actor.id, contact_id) for contact_id in contacts)
    if not new:
        return
    async with context.house.db.transaction() as session:
        await audit.note_reads(
            session, {contact_id for _, contact_id in new}, by=context.actor, address=context.address
        )
    reads.remember(new)

"""Writing down what is known of a contact, with what follows from it."""

from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import Actor
from domain.customers.contacts import Contact
from domain.desk.survivors import live_tickets
from domain.sla import reckoning


async def describe(session: AsyncSession, contact: Contact, *, by: Actor, at: datetime, **said: Any) -> bool:
    """By the contact's columns, in the spelling of `profiles`. Is anything different now?"""
    before, language = dict(contact.fields), contact.locale
    changed = any(getattr(contact, name) != value for name, value in said.items() if name != "fields")
    contact.change(by=by, at=at, **said)
    if contact.locale != language:  # a policy may be for who speaks it
        for ticket in await live_tickets(session, contact.id):
            await reckoning.promise_anew(session, ticket, by=by, at=at)
    return changed or contact.fields != before

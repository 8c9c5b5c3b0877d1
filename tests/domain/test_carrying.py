"""Whom an answer may go to."""

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.answering.carrying import conversation_with
from domain.customers.contacts import Contact, Identity
from domain.errors import NotFound
from domain.ways_in.channels import Channel
from tests.factories import NOON, a_mail, receive, tickets


async def test_who_was_erased_is_not_answered_though_the_conversation_is_still_there(
    session: AsyncSession, mailbox: Channel
) -> None:
    await receive(session, mailbox, a_mail("ada@example.org", at=NOON))
    (ticket,) = await tickets(session)
    ada = (await session.scalars(select(Identity))).one()
    thread, channel = await conversation_with(session, ticket, ada, by=SYSTEM, at=NOON, by_channel=None)
    assert (thread.identity_id, channel) == (ada.id, mailbox)

    (await session.get_one(Contact, ada.contact_id)).erased_at = NOON

    with pytest.raises(NotFound):
        await conversation_with(session, ticket, ada, by=SYSTEM, at=NOON, by_channel=None)

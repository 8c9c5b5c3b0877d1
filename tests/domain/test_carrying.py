"""Whom an answer may go to."""

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.answering.carrying import conversation_with
from domain.arriving.inbound import CallStep
from domain.customers.contacts import Contact, Identity
from domain.errors import CustomerBegins, NotFound
from domain.ways_in.channels import Channel
from tests.factories import NOON, a_call_step, a_mail, receive, tickets


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


async def test_who_has_only_rung_begins_by_text_message_themselves_and_no_channel_is_off(
    session: AsyncSession, line: Channel
) -> None:
    await receive(session, line, a_call_step("c1", CallStep.RINGING))
    (ticket,) = await tickets(session)
    ada = (await session.scalars(select(Identity))).one()

    with pytest.raises(CustomerBegins):
        await conversation_with(session, ticket, ada, by=SYSTEM, at=NOON, by_channel=None)

"""An answer that did not arrive is told to whoever wrote it, once; where they are gone, to who has the ticket, or manages."""

from datetime import datetime

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.agents.staff import Agent
from domain.alerting.notices import NoticeKind
from domain.answering.replies import send
from domain.arriving import bounces
from domain.arriving.afterwards import InboundBounce
from domain.customers.contacts import Identity
from domain.db import database_time
from domain.desk import spam
from domain.desk.messages import Message
from domain.desk.survivors import locked
from domain.desk.tickets import Ticket
from tests.factories import NOON, an_agent, tickets
from tests.notifications.shop import Shop, register


async def _bens(shop: Shop) -> tuple[Agent, Message]:
    """Ben, who has a phone, and his answer to Ada, which came back."""
    async with shop.db.transaction() as session:
        ben = await an_agent(session, "Ben")
        await register(session, ben, "ben:1")
        (ticket,) = await tickets(session)
        to = (await session.scalars(select(Identity))).one()
        answer = await send(
            session, shop.pusher._keys, ticket, to=to, text="On its way.", by=ben.as_actor(),
            at=await database_time(session), last_seen_seq=10**15,
        )  # fmt: skip
    return ben, answer


async def _comes_back(session: AsyncSession, answer: Message) -> None:
    at: datetime = await database_time(session)
    ids = (str(answer.external_id),)
    await bounces.receive(session, InboundBounce(ids, "ada@example.org", "5.1.1", "no such user", True, at))


async def test_who_wrote_an_answer_that_came_back_is_told_once(shop: Shop) -> None:
    _, answer = await _bens(shop)
    async with shop.db.transaction() as session:
        await _comes_back(session, answer)
    async with shop.db.transaction() as session:
        await _comes_back(session, answer)

    await shop.told()
    await shop.ring()

    assert await shop.deliveries(NoticeKind.MESSAGE_FAILED) == [("Ben", "ben:1")]
    (push,) = [push for push in shop.far_end.pushed if push.data["k"] == "message_failed"]
    assert push.data["title"].endswith(": an answer did not arrive")
    assert push.data["link"].partition("#")[0] == f"{shop.pusher._base_url}/m/t/{push.data['t']}"


@pytest.mark.parametrize("has_it", [True, False])
async def test_where_the_writer_is_gone_who_has_the_ticket_is_told_or_who_manages(
    shop: Shop, has_it: bool
) -> None:
    ben, answer = await _bens(shop)
    async with shop.db.transaction() as session:
        (await session.get_one(Agent, ben.id)).left_at = NOON
        bo = await an_agent(session, "Bo")
        await register(session, bo, "bo:1")
        (await session.get_one(Ticket, answer.ticket_id)).assignee_id = bo.id if has_it else None
        await _comes_back(session, answer)

    await shop.told()

    told = {name for name, _ in await shop.deliveries(NoticeKind.MESSAGE_FAILED)}
    assert told == ({"Bo"} if has_it else {"Mia", "Admin"})


async def test_what_was_taken_back_as_an_answer_to_spam_is_told_to_nobody(shop: Shop) -> None:
    _, answer = await _bens(shop)
    async with shop.db.transaction() as session:
        ticket = await locked(session, answer.ticket_id)
        await spam.mark(session, ticket, by=SYSTEM, at=await database_time(session))

    await shop.told()

    assert await shop.deliveries(NoticeKind.MESSAGE_FAILED) == []

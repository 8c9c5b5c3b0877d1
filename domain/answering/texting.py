"""What holds for text messages of ours: to whom one may go, by which of the shop's numbers, and how long it may be."""

import uuid
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import access
from domain.actors import Actor
from domain.answering.segments import segments_of
from domain.customers import consents
from domain.customers.consents import Consent, ConsentWord, Says, Wish
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.errors import GoesOnElsewhere, NotAgreed, NotYours, RecipientStopped, TooManySegments
from domain.ways_in.channels import Channel, ChannelKind

SETTING = "most_segments"
MOST_SEGMENTS = 6


async def may_go(session: AsyncSession, channel: Channel, number: str, text: str) -> None:
    if await consents.stopped_at(session, channel.id, number):
        raise RecipientStopped(field=["identityId"])
    count, most = segments_of(text).count, int(channel.config.get(SETTING, MOST_SEGMENTS))
    if count > most:
        raise TooManySegments(field=["text"], count=count, most=most)


async def texted(session: AsyncSession, number: str) -> Channel | None:
    """To which of our numbers this one wrote last."""
    return await session.scalar(
        select(Channel)
        .join(Thread, Thread.channel_id == Channel.id)
        .where(
            Channel.kind == ChannelKind.SMS,
            Channel.disabled_at.is_(None),
            Thread.key == number,
            Thread.last_inbound_at.is_not(None),
        )
        .order_by(Thread.last_inbound_at.desc())
        .limit(1)
    )


async def make_room(session: AsyncSession, channel: Channel, number: str, *, by: Actor, at: datetime) -> None:
    """A number has one conversation with ours at a time: who answers cannot say which is meant. On which ticket it goes on is
    told to who sees that one."""
    found = await session.execute(
        select(Thread, Ticket, access.may_see(Ticket, by))
        .join(Ticket, Ticket.id == Thread.ticket_id)
        .where(Thread.channel_id == channel.id, Thread.key == number, Thread.ended_at.is_(None))
    )
    for thread, ticket, is_seen in found:
        if ticket.takes_more(at=at):
            if not is_seen:
                raise NotYours(field=["identityId"])
            raise GoesOnElsewhere(field=["identityId"], number=ticket.number)
        thread.ended_at = at
    await session.flush()


async def agree(
    session: AsyncSession, channel: Channel, number: str, *, agreed: bool, by: Actor, at: datetime
) -> None:
    """Before the shop speaks first: the customer has written to this number before, or agreed as an agent says, whose word is
    kept. No such word takes back that of a customer who wants nothing."""
    if await consents.stopped_at(session, channel.id, number):
        raise RecipientStopped(field=["contactId"])
    if agreed:
        word = ConsentWord(Wish.START, "", str(uuid.uuid4()), at, Says.AGENT, by.agent_id)
        await consents.heed(session, channel.id, number, word)
        return
    wrote = select(Thread.id).where(
        Thread.channel_id == channel.id, Thread.key == number, Thread.last_inbound_at.is_not(None)
    )
    once = select(Consent.id).where(
        Consent.channel_id == channel.id, Consent.number == number, Consent.started_at.is_not(None)
    )
    if await session.scalar(wrote.union_all(once).limit(1)) is None:
        raise NotAgreed(field=["agreed"])

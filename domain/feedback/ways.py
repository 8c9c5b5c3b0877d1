"""By which way a customer is asked: where they spoke last, while that is open, else by mail to an address that is proven theirs."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.answering import reply_windows, texting
from domain.answering.carrying import mailed
from domain.arriving.ourselves import ours_among
from domain.customers.contacts import Identity, IdentityKind
from domain.customers.mailboxes import reads_nothing
from domain.customers.survivors import same_person
from domain.customers.visitors import visitor_of
from domain.desk.messages import Direction, Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.errors import CannotReply
from domain.joining.reasons import JoinCode
from domain.ways_in.blocking import blocked_as
from domain.ways_in.channels import Channel, ChannelKind


@dataclass(frozen=True)
class Way:
    thread: Thread
    channel: Channel
    to: Identity


async def way_to(
    session: AsyncSession, ticket: Ticket, channel_id: uuid.UUID, text: str, *, at: datetime
) -> Way | None:
    """`text`: what a text message would say, whose length counts."""
    spoken = await _conversation(session, ticket, channel_id)
    if spoken and await _is_open(session, spoken, text, at=at):
        return spoken
    if spoken and spoken.channel.kind in (ChannelKind.EMAIL, ChannelKind.SMS):
        return None
    return await _by_mail(session, ticket, at=at)


async def _conversation(session: AsyncSession, ticket: Ticket, channel_id: uuid.UUID) -> Way | None:
    found = await session.execute(
        select(Thread, Channel, Identity)
        .join(Channel, Channel.id == Thread.channel_id)
        .join(Identity, Identity.id == Thread.identity_id)
        .where(
            Thread.ticket_id == ticket.id,
            Thread.channel_id == channel_id,
            Thread.side.is_(False),
            Channel.disabled_at.is_(None),
        )
        .order_by(Thread.last_inbound_at.desc().nulls_last())
        .limit(1)
    )
    row = found.one_or_none()
    return Way(row[0], row[1], row[2]) if row else None


async def _is_open(session: AsyncSession, way: Way, text: str, *, at: datetime) -> bool:
    if way.to.bounced_at or await blocked_as(session, way.to.claimed()):
        return False
    match way.channel.kind:
        case ChannelKind.EMAIL:
            return await _is_read(session, way.to) and (
                way.to.verified_at is not None or await _has_answered(session, way.thread)
            )
        case ChannelKind.CHAT:
            visitor = await visitor_of(session, way.channel.id, way.thread.key or "")
            return visitor is not None and visitor.is_here(at=at)
        case ChannelKind.MESSENGER:
            return reply_windows.is_open(await reply_windows.last_word_at(session, way.thread), at)
        case ChannelKind.SMS:
            try:
                await texting.may_go(session, way.channel, way.to.value, text)
            except CannotReply:
                return False
            return True
        case ChannelKind.PHONE:
            return False


async def _has_answered(session: AsyncSession, thread: Thread) -> bool:
    """A mail of ours: so whoever wrote first has that address."""
    ours = select(Message.seq).where(Message.thread_id == thread.id, Message.direction == Direction.OUT)
    answered = select(Message.id).where(
        Message.thread_id == thread.id,
        Message.direction == Direction.IN,
        Message.automatic.is_not(True),
        Message.seq > ours.order_by(Message.seq).limit(1).scalar_subquery(),
    )
    return await session.scalar(answered.limit(1)) is not None


async def _is_read(session: AsyncSession, identity: Identity) -> bool:
    ours = await ours_among(session, [identity.value])
    return not ours and not reads_nothing(identity.value)


async def _by_mail(session: AsyncSession, ticket: Ticket, *, at: datetime) -> Way | None:
    """To the proven address that was used last."""
    proven = await session.scalars(
        select(Identity)
        .where(
            same_person(Identity.contact_id, ticket.contact_id),
            Identity.kind == IdentityKind.EMAIL,
            Identity.verified_at.is_not(None),
            Identity.bounced_at.is_(None),
        )
        .order_by(Identity.last_used_at.desc().nulls_last(), Identity.id)
        .limit(10)
    )
    for to in proven:
        if await _is_read(session, to) and not await blocked_as(session, to.claimed()):
            found = await mailed(session, ticket, to, JoinCode.ASKED_AFTERWARDS, at=at)
            return Way(*found, to) if found else None
    return None

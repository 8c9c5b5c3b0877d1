"""What a provider says of what we sent: it has it, the customer has it, the customer has read it. In any order, and again.

How far a conversation was delivered and read is kept with it, so that a word which comes before we know that a message has
left holds for it too.
"""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import one_at_a_time
from domain.arriving.afterwards import InboundEcho, InboundReceipt
from domain.db import Json
from domain.desk import revisions
from domain.desk.messages import Attachment, DeliveryState, Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.sla import reckoning
from domain.ways_in import channels
from domain.ways_in.channels import Channel

UNDERWAY = (DeliveryState.SENT, DeliveryState.DELIVERED)


async def receive(session: AsyncSession, channel: Channel, receipt: InboundReceipt) -> None:
    conversation = (
        select(Thread)
        .where(Thread.channel_id == channel.id, Thread.key == receipt.thread_key)
        .order_by(Thread.id)
        .with_for_update(key_share=True)
    )
    for thread in (await session.scalars(conversation)).all():
        if receipt.until and receipt.read:
            thread.read_until = max(receipt.until, thread.read_until or receipt.until)
        elif receipt.until:
            thread.delivered_until = max(receipt.until, thread.delivered_until or receipt.until)
        ours = (
            select(Message)
            .where(
                Message.thread_id == thread.id,
                Message.direction == Direction.OUT,
                Message.delivery.in_(UNDERWAY),
                Message.external_id.is_not(None),
            )
            .order_by(Message.seq)
            .with_for_update(of=Message)
        )
        for message in await session.scalars(ours):
            if message.external_id in receipt.external_ids:
                message.received(at=receipt.at, read=receipt.read)
            as_told(thread, message, at=receipt.at)


async def hold(session: AsyncSession, thread: Thread) -> Thread:
    """As it is now; until the transaction ends nobody is told of what was delivered in it."""
    return await session.get_one(
        Thread, thread.id, with_for_update={"key_share": True}, populate_existing=True
    )


def as_told(thread: Thread, message: Message, *, at: datetime) -> None:
    """What was said of its conversation before, or just now, holds for a message that has left."""
    left = left_at(message)
    if message.external_id is None or left is None:
        return
    if thread.read_until and left <= thread.read_until:
        message.received(at=at, read=True)
    elif thread.delivered_until and left <= thread.delivered_until:
        message.received(at=at, read=False)


def left_at(message: Message) -> datetime | None:
    """When the last of it left; none before that."""
    parts = parts_of(message.particulars)
    if parts:
        return max(datetime.fromisoformat(part["at"]) for part in parts.values())
    return None if message.delivery == DeliveryState.QUEUED else message.at


def parts_of(particulars: Json | None) -> Json:
    parts: Json = (particulars or {}).get("parts") or {}
    return parts


def with_part(
    particulars: Json | None, part: int, external_id: str, *, at: datetime, told: bool = False
) -> Json:
    """In `parts`, when each part of a message left, and as what; in `mids`, these ids. `told`: by the provider's own clock."""
    kept = {key: value for key, value in (particulars or {}).items() if key != "maybe_sent"}
    parts, number = parts_of(particulars), str(part)
    if told or number not in parts:
        parts = {**parts, number: {"id": external_id, "at": at.isoformat()}}
    return {**kept, "parts": parts, "mids": sorted({one["id"] for one in parts.values()})}


async def echoed(session: AsyncSession, channel: Channel, echo: InboundEcho, *, at: datetime) -> str | None:
    """Of a message whose sending went wrong on our side alone, this is the proof that it was sent."""
    await one_at_a_time(session, revisions.name_of(channel, echo.external_id))
    found = await session.execute(
        select(Message, Thread)
        .join(Thread, Thread.id == Message.thread_id)
        .where(
            Message.id == echo.message_id,
            Message.channel_id == channel.id,
            Message.direction == Direction.OUT,
            Thread.key == echo.thread_key,
        )
    )
    row = found.one_or_none()
    if row is None:
        return "the echo of a message that is not here"
    ticket = await locked(session, row.Message.ticket_id)
    thread = await hold(session, row.Thread)
    message = await session.get_one(Message, row.Message.id, with_for_update=True, populate_existing=True)
    message.particulars = with_part(message.particulars, echo.part, echo.external_id, at=echo.at, told=True)
    message.external_id = message.external_id or echo.external_id
    files = await session.scalar(
        select(func.count()).select_from(Attachment).where(Attachment.item_id == message.id)
    )
    all_out = len(message.particulars["parts"]) >= (files or 0) + bool(message.text)
    had_failed = message.delivery == DeliveryState.FAILED
    if all_out and (had_failed or message.delivery == DeliveryState.QUEUED):
        message.delivery, message.due_at, message.last_error = DeliveryState.SENT, None, None
        message.deaths = message.failures = 0
        message.failing_since = None
        message.sent(at=at)
        await channels.sends(session, channel.id)
    if all_out:
        as_told(thread, message, at=at)
    if had_failed:
        await session.flush()
        await reckoning.reckon(session, ticket, at=at)
    return None

"""A mail of ours that came back: what became of the message, never a word of the customer."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain import clocks
from domain.actors import SYSTEM
from domain.inbound import InboundBounce
from domain.messages import Direction, Message
from domain.tickets import locked


async def receive(session: AsyncSession, bounce: InboundBounce) -> None:
    """Only for a Message-ID that is ours: nobody else can know it, for it carries a signature."""
    message = await session.scalar(
        select(Message)
        .where(Message.external_id.in_(bounce.message_ids), Message.direction == Direction.OUT)
        .limit(1)
    )
    if message is None or not bounce.final:
        return
    ticket = await locked(session, message.ticket_id)
    message.last_error = f"{bounce.status} {bounce.said}".strip()[:500]
    await message.give_up(session, at=bounce.at)
    await clocks.reckon(session, ticket, by=SYSTEM, at=bounce.at)

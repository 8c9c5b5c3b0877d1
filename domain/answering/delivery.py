"""What a provider says became of one message that it took from us. Reports come late, twice and out of order."""

from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.answering.segments import segments_of
from domain.arriving.afterwards import InboundReport
from domain.customers import consents
from domain.customers.consents import ConsentWord, Says, Wish
from domain.desk.messages import REPORTED, DeliveryState, Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.sla import reckoning
from domain.ways_in.channels import Channel


async def receive(
    session: AsyncSession, channel: Channel, report: InboundReport, *, at: datetime
) -> str | None:
    """Why nothing came of it, where nothing did."""
    known = [Message.external_id == report.external_id] if report.external_id else []
    if report.message_id:
        known.append(Message.id == report.message_id)
    found = await session.scalar(
        select(Message)
        .where(Message.channel_id == channel.id, Message.direction == Direction.OUT, or_(*known))
        .limit(1)
    )
    if not known or found is None:
        return "a report on no message of ours"
    ticket = await locked(session, found.ticket_id)
    message = await session.get_one(Message, found.id, with_for_update=True, populate_existing=True)
    if report.stopped:
        await _stopped(session, channel, message, report)
    if not message.external_id:  # its report is quicker than the answer to us
        message.external_id = report.external_id or None
    state = _of_all_parts(message, report) if report.part else report.state
    if message.reported(state, at=report.at, said=report.said):
        await reckoning.reckon(session, ticket, at=at)
    return None


def _of_all_parts(message: Message, report: InboundReport) -> DeliveryState:
    """It has arrived when all of it has, and has failed when a part of it has."""
    told = dict((message.particulars or {}).get("parts") or {})
    told[report.part] = max(report.state, told.get(report.part, report.state), key=REPORTED.index)
    message.particulars = {**(message.particulars or {}), "parts": told}
    if DeliveryState.FAILED in told.values():
        return DeliveryState.FAILED
    arrived = sum(state == DeliveryState.DELIVERED for state in told.values())
    return DeliveryState.DELIVERED if arrived >= segments_of(message.text).count else DeliveryState.SENT


async def _stopped(session: AsyncSession, channel: Channel, message: Message, report: InboundReport) -> None:
    """The provider sends nothing there: whoever has the number has told it so."""
    thread = await session.get_one(Thread, message.thread_id)
    if thread.key:
        said = ConsentWord(Wish.STOP, "", f"report/{message.id}", report.at, Says.PROVIDER)
        await consents.heed(session, channel.id, thread.key, said)

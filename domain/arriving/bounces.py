"""A mail of ours that came back: what became of the message, never a word of the customer."""

from datetime import datetime

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM
from domain.answering.addressing import Role, after, has_failed, recipients
from domain.answering.delivery_problems import Problem, with_problem
from domain.arriving.afterwards import InboundBounce
from domain.customers.contacts import Identity
from domain.customers.mailboxes import mail_address
from domain.db import Json
from domain.desk.messages import DeliveryState, Direction, Message
from domain.desk.survivors import locked
from domain.desk.threads import Thread
from domain.sla import reckoning

NO_SUCH_PERSON = ("5.1.1", "5.1.10")
"""Codes that say so; each is wrong now and then, so that one of them alone is not believed."""
HARD = 2
LONGEST = 500


async def receive(session: AsyncSession, bounce: InboundBounce) -> str | None:
    """Why nothing came of it. A Message-ID of ours is signed, and so is a reply address: nobody else can know them."""
    message = await _by_message_id(session, bounce) or await _by_address(session, bounce)
    if message is None or message.thread_id is None:
        return "a bounce of no mail of ours"
    ticket = await locked(session, message.ticket_id)
    await session.refresh(message, with_for_update=True)
    status = "" if bounce.status in bounce.said else bounce.status
    said = f"{status} {bounce.said}".strip()[:LONGEST]
    addressee = await _addressee(session, message)
    recipient = mail_address(bounce.recipient) or ""
    if not bounce.final:
        if message.delivery != DeliveryState.FAILED:
            _say(message, said, Problem.LATE)
        return None
    is_known = message.delivery == DeliveryState.FAILED or recipient in (message.mail or {}).get(
        "refused", {}
    )
    # One mail says it once, however many reports of it there are.
    if addressee and recipient in ("", addressee.value) and bounce.status in NO_SUCH_PERSON and not is_known:
        _count(addressee, at=bounce.at)
    if recipient in _named(message.mail):
        message.mail = after(message.mail, taken=(), refused={recipient: said})
        if not has_failed(message.mail):  # others have it
            _say(message, f"{recipient}: {said}"[:LONGEST])
            return None
    if message.delivery == DeliveryState.FAILED:
        return "a bounce of a mail that is known to have failed"
    message.due_at = None
    _say(message, said)
    await message.give_up(session, at=bounce.at)
    await reckoning.reckon(session, ticket, by=SYSTEM, at=bounce.at)
    return None


def _say(message: Message, said: str, problem: Problem | None = None) -> None:
    message.last_error = said
    if problem or message.particulars:
        message.particulars = with_problem(message.particulars, problem)


async def _by_message_id(session: AsyncSession, bounce: InboundBounce) -> Message | None:
    if not bounce.message_ids:
        return None
    nearest = case(
        {id: place for place, id in reversed([*enumerate(bounce.message_ids)])}, value=Message.external_id
    )
    return await session.scalar(
        select(Message)
        .where(Message.external_id.in_(bounce.message_ids), Message.direction == Direction.OUT)
        .order_by(nearest)
        .limit(1)
    )


async def _by_address(session: AsyncSession, bounce: InboundBounce) -> Message | None:
    """The last one to that recipient in the conversation to whose signed address it was returned."""
    recipient = mail_address(bounce.recipient)
    if bounce.thread_number is None or (bounce.recipient and recipient is None):
        return None
    named: ColumnElement[bool] = or_(
        Identity.value == recipient,
        *(func.lower(Message.mail[place].astext).contains(recipient, autoescape=True) for place in Role),
    )
    return await session.scalar(
        select(Message)
        .join(Thread, Thread.id == Message.thread_id)
        .outerjoin(Identity, Identity.id == Thread.identity_id)
        .where(
            Thread.number == bounce.thread_number,
            Message.direction == Direction.OUT,
            Message.at <= bounce.at,
            *([named] if recipient else []),
        )
        .order_by(Message.seq.desc())
        .limit(1)
    )


async def _addressee(session: AsyncSession, message: Message) -> Identity | None:
    thread = await session.get_one(Thread, message.thread_id)
    return await session.get(Identity, thread.identity_id) if thread.identity_id else None


def _named(mail: Json | None) -> set[str]:
    return {address for one in recipients(mail) if (address := mail_address(one.address))}


def _count(identity: Identity, *, at: datetime) -> None:
    identity.bounces += 1
    if identity.bounces >= HARD:
        identity.bounced_at = identity.bounced_at or at

"""How long a customer of Messenger may be answered: a day by anybody, a week by a person who says so.

https://developers.facebook.com/docs/messenger-platform/policy/policy-overview
"""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.customers.contacts import Identity, IdentityKind
from domain.customers.survivors import same_person
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.errors import TextTooLong, WindowClosed
from domain.languages import N_
from domain.ways_in.channels import Channel, ChannelKind

ANYBODY = timedelta(hours=24)
A_PERSON = timedelta(days=7)
LONGEST_TEXT = 2000
"""Characters, as UTF-16 counts them."""


def is_open(last_inbound_at: datetime | None, at: datetime, *, human_agent: bool = False) -> bool:
    return last_inbound_at is not None and at - last_inbound_at < (A_PERSON if human_agent else ANYBODY)


def why_closed(last_inbound_at: datetime | None, at: datetime) -> str:
    """A sentence to translate."""
    if is_open(last_inbound_at, at, human_agent=True):
        return WindowClosed.AS_A_PERSON
    return N_("Messenger allows an answer within 24 hours of the customer's last message.")


async def last_word_at(session: AsyncSession, thread: Thread) -> datetime | None:
    """Of the customer, in this conversation or in an earlier or later one under the same key: the provider knows only one."""
    if thread.key is None:
        return thread.last_inbound_at
    return await session.scalar(
        select(func.max(Thread.last_inbound_at)).where(
            Thread.channel_id == thread.channel_id, Thread.key == thread.key
        )
    )


async def check(
    session: AsyncSession,
    ticket: Ticket,
    thread: Thread,
    *,
    text: str,
    human_agent: bool,
    by_person: bool,
    at: datetime,
) -> None:
    """`human_agent`: the writer marks it as a person's answer; it holds only where a person is the writer."""
    length = len(text.encode("utf-16-le")) // 2
    if length > LONGEST_TEXT:
        raise TextTooLong(field=["text"], most=LONGEST_TEXT, length=length)
    last = await last_word_at(session, thread)
    if is_open(last, at, human_agent=human_agent and by_person):
        return
    raise WindowClosed(
        field=["identityId"],
        instead=await _other_ways(session, ticket),
        human_agent=by_person and is_open(last, at, human_agent=True),
    )


async def _other_ways(session: AsyncSession, ticket: Ticket) -> list[str]:
    """Labels of what `replies.send` would take: addresses, where there is a mailbox, and conversations of the ticket."""
    mailbox = select(Channel.id).where(Channel.kind == ChannelKind.EMAIL, Channel.disabled_at.is_(None))
    mails = await session.scalar(mailbox.limit(1)) is not None
    talking = (
        select(Thread.identity_id)
        .join(Channel, Channel.id == Thread.channel_id)
        .where(
            Thread.ticket_id == ticket.id,
            Thread.side.is_(False),
            Channel.disabled_at.is_(None),
            Channel.kind.in_((ChannelKind.CHAT, ChannelKind.SMS)),
        )
    )
    found = await session.scalars(
        select(Identity)
        .where(
            same_person(Identity.contact_id, ticket.contact_id),
            Identity.bounced_at.is_(None),
            (Identity.kind == IdentityKind.EMAIL) | Identity.id.in_(talking),
        )
        .order_by(Identity.last_used_at.desc().nulls_last())
        .limit(10)
    )
    ways = [one.label for one in found if mails or one.kind != IdentityKind.EMAIL]
    return list(dict.fromkeys(ways))

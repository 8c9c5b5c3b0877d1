"""Which conversation a message goes on with, by what proves it, in this order:

1. the signed address to which it came, whoever wrote it;
2. the Message-ID of a mail of ours or of one that we received, for who takes part in that conversation;
3. the number of a ticket in the subject, for who certainly takes part: anybody can guess a number, and write any From.

Who takes part: the address that we answer to; another address that is proven to be the same contact's, in an authenticated
mail; and whom an agent accepted.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.abreast import asked
from domain.arriving.inbound import InboundMessage
from domain.arriving.participants import is_accepted
from domain.arriving.sides import is_the_customer, side_answered
from domain.customers.contacts import Claim, Contact, Identity, IdentityKind, has_value_of
from domain.db import one_of_given
from domain.desk.messages import Item, Message
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket, TicketStatus
from domain.joining.matters import is_called_otherwise
from domain.joining.subjects import tags_in
from domain.telling import rows
from domain.ways_in.channels import Channel, ChannelKind

REMEMBERED = timedelta(days=3)
"""How long after a ticket was solved whatever answers its mails still means it; later, one under another subject is another matter."""


async def thread_answered(session: AsyncSession, channel: Channel, said: InboundMessage) -> Thread | None:
    if said.thread_key:
        return await asked(session, _live_threads, (channel.id, said.thread_key))
    if said.thread_number:
        thread = await session.scalar(select(Thread).where(Thread.number == said.thread_number))
        if thread:
            return None if await is_the_customer(session, thread, said) else thread
    if not said.claims:
        return None
    return (
        await _by_message_id(session, said)
        or await side_answered(session, said)
        or await _by_ticket_number(session, channel, said)
    )


Key = tuple[uuid.UUID, str]
"""A channel, and what its provider calls a conversation there."""


async def _live_threads(session: AsyncSession, keys: Sequence[Key]) -> Mapping[Key, Thread | None]:
    channels, names = zip(*keys, strict=True)
    found = await rows(session, Thread, _live, {"channels": list(set(channels)), "keys": list(set(names))})
    live: dict[Key, Thread | None] = {(thread.channel_id, thread.key or ""): thread for thread in found}
    return dict.fromkeys(keys) | live


_live = select(Thread).where(
    one_of_given(Thread.channel_id, "channels"), one_of_given(Thread.key, "keys"), Thread.ended_at.is_(None)
)


async def _by_message_id(session: AsyncSession, said: InboundMessage) -> Thread | None:
    """The nearest that we know: a program of the sender's may have put ids of its own before ours."""
    if not said.references:
        return None
    nearest = {external_id: place for place, external_id in reversed([*enumerate(said.references)])}
    known = await session.execute(
        select(Item.external_id, Thread)
        .join(Thread, Thread.id == Item.thread_id)
        .where(Item.external_id.in_(said.references), _takes_part(said.claims[0]))
    )
    found = sorted(known, key=lambda row: nearest[str(row[0])])
    return found[0][1] if found else None


async def _by_ticket_number(session: AsyncSession, channel: Channel, said: InboundMessage) -> Thread | None:
    if channel.kind != ChannelKind.EMAIL or not (numbers := tags_in(said.subject)):
        return None
    named = select(func.coalesce(Ticket.merged_into_id, Ticket.id)).where(Ticket.number.in_(numbers))
    return await session.scalar(
        select(Thread)
        .join(Channel, Channel.id == Thread.channel_id)
        .where(
            Thread.ticket_id.in_(named),
            Channel.kind == ChannelKind.EMAIL,
            _certainly_takes_part(said.claims[0]),
        )
        .order_by(
            (Thread.channel_id == channel.id).desc(),
            func.coalesce(Thread.last_inbound_at, Thread.joined_at).desc(),
        )
        .limit(1)
    )


def _takes_part(claim: Claim) -> ColumnElement[bool]:
    addressee = exists().where(Identity.id == Thread.identity_id, has_value_of(claim))
    accepted: ColumnElement[bool] = false()
    if claim.kind == IdentityKind.EMAIL:
        accepted = is_accepted(Thread.id, claim.value)
    if claim.proof is None:
        return or_(addressee, accepted)
    other, owner = aliased(Identity), aliased(Contact)
    another = exists().where(
        has_value_of(claim, other),
        other.verified_at.is_not(None),
        other.shared_at.is_(None),
        owner.id == other.contact_id,
        func.coalesce(owner.canonical_id, owner.id) == Thread.contact_id,
        # Whose thread it is, is certain too.
        Thread.joined_proof.is_not(None),
    )
    return or_(addressee, accepted, another)


def _certainly_takes_part(claim: Claim) -> ColumnElement[bool]:
    """Proven, or an address that nobody has ever proven, in a conversation of its own."""
    if claim.proof:
        return _takes_part(claim)
    somebodys = aliased(Identity)
    proven = exists().where(
        has_value_of(claim, somebodys),
        or_(somebodys.verified_at.is_not(None), somebodys.shared_at.is_not(None)),
    )
    return and_(exists().where(Identity.id == Thread.identity_id, has_value_of(claim)), ~proven)


async def goes_on(
    session: AsyncSession, said: InboundMessage, thread: Thread, ticket: Ticket, *, at: datetime
) -> bool:
    """Does it still belong to the ticket of the conversation that it answers? What no person wrote stays with it in any case,
    and so does what is written to a ticket of spam."""
    if said.automatic or ticket.spam_at:
        return True
    return ticket.takes_more(at=at) and not await _is_another_matter(session, said, thread, ticket, at=at)


async def _is_another_matter(
    session: AsyncSession, said: InboundMessage, thread: Thread, ticket: Ticket, *, at: datetime
) -> bool:
    """An old mail, taken to write of something new."""
    if said.thread_key or ticket.status != TicketStatus.SOLVED or ticket.solved_at is None:
        return False
    if at - ticket.solved_at <= REMEMBERED:
        return False
    subject = Message.mail["subject"].astext
    known = await session.scalars(
        select(subject).where(Message.thread_id == thread.id, subject.is_not(None)).distinct()
    )
    return is_called_otherwise(said.subject, ticket.subject, thread.subject, *known.all())

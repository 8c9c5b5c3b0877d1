"""Which conversation carries an answer: the latest with whom it goes to, or one that begins with it."""

from datetime import datetime

from sqlalchemy import and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import SYSTEM, Actor
from domain.answering import texting
from domain.arriving.opening import open_thread
from domain.customers.contacts import Identity, IdentityKind, Proof, same_value
from domain.customers.survivors import SURVIVOR
from domain.db import Json
from domain.desk.threads import Placement, Thread
from domain.desk.tickets import Ticket
from domain.errors import CannotReply, ChannelOff, CustomerBegins, NoMailbox, NotFound
from domain.joining.reasons import JoinCode
from domain.telling import Wanted, known, tell_together
from domain.ways_in.channels import Channel, ChannelKind

CHANNEL_OF = {
    IdentityKind.EMAIL: ChannelKind.EMAIL,
    IdentityKind.MESSENGER: ChannelKind.MESSENGER,
    IdentityKind.CHAT: ChannelKind.CHAT,
    IdentityKind.PHONE: ChannelKind.SMS,
}

LATEST = (Thread.ended_at.is_not(None), Thread.last_inbound_at.desc().nulls_last(), Thread.id)
"""Of several conversations with somebody on a ticket, the first goes on."""


async def conversation_with(
    session: AsyncSession,
    ticket: Ticket,
    to: Identity,
    *,
    by: Actor,
    at: datetime,
    by_channel: Channel | None,
) -> tuple[Thread, Channel]:
    """The ticket's latest thread with this identity; a mail may begin a new one, and so may a text message to who wrote one.
    What goes on at somebody else's side is none of the customer's."""
    kind = CHANNEL_OF.get(to.kind)
    between = _between(ticket, to, kind)
    survivor, part, threads, channels = await tell_together(
        session,
        Wanted(SURVIVOR, {"contact_id": to.contact_id}),
        Wanted(_takes_part, between),
        Wanted(_latest, between, Thread),
        Wanted(_its_channel, between, Channel),
    )
    owner = survivor.scalar()
    if owner is None or (owner != ticket.contact_id and part.first() is None):
        raise NotFound(field=["identityId"])
    if kind is None:
        raise CannotReply(field=["identityId"])
    if threads:
        thread, channel = known(session, threads[0]), known(session, channels[0])
        if kind == ChannelKind.SMS and thread.ended_at:
            await texting.make_room(session, channel, to.value, by=by, at=at)
            thread.ended_at = None
        return thread, channel
    channel = by_channel or await _begins_by(session, ticket, to, kind)
    if kind == ChannelKind.SMS:
        await texting.make_room(session, channel, to.value, by=by, at=at)
    thread = open_thread(
        session,
        ticket,
        Placement(ticket.id, JoinCode.AGENT_OPENED),
        channel_id=channel.id,
        key=to.value if kind == ChannelKind.SMS else None,
        identity=to,
        subject=ticket.subject,
        by=by,
        at=at,
        proof=Proof.AGENT,
    )
    await session.flush()
    return thread, channel


async def _begins_by(session: AsyncSession, ticket: Ticket, to: Identity, kind: ChannelKind) -> Channel:
    if channel := await _may_begin_by(session, ticket, to, kind):
        return channel
    begun = select(Channel.name).join(Thread, Thread.channel_id == Channel.id)
    off = await session.scalar(
        begun.where(
            Thread.ticket_id == ticket.id,
            Thread.identity_id.in_(same_value(to)),
            Thread.side.is_(False),
            Channel.kind == kind,
        ).limit(1)
    )
    if off is not None:
        raise ChannelOff(field=["identityId"], name=off)
    raise (NoMailbox if kind == ChannelKind.EMAIL else CustomerBegins)(field=["identityId"])


async def _may_begin_by(
    session: AsyncSession, ticket: Ticket, to: Identity, kind: ChannelKind
) -> Channel | None:
    """A mail may begin a conversation, and a text message where the customer has written one before."""
    match kind:
        case ChannelKind.EMAIL:
            return await mailbox_for(session, ticket)
        case ChannelKind.SMS:
            return await texting.texted(session, to.value)
    return None


async def channel_to(session: AsyncSession, ticket: Ticket, to: Identity) -> Channel | None:
    """By which an answer to this identity would leave."""
    kind = CHANNEL_OF.get(to.kind)
    if kind is None:
        return None
    existing = await thread_with(session, ticket, to, kind)
    return existing[1] if existing else await _may_begin_by(session, ticket, to, kind)


async def thread_with(
    session: AsyncSession, ticket: Ticket, to: Identity, kind: ChannelKind
) -> tuple[Thread, Channel] | None:
    between = _between(ticket, to, kind)
    threads, channels = await tell_together(
        session, Wanted(_latest, between, Thread), Wanted(_its_channel, between, Channel)
    )
    return (known(session, threads[0]), known(session, channels[0])) if threads else None


async def mailed(
    session: AsyncSession, ticket: Ticket, to: Identity, code: JoinCode, *, at: datetime
) -> tuple[Thread, Channel] | None:
    """Of what is mailed by itself: the ticket's conversation with this address, else one that begins; none without a mailbox."""
    if existing := await thread_with(session, ticket, to, ChannelKind.EMAIL):
        return existing
    mailbox = await mailbox_for(session, ticket)
    if mailbox is None:
        return None
    thread = open_thread(
        session,
        ticket,
        Placement(ticket.id, code),
        channel_id=mailbox.id,
        key=None,
        identity=to,
        subject="",
        by=SYSTEM,
        at=at,
        proof=to.verified_by,
    )
    await session.flush()
    return thread, mailbox


def _between(ticket: Ticket, to: Identity, kind: ChannelKind | None) -> Json:
    said = {"identity_kind": to.kind, "scope": to.scope, "value": to.value}
    return {"ticket_id": ticket.id, "kind": kind, **said}


_theirs = select(Identity.id).where(
    Identity.kind == bindparam("identity_kind"),
    Identity.scope == bindparam("scope"),
    Identity.value == bindparam("value"),
)
_goes_on = and_(Thread.ticket_id == bindparam("ticket_id"), Thread.identity_id.in_(_theirs))
_takes_part = select(Thread.id).where(_goes_on).limit(1)
_latest = (
    select(Thread)
    .join(Channel, Channel.id == Thread.channel_id)
    .where(_goes_on, Thread.side.is_(False), Channel.kind == bindparam("kind"), Channel.disabled_at.is_(None))
    .order_by(*LATEST)
    .limit(1)
)
_its_channel = select(Channel).where(
    Channel.id == _latest.with_only_columns(Thread.channel_id).scalar_subquery()
)


async def mailbox_for(session: AsyncSession, ticket: Ticket) -> Channel | None:
    """From which a conversation of this ticket begins: its team's, else the oldest."""
    return await session.scalar(
        select(Channel)
        .where(Channel.kind == ChannelKind.EMAIL, Channel.disabled_at.is_(None))
        .order_by((Channel.team_id == ticket.team_id).desc().nulls_last(), Channel.created_at)
        .limit(1)
    )

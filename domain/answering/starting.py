"""A conversation that the shop begins: a ticket whose first word is a mail or a text message of ours."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import may_see
from domain.actors import Actor
from domain.agents.staff import Agent, Team
from domain.answering import texting
from domain.answering.addressing import read_addresses
from domain.answering.replies import Extras, send
from domain.arriving.opening import open_ticket
from domain.customers.contacts import (
    Claim,
    Contact,
    Identity,
    IdentityKind,
    add_contact,
    add_identity,
    lock_identities,
    normalised,
)
from domain.customers.likeness import identities_like
from domain.customers.survivors import held_contact, same_person
from domain.desk.messages import Message
from domain.desk.survivors import locked
from domain.desk.tickets import LIVE, Ticket, TicketStatus
from domain.errors import CannotReply, ChannelOff, InvalidInput, NoMailbox
from domain.keys import Keys
from domain.languages import N_
from domain.ways_in.channels import Channel, ChannelKind


@dataclass(frozen=True)
class Opening:
    """What a conversation begins with."""

    subject: str
    text: str
    extras: Extras
    team: Team | None = None
    assignee: Agent | None = None
    after: TicketStatus | None = None
    agreed: bool = False
    """Has the customer agreed to get text messages, as who writes says?"""


BY = {ChannelKind.EMAIL: IdentityKind.EMAIL, ChannelKind.SMS: IdentityKind.PHONE}
"""The kinds of channels in which the shop may speak first, with whom it speaks to."""


async def start(
    session: AsyncSession,
    keys: Keys,
    to: Identity,
    channel: Channel,
    opening: Opening,
    *,
    by: Actor,
    at: datetime,
    undo_for: timedelta = timedelta(0),
) -> tuple[Ticket, Message]:
    if not opening.subject.strip():
        raise InvalidInput(N_("This may not be empty."), field=["subject"])
    if BY.get(channel.kind) != to.kind:
        raise NoMailbox(field=["channelId"])
    if channel.disabled_at:
        raise ChannelOff(field=["channelId"], name=channel.name)
    if to.kind == IdentityKind.PHONE:
        await texting.agree(session, channel, to.value, agreed=opening.agreed, by=by, at=at)
    contact = await held_contact(session, to.contact_id)
    ticket = open_ticket(
        session,
        contact,
        subject=opening.subject.strip(),
        by=by,
        at=at,
        team_id=opening.team.id if opening.team else channel.team_id,
    )
    await session.flush()
    if opening.assignee:
        ticket.assign(to=opening.assignee, by=by, at=at)
    message = await send(
        session,
        keys,
        ticket,
        to=to,
        text=opening.text,
        by=by,
        at=at,
        last_seen_seq=0,
        force=True,
        after=opening.after,
        extras=opening.extras,
        undo_for=undo_for,
        by_channel=channel,
    )
    return ticket, message


async def only_ticket_of(session: AsyncSession, contact: Contact, *, by: Actor, at: datetime) -> Ticket:
    """The contact's only open one that the agent sees, held; otherwise a new one, which is the agent's."""
    contact = await held_contact(session, contact.id)
    open_ones = await session.scalars(
        select(Ticket)
        .where(
            Ticket.contact_id == contact.id,
            Ticket.merged_into_id.is_(None),
            Ticket.spam_at.is_(None),
            Ticket.status.in_(LIVE),
            may_see(Ticket, by),
        )
        .limit(2)
    )
    found = open_ones.all()
    if len(found) == 1:
        return await locked(session, found[0].id)
    ticket = open_ticket(session, contact, subject="", by=by, at=at)
    await session.flush()
    if by.agent_id:
        ticket.assign(to=await session.get_one(Agent, by.agent_id), by=by, at=at)
    return ticket


async def address_of(session: AsyncSession, contact: Contact, channel: Channel) -> Identity:
    """The contact's mail address, or number, that is written to: a proven one before others, the one used last."""
    found = await session.scalar(
        select(Identity)
        .where(same_person(Identity.contact_id, contact.id), Identity.kind == BY.get(channel.kind))
        .order_by(Identity.verified_at.is_(None), Identity.last_used_at.desc().nulls_last())
        .limit(1)
    )
    if found is None:
        raise CannotReply(field=["contactId"])
    return found


async def addressee(
    session: AsyncSession, given: str, channel: Channel, *, name: str, by: Actor, at: datetime
) -> Identity:
    """Whose address or number this is, as far as the agent may see: who has proven it, or the one contact that claims it. One
    that nobody here is known by makes a contact; that it is theirs, their answer will prove."""
    if channel.kind == ChannelKind.SMS:
        address = normalised(IdentityKind.PHONE, given, region=channel.config.get("region"))
    else:
        (address,) = await read_addresses(session, [given], field="address")
    claim = Claim(BY.get(channel.kind, IdentityKind.EMAIL), address, None, label=given.strip())
    await lock_identities(session, claim)
    like = await identities_like(session, claim)
    seen = [(identity, owner) for identity, owner in like if await _is_seen(session, owner, by)]
    proven = [identity for identity, _ in seen if identity.verified_at]
    if proven or len({owner.id for _, owner in seen}) == 1:
        return (proven or [identity for identity, _ in seen])[0]
    contact = add_contact(session, name=name.strip(), locale=None, by=by, at=at)
    identity = add_identity(session, contact, claim, by=by, at=at, name=name.strip())
    await session.flush()
    return identity


async def _is_seen(session: AsyncSession, contact: Contact, by: Actor) -> bool:
    seen = select(Contact.id).where(
        Contact.id == contact.id, Contact.erased_at.is_(None), may_see(Contact, by)
    )
    return await session.scalar(seen) is not None

"""With what a macro is filled in, ticket by ticket; read for all tickets at once."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_date
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from domain.agents.staff import Agent
from domain.answering.carrying import CHANNEL_OF, channel_to
from domain.customers.contacts import Contact, Identity
from domain.customers.names import first_name, parts_of
from domain.db import one_of
from domain.desk.messages import Item
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.joining.named_numbers import NamedNumber
from domain.joining.numbers import NumberKind
from domain.macros.macros import Macro, language_for
from domain.macros.variables import Filled, fill
from domain.ways_in.channels import Channel


@dataclass(frozen=True)
class Known:
    """What is known of one ticket."""

    number: int
    subject: str
    contact_name: str
    contact_locale: str | None
    order: str
    """The number of an order that was named last."""
    identity: Identity | None
    """Of the customer, in the channel used last."""
    channel: Channel | None

    def language(self, macro: Macro) -> str | None:
        of_channel = self.channel.config.get("language") if self.channel else None
        return language_for(macro.bodies, self.contact_locale, of_channel)

    def filled(self, body: str, agent: Agent, language: str, *, at: datetime) -> Filled:
        named = self.contact_name if "@" not in self.contact_name and parts_of(self.contact_name) else ""
        return fill(
            body,
            {
                "contact.name": named,
                "contact.first_name": first_name(self.contact_name),
                "ticket.number": str(self.number),
                "ticket.subject": self.subject,
                "order.number": self.order,
                "agent.name": agent.name,
                "agent.first_name": first_name(agent.name) or agent.name,
                "shop.name": self.channel.shop if self.channel else "",
                "today": format_date(at.astimezone(ZoneInfo(agent.timezone)), "long", locale=language),
            },
        )


async def known_of(session: AsyncSession, tickets: Sequence[Ticket]) -> dict[uuid.UUID, Known]:
    ids = [ticket.id for ticket in tickets]
    people = await _people(session, ids)
    orders = await _orders(session, ids)
    used = await _used_last(session, ids)
    return {
        ticket.id: Known(
            number=ticket.number,
            subject=ticket.subject,
            contact_name=people[ticket.id][0],
            contact_locale=people[ticket.id][1],
            order=orders.get(ticket.id, ""),
            identity=used[ticket.id][0] if ticket.id in used else None,
            channel=used[ticket.id][1] if ticket.id in used else None,
        )
        for ticket in tickets
    }


async def _people(
    session: AsyncSession, ids: Sequence[uuid.UUID]
) -> Mapping[uuid.UUID, tuple[str, str | None]]:
    was, became = aliased(Contact), aliased(Contact)
    rows = await session.execute(
        select(Ticket.id, became.name, became.locale)
        .join(was, was.id == Ticket.contact_id)
        .join(became, became.id == func.coalesce(was.canonical_id, was.id))
        .where(one_of(Ticket.id, ids))
    )
    return {row.id: (row.name, row.locale) for row in rows}


async def _orders(session: AsyncSession, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, str]:
    rows = await session.execute(
        select(Item.ticket_id, NamedNumber.value)
        .join(Item, Item.id == NamedNumber.item_id)
        .where(one_of(Item.ticket_id, ids), NamedNumber.kind == NumberKind.ORDER)
        .order_by(Item.ticket_id, Item.seq.desc(), NamedNumber.id.desc())
        .ext(distinct_on(Item.ticket_id))
    )
    return {row.ticket_id: row.value for row in rows}


async def _used_last(
    session: AsyncSession, ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, tuple[Identity, Channel]]:
    """In which the customer wrote last and can be answered."""
    rows = await session.execute(
        select(Thread.ticket_id, Identity, Channel)
        .join(Channel, Channel.id == Thread.channel_id)
        .join(Identity, Identity.id == Thread.identity_id)
        .where(
            one_of(Thread.ticket_id, ids),
            Thread.side.is_(False),
            Channel.kind.in_(CHANNEL_OF.values()),
            Channel.disabled_at.is_(None),
        )
        .order_by(Thread.ticket_id, Thread.last_inbound_at.desc().nulls_last(), Thread.joined_at.desc())
        .ext(distinct_on(Thread.ticket_id))
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def reached_by(session: AsyncSession, ticket: Ticket, known: Known, to: Identity) -> Known:
    """The same where an answer goes to this identity, by the channel by which it would leave."""
    return replace(known, identity=to, channel=await channel_to(session, ticket, to))

"""Under which policies a ticket falls, and so what is promised to its customer."""

import uuid
from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import asked
from domain.complaints.laws import law_tags
from domain.customers.contacts import Contact
from domain.db import Json, one_of_given
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.sla.hours import Hours
from domain.sla.policies import Matter, Policy, policies_for
from domain.sla.promises import Terms
from domain.telling import tell
from domain.ways_in.channels import Channel, ChannelKind


async def terms_of(
    session: AsyncSession, ticket: Ticket, ordered: Sequence[tuple[Policy, Json]]
) -> list[Terms]:
    """Those of the ticket's own policy, then those of others in which a law may promise something too."""
    if any(not policy.is_default for policy, _ in ordered):
        ordered = policies_for(ordered, await _matter(session, ticket), ticket.policy_id)
    return [policy.terms(Hours.from_json(hours)) for policy, hours in ordered]


async def _matter(session: AsyncSession, ticket: Ticket) -> Matter:
    channels, language = await asked(session, _circumstances, ticket.id)
    return Matter(
        channels=channels,
        team_id=ticket.team_id,
        priority=ticket.priority,
        tags={*ticket.tags, *await law_tags(session, ticket)},
        language=language,
    )


Circumstances = tuple[set[ChannelKind], str | None]


async def _circumstances(
    session: AsyncSession, ids: Sequence[uuid.UUID]
) -> Mapping[uuid.UUID, Circumstances]:
    """By which channels each has come, and its customer's language."""
    found: dict[uuid.UUID, Circumstances] = {}
    for id, language, kind in await tell(session, _ways, {"ids": ids}):
        channels = found.setdefault(id, (set(), language))[0]
        channels |= {kind} if kind else set()
    return found


_ways = (
    select(Ticket.id, Contact.locale, Channel.kind)
    .join(Contact, Contact.id == Ticket.contact_id)
    .outerjoin(Thread, Thread.ticket_id == Ticket.id)
    .outerjoin(Channel, Channel.id == Thread.channel_id)
    .where(one_of_given(Ticket.id))
)

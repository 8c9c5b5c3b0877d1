"""Under which policies a ticket falls, and so what is promised to its customer."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import asked
from domain.complaints.complaints import LEADS, Complaint, complaint_of
from domain.complaints.laws import law_tags
from domain.customers.contacts import Contact
from domain.db import Json, one_of_given
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.sla.facts import History, is_a_machines
from domain.sla.hours import Hours
from domain.sla.policies import Matter, Policy, policies_for
from domain.sla.promises import Promise, Terms, complained_at, promised, promised_by_law, until_decided
from domain.telling import tell
from domain.ways_in.channels import Channel, ChannelKind


async def promises_of(
    session: AsyncSession, ticket: Ticket, history: History, *, at: datetime
) -> list[Promise]:
    """What the ticket's own policy promises from its opening; beside it, what a law does, from the word that counts there."""
    facts, opened_at = history.facts, history.opened_at
    if ticket.merged_into_id or ticket.spam_at or await is_a_machines(session, ticket, facts):
        return []
    terms = await _terms_of(session, ticket, history.policies)
    if not terms:
        return []
    own, laws = terms[0].of(legal=False), [one.of(legal=True) for one in terms]
    found = promised(facts, [own], opened_at=opened_at, priority=ticket.priority)
    if any(law.apply(ticket.priority) for law in laws):
        complaint = await complaint_of(session, ticket.id)
        since = await _complained_since(session, complaint) if complaint else None
        since = since or history.legal_since
        if since is None:
            since = ticket.legal_since = complained_at(facts, at=at, opened_at=opened_at)
        if complaint:
            facts = until_decided(facts, complaint.decided_at or complaint.closed_at)
        found += promised_by_law(facts, laws, since=since, priority=ticket.priority)
    return found


async def _complained_since(session: AsyncSession, complaint: Complaint) -> datetime | None:
    """Its own word, or an earlier one of those that are part of it and were not answered before. Each ticket keeps its own, so
    that it has it when they part again."""
    unanswered = Complaint.decided_at.is_(None) & Complaint.closed_at.is_(None)
    return await session.scalar(
        select(func.min(Ticket.legal_since))
        .join(Complaint, Complaint.number == Ticket.number)
        .where(Complaint.ticket_id == complaint.ticket_id, LEADS | unanswered)
    )


async def _terms_of(
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
    .outerjoin(Thread, and_(Thread.ticket_id == Ticket.id, Thread.side.is_(False)))
    .outerjoin(Channel, Channel.id == Thread.channel_id)
    .where(one_of_given(Ticket.id))
)

"""Reads the history: a ticket that a person has solved is one to ask about, unless it is reopened before."""

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.actors import ActorKind
from domain.customers.contacts import Contact
from domain.db import new_id, ring
from domain.desk.threads import Thread
from domain.desk.tickets import LIVE, Ticket, TicketStatus
from domain.events import Event, EventKind
from domain.feedback.requests import SURVEYS, SurveyRequest, Unasked
from domain.feedback.scales import SurveyKind
from domain.feedback.surveys import Survey, surveys_for
from domain.languages import best_language
from domain.ways_in.channels import Channel

READER = "surveys"


async def heed(session: AsyncSession, event: Event) -> None:
    match event.kind:
        case EventKind.TICKET_CHANGED if status := event.data.get("status"):
            was_live, is_live = (TicketStatus(one) in LIVE for one in status)
            if is_live:
                await _leave(session, event)
            elif was_live and event.actor_kind == ActorKind.AGENT:
                await _wish(session, event)
        case EventKind.TICKET_REOPENED:
            await _leave(session, event)
        case _:
            pass


async def _leave(session: AsyncSession, event: Event) -> None:
    """What was to be asked about its solving is not asked any more."""
    await session.execute(
        update(SurveyRequest)
        .where(SurveyRequest.ticket_id == event.ticket_id, SurveyRequest.due_at.is_not(None))
        .values(due_at=None, unasked=Unasked.REOPENED)
        .execution_options(synchronize_session=False)
    )


async def _wish(session: AsyncSession, event: Event) -> None:
    if await session.scalar(select(Survey.id).where(Survey.enabled).limit(1)) is None:
        return
    found = await _last_spoken(session, event)
    if found is None:
        return
    ticket, channel, locale = found
    chosen = _chosen(await surveys_for(session, channel), ticket)
    if chosen is None:
        return
    row = insert(SurveyRequest).values(
        id=new_id(), survey_id=chosen.id, event_seq=event.seq, kind=chosen.kind, scale=chosen.scale,
        ticket_id=ticket.id, agent_id=event.actor_id, team_id=ticket.team_id, channel_id=channel.id,
        language=best_language(locale, channel.config.get("language")), solved_at=event.at,
        due_at=event.at + chosen.delay(channel.kind),
    )  # fmt: skip
    await session.execute(row.on_conflict_do_nothing(index_elements=["event_seq"]))
    ring(session, SURVEYS.topic)


def _chosen(surveys: dict[SurveyKind, Survey], ticket: Ticket) -> Survey | None:
    """One question for one solving: would you recommend us, of the few tickets that are drawn; else how our help was."""
    drawn = [surveys[kind] for kind in (SurveyKind.NPS, SurveyKind.CSAT) if kind in surveys]
    return next((survey for survey in drawn if survey.draws(ticket.id)), None)


async def _last_spoken(session: AsyncSession, event: Event) -> tuple[Ticket, Channel, str | None] | None:
    """The ticket, and the channel of that of its conversations in which the customer spoke last."""
    found = await session.execute(
        select(Ticket, Channel, Contact.locale)
        .join(Contact, Contact.id == Ticket.contact_id)
        .join(Thread, Thread.ticket_id == Ticket.id)
        .join(Channel, Channel.id == Thread.channel_id)
        .where(Ticket.id == event.ticket_id, Thread.side.is_(False))
        .order_by(func.coalesce(Thread.last_inbound_at, Thread.joined_at).desc())
        .limit(1)
    )
    row = found.one_or_none()
    return (row[0], row[1], row[2]) if row else None

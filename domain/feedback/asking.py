"""Asks customers what they think of the help they got, each about one solved ticket, once, however many workers there are.

What asks is a message like any other, written by no person: it answers nothing and moves no clock.
"""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.abreast import one_at_a_time
from domain.actors import SYSTEM
from domain.answering.replies import going_on, message_id, queued, said_at_once
from domain.customers.survivors import same_person
from domain.db import Database, database_time, ring
from domain.desk.messages import OUTBOX, Message
from domain.desk.survivors import locked
from domain.desk.tickets import Ticket
from domain.events import EventKind
from domain.feedback import wording
from domain.feedback.requests import SURVEYS, SurveyRequest, Unasked
from domain.feedback.rules import Solved, why_not
from domain.feedback.surveys import Survey
from domain.feedback.ways import Way, way_to
from domain.hands import work
from domain.keys import Keys
from domain.sla.clocks import Clock
from domain.sla.facts import facts_of
from domain.sla.promises import Deed
from domain.ways_in.channels import ChannelKind
from domain.work import Lease

SURVEY = "survey"
"""In a message's particulars, the id of the request by which it asks."""


class Asker:
    def __init__(self, db: Database, keys: Keys, base_url: str) -> None:
        self._db, self._keys, self._base_url = db, keys, base_url

    async def run(self) -> None:
        await work(self._db, SURVEYS, self.ask)

    async def ask(self, request: SurveyRequest, lease: Lease[SurveyRequest]) -> None:
        async with self._db.transaction() as session:
            ticket = await locked(session, request.ticket_id)
            held = await lease.hold(session)  # after the ticket, as an answer takes them
            now = await database_time(session)
            said = await self._said(session, held, ticket, at=now)
            if isinstance(said, Unasked):
                await lease.settle(session, unasked=said)
            else:
                await lease.settle(session, asked_at=now, item_id=said.id)

    async def _said(
        self, session: AsyncSession, request: SurveyRequest, ticket: Ticket, *, at: datetime
    ) -> Message | Unasked:
        """What asks, on its way; or why nothing does."""
        survey = await session.get_one(Survey, request.survey_id)
        if not survey.enabled:
            return Unasked.SWITCHED_OFF
        await one_at_a_time(session, f"asked\n{ticket.contact_id}")
        if reason := why_not(await _solved(session, request, survey, ticket), at=at):
            return reason
        text = wording.asked(survey, ChannelKind.SMS, request.language, ticket.number)
        links = wording.below(request, ChannelKind.SMS, self._base_url, self._keys)
        way = await way_to(session, ticket, request.channel_id, f"{text}\n\n{links}", at=at)
        if way is None:
            return Unasked.NO_WAY
        return await _say(session, self._keys, request, survey, ticket, way, at=at)


async def _solved(session: AsyncSession, request: SurveyRequest, survey: Survey, ticket: Ticket) -> Solved:
    deeds = {fact.deed for fact in await facts_of(session, ticket)}
    of_law = select(Clock.id).where(
        Clock.ticket_id == ticket.id,
        Clock.is_legal,
        Clock.ended_at.is_(None),
        Clock.met_at.is_(None) | Clock.breached_at.is_not(None),
    )
    before = await session.execute(
        select(SurveyRequest.kind, SurveyRequest.asked_at, SurveyRequest.refused_at)
        .join(Ticket, Ticket.id == SurveyRequest.ticket_id)
        .where(same_person(Ticket.contact_id, ticket.contact_id), SurveyRequest.asked_at.is_not(None))
    )
    rows = before.all()
    return Solved(
        kind=request.kind,
        again_after_days=survey.again_after_days,
        solved_at=request.solved_at,
        delay=survey.delay(ChannelKind.EMAIL),
        is_live=ticket.is_live(),
        is_merged=ticket.id != request.ticket_id,
        is_spam=ticket.spam_at is not None,
        both_talked={Deed.CUSTOMER_SPOKE, Deed.SHOP_SPOKE} <= deeds,
        promise_broken=await session.scalar(of_law.limit(1)) is not None,
        refused=any(row.refused_at for row in rows),
        asked=[(row.kind, row.asked_at) for row in rows],
    )


async def _say(
    session: AsyncSession,
    keys: Keys,
    request: SurveyRequest,
    survey: Survey,
    ticket: Ticket,
    way: Way,
    *,
    at: datetime,
) -> Message:
    kind, language = way.channel.kind, request.language
    text = wording.asked(survey, kind, language, ticket.number)
    message = queued(way.thread, text=text, by=SYSTEM, at=at)
    message.particulars = {SURVEY: str(request.id)}
    if kind == ChannelKind.EMAIL:
        subject = wording.subject(request.kind, language)
        message.external_id = message_id(keys, way.channel, way.thread, message)
        message.mail = {"to": [["", way.to.value]]} | await going_on(session, ticket, way.thread, subject)
    elif kind == ChannelKind.CHAT:
        said_at_once(session, way.thread, message)
    session.add(message)
    await session.flush()
    message.tell(EventKind.MESSAGE_QUEUED, by=SYSTEM, at=at)
    ring(session, OUTBOX.topic)
    return message


async def links_below(
    session: AsyncSession, message: Message, channel: ChannelKind, base_url: str, keys: Keys
) -> str:
    """What its sender writes below a message that asks; nothing below any other."""
    if SURVEY not in (message.particulars or {}):
        return ""
    request = await session.scalar(select(SurveyRequest).where(SurveyRequest.item_id == message.id))
    return wording.below(request, channel, base_url, keys) if request else ""

"""A survey asked of one customer about one solved ticket, and what was answered. Rows that wait to be asked are the queue."""

import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import customer
from domain.customers.contacts import Contact
from domain.db import Base, new_id, session_of
from domain.desk.survivors import locked
from domain.desk.tickets import Ticket
from domain.events import EventKind, record
from domain.feedback.scales import SCORES, Scale, SurveyKind, is_low
from domain.work import Queue, Work

ANSWERED_WITHIN = timedelta(days=30)
CHANGED_WITHIN = timedelta(days=7)
LONGEST_WORDS = 2000


class Unasked(StrEnum):
    """Why nobody was asked."""

    REOPENED = "reopened"
    MERGED = "merged"
    SPAM = "spam"
    NOBODY_TALKED = "nobody_talked"
    """No customer and no person of the shop: machines alone."""
    PROMISE_BROKEN = "promise_broken"
    """A law promises an answer, which is late or still to be given: the customer has other worries."""
    ASKED_LATELY = "asked_lately"
    REFUSED = "refused"
    """The customer wants no such questions."""
    TOO_LATE = "too_late"
    SWITCHED_OFF = "switched_off"
    NO_WAY = "no_way"
    """No proven address, a closed window, a number that wants nothing, a blocked sender."""


class AnsweredBy(StrEnum):
    LINK = "link"
    CHAT = "chat"


class SurveyRequest(Work, Base):
    __tablename__ = "survey_request"
    __table_args__ = (
        Index("ix_survey_request_ticket", "ticket_id"),
        Index("ix_survey_request_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_survey_request_asked", "asked_at", postgresql_where=text("asked_at IS NOT NULL")),
        Index("ix_survey_request_answered", "answered_at", "id", postgresql_where=text("answered_at IS NOT NULL")),
        Index("ix_survey_request_words", "channel_id", postgresql_where=text("words <> ''")),
    )  # fmt: skip

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    survey_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("survey.id"))
    event_seq: Mapped[int] = mapped_column(BigInteger, unique=True)
    """The solving that it is about: asked once."""
    kind: Mapped[SurveyKind]
    scale: Mapped[Scale]
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    """The one that was solved, whatever it has become part of. Whose it is, it says."""
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"))
    """Who solved it."""
    team_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("team.id"))
    channel_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("channel.id"))
    """Where the customer spoke last. What asks may have gone by another way: its item says."""
    language: Mapped[str] = mapped_column(default="en", server_default="en")
    solved_at: Mapped[datetime]
    asked_at: Mapped[datetime | None]
    item_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("item.id"), unique=True)
    """The message that asks."""
    unasked: Mapped[Unasked | None]
    refused_at: Mapped[datetime | None]
    """The customer wants to be asked no more."""
    score: Mapped[int | None] = mapped_column(Integer)
    words: Mapped[str] = mapped_column(default="", server_default="")
    answered_by: Mapped[AnsweredBy | None]
    answered_at: Mapped[datetime | None]
    """First."""
    changed_at: Mapped[datetime | None]
    """Last: the words are of then."""

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        self.unasked = Unasked.NO_WAY

    def answer(self, ticket: Ticket, *, score: int, words: str | None, by: AnsweredBy, at: datetime) -> None:
        """`ticket` is what it is about now, and held like the request. Without words those that are there stay."""
        before, was_low = (self.score, self.words), self.is_low()
        self.score = score
        self.words = self.words if words is None else words.strip()[:LONGEST_WORDS]
        if (self.score, self.words) == before:
            return
        changed = self.answered_at is not None
        self.answered_by, self.answered_at, self.changed_at = by, self.answered_at or at, at
        record(
            session_of(self),
            EventKind.FEEDBACK_GIVEN,
            by=customer(ticket.contact_id),
            at=at,
            ticket_id=ticket.id,
            contact_id=ticket.contact_id,
            data={
                "request": str(self.id),
                "kind": self.kind,
                "score": score,
                "most": SCORES[self.scale][-1],
                "changed": changed,
                "turned_low": self.is_low() and not was_low,
            },
        )

    def refuse(self, *, at: datetime) -> None:
        self.refused_at = self.refused_at or at

    def is_low(self) -> bool:
        return self.score is not None and is_low(self.kind, self.score)

    def takes_answers(self, *, at: datetime) -> bool:
        if self.asked_at is None:
            return False
        if self.answered_at is not None:
            return at - self.answered_at < CHANGED_WITHIN
        return at - self.asked_at < ANSWERED_WITHIN

    def is_known(self, *, at: datetime) -> bool:
        """May whoever has its link still be shown that it was asked?"""
        return self.asked_at is not None and at - self.asked_at < ANSWERED_WITHIN + CHANGED_WITHIN

    def offers(self, score: int) -> bool:
        return score in SCORES[self.scale]


SURVEYS = Queue(SurveyRequest, topic="surveys", outward=True)


async def held_request(session: AsyncSession, id: uuid.UUID) -> tuple[SurveyRequest, Ticket] | None:
    """With the ticket that it is about now, which is held first, as whoever adds to a timeline does. None of whom was erased."""
    ticket_id = await session.scalar(select(SurveyRequest.ticket_id).where(SurveyRequest.id == id))
    if ticket_id is None:
        return None
    ticket = await locked(session, ticket_id)
    request = await session.get_one(SurveyRequest, id, with_for_update=True, populate_existing=True)
    # Asked once it is held: who is erased from now on has what it says taken too.
    erased = (
        select(Contact.erased_at).join(Ticket, Ticket.contact_id == Contact.id).where(Ticket.id == ticket_id)
    )
    return None if await session.scalar(erased) else (request, ticket)

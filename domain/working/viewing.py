"""Who has a ticket open now, and who types: rows that lapse unless they are said again. Nothing of it is history."""

import uuid
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.agents.sign_in import SignIn
from domain.db import Base, one_of_given, ring

LAPSES_AFTER = timedelta(seconds=45)
"""Devices say it again every fifteen seconds."""
LETS_GO_AFTER = timedelta(seconds=5)
"""From a socket's end: one that comes back, or another window, says it again by then."""


class Intent(StrEnum):
    VIEWING = "viewing"
    TYPING = "typing"
    LEFT = "left"


class Viewing(Base):
    """One session of an agent's on one ticket."""

    __tablename__ = "viewing"
    __table_args__ = (Index("ix_viewing_expires", "expires_at"),)

    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    sign_in_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("sign_in.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    agent_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"))
    intent: Mapped[Intent]
    since: Mapped[datetime]
    expires_at: Mapped[datetime]


def news_of_viewers(ticket_id: uuid.UUID) -> str:
    """What is rung when another list of viewers is to be shown."""
    return f"viewing:{ticket_id}"


async def says(
    session: AsyncSession,
    ticket_id: uuid.UUID,
    sign_in_id: uuid.UUID,
    intent: Intent,
    *,
    by: Actor,
    at: datetime,
) -> None:
    """Rings only where it changes what others see."""
    if intent == Intent.LEFT:
        theirs = (Viewing.ticket_id == ticket_id, Viewing.sign_in_id == sign_in_id)
        gone = await session.execute(delete(Viewing).where(*theirs).returning(Viewing.expires_at))
        if gone.first():
            ring(session, news_of_viewers(ticket_id))
        return
    here = (Viewing.ticket_id == ticket_id, Viewing.sign_in_id == sign_in_id, Viewing.expires_at > at)
    before = (await session.execute(select(Viewing.intent, Viewing.since).where(*here))).one_or_none()
    values = {"intent": intent, "since": before.since if before else at, "expires_at": at + LAPSES_AFTER}
    said = insert(Viewing).values(ticket_id=ticket_id, sign_in_id=sign_in_id, agent_id=by.agent_id, **values)
    await session.execute(said.on_conflict_do_update(index_elements=["ticket_id", "sign_in_id"], set_=values))
    if before is None or before.intent != intent:
        ring(session, news_of_viewers(ticket_id))


async def lets_go(session: AsyncSession, ticket_id: uuid.UUID, sign_in_id: uuid.UUID) -> None:
    """The session's socket has ended."""
    soon = func.now() + LETS_GO_AFTER
    await session.execute(
        update(Viewing)
        .where(Viewing.ticket_id == ticket_id, Viewing.sign_in_id == sign_in_id, Viewing.expires_at > soon)
        .values(expires_at=soon)
    )
    ring(session, news_of_viewers(ticket_id))


VIEWERS = (
    select(Viewing.__table__, SignIn.kind.label("device"))
    .join(SignIn, SignIn.id == Viewing.sign_in_id)
    .where(
        one_of_given(Viewing.ticket_id),
        Viewing.expires_at > func.clock_timestamp(),
        SignIn.ended_at.is_(None),
    )
    .order_by(Viewing.since, Viewing.sign_in_id)
)
"""Those who are there now, who came first first: of tickets (`ids`)."""


AGENTS = select(Viewing.agent_id).where(one_of_given(Viewing.ticket_id))
"""Whoever is there, or was a moment ago: at tickets (`ids`)."""


async def forget_lapsed(session: AsyncSession) -> None:
    await session.execute(delete(Viewing).where(Viewing.expires_at < func.now()))

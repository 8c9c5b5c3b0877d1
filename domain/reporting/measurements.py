"""What was measured: a row for each thing that statistics count or time, of the ticket that it belongs to now.

Rows are written by `domain/reporting/keeping.py` from the ticket's history, and never changed: what is no longer so goes, what has
become so comes. What each kind means for whoever reads a report stands in `docs/statistics.md`.
"""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.complaints.stages import Stage
from domain.db import Base, new_id


class Measured(StrEnum):
    OPENED = "opened"
    MESSAGE_IN = "message_in"
    MESSAGE_OUT = "message_out"
    CALL_IN = "call_in"
    CALL_OUT = "call_out"
    """Of both kinds of calls, `kept` says whether somebody answered; seconds are those of the talk."""
    FIRST_REPLY = "first_reply"
    NEXT_REPLY = "next_reply"
    SOLVED = "solved"
    """Seconds since the ticket was opened; `kept`: with one answer, the first time."""
    IN_HAND = "in_hand"
    """Of a ticket that was solved: seconds in which somebody had it, since it was opened or solved before."""
    REOPENED = "reopened"
    OPEN = "open"
    """A stretch `until` which the ticket was not settled and stayed with the same agent and team; without it, it still is."""
    FIRST_REPLY_PROMISE = "first_reply_promise"
    NEXT_REPLY_PROMISE = "next_reply_promise"
    RESOLUTION_PROMISE = "resolution_promise"
    COMPLAINT_OPENED = "complaint_opened"
    COMPLAINT_CLOSED = "complaint_closed"
    COMPLAINT_RECEIVED = "complaint_received"
    """This and those that follow are stretches like `OPEN`, in which a complaint stood at a stage."""
    COMPLAINT_INVESTIGATING = "complaint_investigating"
    COMPLAINT_WAITING = "complaint_waiting"
    COMPLAINT_DECIDED = "complaint_decided"
    COMPLAINT_REMEDIED = "complaint_remedied"


PROMISES = (Measured.FIRST_REPLY_PROMISE, Measured.NEXT_REPLY_PROMISE, Measured.RESOLUTION_PROMISE)

STAGES = {
    Stage.RECEIVED: Measured.COMPLAINT_RECEIVED,
    Stage.INVESTIGATING: Measured.COMPLAINT_INVESTIGATING,
    Stage.WAITING_EXTERNAL: Measured.COMPLAINT_WAITING,
    Stage.DECIDED: Measured.COMPLAINT_DECIDED,
    Stage.REMEDIED: Measured.COMPLAINT_REMEDIED,
}
"""A closed complaint stands nowhere any more."""
STRETCHES = (Measured.OPEN, *STAGES.values())
ARE_STRETCHES = f"kind IN ({', '.join(map(repr, map(str, STRETCHES)))})"


class Measurement(Base):
    __tablename__ = "measurement"
    __table_args__ = (
        Index("ix_measurement_ticket", "ticket_id"),
        Index("ix_measurement_kind", "kind", "at"),
        Index("ix_measurement_open", "until", postgresql_where=text(ARE_STRETCHES)),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    kind: Mapped[Measured]
    at: Mapped[datetime]
    until: Mapped[datetime | None]
    agent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """Whose figure it is."""
    channel_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("channel.id"))
    team_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("team.id"))
    """Which had the ticket then."""
    wall_seconds: Mapped[int | None] = mapped_column(Integer)
    business_seconds: Mapped[int | None] = mapped_column(Integer)
    """By the hours that held when it was measured: a calendar that changes later changes no past figure."""
    kept: Mapped[bool | None]

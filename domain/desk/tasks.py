"""Work to do, with an assignee and/or a due time, on a ticket, on a contact, or alone.

What falls due of it (somebody is reminded, or it comes again) is done by a wheel: `domain/planning`.
"""

import uuid
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.db import Base, Json, new_id, ring, session_of
from domain.errors import InvalidInput
from domain.events import EventKind, record
from domain.languages import N_
from domain.planning.recurrence import GoesOn, Recurrence

TOPIC = "tasks"
"""Rung when something of a task falls due earlier than the wheel knew."""

EARLIEST_MINUTES = 28 * 24 * 60


class Task(Base):
    __tablename__ = "task"
    __table_args__ = (
        Index("ix_task_open", "assignee_id", "due_at", postgresql_where=text("done_at IS NULL")),
        Index("ix_task_given", "created_by_id", "due_at", postgresql_where=text("done_at IS NULL")),
        Index("ix_task_order", text("(done_at IS NOT NULL)"), text("done_at DESC"), "due_at", "id"),
        Index("ix_task_ticket", "ticket_id"),
        Index("ix_task_contact", "contact_id"),
        Index("ix_task_next", "next_at", postgresql_where=text("next_at IS NOT NULL")),
        Index("ix_task_repeat", "repeat_at", postgresql_where=text("repeat_at IS NOT NULL")),
        Index("ix_task_series", "series_id", postgresql_where=text("series_id IS NOT NULL")),
        Index(
            "uq_task_of_complaint",
            "complaint_id",
            "step",
            unique=True,
            postgresql_where=text("complaint_id IS NOT NULL"),
        ),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    title: Mapped[str]
    description: Mapped[str] = mapped_column(default="", server_default="")
    due_at: Mapped[datetime | None]
    assignee_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    team_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("team.id"))
    """Whose it is as long as nobody has it."""
    ticket_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"))
    contact_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("contact.id"))
    created_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    missed_calls: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """It is to call somebody back who rang so often in vain; 0 for other work (`domain/calling/call_backs.py`)."""
    last_call_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("item.id"))
    """The last of those calls."""
    remind_minutes: Mapped[int | None] = mapped_column(Integer, default=0, server_default="0")
    """So long before it is due; none: nobody is reminded."""
    remind_at: Mapped[datetime | None]
    """A moment of its own, in place of minutes before."""
    reminder_at: Mapped[datetime | None]
    """The moment that what is said, or was said, of it is for."""
    next_at: Mapped[datetime | None]
    """The same, until it has been said."""
    repeats: Mapped[Json | None] = mapped_column(JSONB(none_as_null=True))
    """How it comes again: stands on the newest of a series, and goes on to the next."""
    repeat_at: Mapped[datetime | None]
    """When the next one is to be made."""
    series_id: Mapped[uuid.UUID | None]
    complaint_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("complaint.id"))
    """Whose step of a template it is: each is made once."""
    step: Mapped[str | None]

    def saved(self, *, by: Actor, at: datetime, before: uuid.UUID | None = None) -> None:
        """After any change: refuses a task that says nothing, and writes it into the history. `before`: whose it was."""
        if not self.title.strip():
            raise InvalidInput(N_("A task needs a title."), field=["title"])
        self.updated_at = at
        self._plan(at)
        record(
            session_of(self),
            EventKind.TASK_SAVED,
            by=by,
            at=at,
            task_id=self.id,
            ticket_id=self.ticket_id,
            contact_id=self.contact_id,
            data={"done": self.done_at is not None, "before": str(before) if before else None},
        )

    def finish(self, done: bool, *, at: datetime) -> None:
        self.done_at = (self.done_at or at) if done else None

    def remind(self, *, minutes: int | None = None, at: datetime | None = None) -> None:
        """So many minutes before it is due, or at a moment of its own; without either, not at all."""
        if minutes is not None and not 0 <= minutes <= EARLIEST_MINUTES:
            raise InvalidInput(
                N_("Minutes before are 0 to {most}."), field=["remindMinutesBefore"], most=EARLIEST_MINUTES
            )
        self.remind_minutes, self.remind_at = minutes, at

    def repeat(self, recurrence: Recurrence | None) -> None:
        """None: this was the last."""
        self.repeats = recurrence.to_json() if recurrence else None
        if recurrence:
            self.series_id = self.series_id or self.id

    def _plan(self, at: datetime) -> None:
        """What was said once is not said again unless its moment moves, and nothing is said of the past."""
        reminder = None if self.done_at else self._reminder()
        if reminder != self.reminder_at:
            self.reminder_at = reminder
            self.next_at = reminder if reminder and reminder > at else None
        self.repeat_at = self._repeats_at() if self.repeats else None
        if self.next_at or self.repeat_at:
            ring(session_of(self), TOPIC)

    def _reminder(self) -> datetime | None:
        if self.remind_at or self.due_at is None or self.remind_minutes is None:
            return self.remind_at
        return self.due_at - timedelta(minutes=self.remind_minutes)

    def _repeats_at(self) -> datetime | None:
        on_schedule = self.repeats is not None and self.repeats["goes_on"] == GoesOn.SCHEDULE
        return self.done_at or (self.due_at if on_schedule else None)

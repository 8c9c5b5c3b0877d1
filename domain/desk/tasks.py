"""Work to do, with an assignee and/or a due time, on a ticket, on a contact, or alone."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.db import Base, new_id, session_of
from domain.errors import InvalidInput
from domain.events import EventKind, record
from domain.languages import N_


class Task(Base):
    __tablename__ = "task"
    __table_args__ = (
        Index("ix_task_open", "assignee_id", "due_at", postgresql_where=text("done_at IS NULL")),
        Index("ix_task_ticket", "ticket_id"),
        Index("ix_task_contact", "contact_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    title: Mapped[str]
    due_at: Mapped[datetime | None]
    assignee_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
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

    def saved(self, *, by: Actor, at: datetime, before: uuid.UUID | None = None) -> None:
        """After any change: refuses a task that says nothing, and writes it into the history. `before`: whose it was."""
        if not self.title.strip():
            raise InvalidInput(N_("A task needs a title."), field=["title"])
        self.updated_at = at
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

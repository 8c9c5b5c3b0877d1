"""A complaint: a ticket that waits for a decision, by a date that a law or the shop itself has promised.

The law's date is that of the ticket's legal clock, and stands nowhere else (`domain/complaints/decision_dates.py`). A row leads
its ticket, unless it is part of another of the same ticket since tickets were merged (`domain/complaints/settling.py`).
"""

import uuid
from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Index, Numeric, and_, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.complaints.refusals import NotFromThisStage
from domain.complaints.stages import FOLLOWING, NAMES, UNDECIDED, Outcome, Remedy, Stage
from domain.db import Base, Json, new_id, session_of
from domain.errors import InvalidInput
from domain.events import EventKind, record
from domain.languages import N_, translate
from domain.sla.templates import Template
from domain.ways_in.channels import ChannelKind


class Complaint(Base):
    __tablename__ = "complaint"
    __table_args__ = (
        Index("ix_complaint_ticket", "ticket_id"),
        Index(
            "ix_complaint_open",
            "opened_at",
            postgresql_where=text("closed_at IS NULL AND merged_into_id IS NULL"),
        ),
        Index("ix_complaint_stalls", "stalls_at", postgresql_where=text("stalls_at IS NOT NULL")),
        Index("ix_complaint_warns", "warns_at", postgresql_where=text("warns_at IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(BigInteger, unique=True)
    """The ticket's when it was opened: what the customer was told, whatever the ticket becomes."""
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    merged_into_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("complaint.id"))
    template: Mapped[Template | None]
    """Whose law it is under."""
    channel: Mapped[ChannelKind | None]
    """By which it came."""
    stage: Mapped[Stage]
    stage_since: Mapped[datetime]
    opened_at: Mapped[datetime]
    opened_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    owner_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    promised_at: Mapped[datetime | None]
    """When the shop itself has promised to decide; never later than the law."""
    next_step: Mapped[str] = mapped_column(default="", server_default="")
    next_step_at: Mapped[datetime | None]
    moved_at: Mapped[datetime]
    """When the stage or the next step was set last."""
    stalls_at: Mapped[datetime | None]
    """When somebody is told, unless it moves before."""
    warns_at: Mapped[datetime | None]
    """When somebody is told next that what the shop has promised comes nearer."""
    outcome: Mapped[Outcome | None]
    remedy: Mapped[Remedy | None]
    amount: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    currency: Mapped[str | None]
    decision: Mapped[str] = mapped_column(default="", server_default="")
    """In words."""
    decided_at: Mapped[datetime | None]
    """When the customer was told the decision that keeps the law's date."""
    closed_at: Mapped[datetime | None]

    @property
    def is_undecided(self) -> bool:
        return self.stage in UNDECIDED

    def may_go(self, to: Stage, *, locale: str) -> None:
        following = FOLLOWING[self.stage]
        if to not in following:
            raise NotFromThisStage(
                field=["stage"],
                stage=translate(locale, NAMES[self.stage]),
                following=", ".join(translate(locale, NAMES[stage]) for stage in following),
            )
        if to in (Stage.DECIDED, Stage.CLOSED) and self.outcome is None:
            raise InvalidInput(N_("Say what was decided."), field=["outcome"])
        if to == Stage.CLOSED and self.is_undecided and self.outcome != Outcome.WITHDRAWN:
            raise InvalidInput(
                N_("Without a decision only what the customer withdrew is closed."), field=["outcome"]
            )

    def go(self, to: Stage, note: str, *, answered: bool, by: Actor, at: datetime) -> None:
        """`answered`: a decision of earlier was closed, and keeps the law's date whatever becomes of a later one."""
        before, self.stage = self.stage, to
        self.stage_since = self.moved_at = at
        self.closed_at = at if to == Stage.CLOSED else None
        if to == Stage.INVESTIGATING and (before == Stage.DECIDED or self.outcome == Outcome.WITHDRAWN):
            self._take_back(answered)
        self.tell(EventKind.COMPLAINT_ADVANCED, note, by=by, at=at, before=before)

    def _take_back(self, answered: bool) -> None:
        """What was decided, or withdrawn, stands in the steps alone."""
        self.outcome = None
        if not answered:
            self.decided_at = None
        self.decision = ""
        self.award(None, None, None)

    def award(self, remedy: Remedy | None, amount: Decimal | None, currency: str | None) -> None:
        """What the customer gets."""
        if (amount is None) != (currency is None):
            raise InvalidInput(N_("An amount has a currency."), field=["amount"])
        if amount is not None and not 0 <= amount < 10**10:
            raise InvalidInput(N_("This is no amount of money."), field=["amount"])
        self.remedy, self.amount, self.currency = remedy, amount, currency

    def tell(self, kind: EventKind, note: str = "", *, by: Actor, at: datetime, **data: object) -> None:
        """Writes down a step, with what the person said, and tells of it by its id."""
        session = session_of(self)
        step = ComplaintStep(
            id=new_id(),
            complaint_id=self.id,
            stage=self.stage,
            outcome=None if self.is_undecided else self.outcome,
            at=at,
            by_id=by.agent_id,
            note=note.strip(),
        )
        session.add(step)
        told: Json = {"complaint": str(self.id), "stage": self.stage, "step": str(step.id), **data}
        record(session, kind, by=by, at=at, ticket_id=self.ticket_id, data=told)


class ComplaintStep(Base):
    """What was done about a complaint, and what was said: an event holds no words."""

    __tablename__ = "complaint_step"
    __table_args__ = (Index("ix_complaint_step", "complaint_id", "at", "id"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    complaint_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("complaint.id"))
    stage: Mapped[Stage]
    """In which it was then."""
    outcome: Mapped[Outcome | None]
    """That stood then."""
    at: Mapped[datetime]
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """None: Heddle, or an integrator."""
    note: Mapped[str]


LEADS = Complaint.merged_into_id.is_(None)
OPEN: ColumnElement[bool] = and_(LEADS, Complaint.closed_at.is_(None))


async def complaint_of(session: AsyncSession, ticket_id: uuid.UUID) -> Complaint | None:
    """The one that leads the ticket."""
    found = await session.scalars(select(Complaint).where(Complaint.ticket_id == ticket_id, LEADS))
    return found.one_or_none()

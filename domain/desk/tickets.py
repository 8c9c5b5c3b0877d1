"""One matter of one contact, joining any number of threads."""

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import sqlalchemy
from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Index, Integer, and_, or_, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.agents.staff import Agent, Team
from domain.assigning.reasons import OTHER_TEAM
from domain.db import Base, Json, new_id, ring, session_of
from domain.desk import tags
from domain.desk.messages import Direction, Note
from domain.errors import InvalidInput, SomebodyElseAssigned, Undecided
from domain.events import EventKind, record
from domain.fields import kept_values
from domain.languages import N_

REOPENS_WITHIN = timedelta(days=30)
"""A customer's word on a ticket solved longer ago opens a new one."""
LONGEST_SNOOZE = timedelta(days=366)
SNOOZES = "snoozes"
"""Rung when a ticket is to wake earlier than thought."""

NEVER = datetime(9999, 1, 1, tzinfo=UTC)
"""Later than anything: in the order of due times, what has none comes last."""


class TicketStatus(StrEnum):
    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    SOLVED = "solved"
    CLOSED = "closed"


LIVE = (TicketStatus.NEW, TicketStatus.OPEN, TicketStatus.PENDING)
OURS = (TicketStatus.NEW, TicketStatus.OPEN)
"""It is the shop's turn."""
OVER = (TicketStatus.SOLVED, TicketStatus.CLOSED)

IS_LIVE = "status IN ('new', 'open', 'pending')"
"""In the words of the partial indexes: with parameters they would not serve."""

NUMBERS = sqlalchemy.Sequence("ticket_number_seq", metadata=Base.metadata, data_type=BigInteger())


class Ticket(Base):
    __tablename__ = "ticket"
    __table_args__ = (
        Index("ix_ticket_updated", "updated_at", "id"),
        Index("ix_ticket_contact", "contact_id"),
        Index("ix_ticket_merged", "merged_into_id", postgresql_where=text("merged_into_id IS NOT NULL")),
        Index("ix_ticket_split", "split_by_id", postgresql_where=text("split_by_id IS NOT NULL")),
        Index("ix_ticket_snoozed", "snoozed_until", postgresql_where=text("snoozed_until IS NOT NULL")),
        Index("ix_ticket_created", "created_at", "id"),
        Index("ix_ticket_solved", "solved_at", postgresql_where=text("solved_at IS NOT NULL")),
        Index("ix_ticket_spam", "updated_at", "id", postgresql_where=text("spam_at IS NOT NULL")),
        Index("ix_ticket_live", "assignee_id", postgresql_where=text(IS_LIVE)),
        Index("ix_ticket_due", "due_at", "id", postgresql_where=text(IS_LIVE)),
        Index("ix_ticket_tags", "tags", postgresql_using="gin"),
        Index(
            "ix_ticket_queue",
            "team_id",
            postgresql_where=text("assignee_id IS NULL AND status IN ('new', 'open')"),
        ),
    )
    __mapper_args__ = {"eager_defaults": True}

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(BigInteger, unique=True, server_default=NUMBERS.next_value())
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"))
    subject: Mapped[str]
    status: Mapped[TicketStatus]
    priority: Mapped[int] = mapped_column(Integer, default=3, server_default="3")
    """1 urgent, 2 high, 3 normal, 4 low."""
    team_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("team.id"))
    assignee_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    let_go_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """Who had it and gave it back, while nobody has it: it is not handed out to them again."""
    policy_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("policy.id"))
    """What was promised by hand, whatever the policies' conditions say."""
    tags: Mapped[list[str]] = mapped_column(default=list, server_default=text("'[]'"))
    fields: Mapped[Json] = mapped_column(default=dict, server_default=text("'{}'"))
    """Values of the fields an admin defined (`domain/fields.py`), by their ids."""
    snoozed_until: Mapped[datetime | None]
    """A pending ticket is open again then, or when the customer writes (`domain/working/snoozing.py`)."""
    legal_since: Mapped[datetime | None]
    """Legal days run from here, once a law has promised anything for the ticket: the word that made it a complaint. Of others that
    are part of it, each has its own."""
    undecided: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """A complaint of it waits for its decision (`domain/complaints/settling.py` keeps it so): until then it stays open."""
    merged_into_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"))
    split_from_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"))
    split_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("move.id", use_alter=True))
    """The move that made it, of what another ticket held."""
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    solved_at: Mapped[datetime | None]
    due_at: Mapped[datetime] = mapped_column(default=NEVER, server_default=text("'9999-01-01 00:00:00+00'"))
    """Of its promises that run and are not paused, that due first; `domain/sla/clocks.py` keeps it."""
    spam_at: Mapped[datetime | None]
    """Somebody has said that it is spam (`domain/desk/spam.py`)."""
    spam_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))

    def is_live(self) -> bool:
        return self.status in LIVE

    def takes_more(self, *, at: datetime) -> bool:
        """May the customer's next word in a thread of this ticket still belong here?"""
        solved_at = self.solved_at if self.status == TicketStatus.SOLVED else None
        return self.is_live() or (solved_at is not None and solved_at > at - REOPENS_WITHIN)

    def still_with(self, agent_id: uuid.UUID | None) -> None:
        """Refuses who acts on an old picture of who has the ticket."""
        if self.assignee_id != agent_id:
            raise SomebodyElseAssigned(field=["expectedAssigneeId"])

    def assign(
        self, *, to: Agent | None, by: Actor, at: datetime, because: Collection[str] = (), **why: str
    ) -> None:
        """`because`: codes of `domain/assigning/reasons.py`, where a rule decided; `why`, what these are about."""
        before, self.assignee_id = self.assignee_id, to.id if to else None
        if self.assignee_id == before:
            return
        changed: Json = {"to": str(to.id) if to else None, "before": str(before) if before else None}
        if because:
            changed |= {"because": list(because), **why}
        self.let_go_by_id = before if to is None and before == by.agent_id else None
        if to:
            to.turns += 1
        if to and self.status == TicketStatus.NEW:
            changed["status"] = [self.status, TicketStatus.OPEN]
            self.status = TicketStatus.OPEN
        self._record(EventKind.TICKET_ASSIGNED, by=by, at=at, **changed)

    def hand_to(self, team: Team | None, members: Collection[uuid.UUID], *, by: Actor, at: datetime) -> None:
        """To another team, or to none. Whoever has it keeps it only where they are one of its `members`."""
        before, self.team_id = self.team_id, team.id if team else None
        if self.team_id == before:
            return
        moved = [str(before) if before else None, str(team.id) if team else None]
        self._record(EventKind.TICKET_CHANGED, by=by, at=at, team=moved)
        if team and self.assignee_id and self.assignee_id not in members:
            self.assign(to=None, by=by, at=at, because=[OTHER_TEAM])
        self.let_go_by_id = None

    def change(
        self,
        *,
        by: Actor,
        at: datetime,
        subject: str | None = None,
        status: TicketStatus | None = None,
        priority: int | None = None,
        add_tags: list[str] | None = None,
        remove_tags: list[str] | None = None,
        fields: Mapping[str, str | None] | None = None,
    ) -> None:
        """What is left out stays; of `fields`, none takes a value away. Conversations keep subjects of their own."""
        check(priority, add_tags)
        changed: Json = {}
        if status in OVER and self.undecided:
            raise Undecided(field=["status"])
        if subject is not None and subject != self.subject:
            changed["subject"] = True
            self.subject = subject
        if status and status != self.status:
            changed["status"] = [self.status, status]
            self.status, self.snoozed_until = status, None
            solved = {TicketStatus.SOLVED: at, TicketStatus.CLOSED: self.solved_at or at}
            self.solved_at = solved.get(status)
        if priority and priority != self.priority:
            changed["priority"] = [self.priority, priority]
            self.priority = priority
        added, removed = tags.kept(add_tags or []), tags.kept(remove_tags or [])
        after = [tag for tag in self.tags if tag not in removed]
        after += [tag for tag in added if tag not in after]
        if after != self.tags:
            changed["tags"] = len(after)
            self.tags = after
        if named := sorted(id for id, value in (fields or {}).items() if self.fields.get(id) != value):
            changed["fields"] = named
            self.fields = kept_values(self.fields, fields or {})
        if changed:
            self._record(EventKind.TICKET_CHANGED, by=by, at=at, **changed)

    def snooze(self, until: datetime, *, by: Actor, at: datetime) -> None:
        """Nobody needs to look at it before then, unless the customer writes."""
        if not at < until <= at + LONGEST_SNOOZE:
            raise InvalidInput(
                N_("A ticket can be snoozed until a time within a year from now."), field=["pendingUntil"]
            )
        if (self.status, self.snoozed_until) == (TicketStatus.PENDING, until):
            return
        changed: Json = {"until": until.isoformat()}
        if self.status != TicketStatus.PENDING:
            changed["status"] = [self.status, TicketStatus.PENDING]
        self.status, self.solved_at, self.snoozed_until = TicketStatus.PENDING, None, until
        ring(session_of(self), SNOOZES)
        self._record(EventKind.TICKET_SNOOZED, by=by, at=at, **changed)

    def wake(self, *, by: Actor, at: datetime) -> None:
        if self.snoozed_until is None:
            return
        status = [self.status, TicketStatus.OPEN]
        self.status, self.snoozed_until = TicketStatus.OPEN, None
        self._record(EventKind.TICKET_WOKE, by=by, at=at, status=status)

    def stand_again(
        self,
        status: TicketStatus,
        *,
        solved_at: datetime | None,
        snoozed_until: datetime | None,
        by: Actor,
        at: datetime,
    ) -> None:
        """As before somebody changed it, who takes that back."""
        changed: Json = {"status": [self.status, status]} if status != self.status else {}
        self.status, self.solved_at, self.snoozed_until = status, solved_at, snoozed_until
        ring(session_of(self), SNOOZES)
        self._record(EventKind.TICKET_CHANGED, by=by, at=at, undone=True, **changed)

    def customer_wrote(self, *, by: Actor, at: datetime, again: bool = False) -> None:
        """A person's word reopens what was put aside; not what is said over and over, and not spam."""
        self.updated_at = at
        if not again and self.spam_at is None and self.status in (TicketStatus.PENDING, TicketStatus.SOLVED):
            self.status, self.solved_at, self.snoozed_until = TicketStatus.OPEN, None, None
            self._record(EventKind.TICKET_REOPENED, by=by, at=at)

    def set_spam(self, spam: bool, *, by: Actor, at: datetime) -> None:
        self.spam_at, self.spam_by_id = (at, by.agent_id) if spam else (None, None)
        self._record(EventKind.TICKET_CHANGED, by=by, at=at, spam=spam)

    def note(self, text: str, *, by: Actor, at: datetime, mentioned: Collection[uuid.UUID] = ()) -> Note:
        """`mentioned`: agents who are told of it (`domain/working/mentions.py`)."""
        if not text.strip():
            raise InvalidInput(N_("This may not be empty."), field=["text"])
        note = Note(
            id=new_id(),
            ticket_id=self.id,
            contact_id=self.contact_id,
            direction=Direction.INTERNAL,
            agent_id=by.agent_id,
            author=by.name,
            at=at,
            text=text,
        )
        session_of(self).add(note)
        told = {"mentioned": [str(id) for id in mentioned]} if mentioned else {}
        self._record(EventKind.NOTE_ADDED, by=by, at=at, item_id=note.id, **told)
        return note

    def _record(
        self, kind: EventKind, *, by: Actor, at: datetime, item_id: uuid.UUID | None = None, **data: object
    ) -> None:
        self.updated_at = at
        record(
            session_of(self),
            kind,
            by=by,
            at=at,
            ticket_id=self.id,
            contact_id=self.contact_id,
            item_id=item_id,
            data=data,
        )


def takes_more(at: datetime | ColumnElement[datetime]) -> ColumnElement[bool]:
    """The condition that `Ticket.takes_more` asks of one."""
    solved = and_(Ticket.status == TicketStatus.SOLVED, Ticket.solved_at > at - REOPENS_WITHIN)
    return or_(Ticket.status.in_(LIVE), solved)


def check(priority: int | None, add_tags: Iterable[str] | None) -> None:
    """Refuses what no ticket can have."""
    if priority is not None and not 1 <= priority <= 4:
        raise InvalidInput(N_("A priority is 1 (urgent), 2, 3 or 4 (low)."), field=["priority"])
    added = tags.kept(add_tags or [])
    if "" in added:
        raise InvalidInput(N_("This may not be empty."), field=["addTags"])
    if any(len(tag) > tags.LONGEST for tag in added):
        raise InvalidInput(N_("A tag has at most {most} characters."), field=["addTags"], most=tags.LONGEST)

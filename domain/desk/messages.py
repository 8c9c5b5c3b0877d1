"""The items of a timeline: messages, calls and notes, in one table, so that a page of history is one read.

An item's `seq` grows in the order in which a ticket's items were committed: writers hold the ticket's row first.
"""

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, and_, exists, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, aliased, mapped_column

from domain.actors import SYSTEM, Actor
from domain.answering.addressing import after, left_to_send
from domain.db import HISTORY, Base, Json, new_id, session_of
from domain.events import EventKind, record
from domain.ways_in.channels import Channel
from domain.work import Queue, Work


class ItemKind(StrEnum):
    MESSAGE = "message"
    CALL = "call"
    NOTE = "note"


class Direction(StrEnum):
    IN = "in"
    OUT = "out"
    INTERNAL = "internal"


class DeliveryState(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNDONE = "undone"
    """Taken back before it left."""


class CallState(StrEnum):
    RINGING = "ringing"
    ANSWERED = "answered"
    MISSED = "missed"
    """Over, or a machine's, and none of us took it."""
    ENDED = "ended"


class CallOutcome(StrEnum):
    """What came of a call, as whoever spoke or called says."""

    REACHED = "reached"
    SOLVED = "solved"
    NO_ANSWER = "no_answer"
    LEFT_MESSAGE = "left_message"
    CALL_BACK_LATER = "call_back_later"
    WRONG_NUMBER = "wrong_number"
    SPAM = "spam"


class Item(Work, Base):
    __tablename__ = "item"
    __table_args__ = (
        Index("ix_item_ticket", "ticket_id", "at", "seq"),
        Index("ix_item_ticket_seq", "ticket_id", "seq"),
        Index("ix_item_contact", "contact_id", "at", "seq"),
        Index("ix_item_thread", "thread_id", "seq"),
        Index("uq_item_external", "channel_id", "external_id", unique=True),
        Index("ix_item_external", "external_id"),
        Index("ix_item_arrival", "arrival_id"),
        Index("ix_item_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_item_ringing", "at", postgresql_where=text("ringing IS NOT NULL")),
    )
    __mapper_args__ = {"polymorphic_on": "kind", "eager_defaults": True}

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    seq: Mapped[int] = mapped_column(BigInteger, unique=True, server_default=HISTORY.next_value())
    kind: Mapped[ItemKind]
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"))
    thread_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("thread.id"))
    channel_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("channel.id"))
    direction: Mapped[Direction]
    agent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    author: Mapped[str] = mapped_column(default="", server_default="")
    """The name as it was then; an agent's own name is read from the agent."""
    at: Mapped[datetime]
    text: Mapped[str] = mapped_column(default="", server_default="")
    external_id: Mapped[str | None]
    """The provider's: a Message-ID, a `mid`, the widget's own id of a message, a call's id."""
    arrival_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("arrival.id"))

    def tell(self, kind: EventKind, *, by: Actor, at: datetime, data: Json | None = None) -> None:
        """Writes into the history what happened to this item."""
        record(
            session_of(self),
            kind,
            by=by,
            at=at,
            ticket_id=self.ticket_id,
            contact_id=self.contact_id,
            thread_id=self.thread_id,
            item_id=self.id,
            data=data,
        )


class Message(Item):
    __mapper_args__ = {"polymorphic_identity": ItemKind.MESSAGE}

    folded: Mapped[str | None]
    """Of a mail: its text without what it quotes and without a signature; none where that is all of it."""
    html: Mapped[str | None]
    automatic: Mapped[bool | None]
    """Written by no person: an out-of-office note, a newsletter, our own acknowledgement."""
    sender_verified: Mapped[bool | None]
    """Is it proven that this customer wrote it? A name or an address alone is not."""
    delivery: Mapped[DeliveryState | None]
    mail: Mapped[Json | None]
    """Of a mail: `references` (Message-IDs, oldest first), `subject`, `to` and `cc` (each a list of `[name, address]`), of one
    that came in `from`, an address; `also`, other mailboxes of ours that the same mail came to; `from_ourselves`, that its sender's address is one of the shop's.
    Of ours also who has it and who refused it (`domain/answering/addressing.py`), and the id of what it `quotes` or `forwards`,
    `with_files` or without; `passes_on`, that it holds what people of the shop said elsewhere."""
    particulars: Mapped[Json | None]
    """What only its own channel knows of a message that is no mail: each channel's `payloads.py` and sender say what."""
    digest: Mapped[str | None]
    """Of the words of a mail that came in (`domain/arriving/repetition.py`)."""

    def sent(self, *, at: datetime) -> None:
        if self.delivery == DeliveryState.QUEUED:  # its receipt may have been quicker
            self.delivery = DeliveryState.SENT
        self.tell(EventKind.MESSAGE_SENT, by=SYSTEM, at=at)

    def partly_refused(self, *, at: datetime) -> None:
        """Whom it is addressed to has it, or may still get it; somebody else does not."""
        self.tell(EventKind.MESSAGE_REFUSED, by=SYSTEM, at=at)

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        left = left_to_send(self.mail)
        if left and self.delivery != DeliveryState.QUEUED:
            said = dict.fromkeys(left, self.last_error or "")
            self.mail = after(self.mail, taken=(), refused=said)
            self.partly_refused(at=at)
            return
        self.delivery = DeliveryState.FAILED
        self.tell(EventKind.MESSAGE_FAILED, by=SYSTEM, at=at)

    def received(self, *, at: datetime, read: bool) -> bool:
        """The customer's side has it. States only go forward; true when this was news."""
        order = list(DeliveryState)
        state = DeliveryState.READ if read else DeliveryState.DELIVERED
        if self.delivery is None or order.index(state) <= order.index(self.delivery):
            return False
        self.delivery = state
        self.tell(EventKind.MESSAGE_READ if read else EventKind.MESSAGE_DELIVERED, by=SYSTEM, at=at)
        return True

    def reported(self, state: DeliveryState, *, at: datetime, said: str = "") -> bool:
        """Its provider's word. What has arrived has arrived, whatever is told before or after; true when this was news."""
        if self.delivery not in REPORTED or REPORTED.index(state) <= REPORTED.index(self.delivery):
            return False
        if self.delivery == DeliveryState.QUEUED:
            if state == DeliveryState.SENT:  # whoever is sending it says so
                return False
            self.due_at = None
        self.delivery, self.last_error = state, said or None
        self.tell(REPORTED_AS[state], by=SYSTEM, at=at)
        return True


REPORTED_AS = {
    DeliveryState.SENT: EventKind.MESSAGE_SENT,
    DeliveryState.FAILED: EventKind.MESSAGE_FAILED,
    DeliveryState.DELIVERED: EventKind.MESSAGE_DELIVERED,
    DeliveryState.READ: EventKind.MESSAGE_READ,
}
REPORTED = [DeliveryState.QUEUED, *REPORTED_AS]
"""A report never leads back."""

Index("ix_item_digest", Message.digest, Item.at, postgresql_where=Message.digest.is_not(None))


class Call(Item):
    __mapper_args__ = {"polymorphic_identity": ItemKind.CALL}

    """`text` is what was noted of it. Its `due_at` is when its end is no longer waited for."""

    call_state: Mapped[CallState | None]
    number: Mapped[str | None]
    answered_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    cause: Mapped[str | None]
    steps: Mapped[Json | None]
    """What its steps have said so far (`domain/calling/call_steps.py`): the columns above are read from it."""
    ringing: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    """Ids of the agents whose telephones ring now; empty where nobody says whose, none where none rings."""
    handled_by: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    """Ids of the agents who had it, in their order; `agent_id` is the last."""
    dialled: Mapped[str | None]
    """The number of ours, in E.164."""
    campaign: Mapped[str | None]
    source: Mapped[str | None]
    """Which advert, page or product that number stood on then."""
    outcome: Mapped[CallOutcome | None]

    def note(self, text: str | None, outcome: CallOutcome | None, *, by: Actor, at: datetime) -> None:
        """Without a text the one that is there stays."""
        before = (self.text, self.outcome)
        self.text = self.text if text is None else text.strip()
        self.outcome = outcome
        if (self.text, self.outcome) != before:
            data = {"outcome": outcome, "noted": self.text != before[0]}
            self.tell(EventKind.CALL_CHANGED, by=by, at=at, data=data)


Index("ix_item_ended", Call.ended_at, postgresql_where=Call.ended_at.is_not(None))
# What else is due may be much, such as mails while a mail server is down.
Index(
    "ix_item_on_the_line",
    Call.due_at,
    postgresql_where=Call.due_at.is_not(None) & Call.call_state.is_not(None),
)


class Note(Item):
    __mapper_args__ = {"polymorphic_identity": ItemKind.NOTE}


class Attachment(Work, Base):
    __tablename__ = "attachment"
    __table_args__ = (
        Index("ix_attachment_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_attachment_file", "file"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    item_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("item.id"), index=True)
    name: Mapped[str]
    mime: Mapped[str]
    bytes: Mapped[int] = mapped_column(Integer, default=0)
    file: Mapped[str | None]
    """The key of the stored bytes; none while they are still with the provider."""
    source_url: Mapped[str | None]
    content_id: Mapped[str | None]
    inline: Mapped[bool] = mapped_column(default=False)

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        """Its provider does not give it out: `last_error` says why."""
        item = (await session.execute(select(Item).where(Item.id == self.item_id))).scalar_one()
        item.tell(EventKind.ATTACHMENT_LOST, by=SYSTEM, at=at)


_earlier = aliased(Message)

OUTBOX = Queue(
    Message,
    topic="outbox",
    outward=True,
    ready=and_(
        # Answers in one conversation leave in the order in which they were written.
        ~exists(
            select(_earlier.id).where(
                and_(
                    _earlier.thread_id == Message.thread_id,
                    _earlier.seq < Message.seq,
                    _earlier.due_at.is_not(None),
                    _earlier.delivery
                    == DeliveryState.QUEUED,  # not one that only a copy of still has to arrive
                )
            )
        ),
        ~exists(select(Channel.id).where(Channel.id == Message.channel_id, Channel.disabled_at.is_not(None))),
    ),
)

FETCHES = Queue(Attachment, topic="attachments")

CALLS = Queue(Call, topic="calls")
"""Calls whose end is waited for. Rung, too, when another telephone rings or one rings no more."""

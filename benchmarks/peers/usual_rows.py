"""Heddle's tables as the ORM likes them, with relationships. All columns are mapped; those the code names are declared."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, relationship

from domain.agents import sign_in, staff
from domain.customers import contacts
from domain.db import Base
from domain.desk import messages, threads, tickets
from domain.sla import clocks
from domain.ways_in import channels

_item = messages.Item.__table__.c
_ticket = tickets.Ticket.__table__.c


class Rows(DeclarativeBase):
    metadata = Base.metadata


class Channel(Rows):
    __table__ = channels.Channel.__table__

    kind: Mapped[str]


class SignIn(Rows):
    __table__ = sign_in.SignIn.__table__

    agent_id: Mapped[UUID]
    token_hash: Mapped[bytes]
    ended_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]


class Agent(Rows):
    __table__ = staff.Agent.__table__

    id: Mapped[UUID]


class Identity(Rows):
    __table__ = contacts.Identity.__table__

    verified_at: Mapped[datetime | None]

    @property
    def verified(self) -> bool:
        return self.verified_at is not None


class Contact(Rows):
    __table__ = contacts.Contact.__table__

    identities: Mapped[list[Identity]] = relationship(order_by=Identity.__table__.c.created_at)


class Thread(Rows):
    __table__ = threads.Thread.__table__

    joined_at: Mapped[datetime]
    last_inbound_at: Mapped[datetime | None]

    channel: Mapped[Channel] = relationship()


class Clock(Rows):
    __table__ = clocks.Clock.__table__

    warn_at: Mapped[list[datetime]]
    due_at: Mapped[datetime]
    met_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    @property
    def state(self) -> str:
        now = datetime.now(UTC)
        return clocks.clock_state(at=now, warn_at=self.warn_at, due_at=self.due_at, met_at=self.met_at)


class Ticket(Rows):
    __table__ = tickets.Ticket.__table__

    id: Mapped[UUID]
    updated_at: Mapped[datetime]
    merged_into_id: Mapped[UUID | None]

    contact: Mapped[Contact] = relationship()
    assignee: Mapped[Agent | None] = relationship(foreign_keys=_ticket.assignee_id)
    threads: Mapped[list[Thread]] = relationship()
    clocks: Mapped[list[Clock]] = relationship()
    text: Mapped[str | None] = column_property(
        select(func.left(_item.text, 140))
        .where(_item.ticket_id == _ticket.id, _item.text != "")
        .order_by(_item.at.desc(), _item.seq.desc())
        .limit(1)
        .scalar_subquery()
    )
    seq: Mapped[int] = column_property(
        select(func.max(_item.seq)).where(_item.ticket_id == _ticket.id).scalar_subquery()
    )

    @property
    def preview(self) -> str:
        return " ".join((self.text or "").split())

    @property
    def channels(self) -> list[str]:
        return channels_of(self.threads)

    @property
    def clock(self) -> Clock | None:
        return clock_of(self.clocks)


def channels_of(threads: Sequence[Thread]) -> list[str]:
    used = sorted(threads, key=lambda thread: thread.last_inbound_at or thread.joined_at, reverse=True)
    return list(dict.fromkeys(thread.channel.kind for thread in used))


def clock_of(clocks: Sequence[Clock]) -> Clock | None:
    running = [clock for clock in clocks if clock.ended_at is None]
    return min(running, key=lambda clock: (clock.met_at is not None, clock.due_at), default=None)

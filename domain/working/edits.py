"""What somebody changed on tickets, with what was there before, so that it can be taken back: by hand for some seconds, a
change of many tickets at once (`domain/working/bulk.py`) for an hour. Whatever has been changed since stays as it is.

The history holds no words, so it cannot say which subject and tags there were: these rows can, and go after a day.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, Select, delete, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.actors import Actor
from domain.db import HISTORY, Base, Json, new_id
from domain.desk.tickets import Ticket
from domain.events import Event, EventKind
from domain.work import Work

KEPT_FOR = timedelta(days=1)


class EditState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    UNDOING = "undoing"
    UNDONE = "undone"


class Edit(Work, Base):
    __tablename__ = "edit"
    __table_args__ = (
        Index("ix_edit_by", "by_id", "id"),
        Index("ix_edit_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agent.id"))
    at: Mapped[datetime]
    asked: Mapped[Json] = mapped_column(default=dict)
    """What is to become of many tickets, until that is done."""
    state: Mapped[EditState]
    total: Mapped[int] = mapped_column(Integer)
    finished_at: Mapped[datetime | None]
    undo_until: Mapped[datetime | None]
    undone_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))

    async def give_up(self, session: AsyncSession, *, at: datetime) -> None:
        waits = (EditedTicket.edit_id == self.id, EditedTicket.state == Outcome.WAITING)
        for row in await session.scalars(select(EditedTicket).where(*waits)):
            row.state, row.error = Outcome.FAILED, "INTERNAL"
        self.state, self.finished_at, self.asked = EditState.DONE, at, {}


class Outcome(StrEnum):
    """Of one ticket."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    """Its turn had not come when all of it was taken back."""
    UNDONE = "undone"
    KEPT = "kept"
    """Somebody has changed it since: `kept` names what was not taken back."""


class EditedTicket(Base):
    __tablename__ = "edited_ticket"
    __table_args__ = (
        Index("uq_edited_ticket", "edit_id", "place", unique=True),
        Index("ix_edited_ticket_ticket", "ticket_id"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    edit_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("edit.id", ondelete="CASCADE"))
    place: Mapped[int] = mapped_column(Integer)
    ticket_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("ticket.id"))
    state: Mapped[Outcome]
    error: Mapped[str | None]
    """The code of a refusal."""
    changed: Mapped[Json] = mapped_column(default=dict)
    """By name: what was there before, and afterwards."""
    kept: Mapped[list[str]] = mapped_column(default=list)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    """Its place in the history: what changes the ticket later has a higher one."""

    def is_done(self, ticket: Ticket, before: Json, seq: int) -> None:
        self.state, self.changed, self.seq = Outcome.DONE, difference(before, picture(ticket)), seq


async def place_in_history(session: AsyncSession) -> int:
    """After all that this transaction has written: what changes later a ticket that it holds comes later."""
    await session.flush()
    place: int = (await session.execute(select(HISTORY.next_value()))).scalar_one()
    return place


FIELD = "field:"


def picture(ticket: Ticket) -> Json:
    """Of what can be taken back, by name. A status goes with what it means: since when it is solved, until when it sleeps."""
    times = [at and at.isoformat() for at in (ticket.solved_at, ticket.snoozed_until)]
    return {
        "subject": ticket.subject,
        "status": [str(ticket.status), *times],
        "priority": ticket.priority,
        "assignee": str(ticket.assignee_id) if ticket.assignee_id else None,
        "policy": str(ticket.policy_id) if ticket.policy_id else None,
        "tags": list(ticket.tags),
        **{f"{FIELD}{id}": value for id, value in ticket.fields.items()},
    }


def difference(before: Json, after: Json) -> Json:
    names = [*before, *(name for name in after if name not in before)]
    return {
        name: [before.get(name), after.get(name)] for name in names if before.get(name) != after.get(name)
    }


EVERYTHING = "*"


def touched(kind: EventKind, data: Mapping[str, Any]) -> set[str]:
    """Which of the names an event of the history says to have changed."""
    names = {"status"} if "status" in data else set()
    match kind:
        case EventKind.TICKET_ASSIGNED:
            return names | {"assignee"}
        case EventKind.TICKET_REOPENED | EventKind.TICKET_SNOOZED | EventKind.TICKET_WOKE:
            return {"status"}
        case EventKind.TICKET_CHANGED:
            fields = {f"{FIELD}{id}" for id in data.get("fields", ())}
            return names | fields | ({"subject", "priority"} & data.keys())
        case EventKind.TICKET_MERGED | EventKind.MOVE_UNDONE:
            return {EVERYTHING}
        case _:
            return set()


def taken_back(changed: Json, since: Collection[str], now: Json) -> tuple[Json, list[str]]:
    """What each name is to be again, and the names that stay because somebody has changed them since (`touched`). Of tags,
    those that came go and those that went come, as far as they are still there or still gone."""
    back: Json = {}
    kept: list[str] = []
    for name, (before, after) in changed.items():
        if name == "tags" and EVERYTHING not in since:
            came = [tag for tag in after if tag not in before]
            went = [tag for tag in before if tag not in after]
            again = [tag for tag in now["tags"] if tag not in came]
            back[name] = again + [tag for tag in went if tag not in again]
        elif name in since or EVERYTHING in since or (name == "policy" and now[name] != after):
            kept.append(name)
        else:
            back[name] = before
    return back, kept


async def keep(
    session: AsyncSession,
    tickets: Sequence[tuple[Ticket, Json]],
    *,
    by: Actor,
    at: datetime,
    undo_for: timedelta,
) -> Edit | None:
    """Of what has been done by hand to these tickets, each with its picture from before. `undo_for` runs from `at`; nothing is kept where
    nothing could be taken back, or nothing was changed."""
    changed = [pair for pair in tickets if pair[1] != picture(pair[0])]
    if by.agent_id is None or not undo_for or not changed:
        return None
    edit = Edit(
        id=new_id(), by_id=by.agent_id, at=at, state=EditState.DONE, total=len(changed), finished_at=at,
        undo_until=at + undo_for,
    )  # fmt: skip
    session.add(edit)
    seq = await place_in_history(session)
    for place, (ticket, before) in enumerate(changed):
        row = EditedTicket(
            id=new_id(), edit_id=edit.id, place=place, ticket_id=ticket.id, state=Outcome.WAITING
        )
        session.add(row)
        row.is_done(ticket, before, seq)
    return edit


def rows_of(edit_id: uuid.UUID, *states: Outcome) -> Select[EditedTicket]:
    rows = select(EditedTicket).where(EditedTicket.edit_id == edit_id).order_by(EditedTicket.place)
    return rows.where(EditedTicket.state.in_(states)) if states else rows


async def changed_since(session: AsyncSession, row: EditedTicket, edit: Edit) -> set[str]:
    events = await session.execute(
        select(Event.kind, Event.data).where(
            Event.ticket_id == row.ticket_id, Event.at >= edit.at - timedelta(days=1), Event.seq > row.seq
        )
    )
    return {name for event in events for name in touched(event.kind, event.data)}


async def forget_old(session: AsyncSession, *, at: datetime) -> None:
    await session.execute(delete(Edit).where(Edit.at < at - KEPT_FOR, Edit.due_at.is_(None)))

"""Merges, splits and moves as a journal of pointers, so that each can be undone, in any order.

A step says which pointer of which row went from where to where. Where a row belongs by itself is the last word about it that
still stands, or else where it was before its first step; from there one follows what tickets and contacts have become. So
what a merge took along goes back when *that* merge is undone, and what was moved by itself stays where it was put.
"""

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Index, Integer, Table, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from domain.abreast import one_at_a_time
from domain.actors import Actor
from domain.db import HISTORY, Base, new_id, one_of

UNDO_WITHIN = timedelta(days=30)
MOVED = ("identity", "contact", "thread", "ticket", "item", "task", "alert", "complaint")


class MoveKind(StrEnum):
    CONTACT_MERGE = "contact_merge"
    TICKET_MERGE = "ticket_merge"
    THREAD_MOVE = "thread_move"
    SPLIT = "split"
    HAND_OVER = "hand_over"
    """An identity turned out to be somebody else's."""


class Move(Base):
    __tablename__ = "move"
    __table_args__ = (Index("ix_move_thread", "thread_id", postgresql_where=text("thread_id IS NOT NULL")),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    seq: Mapped[int] = mapped_column(BigInteger, unique=True, server_default=HISTORY.next_value())
    kind: Mapped[MoveKind]
    contact_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("contact.id"))
    """Whose it was afterwards."""
    ticket_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("ticket.id"))
    thread_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("thread.id"))
    """What a split made."""
    at: Mapped[datetime]
    by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))
    """None: a rule decided."""
    undone_at: Mapped[datetime | None]
    undone_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("agent.id"))

    @property
    def undo_until(self) -> datetime:
        return self.at + UNDO_WITHIN


class Step(Base):
    __tablename__ = "move_step"
    __table_args__ = (
        Index("ix_move_step_move", "move_id", "place"),
        Index("ix_move_step_row", "row_id", "field"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=new_id)
    move_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("move.id"))
    place: Mapped[int] = mapped_column(Integer)
    of: Mapped[str]
    """The table."""
    row_id: Mapped[uuid.UUID]
    field: Mapped[str]
    before: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    after: Mapped[Any] = mapped_column(JSONB(none_as_null=True), nullable=True)
    always: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    """Somebody's word about this very row: it holds wherever the row was."""


@dataclass(frozen=True)
class Taken:
    """One step of a row, as far as replaying needs it."""

    move_id: uuid.UUID
    before: Any
    after: Any
    always: bool
    stands: bool


def home(steps: Sequence[Taken]) -> Any:
    """Where the row belongs by itself; `steps` in the order in which they were taken, at least one."""
    words = [step.after for step in steps if step.stands and step.always]
    return words[-1] if words else steps[0].before


def replayed(steps: Sequence[Taken], *, without: uuid.UUID | None = None) -> Any:
    """What a field of the row holds: each step that stands changes it from where it finds it."""
    value = steps[0].before
    for step in steps:
        if step.stands and step.move_id != without and (step.always or step.before == value):
            value = step.after
    return value


def after_undo(steps: Sequence[Taken], move_id: uuid.UUID, now: Any) -> Any:
    """What a field that holds `now` holds when the move is undone; what somebody changed since by other means, stays."""
    if now == replayed(steps):
        return replayed(steps, without=move_id)
    last = next(step for step in reversed(steps) if step.move_id == move_id)
    return last.before if now == last.after else now


class Journal:
    """Moves pointers and writes down each. Nothing else may move them."""

    def __init__(self, session: AsyncSession, move: Move, by: Actor) -> None:
        self.session, self.move, self.by, self.at = session, move, by, move.at
        self._place = 0

    @classmethod
    async def begin(
        cls, session: AsyncSession, kind: MoveKind, contact_id: uuid.UUID, *, by: Actor, at: datetime
    ) -> "Journal":
        move = Move(id=new_id(), kind=kind, contact_id=contact_id, at=at, by_id=by.agent_id)
        session.add(move)
        await session.flush()  # threads will point to it
        return cls(session, move, by)

    def set(self, row: Base, always: bool = False, **values: Any) -> None:
        """Of one row in hand."""
        table = cast(Table, row.__table__)
        for field, value in values.items():
            before = getattr(row, field)
            if before != value:
                self._write(table, [(row.id, before)], field, value, always)  # type: ignore[attr-defined]
                setattr(row, field, value)

    def note(self, row: Base, field: str, before: Any, *, anyway: bool = False) -> None:
        """What somebody else has set meanwhile; `anyway`: also what it was already, so that it stays when an earlier move is undone."""
        after = getattr(row, field)
        if anyway or before != after:
            self._write(cast(Table, row.__table__), [(row.id, before)], field, after, True)  # type: ignore[attr-defined]

    async def all(
        self, model: type[Base], *conditions: ColumnElement[bool], always: bool = False, **values: Any
    ) -> list[uuid.UUID]:
        """Of all rows that meet the conditions; their ids."""
        table = cast(Table, model.__table__)
        await self.session.flush()
        columns = [table.c[field] for field in values]
        found = (
            await self.session.execute(
                select(table.c.id, *columns).where(*conditions).with_for_update(key_share=True)
            )
        ).all()
        for place, (field, value) in enumerate(values.items(), start=1):
            self._write(
                table, [(row.id, row[place]) for row in found if row[place] != value], field, value, always
            )
        if found:
            ids = [row.id for row in found]
            await self.session.execute(update(model).where(table.c.id.in_(ids)).values(values))
            return ids
        return []

    def _write(
        self, table: Table, rows: Iterable[tuple[uuid.UUID, Any]], field: str, after: Any, always: bool
    ) -> None:
        for row_id, before in rows:
            self._place += 1
            self.session.add(
                Step(
                    id=new_id(), move_id=self.move.id, place=self._place, of=table.name, row_id=row_id, field=field,
                    before=as_json(before), after=as_json(after), always=always,
                )
            )  # fmt: skip


async def hold(session: AsyncSession) -> None:
    """One moves pointers at a time."""
    await one_at_a_time(session, "moves")


async def reread(session: AsyncSession) -> None:
    """Rows in hand, after statements that wrote past them."""
    in_hand: dict[Any, list[uuid.UUID]] = {}
    for key in session.identity_map.keys():  # noqa: SIM118 — it is no mapping to iterate over
        model: Any = key[0]
        if model.__tablename__ in MOVED:
            in_hand.setdefault(model, []).append(key[1][0])
    for model, ids in in_hand.items():
        rows = select(model).where(one_of(model.id, ids)).execution_options(populate_existing=True)
        await session.execute(rows)


def as_json(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    return value.isoformat() if isinstance(value, datetime) else value

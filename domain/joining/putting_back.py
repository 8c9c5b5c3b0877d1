"""Undoing a move in the journal: every row that it touched, or that depends on it, is reckoned again from its steps."""

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import DateTime, Uuid, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.db import Base, among, one_of
from domain.desk.threads import Thread
from domain.desk.tickets import Ticket
from domain.joining.moves import Move, Step, Taken, after_undo, as_json, home, reread

BECAME = {"ticket": "merged_into_id", "contact": "canonical_id"}
"""What says that a row has become another."""
POINTERS = {
    ("ticket", "merged_into_id"): "ticket",
    ("thread", "ticket_id"): "ticket",
    ("item", "ticket_id"): "ticket",
    ("task", "ticket_id"): "ticket",
    ("alert", "ticket_id"): "ticket",
    ("complaint", "ticket_id"): "ticket",
    ("contact", "canonical_id"): "contact",
    ("ticket", "contact_id"): "contact",
    ("thread", "contact_id"): "contact",
    ("identity", "contact_id"): "contact",
    ("task", "contact_id"): "contact",
}
WITH_STATUS = ("solved_at", "snoozed_until")
"""Of a ticket: they go back with its status, and stay where somebody has set another since."""
Changed = dict[str, set[uuid.UUID]]
"""Ids by table."""


async def put_back(session: AsyncSession, move: Move, *, at: datetime, by_id: uuid.UUID | None) -> Changed:
    """The rows that have changed."""
    await session.flush()
    steps = (await session.scalars(select(Step).where(Step.move_id == move.id))).all()
    await _hold_tickets(session, steps)
    touched = {(step.of, step.field, step.row_id) for step in steps}
    fields = {
        key: taken for key, taken in (await _taken(session, touched)).items() if key[:2] not in POINTERS
    }
    move.undone_at, move.undone_by_id = at, by_id
    await session.flush()
    changed: Changed = {}
    values: dict[tuple[str, str, uuid.UUID], tuple[Any, Any]] = {}
    for key, taken in fields.items():
        now = as_json(await _read(session, *key))
        moved = key[1] == "thread_id"
        values[key] = now, home(_undone(taken, move.id)) if moved else after_undo(taken, move.id, now)
    stay = {
        row_id for (_, field, row_id), (now, value) in values.items() if field == "status" and now == value
    }
    for (of, field, row_id), (now, value) in values.items():
        if field not in WITH_STATUS or row_id not in stay:
            await _write(session, changed, of, field, row_id, now, value)
    pointing = _Pointing(session)
    for target in BECAME:
        concerned = {
            id for step in steps if POINTERS.get((step.of, step.field)) == target for id in _ids(step, target)
        }
        concerned |= {await pointing.now(target, id) for id in concerned}
        for (of, field), points_to in POINTERS.items():
            if points_to == target:
                for row_id, now in await _pointing_to(session, of, field, concerned):
                    value = await pointing.at(of, field, row_id, now)
                    await _write(session, changed, of, field, row_id, as_json(now), as_json(value))
    await reread(session)
    return changed


async def _hold_tickets(session: AsyncSession, steps: Sequence[Step]) -> None:
    """Before what hangs on them: whoever writes in a conversation holds its ticket first."""
    named = tickets_of(steps)
    threads = {step.row_id for step in steps if step.of == "thread"}
    theirs = select(Thread.ticket_id).where(one_of(Thread.id, threads))
    held = select(Ticket.id).where(one_of(Ticket.id, named) | among(Ticket.id, theirs)).order_by(Ticket.id)
    await session.execute(held.with_for_update(key_share=True))


def tickets_of(steps: Sequence[Step]) -> set[uuid.UUID]:
    """That were changed, or to which something pointed before or afterwards."""
    named = {
        id for step in steps if POINTERS.get((step.of, step.field)) == "ticket" for id in _ids(step, "ticket")
    }
    return named | {step.row_id for step in steps if step.of == "ticket"}


def _ids(step: Step, target: str) -> set[uuid.UUID]:
    ids = {uuid.UUID(value) for value in (step.before, step.after) if value}
    return ids | ({step.row_id} if step.of == target and step.field == BECAME[target] else set())


def _undone(taken: Sequence[Taken], move_id: uuid.UUID) -> list[Taken]:
    return [
        Taken(one.move_id, one.before, one.after, one.always, one.stands and one.move_id != move_id)
        for one in taken
    ]


class _Pointing:
    """Where pointers lead, by the moves that stand."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._became: dict[tuple[str, uuid.UUID], uuid.UUID | None] = {}

    async def at(self, of: str, field: str, row_id: uuid.UUID, now: uuid.UUID | None) -> uuid.UUID | None:
        target = POINTERS[of, field]
        if BECAME.get(of) == field:
            became = await self._next(target, row_id)
            return await self.now(target, became) if became else None
        taken = (await _taken(self._session, {(of, field, row_id)})).get((of, field, row_id))
        mine = await self._began_with(of, row_id, taken or []) if target == "contact" else None
        mine = mine or (home(taken) if taken else now)
        return await self.now(target, uuid.UUID(str(mine))) if mine else None

    async def _began_with(self, of: str, row_id: uuid.UUID, taken: Sequence[Taken]) -> Any:
        """Whose what came in by itself was, where its sender was part of another contact by then: the sender's own."""
        if any(step.always and step.stands for step in taken):
            return None
        thread = Base.metadata.tables["thread"]
        of_the_row = thread.c.id == row_id
        if of == "ticket":  # the conversation that opened it, or what is left of those that came
            of_the_row = (thread.c.ticket_id == row_id) & (thread.c.id > row_id)
        elif of != "thread":
            return None
        found = select(thread.c.id, thread.c.identity_id).where(of_the_row, thread.c.split_from_id.is_(None))
        began = (await self._session.execute(found.order_by(thread.c.id).limit(1))).one_or_none()
        if began is None or began.identity_id is None:
            return None
        key = ("identity", "contact_id", began.identity_id)
        steps = (await _taken(self._session, {key})).get(key, [])
        before = [step for step in steps if step.move_id < began.id]  # both ids hold the time
        return home(before) if before else None

    async def now(self, target: str, id: uuid.UUID) -> uuid.UUID:
        """What it has become in the end."""
        while became := await self._next(target, id):
            id = became
        return id

    async def _next(self, target: str, id: uuid.UUID) -> uuid.UUID | None:
        if (target, id) not in self._became:
            key = (target, BECAME[target], id)
            taken = (await _taken(self._session, {key})).get(key)
            became = home(taken) if taken else await _read(self._session, *key)
            self._became[target, id] = uuid.UUID(str(became)) if became else None
        return self._became[target, id]


async def _taken(
    session: AsyncSession, keys: Collection[tuple[str, str, uuid.UUID]]
) -> dict[tuple[str, str, uuid.UUID], list[Taken]]:
    rows = await session.execute(
        select(Step, Move.undone_at)
        .join(Move, Move.id == Step.move_id)
        .where(one_of(Step.row_id, {row_id for _, _, row_id in keys}))
        .order_by(Move.seq, Step.place)
    )
    found: dict[tuple[str, str, uuid.UUID], list[Taken]] = {}
    for step, undone_at in rows:
        key = (step.of, step.field, step.row_id)
        if key in keys:
            found.setdefault(key, []).append(
                Taken(step.move_id, step.before, step.after, step.always, undone_at is None)
            )
    return found


async def _pointing_to(
    session: AsyncSession, of: str, field: str, ids: Collection[uuid.UUID]
) -> Sequence[Any]:
    table = Base.metadata.tables[of]
    concerned = one_of(table.c[field], ids)
    if BECAME.get(of) == field:
        concerned |= one_of(table.c.id, ids)
    by_itself = table.c.thread_id.is_(None) if of == "item" else true()
    rows = await session.execute(
        select(table.c.id, table.c[field])
        .where(concerned, by_itself)
        .order_by(table.c.id)
        .with_for_update(key_share=True)
    )
    return rows.all()


async def _read(session: AsyncSession, of: str, field: str, row_id: uuid.UUID) -> Any:
    table = Base.metadata.tables[of]
    return await session.scalar(
        select(table.c[field]).where(table.c.id == row_id).with_for_update(key_share=True)
    )


async def _write(
    session: AsyncSession, changed: Changed, of: str, field: str, row_id: uuid.UUID, now: Any, value: Any
) -> None:
    if value == now:
        return
    table = Base.metadata.tables[of]
    type = table.c[field].type
    if value is not None and isinstance(type, Uuid):
        value = uuid.UUID(value)
    elif value is not None and isinstance(type, DateTime):
        value = datetime.fromisoformat(value)
    await session.execute(update(table).where(table.c.id == row_id).values({field: value}))
    changed.setdefault(of, set()).add(row_id)

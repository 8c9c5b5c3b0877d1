"""How a person is erased: in short transactions, each of which seals some rows and empties them, and can be the last one
before the worker dies.

First the person is shut out of what was (tickets closed, conversations ended, identities gone), so that nothing is added
behind the back of what follows; then table by table; then the stored files; then the originals that became no message of theirs.
"""

import base64
import uuid
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import reduce
from operator import add
from typing import Any

import orjson
import structlog
from sqlalchemy import Column, ColumnElement, Row, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain import audit
from domain.actors import SYSTEM, Actor, ActorKind
from domain.arriving.inbound import Arrival
from domain.audit import AuditKind
from domain.customers.contacts import Claim, Identity, IdentityKind, lock_identities
from domain.customers.survivors import same_person
from domain.db import Database, database_time, first_id, one_of
from domain.desk import scans
from domain.desk.files import Files
from domain.desk.messages import Attachment, Message
from domain.desk.survivors import locked
from domain.desk.tasks import Task
from domain.desk.tickets import Ticket, TicketStatus
from domain.events import EventKind, happened, record, record_all
from domain.hands import work
from domain.keys import Keys
from domain.privacy import batches, traces
from domain.privacy.belonging import items_of, tasks_of
from domain.privacy.erasure import ERASURES, Erasure, keep_sealed, waits_for_decision
from domain.privacy.exports import ContactExport
from domain.privacy.holdings import HOLDINGS, Holding
from domain.sla import reckoning
from domain.work import Lease, TryLater

log = structlog.get_logger()

ROWS = 200
SIZE = 4 << 20
"""Stored bytes in one transaction, but for a single row that is larger."""
LOOKED_THROUGH = 2000
"""Originals in one transaction."""
A_WHILE = 3600.0
NOTHING = uuid.UUID(int=0)

_LAST = [holding.model for holding in HOLDINGS].index(Identity) + 1
AT_ONCE, IN_STEPS = HOLDINGS[:_LAST], HOLDINGS[_LAST:]
"""Who the person is goes in the first transaction, what they said in many."""


class Sealer:
    def __init__(self, db: Database, keys: Keys, files: Files) -> None:
        self._db, self._keys, self._files = db, keys, files

    async def run(self) -> None:
        await work(self._db, ERASURES, self.erase)

    async def erase(self, erasure: Erasure, lease: Lease[Erasure]) -> None:
        steps = [self._shut, *(self._table(holding) for holding in IN_STEPS), self._files_of, self._unread]
        for number, step in enumerate(steps):
            more = True
            while more:
                async with self._db.transaction() as session:
                    held = await session.get_one(Erasure, erasure.id, with_for_update=True)
                    if held.step != number:
                        break
                    more = await step(session, held)
                    if not more:
                        held.step, held.reached_id = number + 1, None
        async with self._db.transaction() as session:
            done = await lease.settle(session, last_error=None)
            await self._sealed(session, done, at=await database_time(session))
        log.info("contact_erased", contact=str(erasure.contact_id), rows=sum(done.emptied.values()))

    async def _shut(self, session: AsyncSession, erasure: Erasure) -> bool:
        id, now = erasure.contact_id, await database_time(session)
        if await waits_for_decision(session, id):  # opened since it was confirmed
            raise TryLater("a complaint waits for its decision", after=A_WHILE)
        by = Actor(ActorKind.AGENT, erasure.confirmed_by_id) if erasure.confirmed_by_id else SYSTEM
        identities = await session.execute(
            select(Identity.kind, Identity.scope, Identity.value).where(same_person(Identity.contact_id, id))
        )
        named = sorted(Claim(kind, value, None, scope).key for kind, scope, value in identities)
        await lock_identities(session, *(Claim(kind, value, None, scope) for kind, scope, value in named))
        looked_for = [(kind, value) for kind, _, value in named] + await traces.calls_of(session, id)
        talked = list(await session.scalars(batches.talked_as(id)))
        erasure.looked_for = self._keys.encrypt({"named": looked_for, "talked": talked})
        await _close(session, id, by=by, at=now)
        for holding in AT_ONCE:
            reached = NOTHING
            while rows := await self._take(session, erasure, holding, reached):
                reached = rows[-1].id
        return False

    def _table(self, holding: Holding) -> Any:
        async def step(session: AsyncSession, erasure: Erasure) -> bool:
            rows = await self._take(session, erasure, holding, erasure.reached_id or NOTHING)
            if holding.model is Ticket:  # whoever shows one looks again
                now = await database_time(session)
                record_all(session, [_changed(row, now) for row in rows])
            if rows:
                erasure.reached_id = rows[-1].id
            return bool(rows)

        return step

    async def _take(
        self, session: AsyncSession, erasure: Erasure, holding: Holding, after: uuid.UUID
    ) -> Sequence[Row[Any]]:
        """Seals the next rows and empties them."""
        table = holding.table
        ids = await _next(session, holding, erasure.contact_id, after)
        chosen = one_of(table.c.id, ids)
        columns = [column for column in table.columns if column.name != holding.large]
        rows = (
            await session.execute(select(*columns).where(chosen).order_by(table.c.id).with_for_update())
        ).all()
        if not rows:
            return rows
        shared = await batches.shared(session, ids, self._psids(erasure)) if holding.model is Arrival else {}
        whole = [row for row in rows if row.id not in shared]
        chosen = one_of(table.c.id, [row.id for row in whole])
        await self._seal_rows(session, erasure, holding, whole)
        if values := holding.values(erasure.contact_id):
            await session.execute(update(table).where(chosen).values(values))
        else:
            await session.execute(delete(table).where(chosen))
        for id, (theirs, rest) in shared.items():
            await self._take_part(session, erasure, id, theirs, rest)
        taken = len(whole) + sum(bool(theirs) for theirs, _ in shared.values())
        name = str(table.name)
        erasure.emptied = erasure.emptied | {name: erasure.emptied.get(name, 0) + taken}
        return rows

    async def _take_part(
        self, session: AsyncSession, erasure: Erasure, id: uuid.UUID, theirs: bytes, rest: bytes
    ) -> None:
        """What others sent stays where it is, and is still read if that had failed or is to be done."""
        if not theirs:
            return
        if key := erasure.key(self._keys):
            await self._seal_piece(session, erasure, key, id, theirs)
        # Why it could not be read may quote the person.
        await session.execute(update(Arrival).where(Arrival.id == id).values(raw=rest, last_error=None))

    async def _seal_rows(
        self, session: AsyncSession, erasure: Erasure, holding: Holding, rows: Sequence[Row[Any]]
    ) -> None:
        key = erasure.key(self._keys)
        if key is None or not holding.sealed or not rows:
            return
        lines = b"\n".join(
            orjson.dumps({str(name): value for name, value in row._mapping.items()}, default=_written)
            for row in rows
        )
        head = orjson.dumps({"table": str(holding.table.name)})
        await keep_sealed(session, erasure, key, zlib.compress(head + b"\n" + lines, 1))
        if holding.large:
            for row in rows:
                await self._seal_large(session, erasure, key, holding.table.c[holding.large], row.id)
        for file in [row.file for row in rows if holding.stored and row.file]:
            head = orjson.dumps({"file": file})
            try:
                async for part in self._files.parts(file):
                    await keep_sealed(session, erasure, key, zlib.compress(head + b"\n" + part, 1))
            except FileNotFoundError:
                log.warning("file_missing", key=file)

    async def _seal_large(
        self, session: AsyncSession, erasure: Erasure, key: bytes, column: Column[Any], id: uuid.UUID
    ) -> None:
        begin, where = 1, column.table.c.id == id
        while piece := await session.scalar(select(func.substring(column, begin, SIZE)).where(where)):
            await self._seal_piece(session, erasure, key, id, piece)
            begin += SIZE

    async def _seal_piece(
        self, session: AsyncSession, erasure: Erasure, key: bytes, id: uuid.UUID, piece: bytes
    ) -> None:
        head = orjson.dumps({"original": str(id)})
        await keep_sealed(session, erasure, key, zlib.compress(head + b"\n" + piece, 1))

    async def _files_of(self, session: AsyncSession, erasure: Erasure) -> bool:
        """The bytes go before the row forgets where they were: whoever dies in between finds them again."""
        theirs = Attachment.item_id.in_(items_of(erasure.contact_id))
        of = (Attachment, theirs), (ContactExport, same_person(ContactExport.contact_id, erasure.contact_id))
        found = False
        for model, condition in of:
            stored = select(model.id, model.file).where(condition, model.file.is_not(None)).limit(ROWS)
            # Held, so that nobody who is drawing a preview lays it there afterwards.
            rows = (await session.execute(stored.with_for_update(of=model))).all()
            for id, file in rows:
                found = True
                await self._files.delete(str(file))
                await session.execute(update(model).where(model.id == id).values(file=None))
            await scans.forget(session, [str(row.file) for row in rows])
        return found

    async def _unread(self, session: AsyncSession, erasure: Erasure) -> bool:
        """Originals from before the erasure that no item of theirs came of (`domain/privacy/traces.py`)."""
        named = self._looked_for(erasure, "named")
        before = first_id(erasure.confirmed_at) if erasure.confirmed_at else NOTHING
        span = (Arrival.id > (erasure.reached_id or NOTHING), Arrival.id < before)
        ids = (
            await session.scalars(select(Arrival.id).where(*span).order_by(Arrival.id).limit(LOOKED_THROUGH))
        ).all()
        if not ids or not named:
            return False
        found = await traces.among(session, ids[0], ids[-1], named)
        originals = replace(_ORIGINAL, theirs=lambda _: one_of(Arrival.id, found))
        reached = NOTHING
        while rows := await self._take(session, erasure, originals, reached):
            reached = rows[-1].id
        erasure.reached_id = ids[-1]
        return True

    def _looked_for(self, erasure: Erasure, what: str) -> list[Any]:
        return self._keys.decrypt(erasure.looked_for).get(what, []) if erasure.looked_for else []

    def _psids(self, erasure: Erasure) -> set[str]:
        named = self._looked_for(erasure, "named")
        known = {value for kind, value in named if kind == IdentityKind.MESSENGER}
        return known.union(self._looked_for(erasure, "talked"))

    async def _sealed(self, session: AsyncSession, erasure: Erasure, *, at: datetime) -> None:
        erasure.sealed_at, erasure.looked_for = at, None
        if erasure.sealed_days:
            erasure.destroy_at = func.now() + func.make_interval(0, 0, 0, erasure.sealed_days)
        else:
            erasure.destroyed_at = at
        about = {"erasure": str(erasure.id)}
        record(session, EventKind.CONTACT_ERASED, by=SYSTEM, at=at, contact_id=erasure.contact_id, data=about)
        told = about | erasure.emptied | {"sealed_days": erasure.sealed_days}
        audit.note(session, AuditKind.ERASED, by=SYSTEM, at=at, contact_id=erasure.contact_id, data=told)


(_ORIGINAL,) = (holding for holding in HOLDINGS if holding.model is Arrival)


async def _close(session: AsyncSession, contact_id: uuid.UUID, *, by: Actor, at: datetime) -> None:
    """Nobody can answer any more: what is open is closed, what would go out stays, and who writes again begins anew."""
    queued = await session.scalars(
        select(Message).where(same_person(Message.contact_id, contact_id), Message.due_at.is_not(None))
    )
    for message in queued.all():
        message.due_at = None
        await message.give_up(session, at=at)
    open_tasks = select(Task).where(tasks_of(contact_id), Task.done_at.is_(None))
    for task in (await session.scalars(open_tasks.order_by(Task.id))).all():
        task.finish(True, at=at)
        task.repeat(None)
        task.saved(by=by, at=at)
    tickets = select(Ticket.id).where(
        same_person(Ticket.contact_id, contact_id),
        Ticket.status != TicketStatus.CLOSED,
        Ticket.merged_into_id.is_(None),
    )
    for id in (await session.scalars(tickets.order_by(Ticket.id))).all():
        ticket = await locked(session, id)
        if ticket.is_live():
            ticket.change(by=by, at=at, status=TicketStatus.CLOSED)
            await reckoning.reckon(session, ticket, by=by, at=at)
        else:  # it was settled then, not now
            before, ticket.status = ticket.status, TicketStatus.CLOSED
            record(
                session, EventKind.TICKET_CHANGED, by=by, at=at, ticket_id=id, contact_id=ticket.contact_id,
                data={"status": [before, TicketStatus.CLOSED]},
            )  # fmt: skip
    await session.flush()


def _changed(row: Row[Any], at: datetime) -> dict[str, Any]:
    return happened(
        EventKind.TICKET_CHANGED, by=SYSTEM, at=at, ticket_id=row.id, contact_id=row.contact_id,
        data={"erased": True},
    )  # fmt: skip


async def _next(
    session: AsyncSession, holding: Holding, contact_id: uuid.UUID, after: uuid.UUID
) -> list[uuid.UUID]:
    """The rows after that one, as many as are not too large together."""
    table = holding.table
    sizes: list[ColumnElement[int]] = [
        func.coalesce(func.pg_column_size(table.c[name]), 0) for name in holding.left or ("id",)
    ]
    if holding.stored:
        sizes.append(table.c.bytes)
    found = await session.execute(
        select(table.c.id, reduce(add, sizes))
        .where(holding.theirs(contact_id), table.c.id > after)
        .order_by(table.c.id)
        .limit(ROWS)
    )
    ids: list[uuid.UUID] = []
    together = 0
    for id, size in found:
        together += size
        if ids and together > SIZE:
            break
        ids.append(id)
    return ids


def _written(value: Any) -> Any:
    return {"base64": base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)
